"""Which steps are under way, and whether one of them hangs.

Rule: to wait one's turn is no standstill, nor is to wait for an answer: no restart mends a long queue, a slow API
server or a slow Phase. Something hangs if work is due and a worker waits for work, or if a step has not got on for far
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
    # When it last got on.
    at: float


_current: ContextVar[_Step | None] = ContextVar("step", default=None)


def got_on() -> None:
    """Say that the step that this is a part of has got on: a request has ended, well or not."""
    step = _current.get()
    if step is not None:
        step.at = step.clock.monotonic()


class Steps:
    """Counts the workers of one queue."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._steps: dict[Hashable, _Step] = {}
        self._idle = 0
        self._begun = False

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Have a worker that waits for work."""
        self._begun = True
        self._idle += 1
        try:
            yield
        finally:
            self._idle -= 1

    def begin(self, name: Hashable) -> None:
        """Begin a step in the task that calls this."""
        self._begun = True
        step = self._steps[name] = _Step(self._clock, self._clock.monotonic())
        _current.set(step)

    def end(self, name: Hashable) -> None:
        """End a step."""
        self._steps.pop(name, None)

    def neglected(self, overdue: float) -> float:
        """Return for how many seconds work that is due has been there and nobody took it, though somebody could.

        `overdue` is for how long the oldest has been due.
        """
        return overdue if self._begun and (self._idle or not self._steps) else 0.0

    def hanging(self) -> float:
        """Return for how many seconds the step that hangs for longest has not got on."""
        now = self._clock.monotonic()
        return max((now - step.at for step in self._steps.values()), default=0.0)
