"""How much longer work takes if there is more of it: a ratio within one run, since machines are noisy."""

import time
from collections.abc import Callable

_TRIES = 3


def seconds_of(work: Callable[[], object]) -> float:
    """Return the CPU time that work takes in this thread, at its best."""

    def once() -> float:
        began = time.thread_time()
        work()
        return time.thread_time() - began

    return min(once() for _ in range(_TRIES))


def times_as_long(few: Callable[[], object], many: Callable[[], object]) -> float:
    """Return how many times as long the second work takes as the first."""
    return seconds_of(many) / seconds_of(few)
