"""Which key runs next: coalesced, delayed, and once at a time.

Rule: a key that is added while it runs, once or often, runs once more afterwards. A key that is added again moves
forward, never back. New and changed keys go before keys that are due anyway. Among either, owners take turns, so an
owner with many keys delays only itself, and its most urgent key goes first. With a new key, an owner does not wait for
its turn, and pays with its next one. One turn in eight goes to the key that has waited longest, so no key starves.

Runs wait for the API server, some of them long, so an owner has no more of them at once than twice the places that it
leaves to others, and one in any case.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Hashable
from enum import IntEnum
from itertools import chain
from typing import Generic, TypeVar

from phase_operator.reconcile.queue.due_keys import DueKey, KeysByAge, KeysByTurn

Key = TypeVar("Key", bound=Hashable)
_OLDEST_EVERY = 8


class Priority(IntEnum):
    """The order of runs that are due; lower goes first. Calls to Phase have more reasons (`PollPriority`)."""

    NEW = 0
    CHANGED = 1
    PERIODIC = 2


def _nobody(_: Hashable) -> str:
    return ""


class Schedule(Generic[Key]):
    """Which key is next, as a pure data structure. Times are seconds of one monotonic clock.

    `owner` returns the owner of a key; without it all keys have the same owner. `places` is how many keys run at once,
    if owners are to have a share of them.
    """

    def __init__(self, owner: Callable[[Key], str] = _nobody, places: int | None = None) -> None:
        self._owner = owner
        self._places = places
        # Runs that have begun and not ended, by owner.
        self._active: Counter[str] = Counter()
        self._due: dict[Key, tuple[float, Priority]] = {}
        self._running: dict[Key, tuple[float, Priority] | None] = {}
        # Entries that do not match `_due` any more are skipped when they reach the top.
        self._later: list[tuple[float, int, Key]] = []
        # Keys that are more urgent, and keys that are due anyway.
        self._urgent, self._periodic = KeysByTurn[Key](first=Priority.NEW), KeysByTurn[Key]()
        # All of them by age.
        self._oldest = KeysByAge[Key]()
        self._turns = 0
        self._serial = 0

    def __len__(self) -> int:
        return len(self._due)

    def add(self, key: Key, due: float, priority: Priority) -> bool:
        """Plan a run at `due`, or sooner if one is planned already; the more urgent priority stays.

        Return whether the key may be taken sooner than before. One that runs is planned when its run has ended.
        """
        if key in self._running:
            self._running[key] = _sooner(self._running[key], (due, priority))
            return False
        before = self._due.get(key)
        planned = _sooner(before, (due, priority))
        if planned != before:
            self._plan(key, planned)
        return before is None or due < before[0]

    def look(self, now: float) -> tuple[Key | None, float | None]:
        """Start the most urgent key that is due, if any; return when to look for the next, None if none is planned.

        A key that waits for a place is looked for when a run has ended.
        """
        found = self.take(now)
        if found is not None and self._may_begin:
            return found, now
        return found, self.next_due()

    def take(self, now: float) -> Key | None:
        """Start the most urgent key that is due and whose owner has a place, or return None."""
        self._admit(now)
        self._turns += 1
        lines = (self._oldest,) if self._turns % _OLDEST_EVERY == 0 else (self._urgent, self._periodic)
        found = next((key for line in lines if (key := line.pop(self._is_planned, self._has_place)) is not None), None)
        if found is not None:
            del self._due[found]
            self._running[found] = None
            self._active[self._owner(found)] += 1
        elif not self._is_waiting:
            # What is left was taken in another order.
            self._oldest = KeysByAge()
        return found

    def _admit(self, now: float) -> None:
        """Give the keys that have become due their places among those of their owners."""
        while self._later and self._later[0][0] <= now:
            due, serial, key = heapq.heappop(self._later)
            planned = self._due.get(key)
            if planned is not None and planned[0] == due:
                entry = (planned[1], due, serial, key)
                by_turn = self._periodic if planned[1] is Priority.PERIODIC else self._urgent
                by_turn.add(self._owner(key), entry)
                self._oldest.add(self._owner(key), entry)

    def _is_planned(self, due: DueKey[Key]) -> bool:
        return self._due.get(due[3]) == (due[1], due[0])

    def _has_place(self, owner: str) -> bool:
        """Return whether one more key of an owner may run."""
        mine = self._active[owner]
        if self._places is None or not mine:
            return True
        return mine + 1 <= 2 * (self._places - len(self._running) - 1)

    @property
    def _is_waiting(self) -> bool:
        """Whether keys that are due wait for a place, as far as is known."""
        return bool(self._urgent or self._periodic)

    @property
    def _may_begin(self) -> bool:
        """Whether one more of the keys that are due may be taken; no more owners are asked than runs are under way."""
        return any(map(self._has_place, chain(self._urgent.owners(), self._periodic.owners())))

    def done(self, key: Key) -> bool:
        """End a run; return True if there may be keys to take: this one, if it was added meanwhile, or others."""
        again = self._running.pop(key)
        owner = self._owner(key)
        self._active[owner] -= 1
        if not self._active[owner]:
            del self._active[owner]
        if again is not None:
            self._plan(key, again)
        return again is not None or self._may_begin

    def forget(self, key: Key) -> None:
        """Drop a planned run; a run in progress continues and is not repeated."""
        self._due.pop(key, None)
        if key in self._running:
            self._running[key] = None

    def next_due(self) -> float | None:
        """Return when the next key is due, or None if none is planned. Call it after `take` found nothing due."""
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

    def neglected(self, now: float) -> float:
        """Return the same of the keys that could be taken: whose owners have a place."""
        counted = (due for key, (due, _) in self._due.items() if self._has_place(self._owner(key)))
        return max(0.0, now - min(counted, default=now))

    def _plan(self, key: Key, planned: tuple[float, Priority]) -> None:
        self._due[key] = planned
        self._serial += 1
        heapq.heappush(self._later, (planned[0], self._serial, key))


def _sooner(one: tuple[float, Priority] | None, other: tuple[float, Priority]) -> tuple[float, Priority]:
    if one is None:
        return other
    return (min(one[0], other[0]), min(one[1], other[1]))
