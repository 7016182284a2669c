"""`phase-operator version`: which version this is."""

import click

from phase_operator import __version__


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def version() -> None:
    """Print the version of this program."""
    click.echo(__version__)
