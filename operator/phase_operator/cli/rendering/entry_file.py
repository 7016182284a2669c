"""The file of entries that the command line names, in place of an answer of Phase."""

import click

from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.manifests import ManifestError, sources
from phase_operator.cli.rendering.entries import EntriesFormat, entries, format_of
from phase_operator.core.values import Entry


def entries_of(file: str, given: str | None) -> tuple[Entry, ...]:
    """Return the entries of a file, in the `given` format or in that of its name; raise UsageError, Failure."""
    form = EntriesFormat(given) if given else format_of(file)
    if form is None:
        raise click.UsageError(f"give --entries-format: the name of {file} does not say it")
    try:
        [source] = sources([file])
        return entries(source.raw, source.file, form)
    except ManifestError as error:
        raise Failure(str(error), ExitCode.USAGE) from None
