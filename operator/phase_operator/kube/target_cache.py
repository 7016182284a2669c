"""What stands at the targets' places, as the watches last showed it.

Rule: newer wins. Our own writes are put here as soon as the API server confirms them, and an event that follows, or
overtook the confirmation, says nothing new; so a write of ours never looks like somebody else's.
"""

import sys
from collections.abc import Callable, Hashable, Iterator, Set
from typing import Any, Generic, TypeVar

from phase_operator.api import names
from phase_operator.core.json_access import mapping, text
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.versions import version_label
from phase_operator.core.values import ObjectKey
from phase_operator.kube.watch import Metadata

# Of the largest number that etcd counts to, and some more.
_DIGITS = 30

_OURS = {names.LABEL_TARGET_VALUE, names.LABEL_COPY_VALUE}
Touched = Callable[[TargetRef], None]
Place = TypeVar("Place", bound=Hashable)
# Anybody may write marks of a PhaseSecret of another namespace; so many cost that one nothing.
_MAX_ELSEWHERE = 256


class _Index(Generic[Place]):
    """Objects by a place that they share with others."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        # A set alone takes more memory than the rest of an entry, and most PhaseSecrets have one target.
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


class KnownTargets:
    """Our own objects by reference. Foreign objects are reported when they change, and not kept."""

    def __init__(self) -> None:
        self._known: dict[TargetRef, Observed] = {}
        # By owner mark: in the namespace of the PhaseSecret that it names, and elsewhere. By base name: versions.
        self._at_home: _Index[str] = _Index()
        self._elsewhere: _Index[str] = _Index(_MAX_ELSEWHERE)
        self._versions: _Index[tuple[str, Kind, str]] = _Index()
        # Targets that we are writing: how often at once, the version that a watch showed meanwhile, and whether that
        # was the end of it.
        self._writing: dict[TargetRef, tuple[int, tuple[str, bool] | None]] = {}

    def get(self, ref: TargetRef) -> Observed | None:
        """Return what is known to stand there, or None if nothing is known."""
        return self._known.get(ref)

    def put(self, ref: TargetRef, observed: Observed) -> bool:
        """Keep what was seen if it is newer; return True if it was."""
        before = self._known.get(ref)
        if before is not None and not _newer(observed.resource_version, before.resource_version):
            return False
        places = self._places(ref, observed)
        if before is not None and (stood := self._places(ref, before)) != places:
            for index, place in stood:
                index.remove(place, ref)
        if before is None or stood != places:
            for index, place in places:
                index.add(place, ref)
        self._known[ref] = observed
        return True

    def begin_write(self, ref: TargetRef) -> None:
        """Hold back what watches show of a target until `end_write`: most likely it is what we are writing."""
        count, seen = self._writing.get(ref, (0, None))
        self._writing[ref] = (count + 1, seen)

    def hold_back(self, ref: TargetRef, version: str, *, gone: bool = False) -> bool:
        """Return True if a target is being written: `end_write` tells then whether somebody touched it."""
        if ref not in self._writing:
            return False
        self._writing[ref] = (self._writing[ref][0], (version, gone))
        return True

    def end_write(self, ref: TargetRef, observed: Observed | None) -> bool:
        """Keep what we wrote, if anything; return True if a watch showed what is not that."""
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
        """Know nothing about it: the next look asks the API server."""
        before = self._known.pop(ref, None)
        if before is not None:
            for index, place in self._places(ref, before):
                index.remove(place, ref)

    def marked(self, owner: ObjectKey) -> dict[TargetRef, Observed]:
        """Return what carries a mark of this PhaseSecret; of other namespaces' objects not more than a few hundred."""
        found = [*self._at_home.of(str(owner)), *self._elsewhere.of(str(owner))]
        return {ref: self._known[ref] for ref in found}

    def versions(self, base: TargetRef) -> dict[TargetRef, Observed]:
        """Return what carries the label of this target's versions."""
        found = self._versions.of((base.key.namespace, base.kind, version_label(base.key.name)))
        return {ref: self._known[ref] for ref in found}

    def _places(self, ref: TargetRef, observed: Observed) -> list[tuple[_Index[Any], object]]:
        owners = [observed.owner] if observed.owner else []
        if observed.parts:
            owners = list(dict.fromkeys([*owners, *(part.of for part in observed.parts)]))
        home = ref.key.namespace
        found: list[tuple[_Index[Any], object]] = [
            (self._at_home if ObjectKey.read(owner).namespace == home else self._elsewhere, owner) for owner in owners
        ]
        if observed.version_of:
            found.append((self._versions, (ref.key.namespace, ref.kind, observed.version_of)))
        return found

    def of_kind(self, kind: Kind, scope: str) -> Iterator[TargetRef]:
        """Return what is known of a kind in a namespace, or in all for ""."""
        return iter([ref for ref in self._known if ref.kind == kind and scope in {"", ref.key.namespace}])


class TargetSink:
    """Takes what a watch of Secrets or ConfigMaps sees, and says what was touched by others."""

    def __init__(self, kind: Kind, known: KnownTargets, touched: Touched, relisted: Callable[[], None]) -> None:
        self._kind = kind
        self._known = known
        self._touched = touched
        self._relisted = relisted

    def listed(self, scope: str, present: Set[ObjectKey]) -> None:
        """Learn what a whole list had; what we knew and is not in it is gone."""
        for ref in self._known.of_kind(self._kind, scope):
            if ref.key not in present:
                self._known.drop(ref)
                self._touched(ref)
        self._relisted()

    def seen(self, metadata: Metadata) -> None:
        """Take one object; our own are kept, all are reported unless we knew them so."""
        ref = self._ref(metadata)
        labels = mapping(metadata.get("labels"))
        foreign = labels.get(names.LABEL_TARGET) not in _OURS and self._known.get(ref) is None
        if foreign or self._known.put(ref, observe(metadata)):
            self._report(ref, metadata)

    def unreadable(self, key: ObjectKey) -> None:
        """Know nothing of it: whoever wants it asks the API server, and tells what comes of that."""
        ref = TargetRef(self._kind, key)
        self._known.drop(ref)
        self._touched(ref)

    def gone(self, metadata: Metadata) -> None:
        """Take one object that is not there any more, or not ours to see."""
        ref = self._ref(metadata)
        self._known.drop(ref)
        self._report(ref, metadata, gone=True)

    def _report(self, ref: TargetRef, metadata: Metadata, *, gone: bool = False) -> None:
        if not self._known.hold_back(ref, text(metadata.get("resourceVersion")), gone=gone):
            self._touched(ref)

    def _ref(self, metadata: Metadata) -> TargetRef:
        # Thousands share a namespace: one text for all of them.
        return TargetRef(self._kind, ObjectKey(sys.intern(metadata["namespace"]), metadata["name"]))


def _newer(one: str, other: str) -> bool:
    # Resource versions are numbers that grow (KEP-5504); where they are not, equal is the only thing known.
    if is_number(one) and is_number(other):
        return int(one) > int(other)
    return one != other


def is_number(version: str) -> bool:
    """Say whether a version can be compared; anything that is longer is none that an API server gives."""
    return version.isascii() and version.isdigit() and len(version) <= _DIGITS
