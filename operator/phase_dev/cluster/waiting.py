"""Wait until something is so; the clock and the pause are arguments."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from phase_dev.cluster.errors import StartFailed
from phase_dev.cluster.process import Process
from phase_dev.cluster.running import tail


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how."""

    timeout: float = 60.0
    every: float = 0.05
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    check: Callable[[], None] = lambda: None
    """Called at every turn; what it raises ends the wait."""


def wait_until(condition: Callable[[], bool], what: str, processes: Iterable[Process], patience: Patience) -> None:
    """Return when the condition holds; raise StartFailed when a program ends by itself or the time is up."""
    watched = list(processes)
    deadline = patience.clock() + patience.timeout
    while not condition():
        patience.check()
        for process in watched:
            process.raise_if_ended()
        if patience.clock() >= deadline:
            logs = "; ".join(f"{process.name}: {tail(process.log, 1)}" for process in watched)
            raise StartFailed(f"waited {patience.timeout:g} s in vain until {what} ({logs})")
        patience.pause(patience.every)
