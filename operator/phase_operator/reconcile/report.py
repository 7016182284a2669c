"""The outcome of a run -> the status, Events, the log and metrics; each only if it changed."""

import logging
from dataclasses import replace

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.json_access import mapping
from phase_operator.core.outcome import (
    Confirmed,
    Event,
    Failed,
    Outcome,
    Pushed,
    Reported,
    StatusDocument,
    Suspended,
    Synced,
    verdict,
)
from phase_operator.core.status.document import change_events, change_warnings, status_document
from phase_operator.core.status.restarts import with_restarts
from phase_operator.core.values import ObjectKey, has_ledger
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.ports import Clock, Cluster, MetricsSink, Restarts
from phase_operator.reconcile.retries import Retries
from phase_operator.reconcile.store import Resource, Resources

log = logging.getLogger(__name__)

INTERNAL = Failed(Reason.INTERNAL_ERROR, "internal error; the operator's log has the trace", transient=True)
# The most targets that a log line names: a PhaseSecret may have hundreds.
_LOGGED = 20
# The most resources whose first sync has Normal Events. Each has two or more, and fifty are posted at once.
_FEW = 20


class Events:
    """Posts Events that belong to no outcome; the conditions stay as they are."""

    def __init__(self, cluster: Cluster, resources: Resources) -> None:
        self._cluster = cluster
        self._resources = resources

    def post(self, key: ObjectKey, event: Event) -> None:
        """Post an Event on a PhaseSecret that is in the store."""
        if resource := self._resources.get(key):
            self._cluster.record_event(key, resource.uid, [event])

    def not_understood(self, key: ObjectKey, uid: str) -> None:
        """Post an Event on a PhaseSecret that a bug keeps out of the store; an earlier state in the store stays."""
        self._cluster.record_event(key, uid, [Event("Warning", str(INTERNAL.reason), INTERNAL.message)])


class FirstSync:
    """Whether a start brings more resources in step for the first time than their Normal Events could tell.

    Of thousands, a few hundred would be posted, whichever are the newest, and the API server pays for each. So none is
    posted until all of them have a verdict; their statuses and the log say the same.
    """

    def __init__(self) -> None:
        self.goes_on = False
        # How many resources had no Normal Events.
        self.untold = 0

    def is_of_many(self, left: int) -> bool:
        """Return whether a resource of the start is one of many; so many of them are left, with this one."""
        self.goes_on |= left > _FEW
        return self.goes_on

    def end(self) -> int:
        """End it; return of how many resources no Normal Events were posted."""
        untold, self.goes_on, self.untold = self.untold, False, 0
        return untold


