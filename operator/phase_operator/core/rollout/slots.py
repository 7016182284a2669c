"""How many roll-outs that we began are under way at a time, with a share of the places for each namespace.

Rule: a roll-out holds its place until it was seen to have ended, or its deadline has passed. A stalled roll-out counts
against the share of its own namespace and no other. The last places are for namespaces without any.
"""

from dataclasses import dataclass

from phase_operator.core.rollout.workload import WorkloadRef

# Seconds for which a namespace that was refused a place counts as one that wants some.
_WANTS = 120.0
# One place in so many is kept for namespaces without any.
_FOR_OTHERS = 5


@dataclass(slots=True)
class _Place:
    until: float
    # It has stalled, so it costs the cluster nothing.
    is_still: bool = False


class RolloutSlots:
    """The roll-outs that we began. Times are seconds of one monotonic clock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left_over = max(1, limit // _FOR_OTHERS) if limit > 1 else 0
        self._places: dict[WorkloadRef, _Place] = {}
        # Namespaces that were refused a place, and when.
        self._wants: dict[str, float] = {}

    def __len__(self) -> int:
        return sum(not place.is_still for place in self._places.values())

    def begin(self, workload: WorkloadRef, now: float, deadline: float) -> bool:
        """Take a place and return True, or return False if none is free. Called before the write."""
        self._expire(now)
        if workload not in self._places and not self._has_room(workload.key.namespace):
            self._wants[workload.key.namespace] = now
            return False
        before = self._places.get(workload)
        # A stalled roll-out that begins again takes one of the common places, if there is one.
        is_still = before is not None and before.is_still and len(self) >= self._limit
        self._places[workload] = _Place(now + deadline, is_still)
        return True

    def _expire(self, now: float) -> None:
        """Free the places, and forget the wants, whose time has passed."""
        self._places = {each: place for each, place in self._places.items() if place.until > now}
        self._wants = {each: since for each, since in self._wants.items() if since + _WANTS > now}

    def end(self, workload: WorkloadRef) -> None:
        """Free the place: the roll-out has ended, never began, or the workload is gone."""
        self._places.pop(workload, None)

    def rest(self, workload: WorkloadRef, *, is_still: bool) -> None:
        """Record whether a roll-out has stalled."""
        if workload in self._places:
            self._places[workload].is_still = is_still

    def wants_no_more(self, namespace: str) -> None:
        """Record that no workload of a namespace waits for a place."""
        self._wants.pop(namespace, None)

    def in_the_way(self, namespace: str) -> list[WorkloadRef]:
        """Return the workloads whose places a namespace waits for, sorted. To look at them may free a place."""
        return sorted(
            each for each, place in self._places.items() if not place.is_still or each.key.namespace == namespace
        )

    def _has_room(self, namespace: str) -> bool:
        taken = len(self)
        if taken >= self._limit:
            return False
        own = sum(each.key.namespace == namespace for each in self._places)
        if not own:
            return True
        # A namespace that is alone may have all but the last places.
        return taken < self._limit - self._left_over and own < self._share(namespace)

    def _share(self, namespace: str) -> int:
        """Return how many places a namespace may have beside those that have or want some."""
        others = {each.key.namespace for each, place in self._places.items() if not place.is_still}
        return max(1, self._limit // len({namespace, *others, *self._wants}))
