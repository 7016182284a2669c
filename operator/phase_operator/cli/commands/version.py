"""`phase-operator version`: which version this is."""

import click

from phase_operator import __version__
from phase_operator.cli.common.options import HELP, example


@click.command(context_settings=HELP, epilog=example("kubectl phase version"))
def version() -> None:
    """Print the version of this program."""
    click.echo(__version__)
