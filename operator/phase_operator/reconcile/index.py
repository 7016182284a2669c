"""Which PhaseSecrets use an object, and run again when it changes: token Secrets, targets.

Rule: a PhaseSecret's dependencies are replaced as a whole, so that none outlives the spec that named it.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from phase_operator.core.values import ObjectKey

Thing = TypeVar("Thing", bound=Hashable)


class Users(Protocol[Thing]):
    """The read-only view of the index: which resources depend on which things."""

    def of(self, thing: Thing) -> list[ObjectKey]:
        """Return the resources that depend on a thing, sorted."""

    def uses(self, key: ObjectKey) -> tuple[Thing, ...]:
        """Return what a resource depends on."""

    def things(self) -> list[Thing]:
        """Return all things that a resource depends on."""

    def kept(self, thing: Thing) -> Thing:
        """Return the instance of a thing that is kept here, so that others keep no second one; else the thing."""

    def __contains__(self, thing: object) -> bool: ...


@dataclass(frozen=True, slots=True)
class IndexChange(Generic[Thing]):
    """Things that a resource depends on and none did before, and things that no resource depends on any more."""

    new: tuple[Thing, ...] = ()
    orphaned: tuple[Thing, ...] = ()


class ReverseIndex(Generic[Thing]):
    """The index: the things that each resource depends on, and the reverse."""

    def __init__(self) -> None:
        self._things: dict[ObjectKey, tuple[Thing, ...]] = {}
        # Most things have one user, and a set would take more memory than the rest of the entry.
        self._keys: dict[Thing, ObjectKey | set[ObjectKey]] = {}

    def set(self, key: ObjectKey, things: Iterable[Thing]) -> IndexChange[Thing]:
        """Replace what a resource depends on."""
        wanted = tuple(dict.fromkeys(things))
        before = self._things.get(key, ())
        if before == wanted:
            return IndexChange()
        new = tuple(thing for thing in wanted if thing not in self._keys)
        for thing in before:
            self._remove(thing, key)
        for thing in wanted:
            self._add(thing, key)
        self._things[key] = wanted
        if not wanted:
            del self._things[key]
        return IndexChange(new, tuple(thing for thing in before if thing not in self._keys))

    def of(self, thing: Thing) -> list[ObjectKey]:
        """Return the resources that depend on a thing, sorted."""
        found = self._keys.get(thing, ())
        return [found] if isinstance(found, ObjectKey) else sorted(found)

    def uses(self, key: ObjectKey) -> tuple[Thing, ...]:
        """Return what a resource depends on."""
        return self._things.get(key, ())

    def __contains__(self, thing: object) -> bool:
        return thing in self._keys

    def things(self) -> list[Thing]:
        """Return all things that a resource depends on."""
        return list(self._keys)

    def kept(self, thing: Thing) -> Thing:
        """Return the instance of a thing that is kept here, so that others keep no second one; else the thing."""
        users = self._keys.get(thing)
        if users is None:
            return thing
        user = users if isinstance(users, ObjectKey) else next(iter(users))
        return next(each for each in self._things[user] if each == thing)

    def _add(self, thing: Thing, key: ObjectKey) -> None:
        found = self._keys.get(thing)
        match found:
            case None:
                self._keys[thing] = key
            case ObjectKey():
                self._keys[thing] = {found, key}
            case set():
                found.add(key)

    def _remove(self, thing: Thing, key: ObjectKey) -> None:
        found = self._keys.get(thing)
        if isinstance(found, set):
            found.discard(key)
            if found:
                return
        del self._keys[thing]
