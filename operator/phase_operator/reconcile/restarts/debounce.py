"""Wait until changes have stopped, so that what changes together is handled together.

Rule: a change postpones the work by the settle window, and the total delay has a limit.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

# The most settle windows that a key can be postponed for.
_MOST = 3


@dataclass(slots=True)
class _Pending:
    first: float
    due: float


class Debounce(Generic[Key]):
    """Keys that changed, and when each has been quiet for long enough. Times are seconds of one monotonic clock."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._pending: dict[Key, _Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def touch(self, key: Key, now: float) -> float:
        """Record a change of the key, and return when the key settles if it does not change again."""
        pending = self._pending.setdefault(key, _Pending(now, now))
        pending.due = min(now + self._window, pending.first + _MOST * self._window)
        return pending.due

    def take(self, now: float) -> list[Key]:
        """Return and forget the keys that have settled, the longest settled first."""
        settled = sorted((each.due, number) for number, each in enumerate(self._pending.values()) if each.due <= now)
        keys = list(self._pending)
        found = [keys[number] for _, number in settled]
        for key in found:
            del self._pending[key]
        return found

    def next_due(self) -> float | None:
        """Return when the next key settles if it does not change again, or None if there is none."""
        return min((each.due for each in self._pending.values()), default=None)
