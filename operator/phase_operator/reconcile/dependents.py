"""Who must run again when this changes: token Secret -> PhaseSecrets, target -> PhaseSecrets.

Rule: a PhaseSecret's dependencies are replaced as a whole, so that none outlives the spec that named it.
"""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from phase_operator.core.values import ObjectKey

Thing = TypeVar("Thing", bound=Hashable)


class Dependents(Generic[Thing]):
    """Two dictionaries that agree: what a resource depends on, and who depends on a thing."""

    def __init__(self) -> None:
        self._things: dict[ObjectKey, tuple[Thing, ...]] = {}
        self._keys: dict[Thing, set[ObjectKey]] = {}

    def set(self, key: ObjectKey, things: Iterable[Thing]) -> tuple[Thing, ...]:
        """Say anew what a resource depends on, and return the things that nobody depends on any more."""
        wanted = tuple(dict.fromkeys(things))
        before = self._things.get(key, ())
        if before == wanted:
            return ()
        for thing in before:
            self._keys[thing].discard(key)
        for thing in wanted:
            self._keys.setdefault(thing, set()).add(key)
        self._things[key] = wanted
        if not wanted:
            del self._things[key]
        orphans = tuple(thing for thing in before if not self._keys[thing])
        for thing in orphans:
            del self._keys[thing]
        return orphans

    def of(self, thing: Thing) -> list[ObjectKey]:
        """Return who depends on a thing, sorted."""
        return sorted(self._keys.get(thing, ()))

    def __contains__(self, thing: object) -> bool:
        return thing in self._keys

    def things(self) -> list[Thing]:
        """Return everything that somebody depends on."""
        return list(self._keys)
