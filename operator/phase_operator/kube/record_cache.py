"""The records of leases, as the watch of Secrets last showed them, by the resource that they belong to."""

from collections.abc import Callable, Mapping, Set

from phase_operator.core.json_access import mapping, text
from phase_operator.core.leases.record import KnownRecord, is_record, known_record
from phase_operator.core.refs import TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.kube.watch import Metadata


class RecordCache:
    """Records by the uid of their resource. An object of which our marks were taken is none."""

    def __init__(self) -> None:
        self._known: dict[TargetRef, KnownRecord] = {}
        self._by_uid: dict[str, dict[TargetRef, KnownRecord]] = {}

    def of(self, uid: str) -> Mapping[TargetRef, KnownRecord]:
        """Return the records of the resource with this uid."""
        return self._by_uid.get(uid, {})

    def seen(self, ref: TargetRef, metadata: Metadata) -> ObjectKey | None:
        """Take an object that has the label of records, or had it; return the resource that this is news to, if any."""
        before, now = self._known.get(ref), known_record(ref, metadata)
        version = text(mapping(metadata).get("resourceVersion"))
        if before is not None and before.observed.resource_version == version:
            return None
        self.drop(ref)
        if now is not None:
            self._known[ref] = now
            self._by_uid.setdefault(now.observed.origin, {})[ref] = now
        return _owner(now) or _owner(before)

    def drop(self, ref: TargetRef) -> ObjectKey | None:
        """Forget a record that is gone; return the resource that it belonged to, if it was known."""
        before = self._known.pop(ref, None)
        if before is None:
            return None
        of_uid = self._by_uid[before.observed.origin]
        del of_uid[ref]
        if not of_uid:
            del self._by_uid[before.observed.origin]
        return _owner(before)

    def retain(self, scope: str, present: Set[ObjectKey]) -> list[ObjectKey]:
        """Forget the records of a scope that a list does not have; return the resources that they belonged to."""
        gone = [ref for ref in self._known if scope in {"", ref.key.namespace} and ref.key not in present]
        return [owner for owner in map(self.drop, gone) if owner is not None]

    def __contains__(self, ref: object) -> bool:
        return ref in self._known

    def __len__(self) -> int:
        return len(self._known)


def _owner(record: KnownRecord | None) -> ObjectKey | None:
    """Return the resource that a record names, if that is in the record's own namespace: a mark may name any."""
    key = ObjectKey.read(record.observed.owner) if record is not None else None
    return key if record is not None and key is not None and key.namespace == record.ref.key.namespace else None


class RecordSink:
    """Stores the records that the watch of Secrets shows, and wakes the resources that they belong to."""

    def __init__(self, records: RecordCache, wake: Callable[[ObjectKey], None]) -> None:
        self._records = records
        self._wake = wake

    def seen(self, ref: TargetRef, metadata: Metadata) -> None:
        """Take any Secret that was listed, added or changed."""
        if is_record(metadata) or ref in self._records:
            self._tell(self._records.seen(ref, metadata))

    def gone(self, ref: TargetRef) -> None:
        """Take any Secret that was deleted, or cannot be read."""
        self._tell(self._records.drop(ref))

    def listed(self, scope: str, present: Set[ObjectKey]) -> None:
        """Take a whole list of a scope."""
        for owner in self._records.retain(scope, present):
            self._wake(owner)

    def _tell(self, owner: ObjectKey | None) -> None:
        if owner is not None:
            self._wake(owner)
