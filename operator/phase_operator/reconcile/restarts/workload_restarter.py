"""Bring one workload in step with its targets: decide, and carry the decision out.

Rule: a restart is written only to the version of the workload that was judged, and only while there is a place for
its roll-out; a CronJob, and a workload whose update strategy keeps its pods, need no place.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import Cause, Decision, LeaveAlone, Postpone, Restart, SaveBaseline, decide
from phase_operator.core.rollout.followers import FollowedTarget
from phase_operator.core.rollout.progress import Progress, WorkloadKind
from phase_operator.core.rollout.slots import RolloutSlots
from phase_operator.core.rollout.stall import Patience, StallTracker
from phase_operator.core.rollout.workload import Workload, WorkloadRef
from phase_operator.reconcile.ports import Clock, MetricsSink, Workloads
from phase_operator.reconcile.restarts.baseline_writer import ATTEMPTS
from phase_operator.reconcile.restarts.followed import FollowedTargets, targets_of
from phase_operator.reconcile.restarts.look import Look
from phase_operator.reconcile.restarts.report import RestartReporter

log = logging.getLogger(__name__)
# After so many failed writes in a row, the API server is to blame and no workload: the look ends.
_FAILURES = 3
_ORDERED = (
    "one of its pods is not ready, and its controller replaces none until it is (podManagementPolicy OrderedReady): "
    "delete that pod if it does not recover by itself"
)


class WorkloadRestarter:
    """Restarts workloads one at a time, and counts the roll-outs that this has begun."""

    def __init__(
        self,
        *,
        workloads: Workloads,
        followed_targets: FollowedTargets,
        report: RestartReporter,
        stillness: StallTracker,
        clock: Clock,
        observer: MetricsSink,
        at_once: int,
    ) -> None:
        self._workloads = workloads
        self._followed_targets = followed_targets
        self._report = report
        self._stillness = stillness
        self._clock = clock
        self._observer = observer
        self._at_once = at_once
        self._rollouts = RolloutSlots(at_once)

    async def bring_in_step(self, workload: Workload, look: Look) -> None:
        """Do what the decision says, and record it in the look; raise Transient if the API server seems to be down."""
        found: Workload | None = workload
        try:
            for _ in range(ATTEMPTS):
                if found is None or await self._act(found, look):
                    look.failures = 0
                    return
                found = await self._workloads.get(found.ref)
        except Transient as error:
            look.failures += 1
            if look.failures >= _FAILURES:
                raise
            # The cause may be this workload, as with a webhook that is down: the others go on.
            self._observer.restart_failed()
            why = f"it cannot be restarted: {error.message}"
            look.wait(workload, self._followed_targets.admitted(workload), why, event=False)
        else:
            look.soon = True

    def look_ended(self, namespace: str, look: Look) -> None:
        """Forget roll-outs and waits that a look at all workloads of the namespace has not seen."""
        self._stillness.keep(namespace, look.under_way)
        if not look.wants:
            self._rollouts.wants_no_more(namespace)

    def under_way(self) -> int:
        """Return how many of the roll-outs that were begun here hold a place."""
        return len(self._rollouts)

    async def _act(self, workload: Workload, look: Look) -> bool:
        """Decide and act; return False if the workload is not the one that was judged."""
        self._note_progress(workload, look)
        followed_targets = await self._followed_targets.of(workload, look.followed_targets)
        decision = self._decide(workload, followed_targets, look)
        look.unfollowed |= {each for each, found in followed_targets.items() if not found.admits(workload)}
        if _is_behind(workload, decision):
            look.behind |= followed_targets.keys()
        match decision:
            case LeaveAlone(holds=holds):
                self._leave_alone(workload, holds, followed_targets, look)
                return True
            case Postpone(cause=cause, why=why, targets=targets):
                look.wait(workload, targets, why, event=cause is not Cause.ROLLING_OUT)
                return True
            case SaveBaseline():
                return await self._apply(workload, decision, look)
            case Restart():
                return await self._roll_out(workload, decision, look)
            case _:
                assert_never(decision)

    def _leave_alone(
        self, workload: Workload, holds: str | None, followed_targets: Mapping[TargetRef, FollowedTarget], look: Look
    ) -> None:
        """Record what keeps pods with older content, if anything does."""
        why = _ORDERED if holds is None and self._is_blocked(workload) else holds
        if why is not None:
            look.wait(workload, _admitted(workload, followed_targets), why)

    def _note_progress(self, workload: Workload, look: Look) -> None:
        """Note whether the workload has a roll-out under way."""
        if workload.rollout_state.progress is Progress.UNDER_WAY:
            look.under_way.add(workload.ref)
            self._stillness.see(workload, self._clock.monotonic())
        else:
            self._ended(workload.ref)

    def _decide(self, workload: Workload, followed_targets: Mapping[TargetRef, FollowedTarget], look: Look) -> Decision:
        decision = decide(workload, followed_targets, self._followed_targets.digest_key())
        if not isinstance(decision, Postpone) or decision.cause is not Cause.ROLLING_OUT:
            return decision
        # The first time that a roll-out is in the way, the wait for it begins.
        waits = self._stillness.patience(workload.ref, self._clock.monotonic())
        if waits is not Patience.FOR_THE_END:
            return decide(workload, followed_targets, self._followed_targets.digest_key(), waits=waits)
        due = self._stillness.ends_at(workload.ref)
        look.due = due if look.due is None else min(look.due, due)
        return decision

    async def _roll_out(self, workload: Workload, action: Restart, look: Look) -> bool:
        is_under_way = workload.rollout_state.progress is Progress.UNDER_WAY
        takes_place = workload.ref.kind is not WorkloadKind.CRON_JOB and action.holds is None
        if takes_place and not await self._take_place(workload, look):
            look.wants = True
            why = f"its turn has not come; {self._at_once} roll-outs at once"
            look.wait(workload, action.targets, why, event=False)
            return True
        done = await self._apply(workload, action, look)
        if not done:
            self._rollouts.end(workload.ref)
        elif is_under_way:
            self._stillness.roll_over(workload.ref)
            if workload.rollout_state.ordered and action.holds is None:
                # Its controller may wait for an older pod to become ready: reported until it does not.
                look.wait(workload, action.targets, _ORDERED)
        return done

    def _is_blocked(self, workload: Workload) -> bool:
        """Return whether a roll-out that replaced a stalled one cannot begin by itself."""
        standing = workload.rollout_state
        is_ordered = standing.ordered and standing.progress is Progress.UNDER_WAY
        return is_ordered and self._stillness.was_rolled_over(workload.ref)

    def _ended(self, ref: WorkloadRef) -> None:
        self._rollouts.end(ref)
        self._stillness.end(ref)

    async def _take_place(self, workload: Workload, look: Look) -> bool:
        """Take a place for a roll-out; return False if all are taken."""
        ref, deadline = workload.ref, workload.rollout_state.deadline
        if self._rollouts.begin(ref, self._clock.monotonic(), deadline):
            return True
        if look.has_freed:
            return False
        look.has_freed = True
        # Roll-outs of other namespaces hold places until a look there sees that they have ended.
        for other in self._rollouts.in_the_way(ref.key.namespace):
            await self._check(other)
        return self._rollouts.begin(ref, self._clock.monotonic(), deadline)

    async def _check(self, other: WorkloadRef) -> None:
        """See whether a roll-out goes on; a place is not held by one that has ended, nor for long by a stuck one."""
        found = await self._workloads.get(other)
        if found is None or found.rollout_state.progress is not Progress.UNDER_WAY:
            self._ended(other)
            return
        now = self._clock.monotonic()
        self._stillness.see(found, now)
        self._rollouts.rest(other, is_still=self._stillness.is_stuck(other, now))

    async def _apply(self, workload: Workload, action: SaveBaseline | Restart, look: Look) -> bool:
        targets = action.targets if isinstance(action, Restart) else ()
        try:
            if not await self._workloads.apply(workload, action):
                return False
        except Transient:
            self._rollouts.end(workload.ref)
            raise
        except ExpectedError as error:
            self._rollouts.end(workload.ref)
            self._refused(workload, targets, error, look)
            return True
        if isinstance(action, Restart):
            self._restarted(workload, targets, look)
            if action.holds is not None:
                look.wait(workload, targets, action.holds)
        return True

    def _refused(self, workload: Workload, targets: Sequence[TargetRef], error: ExpectedError, look: Look) -> None:
        """Report that a workload could not be written: to restart it for these targets, or to note what it runs."""
        self._observer.restart_failed()
        what = "it cannot be restarted" if targets else "what its pods run with cannot be noted"
        look.wait(workload, targets or targets_of(workload), f"{what}: {error.message}")

    def _restarted(self, workload: Workload, targets: Iterable[TargetRef], look: Look) -> None:
        look.restart(workload, targets)
        self._observer.restarted(str(workload.ref.kind))
        log.info("workload restarted", extra={"object": str(workload.ref), "detail": ", ".join(map(str, targets))})
        self._report.restarted(workload, targets)


def _is_behind(workload: Workload, decision: Decision) -> bool:
    """Return whether pods of the workload may have read what its targets held before."""
    # Of a roll-out that is overdue, old pods serve on.
    state = workload.rollout_state
    has_old = state.progress is not Progress.ENDED or state.has_leaving
    return has_old or not isinstance(decision, LeaveAlone) or decision.holds is not None


def _admitted(workload: Workload, followed_targets: Mapping[TargetRef, FollowedTarget]) -> list[TargetRef]:
    """Return the targets whose `restart` selects the workload."""
    return [target for target, followed_target in followed_targets.items() if followed_target.admits(workload)]
