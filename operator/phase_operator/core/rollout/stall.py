"""Which roll-outs stand still, and how long one in the way of a restart is waited for.

Rule: a roll-out gets on if a count of it is larger than it ever was; pods that come and go in a crash loop are no
progress. One that stands still is not waited for: Kubernetes rolls over it, and what waits may be its cure.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from phase_operator.core.flow.backoff import doubled
from phase_operator.core.rollout.progress import LONGEST_DEADLINE, Standing
from phase_operator.core.rollout.workload import Workload, WorkloadRef

# So long counts may stand before a roll-out is rolled over; longer each time, so that pods which begin slowly get to
# their end also if their content changes more often than that.
_STILL, _LONGEST_STILL = 10.0, 60.0
# So long before it gives its place up: pods that only begin slowly are load that goes on.
_STUCK = 30.0


class Patience(Enum):
    """How the roll-out of a workload is waited for."""

    FOR_THE_END = "for the end"
    # It stands still.
    WHILE_IT_GETS_ON = "while it gets on"
    # It has been waited for as long as anything is.
    OVER = "over"


@dataclass(slots=True)
class _Seen:
    uid: str
    # Tells this roll-out from the next.
    template: bytes
    counts: tuple[int, ...]
    rest: float
    deadline: float
    # When a count last grew, when it was last looked at, and since when it is in the way of a restart.
    moved: float
    looked: float
    awaited: float | None = None
    rolled_over: int = 0


class Stillness:
    """The roll-outs that were seen under way. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        # Those that were seen longest ago first.
        self._seen: OrderedDict[WorkloadRef, _Seen] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def see(self, workload: Workload, now: float) -> None:
        """Take note of a workload whose roll-out is under way."""
        standing, template = workload.standing, workload.content.encode("utf-8", "surrogatepass")
        template += workload.template_digest()
        found = self._seen.pop(workload.ref, None)
        if found is None or found.uid != workload.uid:
            found = _Seen(workload.uid, template, standing.counts, standing.rest, standing.deadline, now, now)
        self._seen[workload.ref] = found
        if found.template != template or len(found.counts) != len(standing.counts):
            found.template, found.counts, found.moved = template, standing.counts, now
        elif _has_grown(found.counts, standing):
            found.counts, found.moved = tuple(map(max, found.counts, standing.counts)), now
        found.rest, found.deadline, found.looked = standing.rest, standing.deadline, now
        self._forget_old(now)

    def patience(self, workload: WorkloadRef, now: float) -> Patience:
        """Say how a roll-out that was seen is waited for; the first time begins the wait."""
        found = self._seen[workload]
        found.awaited = now if found.awaited is None else found.awaited
        if now >= found.awaited + found.deadline:
            return Patience.OVER
        return Patience.WHILE_IT_GETS_ON if now >= _still_at(found) else Patience.FOR_THE_END

    def is_stuck(self, workload: WorkloadRef, now: float) -> bool:
        """Say whether a roll-out that was seen has not got on for so long that it costs nobody anything."""
        found = self._seen.get(workload)
        return found is not None and now >= found.moved + found.rest + _STUCK

    def ends_at(self, workload: WorkloadRef) -> float:
        """Return when the patience with a roll-out ends that does not get on."""
        found = self._seen[workload]
        until = found.moved if found.awaited is None else found.awaited
        return min(_still_at(found), until + found.deadline)

    def roll_over(self, workload: WorkloadRef) -> None:
        """Take note that a roll-out that was not over was rolled over, if this one was under way."""
        if found := self._seen.get(workload):
            found.awaited = None
            found.rolled_over += 1

    def was_rolled_over(self, workload: WorkloadRef) -> bool:
        """Say whether a roll-out took the place of one that was not over."""
        found = self._seen.get(workload)
        return found is not None and found.rolled_over > 0

    def end(self, workload: WorkloadRef) -> None:
        """Forget a roll-out that is over."""
        self._seen.pop(workload, None)

    def keep(self, namespace: str, workloads: Collection[WorkloadRef]) -> None:
        """Forget those of a namespace that are none of these: they are gone, or nobody's concern."""
        for each in [each for each in self._seen if each.key.namespace == namespace and each not in workloads]:
            del self._seen[each]

    def _forget_old(self, now: float) -> None:
        while next(iter(self._seen.values())).looked + 2 * LONGEST_DEADLINE < now:
            self._seen.popitem(last=False)


def _has_grown(before: tuple[int, ...], standing: Standing) -> bool:
    return any(now > then for then, now in zip(before, standing.counts, strict=True))


def _still_at(seen: _Seen) -> float:
    return seen.moved + seen.rest + doubled(_STILL, _LONGEST_STILL, seen.rolled_over)
