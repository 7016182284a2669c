"""Look, judge and act; and anew at once, a few times, where the object changed in between."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")
# Tries of one run. What changes more often is tried again by a later run.
ATTEMPTS = 3


async def attempts(attempt: Callable[[int], Awaitable[Result | None]]) -> Result | None:
    """Return what an attempt comes to; None if each of them met an object that changed.

    An attempt is given its number, from 0, and returns None if what it judged is not there any more.
    """
    for number in range(ATTEMPTS):
        if (found := await attempt(number)) is not None:
            return found
    return None
