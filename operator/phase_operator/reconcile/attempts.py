"""Observe, decide and act; and repeat at once, a few times, if the object changed in between."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")
# The most tries of one run. An object that changes more often is left to a later run.
ATTEMPTS = 3


async def attempts(attempt: Callable[[int], Awaitable[Result | None]]) -> Result | None:
    """Return the result of the first attempt that has one; None if the object changed during every attempt.

    An attempt gets its number, from 0, and returns None if the object that it judged has changed.
    """
    for number in range(ATTEMPTS):
        if (found := await attempt(number)) is not None:
            return found
    return None
