"""The `phase-dev` command: one subcommand per tool."""

import click

from phase_operator.cli.lazy import LazyGroup

COMMANDS = {
    "cluster": ("phase_dev.cluster.cli", "cluster"),
    "server": ("phase_dev.server.cli", "server"),
    "demo": ("phase_dev.demo.cli", "demo"),
    "dashboard": ("phase_dev.monitoring.cli", "dashboard"),
    "image": ("phase_dev.image.cli", "image"),
}


@click.group(cls=LazyGroup, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Tools beside phase-operator: an embedded Phase server, a control plane on loopback, a demo, the image."""
