"""The loop: keys come in, workers run them, each outcome becomes status, Events, metrics and the next run.

Rule: nothing that a run raises ends the loop. What was not expected (reconcile/internal_errors.py) is told as
InternalError, and the run is repeated.
"""

import asyncio
import logging
from collections.abc import Awaitable, Collection
from functools import partial

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.flow.backoff import retry_resource
from phase_operator.core.flow.outage import Fault, Outage, fault
from phase_operator.core.flow.pace import Damper
from phase_operator.core.flow.schedule import Priority
from phase_operator.core.outcome import (
    Confirmed,
    Failed,
    Gone,
    Notice,
    Outcome,
    Pending,
    StatusDocument,
    Suspended,
    Synced,
    verdict,
)
from phase_operator.core.refs import TargetRef
from phase_operator.core.status.document import notices, status_document
from phase_operator.core.status.restarts import with_told
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.admissions import Admissions
from phase_operator.reconcile.internal_errors import Faults
from phase_operator.reconcile.polling.calls import Call
from phase_operator.reconcile.polling.poller import Sources
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Clock, Cluster, Observer, Restarts
from phase_operator.reconcile.queue import QueueClosedError, WorkQueue
from phase_operator.reconcile.run.reconciler import Reconciler
from phase_operator.reconcile.store import Resource, Resources

log = logging.getLogger(__name__)

EVENT_CONTESTED = "TargetContested"
# Targets that a log line names: a PhaseSecret may have hundreds.
_LOGGED = 20
_INTERNAL = Failed(Reason.INTERNAL_ERROR, "internal error; the operator's log has the trace", transient=True)


