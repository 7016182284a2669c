"""The faults in force, of requests or of the cloud account.

Rule: a fault strikes whatever fits it, as often as was ordered, and nothing but its order ends it.
"""

import random
from typing import Any, Generic, Protocol, TypeVar


class Scoped(Protocol):
    """A fault of any kind: what it fits, how often it strikes, and by what chance."""

    @property
    def times(self) -> int | None:
        """How often it strikes."""

    @property
    def share(self) -> float:
        """The share of what fits that it strikes."""

    # What is asked differs by the kind of fault.
    def fits(self, asked: Any, /) -> bool:
        """Return whether this is in the fault's scope."""

    def model_dump(self) -> dict[str, Any]:
        """Return the fault's fields."""


F = TypeVar("F", bound=Scoped)


class FaultBook(Generic[F]):
    """The faults in force, oldest first; the first that fits is taken."""

    def __init__(self) -> None:
        self._faults: list[tuple[F, int | None]] = []

    def add(self, fault: F) -> None:
        """Put a fault in force."""
        self._faults.append((fault, fault.times))

    def clear(self) -> None:
        """End all faults."""
        self._faults.clear()

    def take(self, asked: Any) -> F | None:
        """Return the fault for what is asked and use up one of its times."""
        for position, (fault, left) in enumerate(self._faults):
            if not fault.fits(asked) or (fault.share < 1 and random.random() > fault.share):
                continue
            if left == 1:
                del self._faults[position]
            elif left is not None:
                self._faults[position] = (fault, left - 1)
            return fault
        return None

    def rows(self) -> list[dict[str, Any]]:
        """Return the faults in force and how often each will still strike."""
        return [{**fault.model_dump(), "left": left} for fault, left in self._faults]
