"""The keys that are due: which owner has its turn, and which key has waited longest.

Rule: an owner that may run nothing now is passed over, and keeps its turn; its keys keep their order. So a key that
becomes due meanwhile goes before the less urgent ones of its owner, however many these are. Whoever is passed over is
looked at each time, so such owners have to be few.
"""

import heapq
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from phase_operator.reconcile.queue.fair_turns import FairTurns

Key = TypeVar("Key", bound=Hashable)
# Urgency, the lowest first; when it became due; a serial number; the key.
DueKey = tuple[int, float, int, Key]
# Whether a key is still planned as it says, and whether an owner may run one more.
IsPlanned = Callable[[DueKey[Key]], bool]
MayRun = Callable[[str], bool]


# An owner's next turn; whether it is an ordinary one; since when it has it, as a serial number; the owner.
_Place = tuple[int, bool, int, str]


@dataclass(slots=True)
class _Owner(Generic[Key]):
    name: str
    turn: int
    since: int
    keys: list[DueKey[Key]] = field(default_factory=list)
    # Its valid entry in the order of the turns.
    place: _Place | None = None

    def drop_unplanned(self, is_planned: IsPlanned[Key]) -> None:
        """Drop the most urgent keys that are planned otherwise by now."""
        while self.keys and not is_planned(self.keys[0]):
            heapq.heappop(self.keys)


class KeysByTurn(Generic[Key]):
    """Owners take turns; the most urgent key of an owner goes first.

    For a key of the urgency `first` its owner takes its turn before the others of that round, and one turn in advance.
    It gets no more turns by that: the next one is as much later.
    """

    def __init__(self, first: int | None = None) -> None:
        self._first = first
        self._owners: dict[str, _Owner[Key]] = {}
        self._order: list[_Place] = []
        self._turns = FairTurns()
        self._serial = 0

    def __bool__(self) -> bool:
        return bool(self._owners)

    def owners(self) -> Iterator[str]:
        """Return the owners that may have keys: what is no longer planned is only noticed when it comes first."""
        return iter(self._owners)

    def add(self, name: str, due: DueKey[Key]) -> None:
        """Add a key that is due, of the owner with this name."""
        owner = self._owners.get(name)
        if owner is None:
            owner = self._owners[name] = _Owner(name, *self._next_turn(name))
        heapq.heappush(owner.keys, due)
        self._plan(owner)

    def pop(self, is_planned: IsPlanned[Key], may_run: MayRun) -> Key | None:
        """Remove and return the most urgent key of the owner whose turn it is; None if no owner may run one."""
        found, passed_over = None, list[_Place]()
        while self._order and found is None:
            place = heapq.heappop(self._order)
            owner = self._owners.get(place[3])
            if owner is None or owner.place != place:
                continue
            owner.drop_unplanned(is_planned)
            if not owner.keys:
                del self._owners[owner.name]
            elif self._place_of(owner) != place:
                self._plan(owner)
            elif may_run(owner.name):
                found = self._serve(owner, place)
            else:
                passed_over.append(place)
        for place in passed_over:
            heapq.heappush(self._order, place)
        return found

    def _serve(self, owner: _Owner[Key], place: _Place) -> Key:
        _, _, _, key = heapq.heappop(owner.keys)
        self._turns.serve(place[0])
        if owner.keys:
            owner.turn, owner.since = self._next_turn(owner.name)
            self._plan(owner)
        else:
            del self._owners[owner.name]
        return key

    def _next_turn(self, name: str) -> tuple[int, int]:
        self._serial += 1
        return self._turns.give(name), self._serial

    def _plan(self, owner: _Owner[Key]) -> None:
        place = self._place_of(owner)
        if place != owner.place:
            owner.place = place
            heapq.heappush(self._order, place)

    def _place_of(self, owner: _Owner[Key]) -> _Place:
        is_first = owner.keys[0][0] == self._first
        return owner.turn - is_first, not is_first, owner.since, owner.name


class KeysByAge(Generic[Key]):
    """The key that has been due for longest goes first, whoever owns it."""

    def __init__(self) -> None:
        self._keys: dict[str, list[tuple[float, int, DueKey[Key]]]] = {}
        # The owners by their oldest key; a place is skipped if that key is another one by now.
        self._order: list[tuple[float, int, str]] = []

    def add(self, owner: str, due: DueKey[Key]) -> None:
        """Add a key that is due."""
        keys = self._keys.setdefault(owner, [])
        heapq.heappush(keys, (due[1], due[2], due))
        if keys[0][2] is due:
            self._plan(owner)

    def pop(self, is_planned: IsPlanned[Key], may_run: MayRun) -> Key | None:
        """Remove and return the key that has waited longest, of owners that may run one; None if none may."""
        found, passed_over = None, []
        while self._order and found is None:
            place = heapq.heappop(self._order)
            owner = place[2]
            keys = self._keys.get(owner)
            if not keys or keys[0][:2] != place[:2]:
                continue
            if not is_planned(keys[0][2]):
                self._drop_oldest(owner)
            elif may_run(owner):
                found = self._drop_oldest(owner)
            else:
                passed_over.append(place)
        for place in passed_over:
            heapq.heappush(self._order, place)
        return None if found is None else found[3]

    def _drop_oldest(self, owner: str) -> DueKey[Key]:
        keys = self._keys[owner]
        _, _, due = heapq.heappop(keys)
        if keys:
            self._plan(owner)
        else:
            del self._keys[owner]
        return due

    def _plan(self, owner: str) -> None:
        due, serial, _ = self._keys[owner][0]
        heapq.heappush(self._order, (due, serial, owner))
