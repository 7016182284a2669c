"""The resources of all kinds as one: each key's own store has it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from typing import Any, Protocol

from phase_operator.api import names
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.store.of_kind import PhaseSecretStore, Resource


class Resources(Protocol):
    """The resources of one kind, or of all, as runs and their reports use them."""

    def get(self, key: ObjectKey) -> Resource | None:
        """Return an object, parsed, or None."""

    def set_status(self, key: ObjectKey, uid: str, status: Mapping[str, Any]) -> None:
        """Keep the status that was just written, unless the object was recreated under its name meanwhile."""

    def set_finalizer_kept(self, key: ObjectKey, uid: str, guarded: bool, finalizer: str = names.FINALIZER) -> None:
        """Record that a finalizer of ours was just added or removed."""

    def remove(self, key: ObjectKey) -> bool:
        """Forget an object; return True if it was there."""

    def is_new(self, key: ObjectKey) -> bool:
        """Return whether an object is there that was never in step, as far as its status tells."""

    def keys(self) -> Set[ObjectKey]:
        """Return the keys of all objects."""

    def ready_counts(self) -> tuple[int, int, int]:
        """Return how many objects are ready, not ready and without a verdict, by their last status."""

    def unjudged_since_start(self) -> int:
        """Return how many objects the start has shown without a verdict, and have none yet."""

    def not_ready_for(self, now: str) -> float:
        """Return for how many seconds the longest-unready object has not been ready; 0 if all are ready."""


class Stores:
    """The stores of all kinds as one. Marks on objects may name a kind that is none of ours: nothing has such a key."""

    def __init__(self, *stores: PhaseSecretStore) -> None:
        self._stores = {each.kind: each for each in stores}

    def of(self, kind: str) -> PhaseSecretStore:
        """Return the store of a kind."""
        return self._stores[kind]

    def get(self, key: ObjectKey) -> Resource | None:
        """Return an object, parsed, or None."""
        store = self._stores.get(key.kind)
        return store.get(key) if store is not None else None

    def set_status(self, key: ObjectKey, uid: str, status: Mapping[str, Any]) -> None:
        """Keep the status that was just written, unless the object was recreated under its name meanwhile."""
        self.of(key.kind).set_status(key, uid, status)

    def set_finalizer_kept(self, key: ObjectKey, uid: str, guarded: bool, finalizer: str = names.FINALIZER) -> None:
        """Record that a finalizer of ours was just added or removed; an object in deletion stays in that state."""
        self.of(key.kind).set_finalizer_kept(key, uid, guarded, finalizer)

    def remove(self, key: ObjectKey) -> bool:
        """Forget an object; return True if it was there."""
        return self.of(key.kind).remove(key)

    def is_new(self, key: ObjectKey) -> bool:
        """Return whether an object is there that was never in step, as far as its status tells."""
        store = self._stores.get(key.kind)
        return store is not None and store.is_new(key)

    def keys(self) -> Set[ObjectKey]:
        """Return a view of the keys of all objects; it changes with them."""
        return _AllKeys([each.keys() for each in self._stores.values()])

    def ready_counts(self) -> tuple[int, int, int]:
        """Return how many objects are ready, not ready and without a verdict, by their last status."""
        ready, not_ready, unjudged = zip(*(each.ready_counts() for each in self._stores.values()), strict=True)
        return sum(ready), sum(not_ready), sum(unjudged)

    def unjudged_since_start(self) -> int:
        """Return how many objects the start has shown without a verdict, and have none yet."""
        return sum(each.unjudged_since_start() for each in self._stores.values())

    def not_ready_for(self, now: str) -> float:
        """Return for how many seconds the longest-unready object has not been ready; 0 if all are ready."""
        return max(each.not_ready_for(now) for each in self._stores.values())


class _AllKeys(Set[ObjectKey]):
    """Several views of keys as one, without a copy: there may be many thousands of keys."""

    def __init__(self, views: Sequence[Set[ObjectKey]]) -> None:
        self._views = views

    def __contains__(self, key: object) -> bool:
        return any(key in each for each in self._views)

    def __iter__(self) -> Iterator[ObjectKey]:
        return chain.from_iterable(self._views)

    def __len__(self) -> int:
        return sum(map(len, self._views))

    @classmethod
    def _from_iterable(cls, keys: Iterable[ObjectKey]) -> Set[ObjectKey]:  # type: ignore[override]  # sets are sets
        """Return what the operators of sets make: no view."""
        return frozenset(keys)
