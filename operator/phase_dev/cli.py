"""The `phase-dev` command: one subcommand per tool."""

import click

from phase_operator.cli.common.lazy import Lazy, LazyGroup

COMMANDS = (
    Lazy("cluster", "phase_dev.cluster.cli", "cluster", "Build and run a Kubernetes control plane on loopback."),
    Lazy("server", "phase_dev.server.cli", "server", "Run the embedded Phase server."),
    Lazy("demo", "phase_dev.demo.cli", "demo", "Show the main job of the operator."),
    Lazy("dashboard", "phase_dev.monitoring.cli", "dashboard", "Draw the dashboard over a real run."),
    Lazy("image", "phase_dev.image.cli", "image", "Build and scan the image."),
    Lazy("release", "phase_dev.release.cli", "release", "Make or rehearse a release."),
    Lazy("site", "phase_dev.site.cli", "site", "Build the pages as a site, or publish them."),
)


@click.group(cls=LazyGroup, lazies=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Tools beside phase-operator: an embedded Phase server, a control plane on loopback, a demo, image and release."""
