"""Time as an argument: a clock is a function that returns an aware UTC moment.

Rule: no other module of the server asks the system for the time.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the system's time in UTC."""
    return datetime.now(UTC)


class AdvancingClock:
    """A clock that runs with its base and can be advanced, never turned back."""

    def __init__(self, base: Clock = system_clock) -> None:
        self._base = base
        self._offset = timedelta()

    def __call__(self) -> datetime:
        """Return the base's time plus everything it was advanced by."""
        return self._base() + self._offset

    def advance(self, seconds: float) -> None:
        """Move this clock forward."""
        if seconds < 0:
            raise ValueError("a clock is only advanced, never turned back")
        self._offset += timedelta(seconds=seconds)
