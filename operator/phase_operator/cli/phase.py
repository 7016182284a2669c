"""Commands that talk to Phase: with which token, and what they read there.

Rule: one read each, by the route that the app needs; nothing is written. What is read is that of one account at one
moment, and is gone when the command ends.
"""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from phase_operator import __version__
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.failures import ExitCode, Failure
from phase_operator.cli.options import Decorator, combined
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.source.apps import App, Directory, Environment, no_environment, no_list
from phase_operator.core.source.query import Ask, ask_of, source_query
from phase_operator.core.values import DynamicKey, Entry, SecretValue, Snapshot
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.rows import Limits
from phase_operator.phase.session import Session
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from phase_operator.reconcile.ports import Credential
from phase_operator.settings import phase_token, platform_proxies

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
        if self.stdin:
            return _token(sys.stdin.read(_LONGEST_TOKEN + 1), "the standard input")
        if self.file is not None:
            with self.file.open(errors="replace") as file:
                return _token(file.read(_LONGEST_TOKEN + 1), str(self.file))
        text = phase_token()
        return _token(text, "$PHASE_TOKEN") if text else None


def token_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of TokenOptions, and that for certificates to trust."""
    options: Decorator[Any] = combined(
        click.option("--token-file", type=_FILE, help="File with a token of Phase. Default: $PHASE_TOKEN."),
        click.option("--token-stdin", is_flag=True, help="Read the token from the standard input."),
        click.option("--phase-ca-file", "ca_file", type=_FILE, help="PEM file with certificates to trust for Phase."),
    )
    return options(command)  # type: ignore[no-any-return]


@contextmanager
def of_phase() -> Iterator[None]:
    """Raise what goes wrong between a command and Phase as a Failure."""
    try:
        yield
    except ExpectedError as error:
        raise Failure(f"{error.reason}: {error.message}", ExitCode.NO_PHASE) from None


class PhaseReader:
    """Reads from Phase for one command; every method raises ExpectedError."""

    def __init__(self, client: PhaseClient, memory: AnswerMemory) -> None:
        self._client = client
        self._memory = memory

    def credential(self, token: SecretValue) -> Credential:
        """Parse a token; raise Waiting(TOKEN_INVALID)."""
        return self._client.credential(token)

    async def apps(self, base_url: str, credential: Credential) -> Sequence[App]:
        """Return the apps that the account sees, also where it may not list them but has their keys."""
        place = self._place()
        try:
            return await self._client.apps(base_url, credential, place)
        except ExpectedError as error:
            if credential.keys is None or error.reason is not Reason.ACCESS_DENIED:
                raise no_list(error) from None
        keyring = await self._client.keyring(base_url, credential, place)
        return [App(each.id, each.name, each.is_encrypted) for each in keyring.apps]

    async def environments(self, base_url: str, credential: Credential, app_id: str) -> Sequence[Environment]:
        """Return the environments of an app that the account may read."""
        return await self._client.environments(base_url, credential, app_id, self._place())

    async def read(self, spec: PhaseSecretSpec, namespace: str, token: SecretValue) -> Snapshot:
        """Return what Phase answers for a PhaseSecret of this spec in this namespace."""
        ask, credential = ask_of(spec, namespace), self.credential(token)
        app_id = ask.app.id
        if app_id is None:
            apps = await self.apps(ask.base_url, credential)
            app_id = Directory(apps).pick(ask.app.name or "")
        return await self._answer(ask, credential, app_id)

    async def _answer(self, ask: Ask, credential: Credential, app_id: str) -> Snapshot:
        query = source_query(ask, credential.account)
        try:
            shared = SharedAnswer(app_id, await self._entries(ask, credential, app_id))
        except ExpectedError as error:
            if error.reason is Reason.APP_ENCRYPTED and credential.keys is not None:
                shared = await self._decrypted(ask, credential, app_id)
            elif error.reason is Reason.ENVIRONMENT_NOT_FOUND:
                names = [each.name for each in await self.environments(ask.base_url, credential, app_id)]
                raise no_environment(error, ask.app, ask.spelled, names) from None
            else:
                raise
        if (wrong := shared.error(query)) is not None:
            raise wrong
        return shared.answer(query)

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
        place = self._place()
        keyring = await self._client.keyring(ask.base_url, credential, place)
        found = await self._client.encrypted(
            ask.base_url, credential, keyring=keyring, app_id=app_id, environment=ask.spelled, place=place
        )
        return SharedAnswer(app_id, found.entries, damage=found.damage)

    def _place(self) -> Reservation:
        return self._memory.open("")


@asynccontextmanager
async def phase(ca_file: Path | None) -> AsyncIterator[PhaseReader]:
    """Make ready to ask Phase until the block ends."""
    session = Session(
        ca_file=ca_file,
        user_agent=f"phase-operator/{__version__}",
        on_call=lambda *_: None,
        timer=asyncio.get_running_loop().time,
        proxies=platform_proxies(),
    )
    try:
        yield PhaseReader(PhaseClient(session, secrets.token_bytes(32), _LIMITS), AnswerMemory(_MEMORY))
    finally:
        await session.close()


def _token(text: str, where: str) -> SecretValue:
    token = text.strip()
    if not token or len(text) > _LONGEST_TOKEN:
        raise Failure(f"{where} holds no token of Phase", ExitCode.USAGE)
    return SecretValue(token)
