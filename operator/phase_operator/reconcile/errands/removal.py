"""How long a resource that is being deleted waits for Phase.

Rule: a namespace must not hang because a server is away.
"""

from phase_operator.core.json_access import mapping
from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.ports import Clock, Cluster

# Seconds for which a process tries, however long ago the resource was deleted: it may have been away then.
_LEAST = 30.0


class Removal:
    """The patience of an operator; `seconds` count from a resource's deletion."""

    def __init__(self, cluster: Cluster, clock: Clock, seconds: float) -> None:
        self._cluster = cluster
        self._clock = clock
        self._seconds = seconds

    async def deadline(self, key: ObjectKey, started_at: float) -> float:
        """Return until when a resource waits; raise ExpectedError. `started_at` is when this process began to serve it.

        Both are in seconds since 1970.
        """
        found = await self._cluster.find_resource(key)
        deleted_at = moment_of(mapping(mapping(found).get("metadata")).get("deletionTimestamp"))
        now = moment_of(self._clock.now()) or 0.0
        return max((deleted_at or now) + self._seconds, started_at + min(self._seconds, _LEAST))
