"""When to look at the workloads of a namespace: not before what changes together has changed.

Rule: a change puts the look off by the settle window, and no change puts it off for ever.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

# As often may a look be put off by a whole window.
_MOST = 3


@dataclass(slots=True)
class _Pending:
    first: float
    due: float


class Settling(Generic[Key]):
    """Keys that changed, and when it has been quiet for long enough. Times are seconds of one monotonic clock."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._pending: dict[Key, _Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def touch(self, key: Key, now: float) -> None:
        """Take note of a change."""
        pending = self._pending.setdefault(key, _Pending(now, now))
        pending.due = min(now + self._window, pending.first + _MOST * self._window)

    def take(self, now: float) -> list[Key]:
        """Return the keys that have settled, longest first, and forget them."""
        settled = sorted((each.due, number) for number, each in enumerate(self._pending.values()) if each.due <= now)
        keys = list(self._pending)
        found = [keys[number] for _, number in settled]
        for key in found:
            del self._pending[key]
        return found

    def next_due(self) -> float | None:
        """Return when the next key settles if nothing happens to it, or None if there is none."""
        return min((each.due for each in self._pending.values()), default=None)
