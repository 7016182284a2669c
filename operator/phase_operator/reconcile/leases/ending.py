"""The end of a resource with leases: all are given back, and after a while it is over in any case.

Rule: what could not be given back by then is named in an Event.
"""

from dataclasses import replace

from phase_operator.api import names
from phase_operator.core.leases.facts import Wanted
from phase_operator.core.leases.ledger import Ledger
from phase_operator.core.leases.lowered import wanted
from phase_operator.core.outcome import Gone, Outcome
from phase_operator.reconcile.context import declared_by
from phase_operator.reconcile.errands.removal import Removal
from phase_operator.reconcile.leases.calls import Caller
from phase_operator.reconcile.leases.driver import Drive
from phase_operator.reconcile.leases.subject import Subject
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.run.finalizer import Finalizer
from phase_operator.reconcile.store import Resource


class Ending:
    """Ends resources that have leases."""

    def __init__(self, cluster: Cluster, finalizer: Finalizer, removal: Removal) -> None:
        self._cluster = cluster
        self._finalizer = finalizer
        self._removal = removal

    async def drive(self, subject: Subject, resource: Resource, caller: Caller | None) -> Drive:
        """Return how the leases of a resource in deletion are driven; raise ExpectedError."""
        until = await self._removal.deadline(resource.key, subject.started_at)
        return Drive(subject, resource, _wanted(resource, caller), caller, until)

    async def finish(self, resource: Resource) -> Outcome:
        """Remove the targets that go with a resource, and then its finalizers; raise ExpectedError."""
        outcome = await self._finalizer.end(declared_by(resource))
        if isinstance(outcome, Gone):
            finalizer = names.FINALIZER_OUTSIDE
            await self._cluster.set_finalizer(resource.key, resource.uid, wanted=False, finalizer=finalizer)
        return outcome


def _wanted(resource: Resource, caller: Caller | None) -> Wanted:
    """Return what a spec asks for. Without a caller, what is leased stays in reach: there may be one again in time."""
    if caller is not None:
        return wanted(resource.spec, caller.ask)
    leases = Ledger.read(resource.status).leases
    return replace(Wanted("", leases[0].place.host if leases else ""), revoke=resource.spec.get("revoke") is not False)
