"""`kubectl phase migrate check`: what would differ after a move, the worst first."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from phase_operator.api import names
from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.default_host import default_host_option
from phase_operator.cli.common.failures import ExitCode
from phase_operator.cli.common.options import (
    HELP,
    ClusterOptions,
    cluster_options,
    example,
    files_option,
    output_option,
    selector_option,
)
from phase_operator.cli.common.phase import TokenOptions, host_option, phase, token_options
from phase_operator.cli.common.terminal import Tone, print_table, say, toned
from phase_operator.cli.migrating.candidates import Candidate, candidates, is_phase_secret
from phase_operator.cli.migrating.converters import KINDS, Other, convert
from phase_operator.cli.migrating.draft import Named
from phase_operator.cli.migrating.findings import Finding, Report, Severity, rows, summary, unjudged, worst_first
from phase_operator.cli.migrating.judging import Judged, Rules, Tokens, by_entries, by_phase
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.reading import bodies, metadata_of, originals
from phase_operator.cli.migrating.secrets_check import of_secret
from phase_operator.cli.migrating.spec_check import contested, of_all, of_spec
from phase_operator.cli.migrating.spec_check import unjudged as left_by_spec
from phase_operator.cli.rendering.entry_file import check_stdin, entries_of, entries_options
from phase_operator.core.access.default_host import with_host
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.hosts import parse_host
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.source.query import base_url, origin
from phase_operator.core.targets.observed import observe
from phase_operator.core.values import ObjectKey, Snapshot
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import PHASE_SECRETS

_HEAD = ("SEVERITY", "RESOURCE", "WHERE", "WHAT DIFFERS")
_TONES = {Severity.BREAKS: Tone.BAD, Severity.STOPS: Tone.BAD, Severity.DIFFERS: Tone.NOTE, Severity.NOTE: Tone.FAINT}
_SOURCES = [each.value for each in (*Version, *Other)]
_FOR_ALL = "What holds for every resource: docs/migration.md, under What differs."
# The metadata of each Secret; the text says why there are none.
Secrets = tuple[Mapping[ObjectKey, Mapping[str, Any] | None], str]


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line says."""

    token: TokenOptions
    source: str
    files: tuple[str, ...]
    at: ClusterOptions
    selector: str
    entries_file: str | None
    entries_format: str | None
    token_from_cluster: bool
    host: str | None
    default_host: str | None
    ca_file: Path | None
    grants: tuple[str, ...]
    allowed: tuple[str, ...]
    impersonation: bool
    output: str

    @property
    def tenancy(self) -> Tenancy:
        """What the operator's settings allow."""
        grants = _parsed(self.grants, parse_grant, "--grant")
        hosts = _parsed(self.allowed, parse_host, "--allow-phase-host")
        told = self.default_host or names.DEFAULT_HOST
        return Tenancy(grants, hosts, impersonation=self.impersonation, default_host=told)

    @property
    def rules(self) -> Rules:
        """What both operators are compared by."""
        return Rules(Version(self.source), self.impersonation)


@click.command(context_settings=HELP, epilog=example("kubectl phase migrate check --from official-v2 -A"))
@click.option("--from", "source", type=click.Choice(_SOURCES), required=True, help="Whose resources they are.")
@files_option()
@cluster_options(all_namespaces=True)
@selector_option()
@entries_options
@token_options
@click.option("--token-from-cluster", is_flag=True, help="Take the token of the Secret that each resource names.")
@host_option("Host of Phase that the token may be sent to, if that is not Phase's cloud.")
@default_host_option()
@click.option("--grant", "grants", multiple=True, metavar="GRANT", help="As the operator's setting. May be repeated.")
@click.option("--allow-phase-host", "allowed", multiple=True, metavar="URL", help="As the operator's setting.")
@click.option("--allow-impersonation-types", "impersonation", is_flag=True, help="As the operator's setting.")
@output_option("table", "json")
def check(token_file: Path | None, *, token_stdin: bool, **given: Any) -> int:
    """Say what would differ after a move, the worst first; exit with 1 if anything does.

    The resources are those of the cluster, or of files. With a token of Phase, or with entries in a file, both
    operators' results are compared key by key; without, what cannot be judged is named.
    """
    asked = _Given(TokenOptions(token_file, token_stdin), **given)
    check_stdin(asked.files, asked.entries_file, token_stdin=token_stdin)
    reports = _of_others(asked) if asked.source in list(Other) else waited_for(_of_official(asked))
    _print(worst_first(reports), asked.output)
    return ExitCode.NO if any(each.differs for each in reports) else ExitCode.OK


