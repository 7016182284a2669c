"""What an account is to be asked, and in which order.

Rule: urgent before less urgent, and within that namespaces in turn; but nobody waits for ever: one turn in eight goes
to whoever has waited longest, and probes and reads alternate as long as both are due.
"""

import heapq
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

Task = TypeVar("Task", bound=Hashable)

_OLDEST_EVERY = 8


class Lane(IntEnum):
    """Two kinds of task that do not starve each other."""

    PROBE = 0
    READ = 1


class Urgency(IntEnum):
    """Why a task is to be done; lower goes first."""

    NEW = 0
    EDITED = 1
    MOVED = 2
    FORCED = 3
    STALE = 4
    PERIODIC = 5


@dataclass(slots=True)
class _Planned:
    due: float
    urgency: Urgency
    namespace: str
    lane: Lane
    # Tells the valid entry of the heaps from those that a later plan replaced.
    serial: int


@dataclass(slots=True)
class _Ready(Generic[Task]):
    """The tasks of a lane that are due, by urgency and turn, and by age."""

    by_turn: list[tuple[Urgency, int, int, Task]] = field(default_factory=list)
    by_age: deque[tuple[int, Task]] = field(default_factory=deque)
    # Start-time fair queueing: each namespace's next task goes one round after its last.
    round: int = 0
    last_round: dict[str, int] = field(default_factory=dict)
    turns: int = 0


class Agenda(Generic[Task]):
    """Tasks with the time from which on they are due. A task is planned once; sooner and more urgent wins."""

    def __init__(self) -> None:
        self._planned: dict[Task, _Planned] = {}
        self._later: list[tuple[float, int, Task]] = []
        self._lanes: dict[Lane, _Ready[Task]] = {lane: _Ready() for lane in Lane}
        self._last_lane = Lane.READ
        self._serial = 0

    def __len__(self) -> int:
        return len(self._planned)

    def plan(self, task: Task, due: float, urgency: Urgency, *, namespace: str = "", lane: Lane = Lane.READ) -> None:
        """Plan a task, or bring one forward that is planned already."""
        before = self._planned.get(task)
        if before is not None:
            if due >= before.due and urgency >= before.urgency:
                return
            due, urgency = min(due, before.due), min(urgency, before.urgency)
        self._serial += 1
        self._planned[task] = _Planned(due, urgency, namespace, lane, self._serial)
        heapq.heappush(self._later, (due, self._serial, task))

    def drop(self, task: Task) -> None:
        """Do not do a task."""
        self._planned.pop(task, None)

    def take(self, now: float, lanes: Sequence[Lane] = tuple(Lane)) -> Task | None:
        """Return the task whose turn it is, in these lanes, and forget it; None if none is due."""
        self._admit(now)
        for lane in sorted(lanes, key=lambda each: each is self._last_lane):
            task = self._take_from(lane)
            if task is not None:
                self._last_lane = lane
                return task
        return None

    def next_due(self) -> float | None:
        """Return when the next task is due, or None if there is none. Asked after `take` found nothing due."""
        while self._later:
            due, serial, task = self._later[0]
            if self._is_valid(task, serial):
                return due
            heapq.heappop(self._later)
        return None

    def due(self, now: float, lane: Lane) -> list[float]:
        """Return for each task of a lane that is due since when it has been."""
        return [each.due for each in self._planned.values() if each.lane is lane and each.due <= now]

    def _admit(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, serial, task = heapq.heappop(self._later)
            if not self._is_valid(task, serial):
                continue
            planned = self._planned[task]
            ready = self._lanes[planned.lane]
            turn = max(ready.round, ready.last_round.get(planned.namespace, 0)) + 1
            ready.last_round[planned.namespace] = turn
            heapq.heappush(ready.by_turn, (planned.urgency, turn, serial, task))
            ready.by_age.append((serial, task))

    def _take_from(self, lane: Lane) -> Task | None:
        ready = self._lanes[lane]
        ready.turns += 1
        task = self._oldest(ready) if ready.turns % _OLDEST_EVERY == 0 else self._most_urgent(ready)
        if task is None:
            self._lanes[lane] = _Ready()
            return None
        del self._planned[task]
        return task

    def _most_urgent(self, ready: _Ready[Task]) -> Task | None:
        while ready.by_turn:
            _, turn, serial, task = heapq.heappop(ready.by_turn)
            if self._is_valid(task, serial):
                ready.round = max(ready.round, turn - 1)
                return task
        return None

    def _oldest(self, ready: _Ready[Task]) -> Task | None:
        while ready.by_age:
            serial, task = ready.by_age.popleft()
            if self._is_valid(task, serial):
                return task
        return None

    def _is_valid(self, task: Task, serial: int) -> bool:
        planned = self._planned.get(task)
        return planned is not None and planned.serial == serial
