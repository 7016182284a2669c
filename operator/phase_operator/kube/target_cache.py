"""The target cache: the metadata of targets, as the watches last showed it.

Rule: the newer resource version wins. Our own writes are stored as soon as the API server confirms them, and events of
a target are held back while it is being written, so a write of ours is never taken for that of others.
"""

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Set
from typing import Any, Generic, Protocol, TypeVar

from phase_operator.api import names
from phase_operator.core.flow.namespace_bytes import NamespaceBytes
from phase_operator.core.json_access import mapping, text
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.targets.observed import Observed, is_vast, observe
from phase_operator.core.targets.versions import version_label
from phase_operator.core.values import ObjectKey
from phase_operator.kube.watch import Metadata

# More digits than the largest revision of etcd has.
_DIGITS = 30

_OURS = {names.LABEL_TARGET_VALUE, names.LABEL_COPY_VALUE}
Touched = Callable[[TargetRef], None]
Place = TypeVar("Place", bound=Hashable)
# Anyone can mark objects with a PhaseSecret of another namespace, so no more of them are indexed for it.
_MAX_ELSEWHERE = 256
# Bytes that the objects of one namespace may take here: about 20,000 targets of ours. Anyone who may write ConfigMaps
# can make objects that take a hundred times as much.
_MOST = 16 * MIB


class _Index(Generic[Place]):
    """Targets by a key that several may share; `most` bounds the targets of one key."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        # Most PhaseSecrets have one target, and a set would take more memory than the rest of an entry.
        self._refs: dict[Place, TargetRef | set[TargetRef]] = {}

    def __len__(self) -> int:
        return len(self._refs)

    def of(self, place: Place) -> list[TargetRef]:
        found = self._refs.get(place, ())
        return [found] if isinstance(found, TargetRef) else sorted(found)

    def add(self, place: Place, ref: TargetRef) -> None:
        found = self._refs.get(place)
        match found:
            case None:
                self._refs[place] = ref
            case TargetRef():
                self._refs[place] = {found, ref}
            case set():
                if self._most is None or len(found) < self._most:
                    found.add(ref)

    def remove(self, place: Place, ref: TargetRef) -> None:
        found = self._refs.get(place)
        if isinstance(found, set):
            found.discard(ref)
        if found in (ref, set()):
            del self._refs[place]


class TargetCache:
    """The cache: our own objects by reference. Changes of foreign objects are reported, but not stored."""

    def __init__(self, kept: Callable[[TargetRef], TargetRef] = lambda ref: ref) -> None:
        """`kept` returns the instance of a reference that is kept elsewhere, if any: there are thousands."""
        self._kept = kept
        self._known: dict[TargetRef, Observed] = {}
        self._bytes = NamespaceBytes(_MOST)
        # By owner mark, in the namespace of the PhaseSecret and in others; and versions by the name of their base.
        self._at_home: _Index[str] = _Index()
        self._elsewhere: _Index[str] = _Index(_MAX_ELSEWHERE)
        self._versions: _Index[tuple[str, Kind, str]] = _Index()
        # Targets that are being written: the number of writes at once, and the version that a watch showed meanwhile,
        # with True if it was a deletion.
        self._writing: dict[TargetRef, tuple[int, tuple[str, bool] | None]] = {}

    def get(self, ref: TargetRef) -> Observed | None:
        """Return the cached metadata of a target, or None if it is not cached."""
        return self._known.get(ref)

    def is_news(self, ref: TargetRef, version: str) -> bool:
        """Return whether this version of a target is newer than what is cached."""
        before = self._known.get(ref)
        return before is None or _newer(version, before.resource_version)

    def put(self, ref: TargetRef, observed: Observed) -> bool:
        """Store what was observed if it is newer than what is cached; return whether it was.

        It is not stored if its namespace has no room for it: then each run that needs it reads it.
        """
        if not self.is_news(ref, observed.resource_version):
            return False
        before, namespace = self._known.get(ref), ref.key.namespace
        had = before.weight if before is not None else 0
        if observed.weight > had + self._bytes.left(namespace):
            self.drop(ref)
            return True
        self._bytes.change(namespace, had, observed.weight)
        if before is None:
            ref = self._kept(ref)
        old, new = [] if before is None else self._places(ref, before), self._places(ref, observed)
        if old != new:
            self._remove(ref, old)
            for index, place in new:
                index.add(place, ref)
        self._known[ref] = observed
        return True

    @staticmethod
    def _remove(ref: TargetRef, places: Iterable[tuple[_Index[Any], object]]) -> None:
        for index, place in places:
            index.remove(place, ref)

    def begin_write(self, ref: TargetRef) -> None:
        """Hold back events of a target until `end_write`: most likely they show our own write."""
        count, seen = self._writing.get(ref, (0, None))
        self._writing[ref] = (count + 1, seen)

    def defer_event(self, ref: TargetRef, version: str, *, gone: bool = False) -> bool:
        """Return True while our own write is in flight; `end_write` then decides whether others changed the target."""
        if ref not in self._writing:
            return False
        self._writing[ref] = (self._writing[ref][0], (version, gone))
        return True

    def end_write(self, ref: TargetRef, observed: Observed | None) -> bool:
        """Store what we wrote, or drop the target if that is not known (None).

        Return True if a watch showed, during the write, what may be a change of others.
        """
        count, seen = self._writing.pop(ref, (1, None))
        if count > 1:
            self._writing[ref] = (count - 1, seen)
        if observed is None:
            self.drop(ref)
            return seen is not None
        self.put(ref, observed)
        if seen is None or not _newer(seen[0], observed.resource_version):
            return False
        if seen[1]:
            self.drop(ref)
        return True

    def drop(self, ref: TargetRef) -> None:
        """Remove a target from the cache, so that the next run reads it from the API server."""
        before = self._known.pop(ref, None)
        if before is not None:
            self._remove(ref, self._places(ref, before))
            self._bytes.change(ref.key.namespace, before.weight, 0)

    def marked(self, owner: ObjectKey) -> dict[TargetRef, Observed]:
        """Return the objects with an owner mark of this PhaseSecret; from other namespaces at most a few hundred."""
        found = [*self._at_home.of(str(owner)), *self._elsewhere.of(str(owner))]
        return {ref: self._known[ref] for ref in found}

    def versions(self, base: TargetRef) -> dict[TargetRef, Observed]:
        """Return the objects that carry the label of this target's versions."""
        found = self._versions.of((base.key.namespace, base.kind, version_label(base.key.name)))
        return {ref: self._known[ref] for ref in found}

    def _places(self, ref: TargetRef, observed: Observed) -> list[tuple[_Index[Any], object]]:
        owners = dict.fromkeys(filter(None, [observed.owner, *(part.of for part in observed.parts)]))
        home = ref.key.namespace
        found: list[tuple[_Index[Any], object]] = [
            (self._at_home if ObjectKey.read(owner).namespace == home else self._elsewhere, owner) for owner in owners
        ]
        if observed.version_of:
            found.append((self._versions, (ref.key.namespace, ref.kind, observed.version_of)))
        return found

    def of_kind(self, kind: Kind, scope: str) -> Iterator[TargetRef]:
        """Return the cached targets of a kind in a namespace, or in all for ""."""
        return iter([ref for ref in self._known if ref.kind == kind and scope in {"", ref.key.namespace}])


