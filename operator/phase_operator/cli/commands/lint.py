"""`kubectl phase lint`: check resources in files, without a cluster and without Phase."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec

import click

from phase_operator.api import names
from phase_operator.cli.common.default_host import default_host_option
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.manifests import Document, ManifestError, Source, documents, sources, usable
from phase_operator.cli.common.options import HELP, NAMESPACE, example, files_option, output_option
from phase_operator.cli.common.resources import place_of
from phase_operator.cli.common.terminal import say
from phase_operator.cli.linting.findings import Finding, is_any_error
from phase_operator.cli.linting.report import Placed, as_github, as_json, as_text, summary
from phase_operator.cli.linting.resource import findings, is_ours
from phase_operator.core.text import clean

# Evaluates the CRDs' rules. The image does without it, and so do those who install the command line without it.
_ENGINE = "celpy"
_NO_ENGINE = "lint needs a library that is not installed: pip install 'phase-operator[lint]'"
# What is wrong with a document.
Judge = Callable[[Document], Sequence[Finding]]
_LINES = {"text": as_text, "github": as_github}


@click.command(context_settings=HELP, epilog=example("kubectl phase lint --strict deploy/"))
@click.argument("more", metavar="[FILE]...", nargs=-1, type=click.Path(allow_dash=True))
@files_option()
@click.option("-n", "--namespace", type=NAMESPACE, metavar="NAMESPACE", help="Namespace of resources that name none.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--schema-only", is_flag=True, help="Check what the API server checks, and no more.")
@default_host_option()
@output_option("text", "json", "github")
def lint(
    more: tuple[str, ...],
    files: tuple[str, ...],
    namespace: str | None,
    default_host: str | None,
    output: str,
    *,
    strict: bool,
    schema_only: bool,
) -> int:
    """Check resources in files as the API server and the operator would, without either.

    A warning is about what depends on the operator's settings, or has no effect. Objects of other kinds are skipped.
    """
    _check([*files, *more])
    found, count = [], _Count()
    judge = partial(findings, namespace=namespace or "", schema_only=schema_only, default_host=default_host)
    for placed in _linted([*files, *more], count, judge):
        found.append(placed)
        if output in _LINES:
            click.echo(_LINES[output](placed))
    if output == "json":
        click.echo(as_json(found))
    say(summary(found, count.checked, count.others, count.unread))
    is_bad = bool(found) if strict else is_any_error(each.finding for each in found)
    return ExitCode.NO if is_bad else ExitCode.OK


def _check(files: Sequence[str]) -> None:
    """Raise Failure or UsageError if nothing can be checked."""
    if find_spec(_ENGINE) is None:
        raise Failure(_NO_ENGINE, ExitCode.USAGE)
    if not files:
        raise click.UsageError("name files or folders, as in `lint -f deploy`")


class _Count:
    """How many objects were looked at."""

    checked = 0
    others = 0
    # Files that are no YAML, and do not name our group.
    unread = 0


def _linted(files: Sequence[str], count: _Count, judge: Judge) -> Iterator[Placed]:
    with usable():
        for source in sources(files):
            yield from _of_file(source, count, judge)


def _of_file(source: Source, count: _Count, judge: Judge) -> Iterator[Placed]:
    try:
        for document in documents(source.raw, source.file):
            if not is_ours(document):
                count.others += 1
                continue
            count.checked += 1
            for each in judge(document):
                yield Placed(source.file, document.line(*each.path), _named(document), each)
    except ManifestError as error:
        # Folders hold other files too, such as templates of charts.
        if names.GROUP.encode() in source.raw:
            yield _broken(error)
        else:
            count.unread += 1


def _broken(error: ManifestError) -> Placed:
    return Placed(error.file, error.line, "", Finding((), error.problem))


def _named(document: Document) -> str:
    return f"{clean(document.kind)} {clean(place_of(document.body).name)}".strip()
