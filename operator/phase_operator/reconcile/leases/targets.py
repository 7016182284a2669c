"""The targets of a resource, from the record of the lease that serves: none of them ever needs a new lease."""

from dataclasses import dataclass, replace

from phase_operator.api.reasons import Reason
from phase_operator.core.json_access import mappings
from phase_operator.core.leases.ledger import Lease
from phase_operator.core.leases.lowered import entries, folder, inputs_digest
from phase_operator.core.outcome import Confirmed, SourceFacts, Synced, TargetResult, Warned, verdict
from phase_operator.core.pipeline import choose
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.targets.rendering import units
from phase_operator.core.timestamps import timestamp
from phase_operator.core.values import Snapshot
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.context import RunContext
from phase_operator.reconcile.lease_ports import LeaseCluster
from phase_operator.reconcile.run.loss_guard import ReceivedAnswer
from phase_operator.reconcile.run.writer import Inputs, Writer


@dataclass(frozen=True, slots=True)
class LeaseTargets:
    """Brings targets in step with the credentials of a lease."""

    cluster: LeaseCluster
    writer: Writer
    background: BackgroundThread

    async def bring(
        self, context: RunContext, query: SourceQuery, lease: Lease, holder: str, warning: Warned | None
    ) -> Synced | Confirmed | None:
        """Bring all targets in step; None if the credentials are gone. Raises ExpectedError.

        Nothing is read and written if status and seals say that all is done. `holder` is the account that holds the
        lease, `warning` what else is to be told.
        """
        inputs = inputs_digest(context.resource.spec, lease.id)
        if _is_told(context, lease, warning) and await self.writer.has_made(context, inputs):
            return Confirmed()
        credentials = await self.cluster.read_record(context.owner, lease.attempt)
        if credentials is None:
            return None
        path = folder(context.resource.spec)
        answer = Snapshot.of(lease.place.app_id, entries(credentials, path))
        chosen = await self.background.run(
            lambda: choose(context.spec, query, answer, context.folders), len(answer.entries), context.key.namespace
        )
        if chosen.error is not None:
            raise chosen.error
        # Phase said so once, and says it to nobody again.
        received = ReceivedAnswer(query, answer, None, True, ())
        place = lease.place
        host = context.assumed_host
        facts = SourceFacts(place.app_id, query.environment, path, len(chosen.entries), place.secret_id, holder, host)
        made_from = Inputs(received, chosen.entries, facts, units(context.spec, chosen.entries), inputs)
        return replace(await self.writer.bring(context, made_from), note=_end_of(lease), warning=warning)


def _end_of(lease: Lease) -> str:
    return f"the lease ends {timestamp(lease.ends_at)}"


def _is_told(context: RunContext, lease: Lease, warning: Warned | None) -> bool:
    """Return whether the status says exactly what it would say now if all is in step with this lease."""
    if not context.is_settled:
        return False
    targets = tuple(TargetResult(each, True, Reason.SYNCED) for each in context.target_policies)
    said = verdict(Synced(SourceFacts("", "", "", 0), targets, warning, _end_of(lease))).message
    return any(each.get("message") == said for each in mappings(context.resource.status.get("conditions")))
