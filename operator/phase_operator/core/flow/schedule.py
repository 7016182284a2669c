"""Which key runs next: coalesced, delayed, and once at a time.

Rule: a key that is added while it runs runs once more afterwards, however often it was added; a key that is added
earlier than planned moves forward, never back. The more urgent goes first, but one turn in eight goes to whoever has
waited longest, so that what is due is served whatever else comes.
"""

import heapq
from collections.abc import Hashable
from enum import IntEnum
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
_OLDEST_EVERY = 8


class Priority(IntEnum):
    """What is taken first among the keys that are due; lower goes first."""

    NEW = 0
    CHANGED = 1
    PERIODIC = 2


class Schedule(Generic[Key]):
    """Which key is next, as a pure data structure. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._due: dict[Key, tuple[float, Priority]] = {}
        self._running: dict[Key, tuple[float, Priority] | None] = {}
        # Entries that `_due` no longer agrees with are skipped when they surface.
        self._later: list[tuple[float, int, Key]] = []
        self._now: list[tuple[Priority, float, int, Key]] = []
        # The same keys by age.
        self._oldest: list[tuple[float, int, Key]] = []
        self._turns = 0
        self._serial = 0

    def __len__(self) -> int:
        return len(self._due)

    def add(self, key: Key, due: float, priority: Priority) -> None:
        """Plan a run at `due`, or sooner if one is planned already; the more urgent priority stays."""
        if key in self._running:
            self._running[key] = _sooner(self._running[key], (due, priority))
            return
        planned = _sooner(self._due.get(key), (due, priority))
        if planned != self._due.get(key):
            self._plan(key, planned)

    def take(self, now: float) -> Key | None:
        """Start the most urgent key that is due, or return None."""
        while self._later and self._later[0][0] <= now:
            due, serial, key = heapq.heappop(self._later)
            planned = self._due.get(key)
            if planned is not None and planned[0] == due:
                heapq.heappush(self._now, (planned[1], due, serial, key))
                heapq.heappush(self._oldest, (due, serial, key))
        self._turns += 1
        found = self._longest_waiting() if self._turns % _OLDEST_EVERY == 0 else self._most_urgent()
        if found is None:
            # What is left there was taken by the other order.
            self._now, self._oldest = [], []
            return None
        del self._due[found]
        self._running[found] = None
        return found

    def _most_urgent(self) -> Key | None:
        while self._now:
            priority, due, _, key = heapq.heappop(self._now)
            if self._due.get(key) == (due, priority):
                return key
        return None

    def _longest_waiting(self) -> Key | None:
        while self._oldest:
            due, _, key = heapq.heappop(self._oldest)
            planned = self._due.get(key)
            if planned is not None and planned[0] == due:
                return key
        return None

    def done(self, key: Key) -> None:
        """End a run; what was added meanwhile is planned now."""
        again = self._running.pop(key)
        if again is not None:
            self._plan(key, again)

    def forget(self, key: Key) -> None:
        """Drop a planned run; one that is going on goes on, and is not repeated."""
        self._due.pop(key, None)
        if key in self._running:
            self._running[key] = None

    def next_due(self) -> float | None:
        """Return when the next key is due, or None if none is planned. Asked after `take` found nothing due."""
        while self._later:
            due, _, key = self._later[0]
            planned = self._due.get(key)
            if planned is not None and planned[0] == due:
                return due
            heapq.heappop(self._later)
        return None

    def overdue(self, now: float) -> float:
        """Return how many seconds the oldest due key has waited."""
        return max(0.0, now - min((due for due, _ in self._due.values()), default=now))

    def _plan(self, key: Key, planned: tuple[float, Priority]) -> None:
        self._due[key] = planned
        self._serial += 1
        heapq.heappush(self._later, (planned[0], self._serial, key))


def _sooner(one: tuple[float, Priority] | None, other: tuple[float, Priority]) -> tuple[float, Priority]:
    if one is None:
        return other
    return (min(one[0], other[0]), min(one[1], other[1]))
