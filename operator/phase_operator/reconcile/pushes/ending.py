"""The end of a resource that pushed: its entries become what its policy says, and after a while it is over in any case.

Rule: what could not be let go by then is named in an Event. The Secret of generated values stays: what is in use is not
lost with a resource that somebody makes anew.
"""

from phase_operator.api import names
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.report import abandoned_event
from phase_operator.reconcile.errands.removal import Removal
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.pushes.subject import PushSubject
from phase_operator.reconcile.store import Resource


class PushEnding:
    """Ends resources that pushed."""

    def __init__(self, cluster: Cluster, removal: Removal) -> None:
        self._cluster = cluster
        self._removal = removal

    async def deadline(self, subject: PushSubject, resource: Resource) -> float:
        """Return until when a resource waits for Phase, in seconds since 1970; raise ExpectedError."""
        return await self._removal.deadline(resource.key, subject.started_at)

    async def finish(self, resource: Resource, left: Ledger | None = None, why: str = "") -> None:
        """Let a resource go; `left` is what Phase still has, and `why` it was not let go. Raises ExpectedError."""
        if left is not None and left.rows:
            self._cluster.record_event(resource.key, resource.uid, [abandoned_event(left, why)])
        finalizer = names.FINALIZER_OUTSIDE
        await self._cluster.set_finalizer(resource.key, resource.uid, wanted=False, finalizer=finalizer)
