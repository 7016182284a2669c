"""What is to be looked at when: each thing once, the one that has been due for longest first."""

import heapq
from collections.abc import Hashable
from math import inf
from typing import Generic, TypeVar

Thing = TypeVar("Thing", bound=Hashable)


class Timers(Generic[Thing]):
    """Things, and when each is due. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._due: dict[Thing, float] = {}
        # Entries that do not match `_due` any more are skipped when they reach the top.
        self._heap: list[tuple[float, int, Thing]] = []
        self._serial = 0

    def add(self, thing: Thing, due: float) -> None:
        """Make a thing due at `due`, or sooner if it is due before that already."""
        if due < self._due.get(thing, inf):
            self._due[thing] = due
            self._serial += 1
            heapq.heappush(self._heap, (due, self._serial, thing))

    def pop(self, now: float) -> Thing | None:
        """Remove and return the thing that has been due for longest; None if none is due."""
        due = self.next_due()
        if due is None or due > now:
            return None
        _, _, thing = heapq.heappop(self._heap)
        del self._due[thing]
        return thing

    def forget(self, thing: Thing) -> None:
        """Drop a thing."""
        self._due.pop(thing, None)

    def next_due(self) -> float | None:
        """Return when the next thing is due, or was; None if there is none."""
        while self._heap:
            due, _, thing = self._heap[0]
            if self._due.get(thing) == due:
                return due
            heapq.heappop(self._heap)
        return None

    def overdue(self, now: float) -> float:
        """Return for how many seconds the thing that has been due for longest has waited."""
        due = self.next_due()
        return 0.0 if due is None else max(0.0, now - due)
