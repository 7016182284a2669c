"""Which key runs next: coalesced, delayed, and once at a time.

Rule: a key that is added while it runs, once or often, runs once more afterwards. A key that is added again moves
forward, never back. New and changed keys go before keys that are due anyway. Among either, owners take turns, so an
owner with many keys delays only itself, and its most urgent key goes first. One turn in eight goes to the key that has
waited longest, so no key starves.

Runs wait for the API server, some of them long, so an owner has no more of them at once than twice the places that it
leaves to others, and one in any case.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import islice
from typing import Generic, TypeVar

from phase_operator.reconcile.queue.fair_turns import FairTurns

Key = TypeVar("Key", bound=Hashable)
_OLDEST_EVERY = 8


class Priority(IntEnum):
    """The order of runs that are due; lower goes first. Calls to Phase have more reasons (`PollPriority`)."""

    NEW = 0
    CHANGED = 1
    PERIODIC = 2


_Ready = tuple[Priority, float, int, Key]


@dataclass(slots=True)
class _Turns(Generic[Key]):
    """Keys that are due, by owners that take turns; the most urgent key of an owner goes first."""

    keys: dict[str, list[_Ready[Key]]] = field(default_factory=dict)
    # The owners of these keys by their next turn, each once.
    order: list[tuple[int, int, str]] = field(default_factory=list)
    turns: FairTurns = field(default_factory=FairTurns)

    def add(self, owner: str, entry: _Ready[Key]) -> None:
        """Add a key that is due."""
        if owner not in self.keys:
            self.keys[owner] = []
            self._plan(owner, entry)
        heapq.heappush(self.keys[owner], entry)

    def pop(self) -> _Ready[Key] | None:
        """Remove and return the most urgent key of the owner whose turn it is."""
        if not self.order:
            return None
        turn, _, owner = heapq.heappop(self.order)
        self.turns.serve(turn)
        found = heapq.heappop(self.keys[owner])
        if self.keys[owner]:
            self._plan(owner, self.keys[owner][0])
        else:
            del self.keys[owner]
        return found

    def _plan(self, owner: str, first: _Ready[Key]) -> None:
        heapq.heappush(self.order, (self.turns.give(owner), first[2], owner))


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
        # Keys that are due and wait for a place, by owner, in the order in which their turn came.
        self._waiting: dict[str, dict[Key, None]] = {}
        self._due: dict[Key, tuple[float, Priority]] = {}
        self._running: dict[Key, tuple[float, Priority] | None] = {}
        # Entries that do not match `_due` any more are skipped when they reach the top.
        self._later: list[tuple[float, int, Key]] = []
        # Keys that are due anyway, and keys that are more urgent.
        self._now: dict[bool, _Turns[Key]] = {True: _Turns(), False: _Turns()}
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

    def look(self, now: float) -> tuple[Key | None, float | None]:
        """Start the most urgent key that is due; if none is, return when the next will be, or None if none is planned.

        The second value is for nothing found alone.
        """
        found = self.take(now)
        return found, self.next_due() if found is None else None

    def take(self, now: float) -> Key | None:
        """Start the most urgent key that is due, or return None."""
        while self._later and self._later[0][0] <= now:
            due, serial, key = heapq.heappop(self._later)
            planned = self._due.get(key)
            if planned is not None and planned[0] == due:
                turns = self._now[planned[1] is Priority.PERIODIC]
                turns.add(self._owner(key), (planned[1], due, serial, key))
                heapq.heappush(self._oldest, (due, serial, key))
        self._turns += 1
        look = self._longest_waiting if self._turns % _OLDEST_EVERY == 0 else self._most_urgent
        while (found := look()) is not None and not self._has_place(self._owner(found)):
            self._waiting.setdefault(self._owner(found), {})[found] = None
        if found is None:
            # The entries that are left were taken in the other order.
            self._now, self._oldest = {True: _Turns(), False: _Turns()}, []
            return None
        del self._due[found]
        self._running[found] = None
        owner = self._owner(found)
        self._active[owner] += 1
        if owner in self._waiting:
            self._waiting[owner].pop(found, None)
        return found

    def _has_place(self, owner: str) -> bool:
        """Return whether one more key of an owner may run."""
        mine = self._active[owner]
        if self._places is None or not mine:
            return True
        return mine + 1 <= 2 * (self._places - len(self._running) - 1)

    def _give_places(self) -> bool:
        """Let keys that wait for a place be taken, where their owners have one now; return whether there are any."""
        found = False
        for owner in [each for each in self._waiting if self._has_place(each)]:
            keys = self._waiting[owner]
            # An end makes room for two runs more, of each owner.
            for key in list(islice(keys, 2)):
                del keys[key]
                if (planned := self._due.get(key)) is not None:
                    self._plan(key, planned)
                    found = True
            if not keys:
                del self._waiting[owner]
        return found

    def _most_urgent(self) -> Key | None:
        for is_periodic in (False, True):
            while (found := self._now[is_periodic].pop()) is not None:
                priority, due, _, key = found
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

    def done(self, key: Key) -> bool:
        """End a run; return True if keys are planned by that: this one, if it was added meanwhile, or others."""
        again = self._running.pop(key)
        owner = self._owner(key)
        self._active[owner] -= 1
        if not self._active[owner]:
            del self._active[owner]
        if again is not None:
            self._plan(key, again)
        return self._give_places() or again is not None

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
        """Return how many seconds the oldest due key has waited, except for those whose owner has no place left."""
        counted = (due for key, (due, _) in self._due.items() if key not in self._waiting.get(self._owner(key), ()))
        return max(0.0, now - min(counted, default=now))

    def _plan(self, key: Key, planned: tuple[float, Priority]) -> None:
        self._due[key] = planned
        self._serial += 1
        heapq.heappush(self._later, (planned[0], self._serial, key))


def _sooner(one: tuple[float, Priority] | None, other: tuple[float, Priority]) -> tuple[float, Priority]:
    if one is None:
        return other
    return (min(one[0], other[0]), min(one[1], other[1]))
