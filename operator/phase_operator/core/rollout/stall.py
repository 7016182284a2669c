"""Which roll-outs have stalled, and how long a restart waits for a roll-out that is under way.

Rule: a roll-out makes progress only when one of its counts grows beyond its largest value so far. Pods that come and go
in a crash loop are no progress. A restart does not wait for a stalled roll-out: Kubernetes can replace it, and the
content that waits may be the cure.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from phase_operator.core.flow.backoff import doubled
from phase_operator.core.rollout.progress import LONGEST_DEADLINE, RolloutState
from phase_operator.core.rollout.workload import Workload, WorkloadRef

# Seconds without progress after which a restart replaces a roll-out. They double each time, so that pods that begin
# slowly become ready even if their content changes more often than that.
_STILL, _LONGEST_STILL = 10.0, 60.0
# Seconds without progress after which a roll-out gives its place up. Pods that begin slowly are still load.
_STUCK = 30.0


class Patience(Enum):
    """How long a restart waits for the roll-out that is under way."""

    FOR_THE_END = "for the end"
    # It has stalled.
    WHILE_IT_GETS_ON = "while it gets on"
    # Its deadline has passed.
    OVER = "over"

    def is_enough(self, *, reads_new: bool) -> bool:
        """Return whether a roll-out is worth waiting for; a stalled one is only if its pods read the new content."""
        return self is Patience.FOR_THE_END or (self is Patience.WHILE_IT_GETS_ON and reads_new)


@dataclass(slots=True)
class _Seen:
    uid: str
    # Differs between this roll-out and the next one.
    template: bytes
    counts: tuple[int, ...]
    rest: float
    deadline: float
    # When a count last grew, when the workload was last looked at, and since when a restart waits for it.
    moved: float
    looked: float
    awaited: float | None = None
    rolled_over: int = 0


class StallTracker:
    """The roll-outs that were seen under way. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        # The ones seen longest ago come first.
        self._seen: OrderedDict[WorkloadRef, _Seen] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def see(self, workload: Workload, now: float) -> None:
        """Record the counts of a workload whose roll-out is under way."""
        state = workload.rollout_state
        template = workload.content.encode("utf-8", "surrogatepass") + workload.template_digest()
        found = self._seen.pop(workload.ref, None)
        if found is None or found.uid != workload.uid:
            found = _Seen(workload.uid, template, state.counts, state.rest, state.deadline, now, now)
        self._seen[workload.ref] = found
        if found.template != template or len(found.counts) != len(state.counts):
            found.template, found.counts, found.moved = template, state.counts, now
        elif _has_grown(found.counts, state):
            found.counts, found.moved = tuple(map(max, found.counts, state.counts)), now
        found.rest, found.deadline, found.looked = state.rest, state.deadline, now
        self._forget_old(now)

    def patience(self, workload: WorkloadRef, now: float) -> Patience:
        """Return how long a restart still waits for a roll-out that was seen; the first call begins the wait."""
        found = self._seen[workload]
        found.awaited = now if found.awaited is None else found.awaited
        if now >= found.awaited + found.deadline:
            return Patience.OVER
        return Patience.WHILE_IT_GETS_ON if now >= _still_at(found) else Patience.FOR_THE_END

    def is_stuck(self, workload: WorkloadRef, now: float) -> bool:
        """Return whether a roll-out has made no progress for so long that it gives its place up."""
        found = self._seen.get(workload)
        return found is not None and now >= found.moved + found.rest + _STUCK

    def ends_at(self, workload: WorkloadRef) -> float:
        """Return when the wait for a roll-out ends if it makes no more progress."""
        found = self._seen[workload]
        until = found.moved if found.awaited is None else found.awaited
        return min(_still_at(found), until + found.deadline)

    def roll_over(self, workload: WorkloadRef) -> None:
        """Record that a restart has replaced a roll-out that was under way, if it was seen."""
        if found := self._seen.get(workload):
            found.awaited = None
            found.rolled_over += 1

    def was_rolled_over(self, workload: WorkloadRef) -> bool:
        """Return whether the roll-out has replaced one that had not ended."""
        found = self._seen.get(workload)
        return found is not None and found.rolled_over > 0

    def end(self, workload: WorkloadRef) -> None:
        """Forget a roll-out that has ended."""
        self._seen.pop(workload, None)

    def keep(self, namespace: str, workloads: Collection[WorkloadRef]) -> None:
        """Forget the roll-outs of a namespace except these: their workloads are gone, or follow no target."""
        for each in [each for each in self._seen if each.key.namespace == namespace and each not in workloads]:
            del self._seen[each]

    def _forget_old(self, now: float) -> None:
        while next(iter(self._seen.values())).looked + 2 * LONGEST_DEADLINE < now:
            self._seen.popitem(last=False)


def _has_grown(before: tuple[int, ...], state: RolloutState) -> bool:
    return any(now > then for then, now in zip(before, state.counts, strict=True))


def _still_at(seen: _Seen) -> float:
    return seen.moved + seen.rest + doubled(_STILL, _LONGEST_STILL, seen.rolled_over)
