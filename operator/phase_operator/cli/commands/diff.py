"""kubectl phase diff: what the operator would change."""

import asyncio
import json
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from phase_operator.api import names
from phase_operator.cli.common.cluster import connected, namespace_of, of_cluster
from phase_operator.cli.common.default_host import default_host_option
from phase_operator.cli.common.desired import field_of
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.manifests import Document, read, usable
from phase_operator.cli.common.options import (
    HELP,
    ClusterOptions,
    cluster_options,
    example,
    files_option,
    output_option,
    show_values_option,
)
from phase_operator.cli.common.phase import TokenOptions, host_option, now, phase, token_options
from phase_operator.cli.common.resources import given, place_of
from phase_operator.cli.common.terminal import shown, toned
from phase_operator.cli.diffing.means import Body, Means
from phase_operator.cli.diffing.pushes import compared_entries
from phase_operator.cli.diffing.report import Report, document, lines
from phase_operator.cli.diffing.targets import compared_targets
from phase_operator.cli.rendering.entry_file import check_stdin, entries_of, entries_options
from phase_operator.core.errors import Invalid
from phase_operator.core.object_names import is_namespace, is_object_name
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_resources import OURS, Resource

_LEASED = "Phase makes the values of a dynamic secret when it leases them: there is nothing to compare before"
_KINDS: Mapping[str, Resource] = {each.kind: each for each in OURS}


@dataclass(frozen=True, slots=True)
class _Subject:
    """A resource to compare: as it is to be, and as the cluster has it."""

    body: Body
    existing: Body | None
    namespace: str
    # The file that it is from.
    document: Document | None = None

    @property
    def title(self) -> str:
        return f"{self.body.get('kind')} {shown(self.namespace)}/{shown(place_of(self.body).name)}"

    def where(self, message: str) -> str:
        """Return the place that a message on the spec is about."""
        return self.title if self.document is None else self.document.at(*field_of(message))


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line says."""

    token: TokenOptions
    named: tuple[str, ...]
    files: tuple[str, ...]
    entries_file: str | None
    entries_format: str | None
    ca_file: Path | None
    host: str | None
    default_host: str | None
    at: ClusterOptions


@click.command(context_settings=HELP, epilog=example("kubectl phase diff shop", "kubectl phase diff -f shop.yaml"))
@click.argument("named", nargs=-1, metavar="[[KIND/]NAME]...")
@files_option()
@entries_options
@token_options
@host_option("Host of Phase that the token may be sent to, if that is not Phase's cloud.")
@default_host_option()
@cluster_options()
@output_option("text", "json")
@show_values_option()
def diff(token_file: Path | None, output: str, *, token_stdin: bool, show_values: bool, **given: Any) -> int:
    """Show what the operator would change for a resource, as it is or as a file has it.

    Values are compared here, by digests, and none is shown. Phase is read with the token that is given, else with the
    one in the Secret that the resource names.

    Exit code: 0 if nothing would change, 1 if something would, higher if that is not known.
    """
    asked = _Given(TokenOptions(token_file, token_stdin), **given)
    with _above_one():
        _check(asked)
        if show_values:
            _check_shown()
        reports = _reports(asked)
    _print(reports, output, show_values=show_values)
    return ExitCode.OK if all(each.is_same for each in reports) else ExitCode.NO


def _check(given: _Given) -> None:
    if bool(given.named) is bool(given.files):
        raise click.UsageError("give either the name of a resource or -f FILE")
    check_stdin(given.files, given.entries_file, token_stdin=given.token.stdin)


@contextmanager
def _above_one() -> Iterator[None]:
    """Let no error have the exit code that says that something differs."""
    try:
        yield
    except Failure as error:
        if error.exit_code != ExitCode.NO:
            raise
        raise Failure(error.message, ExitCode.USAGE) from error


def _documents(files: Sequence[str]) -> list[Document]:
    """Return the resources of ours in files; other objects are left out."""
    with usable():
        found = list(read(files))
    ours = [each for each in found if each.api_version == names.API_VERSION and each.kind in _KINDS]
    if files and not ours:
        kinds = ", ".join(sorted({shown(each.kind) for each in found})) or "nothing"
        raise Failure(f"no PhaseSecret or PhasePushSecret of {names.API_VERSION} there, but {kinds}", ExitCode.USAGE)
    return ours


def _check_shown() -> None:
    """Ask before values are shown on a terminal."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm("Values of secrets will be shown here. Go on?", abort=True, err=True)


def _reports(given: _Given) -> list[Report]:
    documents = _documents(given.files)
    entries = entries_of(given.entries_file, given.entries_format) if given.entries_file is not None else None
    token = given.token.read() if entries is None else None

    async def work() -> list[Report]:
        async with connected(given.at) as cluster, phase(given.ca_file) as reader:
            hosts = given.host, given.default_host
            means = Means(cluster, reader, secrets.token_bytes(32), now, token, *hosts, entries)
            namespace = namespace_of(given.at, cluster)
            subjects = [await _named(cluster, each, namespace) for each in given.named]
            subjects += [await _of_file(cluster, each, given.at, namespace) for each in documents]
            return [await _compared(means, each) for each in subjects]

    with of_cluster():
        return asyncio.run(work())


async def _named(cluster: UserCluster, name: str, namespace: str) -> _Subject:
    found = given(name)
    body = await cluster.get(found.resource, namespace, found.name)
    return _Subject(body, body, namespace)


async def _of_file(cluster: UserCluster, document: Document, at: ClusterOptions, namespace: str) -> _Subject:
    said, name, _ = place_of(document.body)
    if said and at.namespace and said != at.namespace:
        where = document.at("metadata", "namespace")
        raise Failure(f"{where}: the namespace is {shown(said)}, not {shown(at.namespace)}", ExitCode.USAGE)
    home = said or namespace
    # Both go into the path of a request: `..` would be another one.
    for field, place, is_valid in (("name", name, is_object_name), ("namespace", home, is_namespace)):
        if not is_valid(place):
            where = document.at("metadata", field)
            raise Failure(f'{where}: "{shown(place) if place else ""}" is no {field} of a resource', ExitCode.USAGE)
    existing = await cluster.find(_KINDS[document.kind], home, name)
    return _Subject(document.body, existing, home, document)


async def _compared(means: Means, each: _Subject) -> Report:
    compare = compared_entries if each.body.get("kind") == names.KIND_PHASE_PUSH_SECRET else compared_targets
    if each.body.get("kind") == names.KIND_PHASE_DYNAMIC_SECRET:
        return Report(each.title, notes=(_LEASED,))
    try:
        return await compare(means, each.title, each.body, each.existing, each.namespace)
    except Invalid as error:
        raise Failure(f"{each.where(error.message)}: {error.message}", ExitCode.USAGE) from None


def _print(reports: Sequence[Report], output: str, *, show_values: bool) -> None:
    if output == "json":
        found: list[dict[str, Any]] = [document(each, show_values=show_values) for each in reports]
        click.echo(json.dumps(found, indent=2))
        return
    for report in reports:
        for line, tone in lines(report, show_values=show_values):
            click.echo(toned(line, tone))
