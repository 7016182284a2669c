"""Phase tokens out of Secrets, each read once until it changes.

Rule: a token is read again only after the watch said that its Secret changed, or may have; so that thousands of
PhaseSecrets with one token Secret cost one read, and a rotated one is seen at once.
"""

import asyncio

from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.ports import Cluster, Token


class Tokens:
    """A cache over `Cluster.read_token` with one read under way per Secret. Failures are not kept."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._known: dict[ObjectKey, Token] = {}
        self._locks: dict[ObjectKey, asyncio.Lock] = {}
        # Grows with every invalidation, so that a read that began before one is not kept after it.
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

    def invalidate(self, key: ObjectKey) -> None:
        """Read the Secret again when the token is next asked for."""
        self._era[key] = self._era.get(key, 0) + 1
        self._known.pop(key, None)

    def forget(self, key: ObjectKey) -> None:
        """Drop all that is known of a Secret that nobody names any more."""
        self._known.pop(key, None)
        self._locks.pop(key, None)
        self._era.pop(key, None)
