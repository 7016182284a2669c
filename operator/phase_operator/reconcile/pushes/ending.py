"""The end of a resource that pushed: its entries become what its policy says, and after a while it is over in any case.

Rule: a namespace must not hang because a server is away. What could not be let go by then is named in an Event. The
Secret of generated values stays: what is in use is not lost with a resource that somebody makes anew.
"""

from phase_operator.api import names
from phase_operator.core.json_access import mapping
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.report import abandoned_event
from phase_operator.core.timestamps import moment_of
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.pushes.calls import PushCalls
from phase_operator.reconcile.pushes.subject import PushSubject
from phase_operator.reconcile.store import Resource

# Seconds for which a process tries to let entries go, however long ago their resource was deleted.
_LEAST = 30.0


class PushEnding:
    """Ends resources that pushed."""

    def __init__(self, cluster: Cluster, calls: PushCalls, removal_seconds: float) -> None:
        self._cluster = cluster
        self._calls = calls
        # How long after its deletion a resource waits for Phase.
        self._removal_seconds = removal_seconds

    async def deadline(self, subject: PushSubject, resource: Resource) -> float:
        """Return until when a resource waits for Phase, in seconds since 1970; raise ExpectedError."""
        found = await self._cluster.find_resource(resource.key)
        deleted_at = moment_of(mapping(mapping(found).get("metadata")).get("deletionTimestamp"))
        # Whoever was away when it was deleted tries for a moment nevertheless.
        least = subject.started_at + min(self._removal_seconds, _LEAST)
        return max((deleted_at or self._calls.now()) + self._removal_seconds, least)

    async def finish(self, resource: Resource, left: Ledger | None = None, why: str = "") -> None:
        """Let a resource go; `left` is what Phase still has, and `why` it was not let go. Raises ExpectedError."""
        if left is not None and left.rows:
            self._cluster.record_event(resource.key, resource.uid, [abandoned_event(left, why)])
        finalizer = names.FINALIZER_OUTSIDE
        await self._cluster.set_finalizer(resource.key, resource.uid, wanted=False, finalizer=finalizer)
