"""`phase-operator doctor`: whether the operator is installed right and works, and what to do where it does not."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.failures import ExitCode
from phase_operator.cli.common.options import HELP, NAMESPACE, ClusterOptions, cluster_options, example, output_option
from phase_operator.cli.common.phase import TokenOptions, now, of_phase, phase, token_options
from phase_operator.cli.common.terminal import say
from phase_operator.cli.doctor.asking import ask_phase
from phase_operator.cli.doctor.bundle import write_bundle
from phase_operator.cli.doctor.diagnosis import diagnose, diagnose_before, missing_rights, worst
from phase_operator.cli.doctor.evidence import evidence_of
from phase_operator.cli.doctor.findings import Finding, Verdict
from phase_operator.cli.doctor.gathering import Place, gather, gather_before
from phase_operator.cli.doctor.of_phase import Seen
from phase_operator.cli.doctor.report import print_findings
from phase_operator.core.access.hosts import parse_host
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import base_url, origin
from phase_operator.core.values import SecretValue
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_resources import Request


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for."""

    at: ClusterOptions
    home: str | None
    before: bool
    bundle: Path | None
    host: str | None
    token: SecretValue | None
    ca_file: Path | None


def _checked(_: click.Context, __: click.Parameter, host: str | None) -> str | None:
    """Refuse what is no URL, and one with a password in it, before anything is sent or shown."""
    if host is None:
        return None
    try:
        # An origin has no password any more, and the URL must have none either.
        is_url = "@" not in host and bool(parse_host(origin(base_url(host))))
    except (ExpectedError, ValueError):
        is_url = False
    if not is_url:
        raise click.UsageError("--phase: this is no URL of Phase; write it like https://phase.example.com")
    return host


@click.command(context_settings=HELP, epilog=example("kubectl phase doctor --bundle support.tgz"))
@click.option("--pre", "before", is_flag=True, help="Check what has to be right before an installation.")
@click.option(
    "--operator-namespace",
    "home",
    type=NAMESPACE,
    metavar="NAMESPACE",
    help="Namespace of the operator. Default: found by itself.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a support bundle (.tgz), without values of secrets, to this new file.",
)
@click.option("--phase", "host", metavar="URL", callback=_checked, help="Also ask this Phase, with a token.")
@token_options
@cluster_options(all_namespaces=True)
@output_option("table", "json")
def doctor(
    at: ClusterOptions,
    *,
    home: str | None,
    before: bool,
    bundle: Path | None,
    host: str | None,
    token_file: Path | None,
    token_stdin: bool,
    ca_file: Path | None,
    output: str,
) -> int:
    """Check the installation, the operator, and the resources of a namespace.

    One line a check, and below each that fails what to do. The exit code is 1 if a check fails.
    """
    if before and bundle is not None:
        raise click.UsageError("give either --pre or --bundle")
    if bundle is not None and bundle.exists():
        raise click.UsageError(f"{bundle} is there already; name a new file")
    token = _token(host, token_file, stdin=token_stdin)
    asked = _Asked(at, home, before, bundle, host, token, ca_file)
    findings, lacking = waited_for(_examined(asked))
    print_findings(findings, lacking, output)
    return ExitCode.NO if worst(findings) is Verdict.BAD else ExitCode.OK


def _token(host: str | None, file: Path | None, *, stdin: bool) -> SecretValue | None:
    """Return the token for Phase: only for the Phase that the person names, whatever the environment holds."""
    if host is None:
        if file is not None or stdin:
            raise click.UsageError("name with --phase URL the Phase that the token is for")
        return None
    token = TokenOptions(file, stdin).read()
    if token is None:
        raise click.UsageError("--phase needs a token: give --token-file, --token-stdin or $PHASE_TOKEN")
    return token


async def _examined(asked: _Asked) -> tuple[list[Finding], list[Request]]:
    seen = await _seen(asked)
    async with connected(asked.at) as cluster:
        place = Place(namespace_of(asked.at, cluster), asked.home)
        if asked.before:
            early = await gather_before(cluster, place, now, seen)
            return diagnose_before(early), missing_rights(early)
        return await _after(asked, cluster, place, seen)


async def _after(
    asked: _Asked, cluster: UserCluster, place: Place, seen: Seen | None
) -> tuple[list[Finding], list[Request]]:
    facts = await gather(cluster, place, now, seen)
    findings, lacking = diagnose(facts), missing_rights(facts)
    if asked.bundle is not None:
        if sys.stderr.isatty():
            say("Collecting the bundle ...")
        files = await evidence_of(cluster, place, facts, findings)
        await asyncio.to_thread(write_bundle, asked.bundle, files, facts.now)
        say(f"Wrote {asked.bundle} with {len(files)} files; look through them before you send it.")
    return findings, lacking


async def _seen(asked: _Asked) -> Seen | None:
    if asked.host is None or asked.token is None:
        return None
    with of_phase():
        async with phase(asked.ca_file) as reader:
            return await ask_phase(reader, asked.host, asked.token)
