"""Commands that talk to Phase: with which token, to which host, and what they read there.

Rule: one read each, by the route that the app needs; nothing is written. What is read is that of one account at one
moment, and is gone when the command ends. A resource may be anybody's, and says where its token goes: it is sent to
Phase's cloud, to a host that the person names, or to one that the token's Secret allows.
"""

import asyncio
import math
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from phase_operator import __version__
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.common.failures import ExitCode, Failure, ended_by_ctrl_c
from phase_operator.cli.common.options import Decorator, combined
from phase_operator.core.access.hosts import CLOUD, Host, leads_to, parse_host
from phase_operator.core.access.tenancy import check_annotation
from phase_operator.core.errors import ExpectedError
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.looks import Look
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.source.apps import App, Directory, Environment, is_list_alone, no_environment, no_list
from phase_operator.core.source.keyring import Identity, Keyring
from phase_operator.core.source.query import AppRef, Ask, ask_of, base_url, origin, source_query
from phase_operator.core.values import DynamicKey, Entry, ObjectKey, SecretValue, Snapshot
from phase_operator.phase.accounts import AccountClient, ServiceAccount
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.credentials import SERVICE_ACCOUNT, kind_of
from phase_operator.phase.pushes import PushClient
from phase_operator.phase.rows import Limits
from phase_operator.phase.session import Session
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from phase_operator.reconcile.ports import Credential, Token
from phase_operator.settings import SettingsError, phase_host, phase_token, platform_proxies

_MEMORY = 512 * MIB
_LIMITS = Limits(size=128 * MIB, entries=200_000)
_LONGEST_TOKEN = 4096
_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """Where the command line says that the token is."""

    file: Path | None
    stdin: bool

    def read(self) -> SecretValue | None:
        """Return the token of the file, of the standard input or of $PHASE_TOKEN; None if none is given."""
        if self.stdin and self.file is not None:
            raise click.UsageError("give either --token-file or --token-stdin")
        if self.stdin:
            if sys.stdin.isatty():
                return asked_token()
            return _token(sys.stdin.read(_LONGEST_TOKEN + 1), "the standard input")
        if self.file is not None:
            return _token(_content(self.file), str(self.file))
        text = phase_token()
        return _token(text, "$PHASE_TOKEN") if text else None


def asked_token() -> SecretValue:
    """Ask a person on a terminal for a token; what is typed is not shown. Raise UsageError without a terminal."""
    if not sys.stdin.isatty():
        raise click.UsageError("give the token with --token-file, --token-stdin or $PHASE_TOKEN")
    return _token(str(click.prompt("Token of Phase (not shown)", hide_input=True, err=True)), "what was typed")