def _parsed(texts: Iterable[str], parse: Any, option: str) -> tuple[Any, ...]:
    try:
        return tuple(map(parse, texts))
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None


def _of_others(given: _Given) -> list[Report]:
    other = Other(given.source)
    found = originals(given.files, given.at, KINDS[other])
    return [each.report() for each in convert(found, other, Named(), given.at.namespace or "").made]


async def _of_official(given: _Given) -> list[Report]:
    # Before anything is read: a wrong setting is a wrong setting.
    tenancy = given.tenancy
    if given.files:
        every = list(candidates(filter(is_phase_secret, bodies(given.files)), given.at.namespace or ""))
        secrets: Secrets = ({}, "")
    else:
        every, secrets = await _of_cluster(given.at, given.selector)
    every = [replace(each, spec=each.spec and with_host(each.spec, tenancy.default_host)) for each in every]
    judged = await _judged(given, every)
    shared = of_all(every)
    return [
        _report(
            candidate,
            [*of_spec(candidate, given.rules.version, tenancy), *contested(candidate, shared, tenancy)],
            judged.get(candidate.key),
            secrets,
            given.rules.version,
        )
        for candidate in every
    ]


async def _of_cluster(at: ClusterOptions, selector: str) -> tuple[list[Candidate], Secrets]:
    async with connected(at) as cluster:
        found = await cluster.list(PHASE_SECRETS, namespace_of(at, cluster), labels=selector)
        every = list(candidates(found))
        keys = [ref.key for each in every for ref, _ in each.targets]
        try:
            return every, (await metadata_of(cluster, list(dict.fromkeys(keys))), "")
        except UserError as error:
            if error.trouble is not Trouble.NO_RIGHT:
                raise
            return every, ({}, f"whether the Secrets that stand there are taken over: {error.message}")


async def _judged(given: _Given, every: Sequence[Candidate]) -> dict[ObjectKey, Judged]:
    """Return what Phase, or the file of entries, shows about each resource; nothing if neither is given."""
    if given.entries_file is not None:
        held = Snapshot.of("", entries_of(given.entries_file, given.entries_format))
        return by_entries(every, held, given.rules)
    token = None if given.token_from_cluster else given.token.read()
    if token is None and not given.token_from_cluster:
        return {}
    hosts = tuple(parse_host(origin(base_url(host))) for host in (given.host, given.default_host) if host)
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(connected(given.at)) if given.token_from_cluster else None
        reader = await stack.enter_async_context(phase(given.ca_file))
        return await by_phase(every, reader, Tokens(token, cluster, hosts), given.rules)


def _report(
    candidate: Candidate, findings: Sequence[Finding], judged: Judged | None, secrets: Secrets, version: Version
) -> Report:
    if candidate.spec is None:
        return Report(candidate.key, findings)
    if judged is None:
        judged = Judged(unjudged=left_by_spec(candidate.spec, version))
    metadata, why_none = secrets
    taken = [
        finding
        for ref, _ in candidate.targets
        if (found := metadata.get(ref.key))
        for finding in of_secret(candidate.key, ref, observe(found), judged.made.get(ref))
    ]
    left = [*judged.unjudged, *([why_none] if why_none else [])]
    return Report(candidate.key, [*findings, *judged.findings, *taken], left)


def _print(reports: Sequence[Report], output: str) -> None:
    if output == "json":
        click.echo(json.dumps({"resources": [each.as_json() for each in reports]}, indent=2))
        return
    found = rows(reports)
    if found:
        print_table(_HEAD, [[toned(first, _TONES[severity]), *rest] for severity, (first, *rest) in found])
    for text, keys in unjudged(reports).items():
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        say(f"Not judged: {text} ({keys[0]}{more})")
    say(summary(reports))
    if reports:
        say(_FOR_ALL)
