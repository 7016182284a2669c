"""Phase tokens out of Secrets, each read once until it changes.

Rule: a token is read again only after the watch said that its Secret changed, or may have; so that thousands of
PhaseSecrets with one token Secret cost one read, and a rotated one is seen at once.
"""

import asyncio
from collections.abc import Callable

from phase_operator.core.access.tenancy import check_annotation
from phase_operator.core.source.query import Ask
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.index import Users
from phase_operator.reconcile.ports import Cluster, Credential, PhaseApi, Token


class Tokens:
    """A cache over `Cluster.read_token` with one read under way per Secret. Failures are not kept."""

    def __init__(self, cluster: Cluster, users: Users[ObjectKey], wake: Callable[[ObjectKey], None]) -> None:
        self._cluster = cluster
        self._users = users
        # Queues the users of a token Secret.
        self._wake = wake
        self._known: dict[ObjectKey, Token] = {}
        # What was made of a token, which is the same for all who use it.
        self._credentials: dict[ObjectKey, tuple[Token, Credential]] = {}
        self._locks: dict[ObjectKey, asyncio.Lock] = {}
        # Grows with every change, so that a read that began before one is not kept after it.
        self._era: dict[ObjectKey, int] = {}

    async def get(self, key: ObjectKey) -> Token:
        """Return the token; raise Waiting(TOKEN_SECRET_NOT_FOUND) or what reading the Secret raised."""
        if key in self._known:
            return self._known[key]
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key in self._known:
                return self._known[key]
            era = self._era.get(key, 0)
            token = await self._cluster.read_token(key)
            if self._era.get(key, 0) == era:
                self._known[key] = token
            return token

    async def credential(self, ask: Ask, phase: PhaseApi) -> Credential:
        """Return what Phase is asked with; raise ExpectedError, also if the token may not go to the host of `ask`."""
        token = await self.get(ask.token_key)
        check_annotation(token.hosts, ask.base_url, ask.token_key)
        made_of, credential = self._credentials.get(ask.token_key, (None, None))
        if credential is None or made_of is not token:
            credential = phase.credential(token.text)
            if self._known.get(ask.token_key) is token:
                self._credentials[ask.token_key] = (token, credential)
        return credential

    def changed(self, key: ObjectKey) -> None:
        """Read a Secret that changed again, and run the PhaseSecrets that use it, if there are any."""
        if key in self._users:
            self._era[key] = self._era.get(key, 0) + 1
            self._drop(key)
            self._wake(key)

    def all_changed(self) -> None:
        """Read every token again: changes may have been missed."""
        for key in self._users.things():
            self.changed(key)

    def forget(self, key: ObjectKey) -> None:
        """Drop all that is known of a Secret that nobody names any more."""
        self._drop(key)
        self._locks.pop(key, None)
        self._era.pop(key, None)

    def _drop(self, key: ObjectKey) -> None:
        self._known.pop(key, None)
        self._credentials.pop(key, None)