def token_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of TokenOptions, and that for certificates to trust."""
    options: Decorator[Any] = combined(
        click.option("--token-file", type=_FILE, help="File with a token of Phase. Default: $PHASE_TOKEN."),
        click.option("--token-stdin", is_flag=True, help="Read the token from the standard input."),
        click.option("--phase-ca-file", "ca_file", type=_FILE, help="PEM file with certificates to trust for Phase."),
    )
    return options(command)  # type: ignore[no-any-return]


def host_option(about: str) -> Decorator[Any]:
    """Give a command a parameter `host`: the URL of Phase; None if neither --host nor $PHASE_HOST names one."""
    about = f"{about} Default: $PHASE_HOST, else Phase's cloud."
    return click.option("--host", metavar="URL", default=lambda: phase_host() or None, callback=_checked, help=about)


@contextmanager
def of_phase() -> Iterator[None]:
    """Raise what goes wrong between a command and Phase as a Failure."""
    try:
        yield
    except ExpectedError as error:
        raise Failure(f"{error.reason}: {error.message}", ExitCode.NO_PHASE) from None


def check_host(url: str, hosts: Iterable[str | None], token: Token, place: ObjectKey | None = None) -> None:
    """Fail unless a token may be sent to a URL that a resource names.

    `hosts` are those that the person names; `place` is the Secret of the token, None for a token of the person's own.
    On a terminal the person is asked.
    """
    if place is not None and token.hosts is not None:
        with of_phase():
            check_annotation(token.hosts, url, place)
        return
    if leads_to(url, (*CLOUD, *(_host(host) for host in hosts if host))):
        return
    there = origin(url)
    if sys.stdin.isatty():
        question = f"The token would be sent to {there}, which is not Phase's cloud. Go on?"
        with ended_by_ctrl_c():
            click.confirm(question, abort=True, err=True)
        return
    raise Failure(
        f"phaseHost is {there}, which is not Phase's cloud: the token is sent there only with --host {there}",
        ExitCode.USAGE,
    )


class PhaseReader:
    """Reads from Phase for one command; every method raises ExpectedError."""

    def __init__(self, session: Session, memory: AnswerMemory) -> None:
        self._client = PhaseClient(session, secrets.token_bytes(32), _LIMITS)
        self._pushes = PushClient(session, _LIMITS)
        self._accounts = AccountClient(session)
        self._memory = memory
        self._certificates = session.certificates

    @property
    def certificate_ends(self) -> float | None:
        """When the first certificate of the hosts that were asked ends, in seconds since 1970; None: none was shown."""
        ends = self._certificates.soonest()
        return None if math.isnan(ends) else ends

    def credential(self, token: SecretValue) -> Credential:
        """Parse a token; raise Waiting(TOKEN_INVALID)."""
        return self._client.credential(token)

    async def apps(self, base_url: str, credential: Credential) -> Sequence[App]:
        """Return the apps that the account sees, also where it may not list them but has their keys."""
        try:
            return await self._client.apps(base_url, credential, self._place())
        except ExpectedError as error:
            if credential.keys is None or not is_list_alone(error):
                raise no_list(error) from None
        keyring = await self.keyring(base_url, credential)
        return [App(each.id, each.name, each.is_encrypted) for each in keyring.apps]

    async def environments(self, base_url: str, credential: Credential, app_id: str) -> Sequence[Environment]:
        """Return the environments of an app that the account may read."""
        return await self._client.environments(base_url, credential, app_id, self._place())

    async def keyring(self, base_url: str, credential: Credential) -> Keyring:
        """Return the apps and environments that the token has keys of, and whose token it is."""
        return await self._client.keyring(base_url, credential, self._place())

    async def account(self, base_url: str, credential: Credential, account_id: str) -> ServiceAccount:
        """Return what Phase tells a service account of itself."""
        return await self._accounts.service_account(base_url, credential, account_id, self._place())

    async def own_account(
        self, base_url: str, credential: Credential, identity: Identity
    ) -> ServiceAccount | ExpectedError | None:
        """Return the account of a token as it sees itself, or why it may not; None if it is no service account's."""
        if kind_of(credential) != SERVICE_ACCOUNT or not identity.account_id:
            return None
        try:
            return await self.account(base_url, credential, identity.account_id)
        except ExpectedError as error:
            return error

    async def look(self, at: PushPlace, credential: Credential, now: float) -> Look:
        """Return what an environment has, without values, as a push sees it; `now` is in seconds since 1970."""
        return await self._pushes.look(credential, at, now, self._place())

    async def read(self, spec: PhaseSecretSpec, namespace: str, token: SecretValue) -> Snapshot:
        """Return what Phase answers for a PhaseSecret of this spec in this namespace."""
        ask, credential = ask_of(spec, namespace), self.credential(token)
        return await self._answer(ask, credential, await self.app_id(ask.base_url, credential, ask.app))

    async def app_id(self, base_url: str, credential: Credential, app: AppRef) -> str:
        """Return the id of an app that is named by its id or its name."""
        if app.id is not None:
            return app.id
        return Directory(await self.apps(base_url, credential)).pick(app.name or "")

    async def _answer(self, ask: Ask, credential: Credential, app_id: str) -> Snapshot:
        query = source_query(ask, credential.account)
        try:
            shared = SharedAnswer(app_id, await self._entries(ask, credential, app_id))
        except ExpectedError as error:
            if error.reason is Reason.APP_ENCRYPTED and credential.keys is not None:
                shared = await self._decrypted(ask, credential, app_id)
            else:
                raise await self._with_names(error, ask, credential, app_id) from None
        if (wrong := shared.error(query)) is not None:
            raise wrong
        return shared.answer(query)

    async def _with_names(self, error: ExpectedError, ask: Ask, credential: Credential, app_id: str) -> ExpectedError:
        """Return the error; of an environment that is not there, with the names of those that are."""
        if error.reason is not Reason.ENVIRONMENT_NOT_FOUND:
            return error
        try:
            names = [each.name for each in await self.environments(ask.base_url, credential, app_id)]
        except ExpectedError:
            return error
        return no_environment(error, ask.app, ask.spelled, names)

    async def _entries(self, ask: Ask, credential: Credential, app_id: str) -> Sequence[Entry | DynamicKey]:
        return await self._client.entries(
            ask.base_url,
            credential,
            app_id=app_id,
            environment=ask.spelled,
            path=ask.path,
            tags=ask.tags,
            place=self._place(),
        )

    async def _decrypted(self, ask: Ask, credential: Credential, app_id: str) -> SharedAnswer:
        keyring = await self.keyring(ask.base_url, credential)
        found = await self._client.encrypted(
            ask.base_url,
            credential,
            keyring=keyring,
            app_id=app_id,
            environment=ask.spelled,
            place=self._place(),
        )
        return SharedAnswer(app_id, found.entries, damage=found.damage)

    def _place(self) -> Reservation:
        return self._memory.open("")


@asynccontextmanager
async def phase(ca_file: Path | None) -> AsyncIterator[PhaseReader]:
    """Make ready to ask Phase until the block ends; raise Failure."""
    session = _session(ca_file)
    try:
        yield PhaseReader(session, AnswerMemory(_MEMORY))
    finally:
        await session.close()


def _session(ca_file: Path | None) -> Session:
    try:
        return Session(
            ca_file=ca_file,
            user_agent=f"phase-operator/{__version__}",
            on_call=lambda *_: None,
            timer=asyncio.get_running_loop().time,
            proxies=platform_proxies(),
        )
    except SettingsError as error:
        raise Failure(str(error), ExitCode.USAGE) from error
    except OSError as error:
        # Of OpenSSL, too: its errors are of this kind.
        raise Failure(f"--phase-ca-file: {ca_file} holds no certificates in PEM", ExitCode.USAGE) from error


def now() -> float:
    """Return the time in seconds since 1970."""
    return time.time()  # noqa: TID251 - a command is the edge: it has no clock to be given


def _content(path: Path) -> str:
    try:
        with path.open(errors="replace") as file:
            return file.read(_LONGEST_TOKEN + 1)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}", ExitCode.USAGE) from error


def _token(text: str, where: str) -> SecretValue:
    token = text.strip()
    if not token or len(text) > _LONGEST_TOKEN:
        raise Failure(f"{where} holds no token of Phase", ExitCode.USAGE)
    return SecretValue(token)


def _checked(_: click.Context, __: click.Parameter, host: str | None) -> str | None:
    if host is not None:
        _host(host)
    return host


def _host(host: str) -> Host:
    """Parse the URL of Phase that the person gives."""
    try:
        if "@" not in host:
            return parse_host(origin(base_url(host)))
    except (ExpectedError, ValueError):
        # Told below, without a cause.
        pass
    raise click.UsageError("--host: this is no URL; write it like https://phase.example.com")