class Report:
    """Writes the status of a PhaseSecret, and the Events of its outcome."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        resources: Resources,
        retries: Retries,
        restarts: Restarts,
        clock: Clock,
        observer: MetricsSink,
        internal_errors: InternalErrors,
    ) -> None:
        self._cluster = cluster
        self._resources = resources
        self._retries = retries
        self._restarts = restarts
        self._clock = clock
        self._observer = observer
        self._internal_errors = internal_errors
        self._first_sync = FirstSync()

    async def run_ended(self, resource: Resource | None, outcome: Outcome, forced: str | None) -> Outcome:
        """Write what a run's outcome changes; return the outcome, or why its status could not be written.

        `resource` is the PhaseSecret as the run saw it, `forced` the value of the sync annotation that it answered.
        """
        if resource is None:
            return outcome
        if has_ledger(resource.key) and (now := self._resources.get(resource.key)) and now.uid == resource.uid:
            # The run itself has written its ledger.
            resource = replace(resource, status=now.status)
        match outcome:
            case Synced() | Pushed() | Suspended() | Failed():
                report = self._report(resource, outcome, forced)
            case Confirmed():
                report = self._restart_report(resource, outcome)
            case _:
                return outcome
        written = await self._internal_errors.attempt(
            "reporting failed", report, task="resources", subject=str(resource.key)
        )
        return written or await self._bug(resource)

    def count(self, outcome: Outcome, seconds: float) -> None:
        """Count a run, its duration in seconds, and the targets that it wrote."""
        reason = str(verdict(outcome).reason) if isinstance(outcome, Reported) else ""
        self._observer.reconciled(type(outcome).__name__, reason, seconds)
        for target in outcome.targets:
            if target.written or target.resealed:
                self._observer.target_written(str(target.ref.kind))

    async def _report(self, resource: Resource, outcome: Reported, forced: str | None) -> Outcome:
        document = status_document(
            outcome, resource.status, generation=resource.generation, forced=forced, now=self._clock.now()
        )
        is_of_many = resource.is_of_start and self._first_sync.is_of_many(self._resources.unjudged_since_start())
        events = (change_warnings if is_of_many else change_events)(outcome, resource.status)
        problem = await self._write(resource, document)
        if problem is not None:
            return Failed(problem.reason, problem.message, transient=True, targets=outcome.targets)
        if events or is_of_many:
            self._log(resource, outcome)
        if events:
            self._cluster.record_event(resource.key, resource.uid, events)
        self._first_sync.untold += is_of_many
        if self._first_sync.goes_on and not self._resources.unjudged_since_start():
            ready, not_ready, _ = self._resources.ready_counts()
            facts = {"resources": self._first_sync.end(), "ready": ready, "not_ready": not_ready}
            log.info("first sync ended", extra=facts)
        return outcome

    async def _restart_report(self, resource: Resource, outcome: Confirmed) -> Outcome:
        """Write what is new about restarts into a status that is otherwise up to date."""
        problem = await self._write(resource, dict(resource.status))
        return outcome if problem is None else Failed(problem.reason, problem.message, transient=True)

    async def _bug(self, resource: Resource) -> Outcome:
        """Report an internal error without reading the old status, which may be its cause."""
        if self._retries.is_first(resource.key):
            document = status_document(INTERNAL, {}, generation=resource.generation, forced=None, now=self._clock.now())
            kept = {name: value for name, value in resource.status.items() if name not in document}
            before = resource.status if has_ledger(resource.key) else None
            write = self._cluster.write_status(resource.key, resource.uid, kept | document, before=before)
            await self._internal_errors.attempt("reporting failed", write, task="resources", subject=str(resource.key))
        return INTERNAL

    async def _write(self, resource: Resource, document: StatusDocument) -> ExpectedError | None:
        """Write the status if it says something new; return the error if that failed."""
        document = with_restarts(document, lambda target: self._restarts.report_for(target, resource.key))
        if document == resource.status:
            return None
        # What is outside the cluster is in the status alone: no other process may have changed that meanwhile.
        before = resource.status if has_ledger(resource.key) else None
        try:
            written = await self._cluster.write_status(resource.key, resource.uid, document, before=before)
            if before is not None and not written:
                return await self._read_again(resource)
        except ExpectedError as error:
            if self._retries.is_first(resource.key):
                log.warning("status not written", extra={"object": str(resource.key), "detail": error.message})
            return error.to_keep()
        self._resources.set_status(resource.key, resource.uid, document)
        self._observer.status_written()
        return None

    async def _read_again(self, resource: Resource) -> ExpectedError | None:
        """Take the status over that another process has written; return why the run has to be repeated."""
        found = await self._cluster.find_resource(resource.key)
        if found is None or mapping(found.get("metadata")).get("uid") != resource.uid:
            return None
        self._resources.set_status(resource.key, resource.uid, mapping(found.get("status")))
        return Transient(Reason.KUBERNETES_UNAVAILABLE, "another process has written the status meanwhile")

    def _log(self, resource: Resource, outcome: Reported) -> None:
        found = verdict(outcome)
        fields: dict[str, object] = {"object": str(resource.key), "source": resource.source}
        fields |= {"ready": found.ready, "reason": str(found.reason), "detail": found.message}
        if written := [str(target.ref) for target in outcome.targets if target.written]:
            fields["written"] = [*written[:_LOGGED], *(["..."] if len(written) > _LOGGED else [])]
        log.info("resource changed", extra=fields)