class Records(Protocol):
    """Takes the records of leases out of what the watch of Secrets shows."""

    def seen(self, ref: TargetRef, metadata: Metadata) -> None:
        """Take any Secret that was listed, added or changed."""

    def gone(self, ref: TargetRef) -> None:
        """Take any Secret that was deleted, or cannot be read."""

    def listed(self, scope: str, present: Set[ObjectKey]) -> None:
        """Take a whole list of a scope."""


class TargetSink:
    """Stores what a watch of Secrets or ConfigMaps shows, and reports the objects that others changed."""

    def __init__(
        self,
        kind: Kind,
        known: TargetCache,
        touched: Touched,
        relisted: Callable[[], None],
        records: "Records | None" = None,
    ) -> None:
        self._kind = kind
        # What takes the records of leases, which are no targets.
        self._records = records
        self._known = known
        self._touched = touched
        self._relisted = relisted

    def listed(self, scope: str, present: Set[ObjectKey]) -> None:
        """Take a whole list of a scope: cached objects that are not in it are gone."""
        for ref in self._known.of_kind(self._kind, scope):
            if ref.key not in present:
                self._known.drop(ref)
                self._touched(ref)
        if self._records is not None:
            self._records.listed(scope, present)
        self._relisted()

    def seen(self, metadata: Metadata) -> None:
        """Take one object: store it if it is ours, and report it unless this version was cached already."""
        ref = self._ref(metadata)
        if is_vast(metadata):
            self._known.drop(ref)
            if self._records is not None:
                self._records.gone(ref)
            self._report(ref, metadata)
            return
        if self._records is not None:
            self._records.seen(ref, metadata)
        labels = mapping(metadata.get("labels"))
        foreign = labels.get(names.LABEL_TARGET) not in _OURS and self._known.get(ref) is None
        # Most events show our own writes, which are known since the API server confirmed them.
        is_news = self._known.is_news(ref, text(metadata.get("resourceVersion")))
        if foreign or (is_news and self._known.put(ref, observe(metadata))):
            self._report(ref, metadata)

    def unreadable(self, key: ObjectKey) -> None:
        """Drop and report an object that cannot be read; a run that needs it reads it and reports the problem."""
        ref = TargetRef(self._kind, key)
        self._known.drop(ref)
        if self._records is not None:
            self._records.gone(ref)
        self._touched(ref)

    def gone(self, metadata: Metadata) -> None:
        """Take one object that was deleted, or is no longer in the watch's selection."""
        ref = self._ref(metadata)
        self._known.drop(ref)
        if self._records is not None:
            self._records.gone(ref)
        self._report(ref, metadata, gone=True)

    def _report(self, ref: TargetRef, metadata: Metadata, *, gone: bool = False) -> None:
        if not self._known.defer_event(ref, text(metadata.get("resourceVersion")), gone=gone):
            self._touched(ref)

    def _ref(self, metadata: Metadata) -> TargetRef:
        # Thousands share a namespace, so they share one string for it.
        return TargetRef(self._kind, ObjectKey(sys.intern(metadata["namespace"]), metadata["name"]))


def _newer(one: str, other: str) -> bool:
    # Resource versions are growing numbers (KEP-5504). If one is not, all that we can tell is whether they are equal.
    if is_number(one) and is_number(other):
        return int(one) > int(other)
    return one != other


def is_number(version: str) -> bool:
    """Return whether a version can be compared as a number; an API server uses none with more digits."""
    return version.isascii() and version.isdigit() and len(version) <= _DIGITS
