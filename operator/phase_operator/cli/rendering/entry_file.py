"""The file of entries that the command line names, in place of an answer of Phase."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from phase_operator.cli.common.manifests import STDIN, sources, usable
from phase_operator.cli.common.options import Decorator, combined
from phase_operator.cli.rendering.entries import EntriesFormat, entries, format_of
from phase_operator.core.text import clean
from phase_operator.core.values import Entry


def entries_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command parameters `entries_file` and `entries_format`, for `entries_of`."""
    options: Decorator[Any] = combined(
        click.option(
            "--entries",
            "entries_file",
            metavar="FILE",
            type=click.Path(allow_dash=True),
            help="Entries, instead of Phase's: yaml, json or dotenv.",
        ),
        click.option(
            "--entries-format",
            type=click.Choice([str(each) for each in EntriesFormat]),
            help="Their format. Default: by the name.",
        ),
    )
    return options(command)  # type: ignore[no-any-return]


def check_stdin(files: Sequence[str], entries_file: str | None, *, token_stdin: bool) -> None:
    """Raise UsageError if the standard input is to be more than one thing."""
    if [*files, entries_file].count(STDIN) + token_stdin > 1:
        raise click.UsageError("the standard input is one of -f -, --entries - and --token-stdin")


def entries_of(file: str, given: str | None) -> tuple[Entry, ...]:
    """Return the entries of a file, in the `given` format or in that of its name; raise UsageError, Failure."""
    form = EntriesFormat(given) if given else format_of(file)
    if form is None:
        raise click.UsageError(f"give --entries-format: the name of {clean(file)} does not say it")
    with usable():
        [source] = sources([file])
        return entries(source.raw, source.file, form)
