"""Save the baseline of workloads, which is what their pods have read, before a target gets other content.

Rule: a target waits for baselines that cannot be saved only while the failure is transient and younger than five
seconds. Then it is written, and its status reports the failure. Workloads with the baseline of an earlier look lose
nothing by it.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import LeaveAlone, baseline_before_write
from phase_operator.core.rollout.progress import Progress
from phase_operator.core.rollout.stall import StallTracker
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.targets.fingerprint import KeyDigests
from phase_operator.reconcile.ports import Clock, Workloads
from phase_operator.reconcile.restarts.followed import FollowedTargets, Known, targets_of

# How many times a workload is read and judged if others change it between our read and our write.
ATTEMPTS = 3
# Seconds for which failing baselines hold targets up, from the first failure in their namespace on, and seconds for
# which a look may last.
_HELD_UP, _LONGEST_LOOK = 5.0, 20.0
# Seconds for which a look tells that no workload reads a target. Pods take longer from the creation of their workload
# to their first read, and a refresh of everything writes many targets of a namespace in that time.
_FRESH = 1.0
# Seconds after which a failure counts as the first one again.
_FORGOTTEN = 3600.0


@dataclass(slots=True)
class _Batch:
    """Targets of a namespace that are about to be written and share one look at its workloads."""

    coming: dict[TargetRef, KeyDigests] = field(default_factory=dict)
    is_done: bool = False
    problem: ExpectedError | None = None


class BaselineWriter:
    """Saves baselines, for targets of any PhaseSecret."""

    def __init__(
        self,
        *,
        workloads: Workloads,
        followed_targets: FollowedTargets,
        stillness: StallTracker,
        clock: Clock,
        all_known: Callable[[], bool],
        window: float,
        refused: Callable[[TargetRef, str], None],
    ) -> None:
        self._workloads = workloads
        self._followed_targets = followed_targets
        self._stillness = stillness
        self._clock = clock
        self._all_known = all_known
        self._window = window
        self._refused = refused
        self._batches: dict[str, _Batch] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # The targets that the workloads of a namespace read, and when they were looked at.
        self._reads: dict[str, tuple[float, frozenset[TargetRef]]] = {}
        # Since when baselines cannot be saved in a namespace.
        self._failing: dict[str, float] = {}

    async def prepare(self, target: TargetRef, content: KeyDigests, *, is_new: bool, is_followed: bool) -> None:
        """Save the baseline of every workload that reads a target; raise Transient if the target should wait for it.

        `is_followed` is False if only other PhaseSecrets that write the target can let workloads follow it.
        """
        # The cheaper question first: at a start thousands of targets are new.
        if not self._may_be_read(target, self._window if is_new else _FRESH):
            return
        if not is_followed and not self._followed_targets.may_be_followed(target):
            return
        namespace = target.key.namespace
        problem = await self._note_in_turn(namespace, target, content)
        if problem is None:
            self._failing.pop(namespace, None)
        elif isinstance(problem, Transient) and self._is_worth_waiting(namespace):
            raise Transient(problem.reason, problem.message)
        else:
            self._refused(target, problem.message)

    async def _note_in_turn(self, namespace: str, target: TargetRef, content: KeyDigests) -> ExpectedError | None:
        """Save baselines, together with the targets that are written at the same time; return why that failed."""
        batch = self._batches.setdefault(namespace, _Batch())
        batch.coming[target] = content
        async with self._turns.setdefault(namespace, asyncio.Lock()):
            if not batch.is_done:
                # A target that comes later waits for the next look: this one may have passed its workloads already.
                del self._batches[namespace]
                batch.problem = Transient(Reason.INTERNAL_ERROR, "workloads could not be noted")
                try:
                    batch.problem = await self._note(namespace, batch.coming)
                finally:
                    batch.is_done = True
        return batch.problem

    def _may_be_read(self, target: TargetRef, within: float) -> bool:
        """Return whether pods may read a target: no look of the last `within` seconds has shown that none does."""
        seen = self._reads.get(target.key.namespace)
        return seen is None or seen[0] + within < self._clock.monotonic() or target in seen[1]

    def _is_worth_waiting(self, namespace: str) -> bool:
        now = self._clock.monotonic()
        self._failing = {each: since for each, since in self._failing.items() if since + _FORGOTTEN > now}
        return now < self._failing.setdefault(namespace, now) + _HELD_UP

    async def _note(self, namespace: str, coming: Mapping[TargetRef, KeyDigests]) -> ExpectedError | None:
        """Save every baseline that can be saved, and return a failure of the others, if any; a transient one first."""
        problems: list[ExpectedError] = []
        try:
            async with asyncio.timeout(_LONGEST_LOOK):
                await self._note_each(namespace, coming, problems)
        except TimeoutError:
            problems.append(Transient(Reason.KUBERNETES_UNAVAILABLE, "to look at all of them takes too long"))
        except ExpectedError as error:
            problems.append(error)
        # A transient failure is worth another try, whatever else is wrong.
        passing = [each for each in problems if isinstance(each, Transient)]
        return (passing or problems)[0].to_keep() if problems else None

    async def _note_each(
        self, namespace: str, coming: Mapping[TargetRef, KeyDigests], problems: list[ExpectedError]
    ) -> None:
        known: Known = {}
        reads: set[TargetRef] = set()
        began = self._clock.monotonic()
        async for workload in self._workloads.each(namespace, problems):
            targets = targets_of(workload)
            reads.update(targets)
            if coming.keys().isdisjoint(targets):
                continue
            if workload.rollout_state.progress is Progress.UNDER_WAY:
                self._stillness.see(workload, began)
            if (problem := await self._problem(workload, coming, known)) is not None:
                problems.append(problem)
            # A namespace may have thousands of workloads: other tasks get their turn.
            await asyncio.sleep(0)
        kept = max(self._window, _FRESH)
        self._reads = {each: seen for each, seen in self._reads.items() if seen[0] + kept >= began}
        if not problems:
            self._reads[namespace] = (began, frozenset(reads))

    async def _problem(
        self, workload: Workload, coming: Mapping[TargetRef, KeyDigests], known: Known
    ) -> ExpectedError | None:
        """Save the baseline of a workload; return why it could not be saved. Raises Transient."""
        try:
            await self._prepare(workload, coming, known)
        except Transient:
            raise
        except ExpectedError as error:
            return error
        return None

    async def _prepare(self, workload: Workload, coming: Mapping[TargetRef, KeyDigests], known: Known) -> None:
        found: Workload | None = workload
        for _ in range(ATTEMPTS):
            if found is None:
                return
            followed_targets = await self._followed_targets.of(found, known)
            action = baseline_before_write(
                found, followed_targets, coming, self._followed_targets.digest_key(), all_known=self._all_known()
            )
            if isinstance(action, LeaveAlone) or await self._workloads.apply(found, action):
                return
            found = await self._workloads.get(found.ref)
        # Not Transient: one workload that others write all the time must not hold the target up.
        raise Waiting(Reason.KUBERNETES_UNAVAILABLE, f"{workload.ref} keeps changing while it is noted")
