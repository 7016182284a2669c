"""Which steps are in progress, and whether one of them hangs.

Rule: a wait for a turn or for an answer does not count as hanging, because no restart cures a long queue, a slow API
server or a slow Phase. A step hangs if it makes no progress for far longer than any answer may take.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Not while it runs: the command line needs this module, and none of what the ports need.
    from phase_operator.reconcile.ports import Clock


@dataclass(slots=True)
class _Step:
    clock: "Clock"
    # When it last made progress.
    at: float


_current: ContextVar[_Step | None] = ContextVar("step", default=None)


def made_progress() -> None:
    """Record progress of the current step: a request has ended, with success or not."""
    step = _current.get()
    if step is not None:
        step.at = step.clock.monotonic()


class Watchdog:
    """The steps that are in progress: those of the workers of one queue."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._steps: dict[Hashable, _Step] = {}

    def begin(self, name: Hashable) -> None:
        """Begin a step in the current asyncio task."""
        step = self._steps[name] = _Step(self._clock, self._clock.monotonic())
        _current.set(step)

    def end(self, name: Hashable) -> None:
        """End a step."""
        self._steps.pop(name, None)

    @contextmanager
    def step(self, name: Hashable) -> Iterator[None]:
        """Count what is done inside this context as a step of the current asyncio task."""
        self.begin(name)
        try:
            yield
        finally:
            self.end(name)

    @property
    def is_busy(self) -> bool:
        """Whether any step is in progress."""
        return bool(self._steps)

    def hanging(self) -> float:
        """Return for how many seconds the step that is stuck longest has made no progress."""
        now = self._clock.monotonic()
        return max((now - step.at for step in self._steps.values()), default=0.0)
