"""`kubectl phase migrate check`: what would differ after a move, the worst first."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from phase_operator.cli.cluster import connected, namespace_of, waited_for
from phase_operator.cli.failures import ExitCode, Failure
from phase_operator.cli.migrating.candidates import Candidate, candidates, is_phase_secret
from phase_operator.cli.migrating.converters import KINDS, Other, convert
from phase_operator.cli.migrating.draft import Named
from phase_operator.cli.migrating.findings import Finding, Report, Severity, rows, summary, unjudged, worst_first
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.secrets_check import of_secret
from phase_operator.cli.migrating.spec_check import contested, of_all, of_spec
from phase_operator.cli.migrating.spec_check import unjudged as left_by_spec
from phase_operator.cli.moving import Judged, PhaseJudge, bodies, metadata_of, of_kinds
from phase_operator.cli.options import (
    HELP,
    ClusterOptions,
    cluster_options,
    files_option,
    output_option,
    selector_option,
)
from phase_operator.cli.phase import TokenOptions, of_phase, phase, token_options
from phase_operator.cli.terminal import Tone, print_table, say, toned
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.hosts import Host, parse_host
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.targets.observed import observe
from phase_operator.core.targets.policy import secret_ref
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.user_cluster import PHASE_SECRETS, Trouble, UserError

_HEAD = ("SEVERITY", "RESOURCE", "WHERE", "WHAT DIFFERS")
_TONES = {Severity.BREAKS: Tone.BAD, Severity.STOPS: Tone.BAD, Severity.DIFFERS: Tone.NOTE, Severity.NOTE: Tone.FAINT}
_SOURCES = [each.value for each in (*Version, *Other)]
_FOR_ALL = "What holds for every resource: docs/migration.md, under What differs."
# The metadata of each Secret; the text says why there are none.
Secrets = tuple[Mapping[ObjectKey, Mapping[str, Any] | None], str]


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line says about a check of the official operator's resources."""

    version: Version
    tenancy: Tenancy
    hosts: tuple[Host, ...]
    token: SecretValue | None
    ca_file: Path | None


@click.command(context_settings=HELP)
@click.option("--from", "source", type=click.Choice(_SOURCES), required=True, help="Whose resources they are.")
@files_option()
@cluster_options(all_namespaces=True)
@selector_option()
@token_options
@click.option(
    "--host", "hosts", multiple=True, metavar="URL", help="Phase that may get the token, if it is not the cloud."
)
@click.option("--grant", "grants", multiple=True, metavar="GRANT", help="As the operator's setting. May be repeated.")
@click.option("--allow-phase-host", "allowed", multiple=True, metavar="URL", help="As the operator's setting.")
@click.option("--allow-impersonation-types", "impersonation", is_flag=True, help="As the operator's setting.")
@output_option("table", "json")
def check(
    source: str,
    files: tuple[str, ...],
    at: ClusterOptions,
    selector: str,
    token_file: Path | None,
    ca_file: Path | None,
    hosts: tuple[str, ...],
    grants: tuple[str, ...],
    allowed: tuple[str, ...],
    output: str,
    *,
    token_stdin: bool,
    impersonation: bool,
) -> int:
    """Say what would differ after a move, the worst first; exit with 1 if anything does.

    The resources are those of the cluster, or of files. With a token of Phase, both operators' results are compared
    key by key; without one, what cannot be judged is named.
    """
    if source in list(Other):
        reports = _of_others(Other(source), files, at)
    else:
        tenancy = Tenancy(
            _parsed(grants, parse_grant, "--grant"),
            _parsed(allowed, parse_host, "--allow-phase-host"),
            impersonation=impersonation,
        )
        token = TokenOptions(token_file, token_stdin).read()
        given = _Given(Version(source), tenancy, _parsed(hosts, parse_host, "--host"), token, ca_file)
        reports = waited_for(_of_official(given, files, at, selector))
    _print(worst_first(reports), output)
    return ExitCode.NO if any(each.differs for each in reports) else ExitCode.OK


def _parsed(texts: Iterable[str], parse: Any, option: str) -> tuple[Any, ...]:
    try:
        return tuple(map(parse, texts))
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}") from None


def _of_others(other: Other, files: Sequence[str], at: ClusterOptions) -> list[Report]:
    found = bodies(files) if files else waited_for(_listed(other, at))
    return [each.report() for each in convert(found, other, Named(), at.namespace or "").made]


async def _listed(other: Other, at: ClusterOptions) -> list[Mapping[str, Any]]:
    async with connected(at) as cluster:
        return await of_kinds(cluster, namespace_of(at, cluster), KINDS[other])


async def _of_official(given: _Given, files: Sequence[str], at: ClusterOptions, selector: str) -> list[Report]:
    if files:
        every = list(candidates(filter(is_phase_secret, bodies(files)), at.namespace or ""))
        secrets: Secrets = ({}, "")
    else:
        every, secrets = await _of_cluster(at, selector)
    judged = await _judged(given, every)
    shared = of_all(every)
    return [
        _report(candidate, given, judged.get(candidate.key), secrets, list(contested(candidate, shared, given.tenancy)))
        for candidate in every
    ]


async def _of_cluster(at: ClusterOptions, selector: str) -> tuple[list[Candidate], Secrets]:
    async with connected(at) as cluster:
        found = await cluster.list(PHASE_SECRETS, namespace_of(at, cluster), labels=selector)
        every = list(candidates(found))
        keys = [
            secret_ref(target, each.key.namespace).key
            for each in every
            if each.spec is not None
            for target in each.spec.managed_secret_references
        ]
        try:
            return every, (await metadata_of(cluster, list(dict.fromkeys(keys))), "")
        except UserError as error:
            if error.trouble is not Trouble.NO_RIGHT:
                raise
            return every, ({}, f"whether the Secrets that stand there are taken over: {error.message}")


async def _judged(given: _Given, every: Sequence[Candidate]) -> dict[ObjectKey, Judged]:
    """Return what Phase shows about each resource; nothing without a token."""
    if given.token is None:
        return {}
    async with phase(given.ca_file) as reader:
        with of_phase():
            judge = PhaseJudge(reader, given.token, given.hosts, given.tenancy, given.version)
        found = {each.key: await judge.judge(each, each.spec) for each in every if each.spec is not None}
    if judge.error is not None and not judge.is_answered:
        raise Failure(f"{judge.error.reason}: {judge.error.message}", ExitCode.NO_PHASE)
    return found


def _report(
    candidate: Candidate, given: _Given, judged: Judged | None, secrets: Secrets, more: Sequence[Finding]
) -> Report:
    findings = [*of_spec(candidate, given.version, given.tenancy), *more]
    if candidate.spec is None:
        return Report(candidate.key, findings)
    if judged is None:
        judged = Judged(unjudged=left_by_spec(candidate.spec, given.version))
    findings += judged.findings
    metadata, why_none = secrets
    for target in candidate.spec.managed_secret_references:
        ref = secret_ref(target, candidate.key.namespace)
        if found := metadata.get(ref.key):
            findings += of_secret(candidate.key, ref, observe(found), judged.made.get(ref))
    return Report(candidate.key, findings, [*judged.unjudged, *([why_none] if why_none else [])])


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
