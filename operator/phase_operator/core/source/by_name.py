"""Find things of Phase by their names.

Rule: an exact match wins; only if there is none, names that differ in case alone count.
"""

from collections.abc import Iterable, KeysView
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    """An app or an environment."""

    @property
    def name(self) -> str:
        """The name, as Phase shows it."""


T = TypeVar("T", bound=Named)


class ByName(Generic[T]):
    """An index; there may be thousands of names and of lookups."""

    def __init__(self, things: Iterable[T] = ()) -> None:
        self._exact: dict[str, list[T]] = {}
        self._folded: dict[str, list[T]] = {}
        for each in things:
            self._exact.setdefault(each.name, []).append(each)
            self._folded.setdefault(each.name.casefold(), []).append(each)

    def matching(self, name: str) -> list[T]:
        """Return what has exactly this name; if nothing has, what has a name that differs in case alone."""
        return self._exact.get(name) or self._folded.get(name.casefold(), [])

    @property
    def names(self) -> KeysView[str]:
        """Every name, once."""
        return self._exact.keys()
