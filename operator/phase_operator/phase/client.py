"""Phase's API, one method a question: a call returns apps, environments, keys or entries, or raises an error.

Rule: an error leaves without its traceback. Errors are kept as long as they last, and the frames of a traceback hold
bodies of answers and keys.
"""

import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.keyring import Decrypted, Keyring
from phase_operator.core.source.query import encrypted_base
from phase_operator.core.values import DynamicKey, Entry, SecretValue
from phase_operator.phase import wire
from phase_operator.phase.credentials import parse, tells_modes
from phase_operator.phase.encrypted import EncryptedReader, account_key, read_resolved
from phase_operator.phase.keyring import LARGEST as LARGEST_KEYRING
from phase_operator.phase.keyring import KeyringReader
from phase_operator.phase.lists import Listing
from phase_operator.phase.rows import Limits, Rows
from phase_operator.phase.session import APPS, ENVIRONMENTS, SECRETS, TOKENS, Session, host_of
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.ports import Credential, ReadMeter

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")
# Bytes that an app and an environment take in addition to their texts, with their places in an index.
_APP, _ENVIRONMENT = 400, 200
# The field of an answer that has the list.
_DATA = ("data",)


def without_frames(
    question: Callable[Arguments, Awaitable[Answer]],
) -> Callable[Arguments, Coroutine[Any, Any, Answer]]:
    """Make a question raise its errors without causes, and without frames but one that holds its arguments."""

    @wraps(question)
    async def asked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        try:
            return await question(*args, **kwargs)
        except ExpectedError as error:
            raise error.to_keep() from None

    return asked


class PhaseClient:
    """The PhaseApi port. `key` makes names for accounts that reveal nothing about their tokens.

    Long work on answers is done by `background`.
    """

    def __init__(
        self, session: Session, key: bytes, limits: Limits | None = None, background: BackgroundThread | None = None
    ) -> None:
        self._session = session
        self._key = key
        self._limits = limits or Limits()
        self._background = background or BackgroundThread()

    def credential(self, token: SecretValue) -> Credential:
        """Parse a token in any of its forms; raise Waiting(TOKEN_INVALID) if it is not valid."""
        try:
            return parse(token, self._key)
        except ExpectedError as error:
            raise error.to_keep() from None

    @without_frames
    async def apps(self, base_url: str, credential: Credential, place: Reservation) -> list[App]:
        """Return the apps that the account sees; `place` grows to their size while they are read."""

        def made(app: wire.App) -> App:
            return App(app.id, app.name, app.is_encrypted, place)

        reader = Listing(host_of(base_url), self._list_limit, place, wire.APP, made, _weight_of_app, at=_DATA)
        return await self._session.ask(base_url, credential.header, APPS, reader=reader, namespace=place.namespace)

    @without_frames
    async def environments(
        self, base_url: str, credential: Credential, app_id: str, place: Reservation
    ) -> list[Environment]:
        """Return the environments of an app that the account may read, with revisions; `place` is used as in `apps`."""

        def made(each: wire.Environment) -> Environment:
            return Environment(each.name, each.revision, place)

        reader = Listing(
            host_of(base_url), self._list_limit, place, wire.ENVIRONMENT, made, _weight_of_environment, at=_DATA
        )
        params = {"app_id": app_id}
        return await self._session.ask(
            base_url, credential.header, ENVIRONMENTS, params=params, reader=reader, namespace=place.namespace
        )

    @without_frames
    async def entries(
        self,
        base_url: str,
        credential: Credential,
        *,
        app_id: str,
        environment: str,
        path: str | None,
        tags: tuple[str, ...],
        place: Reservation,
    ) -> list[Entry | DynamicKey]:
        """Return the entries of an environment: of one folder or all; with any of the tags, or all entries."""
        # Dynamic secrets are requested, so that messages can name their keys; without `lease`, none is leased.
        params = {"app_id": app_id, "env": environment, "dynamic": "true"}
        if path is not None:
            params["path"] = path
        if tags:
            params["tags"] = ",".join(tags)
        reader = Rows(host_of(base_url), self._limits, place)
        return await self._session.ask(
            base_url, credential.header, SECRETS, params=params, reader=reader, namespace=place.namespace
        )

    @without_frames
    async def keyring(self, base_url: str, credential: Credential, place: Reservation) -> Keyring:
        """Return all apps and environments that the account has keys of; `place` is used as in `apps`.

        It works with every token, but only a full one opens what is listed.
        """
        base_url = encrypted_base(base_url)
        limit = min(LARGEST_KEYRING, self._limits.size)
        reader = KeyringReader(host_of(base_url), limit, place, tells_modes=tells_modes(credential))
        return await self._session.ask(base_url, credential.header, TOKENS, reader=reader, namespace=place.namespace)

    @without_frames
    async def encrypted(
        self,
        base_url: str,
        credential: Credential,
        *,
        keyring: Keyring,
        app_id: str,
        environment: str,
        place: Reservation,
        meter: ReadMeter | None = None,
    ) -> Decrypted:
        """Return all entries of an environment, by its name and the keys in a keyring of the account.

        They are in plain text, with their references resolved as far as the account's keys and access go. `meter` is
        told of each request and answer on the way.

        The answer names the entries that cannot be decrypted. Raises Waiting(DECRYPTION_FAILED) if the key of an
        environment cannot be opened, and Waiting(ENVIRONMENT_NOT_FOUND) also if the account's access has changed since
        the keyring was read: a new keyring shows which it is.
        """
        reader = EncryptedReader(
            self._session,
            encrypted_base(base_url),
            credential,
            account_key(credential, keyring),
            self._limits,
            place,
            self._background,
            meter,
        )
        return await read_resolved(reader, keyring, app_id, environment)

    @property
    def _list_limit(self) -> int:
        return min(wire.MAX_LIST, self._limits.size)


def _weight_of_app(app: App) -> int:
    return _APP + 2 * sys.getsizeof(app.id) + wire.weight(app.name)


def _weight_of_environment(found: Environment) -> int:
    return _ENVIRONMENT + wire.weight(found.name) + sys.getsizeof(found.revision)
