"""The PhaseApi port over the client: one method, one call."""

import sys
from collections.abc import Awaitable
from typing import TypeVar

from phase_operator.core.apps import App, Environment
from phase_operator.core.errors import ExpectedError
from phase_operator.core.room import Place
from phase_operator.core.values import Entry, SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.credentials import parse
from phase_operator.reconcile.ports import Credential

Answer = TypeVar("Answer")
# Bytes that an app or an environment takes besides its texts.
_LISTED = 200


class Phase:
    """Answers questions. `key` makes names for accounts that say nothing about their tokens."""

    def __init__(self, client: PhaseClient, key: bytes) -> None:
        self._client = client
        self._key = key

    def credential(self, token: SecretValue) -> Credential:
        """Parse any spelling of a token; raise Waiting(TOKEN_INVALID) if it is none."""
        return parse(token, self._key)

    async def apps(self, base_url: str, credential: Credential, place: Place) -> list[App]:
        """Return the apps that the account sees."""
        found = await _kept_apart(self._client.apps(base_url, credential.header, place))
        place.resize(sum(_LISTED + sys.getsizeof(app.id) + sys.getsizeof(app.name) for app in found))
        return [App(app.id, app.name, place) for app in found]

    async def environments(self, base_url: str, credential: Credential, app_id: str, place: Place) -> list[Environment]:
        """Return the environments of an app that the account may read, with their revisions."""
        found = await _kept_apart(self._client.environments(base_url, credential.header, place, app_id))
        # Names are kept twice, as they are and without their case.
        place.resize(sum(_LISTED + 2 * sys.getsizeof(each.name) + sys.getsizeof(each.revision) for each in found))
        return [Environment(each.name, each.revision, place) for each in found]

    async def entries(
        self,
        base_url: str,
        credential: Credential,
        *,
        app_id: str,
        environment: str,
        path: str | None,
        tags: tuple[str, ...],
        place: Place,
    ) -> list[Entry]:
        """Return the entries of an environment: of one folder or all, with any of the tags or all."""
        return await _kept_apart(
            self._client.secrets(
                base_url, credential.header, place, app_id=app_id, env=environment, path=path, tags=tags
            )
        )


async def _kept_apart(call: Awaitable[Answer]) -> Answer:
    """Await a call; its error is kept for as long as it lasts, and the frames behind it hold bodies of answers."""
    try:
        return await call
    except ExpectedError as error:
        error.__cause__ = error.__context__ = None
        raise error.with_traceback(None) from None