class Controller:
    """Everything between an event and its consequence."""

    def __init__(
        self,
        *,
        queue: WorkQueue[ObjectKey],
        resources: Resources,
        sources: Sources,
        tokens: Tokens,
        reconciler: Reconciler,
        cluster: Cluster,
        admissions: Admissions,
        clock: Clock,
        observer: Observer,
        restarts: Restarts,
        faults: Faults,
    ) -> None:
        self._restarts = restarts
        self._faults = faults
        self._queue = queue
        self._resources = resources
        self._sources = sources
        self._tokens = tokens
        self._reconciler = reconciler
        self._cluster = cluster
        self._token_users = admissions.tokens
        self._target_users = admissions.targets
        self._clock = clock
        self._observer = observer
        self._failures: dict[ObjectKey, int] = {}
        self._damper: Damper[TargetRef] = Damper()
        self._neighbours: Damper[tuple[TargetRef, ObjectKey]] = Damper()
        self._token_edits: Damper[ObjectKey] = Damper()
        self._label_edits: Damper[str] = Damper()
        self._outage: Outage[ObjectKey] = Outage()

    # What the watches tell.

    def resource_changed(self, key: ObjectKey) -> None:
        """Run a PhaseSecret that is new or was edited; those never judged go first."""
        resource = self._resources.get(key)
        fresh = resource is not None and not resource.status.get("conditions")
        self._failures.pop(key, None)
        self._queue.add(key, priority=Priority.NEW if fresh else Priority.CHANGED)

    def resource_gone(self, key: ObjectKey) -> None:
        """Stop the work of a PhaseSecret that was deleted."""
        self._resources.remove(key)
        self._queue.add(key)

    def not_understood(self, key: ObjectKey, uid: str) -> None:
        """Tell of a PhaseSecret that a bug keeps us from taking; what was known of it stays."""
        self._cluster.notify(key, uid, [Notice("Warning", str(_INTERNAL.reason), _INTERNAL.message)])

    def token_changed(self, key: ObjectKey) -> None:
        """Run whoever uses a token Secret that changed; one that changes again and again is read slowly."""
        if key in self._token_users:
            self._tokens.invalidate(key)
            delay = self._token_edits.pause(key, self._clock.monotonic())
            for dependant in self._token_users.of(key):
                self._queue.add(dependant, delay=delay)

    def tokens_unknown(self) -> None:
        """Read every token again: changes may have been missed."""
        for key in self._token_users.things():
            self.token_changed(key)

    def target_changed(self, target: TargetRef) -> None:
        """Run whoever wants an object that somebody else touched; who touches it again and again is answered slowly."""
        dependants = self._target_users.of(target)
        if not dependants:
            return
        delay = self._damper.pause(target, self._clock.monotonic())
        for dependant in dependants:
            self._queue.add(dependant, delay=delay)

    def restarts_changed(self, target: TargetRef) -> None:
        """Run whoever wants a target of whose workloads there is something new to tell."""
        for dependant in self._target_users.of(target):
            self._queue.add(dependant)

    def namespace_changed(self, namespace: str) -> None:
        """Run the PhaseSecrets of a namespace whose labels changed: what they are granted may have."""
        delay = self._label_edits.pause(namespace, self._clock.monotonic())
        for key in sorted(key for key in self._resources.keys() if key.namespace == namespace):  # noqa: SIM118 - no dict
            self._queue.add(key, delay=delay)

    def kubernetes_is_back(self) -> None:
        """Run whoever failed for the API server's sake: a watch that was broken works again, or a run does."""
        delay = self._outage.pause(self._clock.monotonic())
        for key in self._outage.over():
            self._queue.add(key, delay=delay)
        if not delay:
            self._restarts.hurry()

    # What the workers do.

    async def run(self, workers: int, phase_workers: int) -> None:
        """Work until `stop`; return when the last run has ended.

        `phase_workers` bounds the calls to Phase under way, quick and slow; the planner says whose they are.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._faults.keep("resources", self._run_resources, self._clock))
            asking = partial(self._ask_phase, group, asyncio.Semaphore(phase_workers))
            group.create_task(self._faults.keep("sources", asking, self._clock))
            group.create_task(self._faults.keep("restarts", self._restart, self._clock))

    def stop(self) -> None:
        """Begin no more runs."""
        self._queue.close()
        self._sources.close()
        self._restarts.close()

    async def _run_resources(self) -> None:
        while True:
            try:
                key = await self._queue.take()
            except QueueClosedError:
                return
            try:
                await self._run_resource(key)
            except Exception as error:  # noqa: BLE001 - what a run comes to is a bug's own business
                self._faults.caught("run failed", error, task="resources", subject=str(key))
                self._retry(key, transient=True)
            finally:
                self._queue.done(key)

    async def _ask_phase(self, group: asyncio.TaskGroup, free: asyncio.Semaphore) -> None:
        """Make the calls that the planner gives out, each beside the others."""
        while True:
            await free.acquire()
            try:
                call = await self._sources.take()
            except QueueClosedError:
                return
            except BaseException:
                free.release()
                raise
            group.create_task(self._make(call, free))

    async def _make(self, call: Call, free: asyncio.Semaphore) -> None:
        try:
            made = self._sources.make(call)
            await self._faults.attempt("asking Phase failed", made, task="sources", subject=type(call).__name__)
        finally:
            free.release()

    async def _restart(self) -> None:
        while True:
            try:
                namespace = await self._restarts.take()
            except QueueClosedError:
                return
            look = self._restarts.look(namespace)
            await self._faults.attempt("restarting failed", look, task="restarts", subject=namespace)

    def tell(self, key: ObjectKey, notice: Notice) -> None:
        """Post an Event on a PhaseSecret that says nothing about its state."""
        if resource := self._resources.get(key):
            self._cluster.notify(key, resource.uid, [notice])

    async def _run_resource(self, key: ObjectKey) -> None:
        began = self._clock.monotonic()
        # The run answers for what the resource is now; an edit meanwhile starts another run.
        resource = self._resources.get(key)
        wanted = self._target_users.things_of(key)
        run = self._reconciler.reconcile(key)
        outcome = await self._faults.attempt("run failed", run, task="resources", subject=str(key)) or _INTERNAL
        report: Awaitable[Outcome] | None = None
        if resource is not None and isinstance(outcome, Synced | Suspended | Failed):
            report = self._report(resource, outcome)
        elif resource is not None and isinstance(outcome, Confirmed):
            report = self._retell(resource, outcome)
        if report is not None:
            told = await self._faults.attempt("reporting failed", report, task="resources", subject=str(key))
            outcome = told or await self._report_bug(resource)
        self._wake_neighbours(key, wanted, outcome)
        self._plan_next(key, outcome)
        seconds = self._clock.monotonic() - began
        log.debug("run ended", extra={"object": str(key), "outcome": type(outcome).__name__, "seconds": seconds})
        self._count(outcome, seconds)

    async def _report(self, resource: Resource, outcome: Synced | Suspended | Failed) -> Outcome:
        """Write status and Events if there is something new; return what the run comes to with that."""
        forced = self._reconciler.forced(resource.key)
        document = status_document(
            outcome, resource.status, generation=resource.generation, forced=forced, now=self._clock.now()
        )
        told = notices(outcome, resource.status)
        problem = await self._write(resource, document)
        if problem is not None:
            return Failed(problem.reason, problem.message, transient=True, targets=getattr(outcome, "targets", ()))
        if told:
            found = verdict(outcome)
            fields: dict[str, object] = {"object": str(resource.key), "source": resource.source}
            fields |= {"ready": found.ready, "reason": str(found.reason), "detail": found.message}
            if written := [str(target.ref) for target in getattr(outcome, "targets", ()) if target.written]:
                fields["written"] = [*written[:_LOGGED], *(["..."] if len(written) > _LOGGED else [])]
            log.info("resource changed", extra=fields)
            self._cluster.notify(resource.key, resource.uid, told)
        return outcome

    async def _report_bug(self, resource: Resource | None) -> Outcome:
        """Say that there is a bug where it may be the status that caused it: nothing of the old one is looked at."""
        # Once, and not with every try.
        if resource is not None and resource.key not in self._failures:
            document = status_document(
                _INTERNAL, {}, generation=resource.generation, forced=None, now=self._clock.now()
            )
            kept = {name: value for name, value in resource.status.items() if name not in document}
            write = self._cluster.write_status(resource.key, resource.uid, kept | document)
            await self._faults.attempt("reporting failed", write, task="resources", subject=str(resource.key))
        return _INTERNAL

    async def _retell(self, resource: Resource, outcome: Confirmed) -> Outcome:
        """Write what is new about restarts into a status that is right otherwise."""
        problem = await self._write(resource, dict(resource.status))
        return outcome if problem is None else Failed(problem.reason, problem.message, transient=True)

    async def _write(self, resource: Resource, document: StatusDocument) -> ExpectedError | None:
        """Write the status, if it says something new; return what kept it from being written."""
        document = with_told(document, lambda target: self._restarts.told(target, resource.key))
        if document == resource.status:
            return None
        try:
            await self._cluster.write_status(resource.key, resource.uid, document)
        except ExpectedError as error:
            # Once, and not with every try: thousands of resources fail together.
            if resource.key not in self._failures:
                log.warning("status not written", extra={"object": str(resource.key), "detail": error.message})
            return error.to_keep()
        self._resources.set_status(resource.key, resource.uid, document)
        self._observer.status_written()
        return None

    def _wake_neighbours(self, key: ObjectKey, before: Collection[TargetRef], outcome: Outcome) -> None:
        """Run whoever wants a target that this run wrote or let go of: it may be refused no more, or out of step."""
        written = [target.ref for target in getattr(outcome, "targets", ()) if target.written]
        now = self._target_users.things_of(key)
        left = [target for target in before if target not in now] if before != now else []
        moment = self._clock.monotonic()
        for target in (*written, *left):
            neighbours = [each for each in self._target_users.of(target) if each != key]
            # Those who share an object write it once each, and one after another; who fights writes it again.
            delay = self._neighbours.pause((target, key), moment) if neighbours else 0.0
            for neighbour in neighbours:
                self._queue.add(neighbour, delay=delay)
        for target in written:
            if self._damper.is_to_tell(target, moment):
                self._tell_fight(key, f"{target} is changed by others again and again")
            if self._neighbours.is_to_tell((target, key), moment):
                self._tell_fight(key, f"{target}, which other PhaseSecrets want as well, is written again and again")

    def _tell_fight(self, key: ObjectKey, what: str) -> None:
        message = f"{what}; it is looked at more and more slowly meanwhile"
        self.tell(key, Notice("Warning", EVENT_CONTESTED, message))

    def _plan_next(self, key: ObjectKey, outcome: Outcome) -> None:
        found = fault(outcome)
        if isinstance(outcome, Gone):
            self._outage.forget(key)
        elif found is None and self._outage.passed(key):
            self.kubernetes_is_back()
        transient = retry_wanted(outcome)
        if transient is None:
            self._failures.pop(key, None)
            return
        self._retry(key, transient=transient, found=found, at_least=pause_wanted(outcome))

    def _retry(self, key: ObjectKey, *, transient: bool, found: Fault | None = None, at_least: float = 0.0) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = retry_resource(transient=transient, failures=failures, identity=str(key))
        if found is not None:
            delay = self._outage.failed(key, found, delay, self._clock.monotonic())
        self._queue.add(key, delay=max(delay, at_least), priority=Priority.PERIODIC)

    def _count(self, outcome: Outcome, seconds: float) -> None:
        reason = str(verdict(outcome).reason) if isinstance(outcome, Synced | Suspended | Failed) else ""
        self._observer.reconciled(type(outcome).__name__, reason, seconds)
        for target in getattr(outcome, "targets", ()):
            if target.written or target.resealed:
                self._observer.target_written(str(target.ref.kind))


def retry_wanted(outcome: Outcome) -> bool | None:
    """Say whether a run is to be repeated by itself: None no, True soon, False slowly."""
    match outcome:
        case Gone() | Pending() | Suspended() | Confirmed():
            return None
        case Failed(transient=transient):
            return transient
        case Synced(targets=targets):
            bad = [target for target in targets if not target.ready]
            return any(target.transient for target in bad) if bad else None


def pause_wanted(outcome: Outcome) -> float:
    """Return for how many seconds somebody whom the run asked wants to be left alone."""
    asked = [target.after for target in getattr(outcome, "targets", ()) if not target.ready]
    return max((after for after in (*asked, getattr(outcome, "after", None)) if after is not None), default=0.0)
