"""The calls that an account is due to make, and their order.

Rule: more urgent tasks go first, and namespaces take turns among equals. No task waits for ever: one turn in eight goes
to the task that has waited longest, and probes and reads alternate while both are due. A task that failed last or never
worked is an attempt; attempts can be held back without the rest.
"""

import heapq
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from phase_operator.reconcile.queue.fair_turns import FairTurns

Task = TypeVar("Task", bound=Hashable)

_OLDEST_EVERY = 8


class Lane(IntEnum):
    """The two kinds of task; neither starves the other."""

    PROBE = 0
    READ = 1


class PollPriority(IntEnum):
    """Why a call to Phase is due; lower goes first. Runs have three reasons alone: schedule.Priority."""

    NEW = 0
    EDITED = 1
    MOVED = 2
    FORCED = 3
    STALE = 4
    PERIODIC = 5


@dataclass(slots=True)
class _Planned:
    due: float
    urgency: PollPriority
    namespace: str
    lane: Lane
    is_attempt: bool
    # Distinguishes the valid heap entry from entries that a later plan replaced.
    serial: int


@dataclass(slots=True)
class _Ready(Generic[Task]):
    """The due tasks of a lane, by urgency and turn and also by age; attempts are kept apart from tasks that work."""

    by_turn: dict[bool, list[tuple[PollPriority, int, int, Task]]] = field(
        default_factory=lambda: {False: [], True: []}
    )
    by_age: dict[bool, deque[tuple[int, Task]]] = field(default_factory=lambda: {False: deque(), True: deque()})
    turns: FairTurns = field(default_factory=FairTurns)
    # How many tasks were taken.
    taken: int = 0


class FairQueue(Generic[Task]):
    """Tasks and the time when each is due. A task is planned once; the sooner time and the higher urgency win."""

    def __init__(self) -> None:
        self._planned: dict[Task, _Planned] = {}
        self._later: list[tuple[float, int, Task]] = []
        self._lanes: dict[Lane, _Ready[Task]] = {lane: _Ready() for lane in Lane}
        self._last_lane = Lane.READ
        self._serial = 0

    def __len__(self) -> int:
        return len(self._planned)

    def plan(
        self,
        task: Task,
        due: float,
        urgency: PollPriority,
        *,
        namespace: str = "",
        lane: Lane = Lane.READ,
        is_attempt: bool = False,
    ) -> None:
        """Plan a task, or move one forward that is planned already."""
        before = self._planned.get(task)
        if before is not None:
            if due >= before.due and urgency >= before.urgency and is_attempt is before.is_attempt:
                return
            due, urgency = min(due, before.due), min(urgency, before.urgency)
        self._serial += 1
        self._planned[task] = _Planned(due, urgency, namespace, lane, is_attempt, self._serial)
        heapq.heappush(self._later, (due, self._serial, task))

    def drop(self, task: Task) -> None:
        """Cancel a planned task."""
        self._planned.pop(task, None)

    def take(self, now: float, lanes: Sequence[Lane] = tuple(Lane), *, attempts: bool = True) -> Task | None:
        """Remove and return the task whose turn it is; None if none is due.

        `lanes` limits the tasks that work; `attempts` allows attempts of every lane or of none.
        """
        self._admit(now)
        for lane in sorted(Lane, key=lambda each: each is self._last_lane):
            task = self._take_from(lane, _kinds(lane in lanes, attempts))
            if task is not None:
                self._last_lane = lane
                return task
        return None

    def is_due(self, now: float, lanes: Sequence[Lane] = tuple(Lane), *, attempts: bool = True) -> bool:
        """Return whether `take` would return a task."""
        self._admit(now)
        return any(self._head(self._lanes[lane], _kinds(lane in lanes, attempts)) is not None for lane in Lane)

    def next_due(self) -> float | None:
        """Return when the next task is due, or None if there is none. Call it after `take` found nothing due."""
        while self._later:
            due, serial, task = self._later[0]
            if self._is_valid(task, serial):
                return due
            heapq.heappop(self._later)
        return None

    def due(self, now: float, lane: Lane) -> list[float]:
        """Return for each due task of a lane when it became due."""
        return [each.due for each in self._planned.values() if each.lane is lane and each.due <= now]

    def _admit(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            _, serial, task = heapq.heappop(self._later)
            if not self._is_valid(task, serial):
                continue
            planned = self._planned[task]
            ready = self._lanes[planned.lane]
            turn = ready.turns.give(planned.namespace)
            heapq.heappush(ready.by_turn[planned.is_attempt], (planned.urgency, turn, serial, task))
            ready.by_age[planned.is_attempt].append((serial, task))

    def _take_from(self, lane: Lane, kinds: Sequence[bool]) -> Task | None:
        ready = self._lanes[lane]
        head = self._head(ready, kinds)
        if head is None:
            if not any(ready.by_turn.values()):
                self._lanes[lane] = _Ready()
            return None
        ready.taken += 1
        if ready.taken % _OLDEST_EVERY == 0:
            task = self._oldest(ready, kinds)
        else:
            _, turn, _, task = heapq.heappop(ready.by_turn[head])
            ready.turns.serve(turn)
        del self._planned[task]
        return task

    def _head(self, ready: _Ready[Task], kinds: Sequence[bool]) -> bool | None:
        """Return whether the most urgent task is an attempt, or None if there is no task."""
        found: list[bool] = []
        for kind in kinds:
            heap = ready.by_turn[kind]
            while heap and not self._is_valid(heap[0][3], heap[0][2]):
                heapq.heappop(heap)
            if heap:
                found.append(kind)
        return min(found, key=lambda kind: ready.by_turn[kind][0][:3], default=None)

    def _oldest(self, ready: _Ready[Task], kinds: Sequence[bool]) -> Task:
        """Return the task that was due first; the caller knows from `_head` that there is one."""
        found: list[tuple[int, Task]] = []
        for kind in kinds:
            queue = ready.by_age[kind]
            while queue and not self._is_valid(queue[0][1], queue[0][0]):
                queue.popleft()
            if queue:
                found.append(queue[0])
        return min(found, key=lambda each: each[0])[1]

    def _is_valid(self, task: Task, serial: int) -> bool:
        planned = self._planned.get(task)
        return planned is not None and planned.serial == serial


def _kinds(works: bool, attempts: bool) -> list[bool]:
    """Return the kinds of task that a lane may give out: tasks that work (False), attempts (True)."""
    return [kind for kind, is_open in ((False, works), (True, attempts)) if is_open]
