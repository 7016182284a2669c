"""The command line: arguments in, exit code out."""

import click

from phase_operator import __version__
from phase_operator.cli.lazy import LazyGroup

COMMANDS = {
    "run": ("phase_operator.cli.run", "run"),
    "crds": ("phase_operator.cli.crds", "crds"),
}


@click.group(cls=LazyGroup, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="phase-operator")
def main() -> None:
    """Keep Secrets and ConfigMaps in step with Phase."""
