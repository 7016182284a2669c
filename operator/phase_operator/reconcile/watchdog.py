"""Which steps are in progress, and whether one of them hangs.

Rule: a wait for a turn or for an answer does not count as hanging, because no restart cures a long queue, a slow API
server or a slow Phase. The process hangs if work is due while a worker is idle, or if a step makes no progress for far
longer than any answer may take.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from phase_operator.reconcile.ports import Clock


@dataclass(slots=True)
class _Step:
    clock: Clock
    # When it last made progress.
    at: float


_current: ContextVar[_Step | None] = ContextVar("step", default=None)


def made_progress() -> None:
    """Record progress of the current step: a request has ended, with success or not."""
    step = _current.get()
    if step is not None:
        step.at = step.clock.monotonic()


class Watchdog:
    """Counts the workers of one queue."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watchdog: dict[Hashable, _Step] = {}
        self._idle = 0
        self._begun = False

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Count a worker as idle inside this context."""
        self._begun = True
        self._idle += 1
        try:
            yield
        finally:
            self._idle -= 1

    def begin(self, name: Hashable) -> None:
        """Begin a step in the current asyncio task."""
        self._begun = True
        step = self._watchdog[name] = _Step(self._clock, self._clock.monotonic())
        _current.set(step)

    def end(self, name: Hashable) -> None:
        """End a step."""
        self._watchdog.pop(name, None)

    def neglected(self, overdue: float) -> float:
        """Return for how many seconds due work has waited although a worker is idle.

        `overdue` is the time in seconds that the oldest work has been due.
        """
        return overdue if self._begun and (self._idle or not self._watchdog) else 0.0

    def hanging(self) -> float:
        """Return for how many seconds the step that is stuck longest has made no progress."""
        now = self._clock.monotonic()
        return max((now - step.at for step in self._watchdog.values()), default=0.0)
