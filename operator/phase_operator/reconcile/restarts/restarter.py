"""Restart the workloads that follow targets: what a run calls, and the looks that a worker makes.

Rule: a restart of the operator may forget everything that is in memory here. What pods have read is saved on their
workload, what a target holds on the target, and the report in the status.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass

from phase_operator.core.errors import ExpectedError
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.stall import StallTracker
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.status.restarts import RestartReport
from phase_operator.core.targets.fingerprint import KeyDigests
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.ports import Clock, MetricsSink, Workloads
from phase_operator.reconcile.restarts.baseline_writer import BaselineWriter
from phase_operator.reconcile.restarts.followed import FollowedTargets
from phase_operator.reconcile.restarts.look import Look
from phase_operator.reconcile.restarts.looks import LookSchedule
from phase_operator.reconcile.restarts.readers import Readers
from phase_operator.reconcile.restarts.report import RestartReporter
from phase_operator.reconcile.restarts.workload_restarter import WorkloadRestarter

log = logging.getLogger(__name__)
# Seconds after which a look lets other namespaces go first, and how many looks may be interrupted at a time: each
# keeps what it has read in memory.
_TURN, _INTERRUPTED = 1.0, 8


@dataclass(frozen=True, slots=True)
class Limits:
    """How eagerly workloads are restarted."""

    # Seconds for which a namespace must be quiet before its workloads are looked at.
    window: float
    # How many roll-outs that we began are under way at a time.
    at_once: int


@dataclass(frozen=True, slots=True)
class _Visit:
    """A look at the workloads of a namespace, which may be interrupted and go on later."""

    workloads: AsyncIterator[Workload]
    look: Look


class Restarter:
    """Restarts workloads, for targets of any PhaseSecret."""

    def __init__(
        self,
        *,
        workloads: Workloads,
        followed_targets: FollowedTargets,
        report: RestartReporter,
        clock: Clock,
        observer: MetricsSink,
        all_known: Callable[[], bool],
        limits: Limits,
    ) -> None:
        self._workloads = workloads
        self._followed_targets = followed_targets
        self._report = report
        self._clock = clock
        self._observer = observer
        self._all_known = all_known
        stillness = StallTracker()
        self._baselines = BaselineWriter(
            workloads=workloads,
            followed_targets=followed_targets,
            stillness=stillness,
            clock=clock,
            all_known=all_known,
            window=limits.window,
            refused=self._refused,
        )
        self._restarts = WorkloadRestarter(
            workloads=workloads,
            followed_targets=followed_targets,
            report=report,
            stillness=stillness,
            clock=clock,
            observer=observer,
            at_once=limits.at_once,
        )
        self._looks = LookSchedule(clock, limits.window, self._settled)
        self._readers = Readers(report.wake)
        # Looks that let other namespaces go first.
        self._interrupted: dict[str, _Visit] = {}

    # What runs call.

    def expect(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Look at the workloads of targets that a PhaseSecret with this status is the first to be admitted to."""
        new = list(targets)
        self._report.remember(key, new, status)
        for target in new:
            self._touch(target.key.namespace)

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Drop the reports of targets that have no PhaseSecret any more."""
        gone = list(targets)
        self._report.forget(gone)
        self._readers.forget(gone)

    async def prepare(self, target: TargetRef, content: KeyDigests, *, is_new: bool, is_followed: bool) -> None:
        """Save what the pods that read a target have read, before the target gets this content.

        Raises Transient if that fails now and the target should wait for it. What cannot be saved at all is reported,
        and does not keep the target from its content: the workloads in question may lack a restart then.
        """
        await self._baselines.prepare(target, content, is_new=is_new, is_followed=is_followed)

    def written(self, target: TargetRef) -> None:
        """Look at the workloads of a target that was written, once its namespace is quiet."""
        self._touch(target.key.namespace)

    def have_rolled(self, target: TargetRef) -> bool:
        """Return whether every pod that reads a target is known to have started with what was written last."""
        return self._readers.have_rolled(target)

    def _touch(self, namespace: str) -> None:
        self._readers.touched(namespace)
        self._looks.touch(namespace)

    def report_for(self, target: TargetRef, key: ObjectKey) -> RestartReport | None:
        """Return the report of a target for the status of a PhaseSecret; None if the PhaseSecret does not write it."""
        return self._report.report_for(key, target)

    # What the worker calls.

    async def take(self) -> str:
        """Wait for the next namespace whose workloads are to be looked at; raise QueueClosedError after `close`."""
        return await self._looks.take(self._all_known)

    async def look(self, namespace: str) -> None:
        """Bring the workloads of a namespace in step with what their targets hold."""
        visit = self._interrupted.pop(namespace, None)
        if visit is None:
            look = Look()
            self._readers.begins(namespace, look)
            visit = _Visit(self._workloads.each(namespace, look.failed), look)
        look = visit.look
        # Only a look that has come to its end may say that there is nothing left to do.
        look.again = True
        try:
            if not await self._look(namespace, visit):
                self._interrupted[namespace] = visit
        except ExpectedError as error:
            self._observer.restart_failed()
            self._report.report_restarted(look)
            log.warning("workloads not looked at", extra={"namespace": namespace, "detail": error.message})
        finally:
            if namespace in self._interrupted:
                self._looks.go_on(namespace)
            else:
                self._looks.plan(namespace, look)

    def retry_now(self) -> None:
        """Make all looks due that wait for another try."""
        self._looks.retry_now()

    def close(self) -> None:
        """Give out no more namespaces."""
        self._looks.close()

    # What metrics call.

    def under_way(self) -> int:
        """Return how many of the roll-outs that we began hold a place."""
        return self._restarts.under_way()

    def waiting(self) -> int:
        """Return how many targets have workloads whose restart waits for something."""
        return self._report.waiting()

    async def _look(self, namespace: str, visit: _Visit) -> bool:
        """Look at workloads until all were seen, and return True; return False to let other namespaces go first."""
        look, began = visit.look, self._clock.monotonic()
        async for workload in visit.workloads:
            if self._is_concerned(workload):
                await self._restarts.bring_in_step(workload, look)
            # A namespace may have thousands of workloads, each with a large template: other tasks get their turn.
            await asyncio.sleep(0)
            if self._clock.monotonic() - began >= _TURN and self._others_wait():
                return False
        self._end_look(namespace, look)
        return True

    def _is_concerned(self, workload: Workload) -> bool:
        """Return whether a workload has a baseline, or reads a target that a PhaseSecret is admitted to."""
        return bool(workload.running or self._followed_targets.admitted(workload))

    def _end_look(self, namespace: str, look: Look) -> None:
        """Take what a look at all workloads of a namespace came to: whether to look again, and what to report."""
        self._restarts.look_ended(namespace, look)
        if look.failed:
            self._observer.restart_failed()
        is_awaited = self._readers.ended(namespace, look)
        look.again = look.soon or bool(look.again and (look.waiting or look.failed or is_awaited))
        # A transient failure is reported only if it lasts.
        failed = look.failed if self._looks.has_lasted(namespace) else look.failed_lastingly()
        targets = self._followed_targets.followed_in(namespace) if failed else ()
        self._report.report(namespace, look, failed, targets)

    def _others_wait(self) -> bool:
        """Return whether another namespace is due, and one more look may be interrupted."""
        return len(self._interrupted) < _INTERRUPTED and self._looks.others_wait()

    def _refused(self, target: TargetRef, message: str) -> None:
        self._observer.restart_failed()
        self._report.refused(target, message)

    def _settled(self, namespace: str) -> None:
        if namespace in self._interrupted:
            # The written target may concern workloads that the interrupted look has already passed.
            self._interrupted[namespace].look.soon = True
