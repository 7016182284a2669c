"""Work that takes time: a generator that yields the seconds to wait and returns what came of it.

Rule: whoever runs the work holds the state's lock between two waits, and lets go of it while it waits.
"""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Steps: TypeAlias = Generator[float, None, T]


def at_once(steps: Steps[T]) -> T:
    """Do the work without its waits."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            value: T = done.value
            return value
