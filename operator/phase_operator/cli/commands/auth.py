"""kubectl phase auth: the Secret of a token of Phase, and what a token may do."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from phase_operator.api import names
from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.options import HELP, OBJECT_NAME, ClusterOptions, cluster_options, example, output_option
from phase_operator.cli.common.phase import (
    PhaseReader,
    TokenOptions,
    asked_token,
    host_option,
    now,
    of_phase,
    phase,
    token_options,
)
from phase_operator.cli.common.terminal import Tone, print_table, say, toned
from phase_operator.cli.common.token_secret import Place, change_of, read_token, standing, token_secret
from phase_operator.cli.setting_up import token_findings as findings
from phase_operator.cli.setting_up.token_findings import Finding, Level
from phase_operator.core.access.hosts import leads_to, parse_hosts
from phase_operator.core.access.tenancy import check_annotation
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.keyring import Identity
from phase_operator.core.source.query import base_url, origin, token_place
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_resources import SECRETS
from phase_operator.phase.credentials import kind_of
from phase_operator.reconcile.ports import Credential, Token

_TONES = {Level.OK: Tone.GOOD, Level.NOTE: Tone.NOTE, Level.MISSING: Tone.BAD}


@click.group(context_settings=HELP)
def auth() -> None:
    """Make the Secret of a token of Phase, and check tokens."""


@auth.command(context_settings=HELP, epilog=example("kubectl phase auth create --token-file token.txt -n shop"))
@click.argument("name", default=names.DEFAULT_TOKEN_SECRET, type=OBJECT_NAME, metavar="[NAME]")
@token_options
@host_option("Host of Phase that the token is of.")
@click.option(
    "--allowed-hosts",
    multiple=True,
    metavar="URL",
    help="Only hosts that the operator may send the token to. May be repeated. Default: those that resources name.",
)
@click.option("--replace", is_flag=True, help="Write over another token that is there; other keys stay.")
@click.option("--no-check", is_flag=True, help="Do not ask Phase whether it knows the token.")
@click.option("--dry-run", is_flag=True, help="Check everything, and write nothing.")
@cluster_options()
def create(
    name: str,
    token_file: Path | None,
    token_stdin: bool,
    ca_file: Path | None,
    host: str | None,
    allowed_hosts: Sequence[str],
    replace: bool,
    no_check: bool,
    dry_run: bool,
    at: ClusterOptions,
) -> None:
    """Make the Secret with a token of Phase that resources read.

    The token comes from --token-file, --token-stdin or $PHASE_TOKEN; on a terminal it is asked for. It is never an
    argument, which other programs and the shell's history could see.
    """
    url = base_url(host or names.DEFAULT_HOST)
    hosts = _allowed(allowed_hosts, url)
    given = TokenOptions(token_file, token_stdin).read() or asked_token()
    token = Token(given, hosts)

    async def work() -> str:
        async with phase(ca_file) as reader:
            said = await _known(reader, url, given, is_asked=not no_check)
        async with connected(at) as cluster:
            key = _place(namespace_of(at, cluster), name)
            done = await _stored(cluster, key, token, may_replace=replace, dry_run=dry_run)
        if said:
            say(said)
        return f"secret/{key.name} {done}{' (dry run)' if dry_run else ''}"

    click.echo(waited_for(work()))


@auth.command(context_settings=HELP, epilog=example("kubectl phase auth check -n shop"))
@click.argument("name", type=OBJECT_NAME, required=False)
@token_options
@host_option("Host of Phase to ask.")
@cluster_options()
@output_option("table", "json")
def check(
    name: str | None,
    token_file: Path | None,
    token_stdin: bool,
    ca_file: Path | None,
    host: str | None,
    at: ClusterOptions,
    output: str,
) -> int:
    """Tell what a token of Phase may do: that of a Secret, or one that is given.

    Exit code: 1 if something is missing that is needed, 4 if Phase refuses the token.
    """
    options = TokenOptions(token_file, token_stdin)
    if name and (token_file or token_stdin):
        raise click.UsageError("give either the name of a Secret or a token")
    url = base_url(host or names.DEFAULT_HOST)
    given = None if name else options.read()

    async def work() -> tuple[list[Finding], bool]:
        found: list[Finding] = []
        token = Token(given) if given is not None else await _of_secret(at, name, url, found)
        if findings.is_missing(found):
            return found, False
        async with phase(ca_file) as reader:
            return await _asked_about(reader, url, token, found)

    found, is_refused = waited_for(work())
    _print(found, output)
    if is_refused:
        return ExitCode.NO_PHASE
    return ExitCode.NO if findings.is_missing(found) else ExitCode.OK


def _allowed(given: Sequence[str], url: str) -> str | None:
    """Return the value of the annotation; None for none."""
    if not given:
        return None
    try:
        hosts = parse_hosts(",".join(given))
    except ValueError as error:
        raise click.UsageError(f"--allowed-hosts: {error}") from None
    if not leads_to(url, hosts):
        raise click.UsageError(
            f"--allowed-hosts: {origin(url)} is not among them, so the token could not be used there"
        )
    return ",".join(map(str, hosts))


def _place(namespace: str, name: str) -> ObjectKey:
    try:
        return token_place(namespace, name)
    except ExpectedError as error:
        raise Failure(error.message, ExitCode.USAGE) from None


async def _known(reader: PhaseReader, url: str, token: SecretValue, *, is_asked: bool) -> str:
    """Return whose token it is, once Phase has said that it knows it; raise Failure."""
    with of_phase():
        credential = reader.credential(token)
        if not is_asked:
            return ""
        identity, apps = await _seen(reader, url, credential)
    readable = [each for each in apps if not each.is_encrypted or credential.keys is not None]
    whose = findings.account(identity, None).text
    return f"Phase knows the token: {whose}; it reads {len(readable)} of {len(apps)} apps"


async def _stored(cluster: UserCluster, key: ObjectKey, token: Token, *, may_replace: bool, dry_run: bool) -> str:
    """Make the Secret, or put the token into it; return what was done. Raise UserError, Failure."""
    there = await cluster.find(SECRETS, key.namespace, key.name)
    found = standing(there, token)
    if there is None:
        await cluster.create(SECRETS, key.namespace, token_secret(key, token), dry_run=dry_run)
        return "created"
    if found.place is Place.SAME:
        return "unchanged"
    if found.place is Place.BARRED:
        raise Failure(f"Secret {key} is left alone: {found.why}; choose another name")
    if not may_replace:
        raise Failure(f"Secret {key} is left alone: {found.why}; --replace puts the token there, and keeps other keys")
    await cluster.patch(SECRETS, key.namespace, key.name, change_of(there, token), dry_run=dry_run)
    return "configured"


async def _of_secret(at: ClusterOptions, name: str | None, url: str, found: list[Finding]) -> Token:
    """Return the token of a Secret, and add what there is to say of the Secret."""
    async with connected(at) as cluster:
        key = ObjectKey(namespace_of(at, cluster), name or names.DEFAULT_TOKEN_SECRET)
        token = await read_token(cluster, key)
    hosts = "any host that resources name" if token.hosts is None else token.hosts
    found.append(Finding("secret", Level.OK, f"{key}; it may be sent to {hosts}"))
    try:
        check_annotation(token.hosts, url, key)
    except ExpectedError:
        found.append(Finding("host", Level.MISSING, f"{origin(url)} is not among the allowed hosts; nothing was sent"))
    return token


async def _asked_about(reader: PhaseReader, url: str, token: Token, found: list[Finding]) -> tuple[list[Finding], bool]:
    """Return all findings, and whether Phase refuses the token."""
    try:
        credential = reader.credential(token.text)
    except ExpectedError as error:
        return [*found, Finding("form", Level.MISSING, error.message)], False
    has_keys = credential.keys is not None
    found.append(findings.form(kind_of(credential), has_keys=has_keys))
    try:
        identity, apps = await _seen(reader, url, credential)
    except ExpectedError as error:
        return [*found, Finding("phase", Level.MISSING, f"{error.reason}: {error.message}")], True
    account = await reader.own_account(url, credential, identity)
    found.append(findings.account(identity, account))
    found.append(findings.expiry(account, now()))
    found.extend(findings.apps(apps, has_keys=has_keys))
    open_ids = [each.id for each in apps if each.is_encrypted is False]
    probed = await _probed(reader, url, credential, open_ids[0]) if open_ids else None
    found.append(findings.probing(probed, is_asked=bool(open_ids)))
    return found, False


async def _seen(reader: PhaseReader, url: str, credential: Credential) -> tuple[Identity, list[findings.AppAccess]]:
    """Return whose token it is, and the apps that it sees; raise ExpectedError."""
    try:
        keyring = await reader.keyring(url, credential)
        return keyring.identity, findings.from_keys(keyring.apps)
    except ExpectedError as error:
        # A proxy may let the REST API through alone.
        try:
            apps = await reader.apps(url, credential)
        except ExpectedError:
            raise error from None
    return Identity(), [findings.AppAccess(each.id, each.name, each.is_encrypted, None) for each in apps]


async def _probed(reader: PhaseReader, url: str, credential: Credential, app_id: str) -> ExpectedError | None:
    try:
        await reader.environments(url, credential, app_id)
    except ExpectedError as error:
        return error
    return None


def _print(found: Sequence[Finding], output: str) -> None:
    if output == "json":
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    rows = [(each.check, toned(each.level, _TONES[each.level]), each.text) for each in found]
    print_table(("CHECK", "RESULT", "WHAT"), rows)
