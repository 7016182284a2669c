"""The object at a target's place, as its metadata shows it.

Rule: a target is judged by its metadata alone. The digest annotation says which content we applied last, and
managedFields say whether we still own every field that we applied. So values are never read back.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import mapping, mappings, only, parsed, text, texts, without
from phase_operator.core.targets.fingerprint import join_digests, name_digest, recorded_names
from phase_operator.core.targets.merge import CoManagers, FieldManager, MergedShare, merge_manager, part
from phase_operator.core.targets.owned_fields import DATA_FIELDS, data_keys, owned_fields_digest
from phase_operator.core.values import ObjectKey

# Annotations of ours that the digest of the owned fields leaves out.
_UNSHAPED = frozenset({names.ANNOTATION_DIGEST, names.ANNOTATION_SEAL, names.ANNOTATION_ORIGIN})
# Bytes in memory that an object takes without its texts.
_BARE = 600
# More data keys than one answer of Phase has entries, and more managers than there is room for the marks of: to judge
# such an object takes tens of milliseconds.
_MOST_KEYS, _MOST_MANAGERS = 20_000, 2_000


@dataclass(frozen=True, slots=True)
class Observed:
    """What decisions need of the object at a target's place."""

    uid: str
    resource_version: str
    # namespace/name of the PhaseSecret in its owner annotation; "" if it has none.
    owner: str
    digest: str
    # The digest of the fields that our apply still owns, comparable with Desired.shape; empty if we never applied it.
    owned_fields: bytes
    # Data keys that others added and that we never applied.
    foreign_keys: tuple[str, ...]
    terminating: bool = False
    # The stamp of provenance.py; "" if it has none.
    stamp: str = ""
    # Its annotation says that it is deleted when its PhaseSecret does not name it any more.
    deletes: bool = False
    # Memory: thousands of these are kept, and on most objects no other manager owns data. So all that is known of other
    # managers is in one value, which is None on these objects, and the properties below read it.
    others: CoManagers | None = None
    # The label of a version: the base name that it belongs to; "" if it is no version.
    version_of: str = ""
    # When it was created, kept for versions alone: RFC 3339 in UTC, so that texts sort as times do.
    created: str = ""
    # The uid in our ownerReference, or an `origin_mark`. Kept only if `deletes`: nothing else asks for it.
    origin: str = ""
    # Digests of the names of the keys that we wrote and that are still there, joined as in fingerprint.py.
    names: bytes = field(default=b"", compare=False)

    @property
    def is_applied(self) -> bool:
        """Whether managedFields list an apply of ours; they do not on a copy that others made."""
        return self.owned_fields != b""

    @property
    def weight(self) -> int:
        """About how many bytes it takes in memory: whoever may write the object decides that."""
        texts_of_others = (self.owner, self.digest, self.stamp, self.origin)
        return _BARE + sum(map(len, texts_of_others)) + len(self.names) + (self.others.weight if self.others else 0)

    @property
    def managers(self) -> tuple[str, ...]:
        """The other managers of its data, for the message of a refusal."""
        return tuple(holder.manager for holder in self.field_managers if holder.keys)

    @property
    def field_managers(self) -> tuple[FieldManager, ...]:
        """The field managers other than our own."""
        return self.others.field_managers if self.others else ()

    @property
    def controller(self) -> str:
        """Kind and name of its controller; "" if it has none."""
        return self.others.controller if self.others else ""

    @property
    def parts(self) -> tuple[MergedShare, ...]:
        """The shares that PhaseSecrets merged into it, sorted by field manager."""
        return self.others.parts if self.others else ()

    def belongs_to(self, key: ObjectKey) -> bool:
        """Return whether its owner annotation names this PhaseSecret."""
        return self.owner == str(key)

    def share_of(self, key: ObjectKey) -> MergedShare | None:
        """Return the share that a PhaseSecret merged into it."""
        return self.part(merge_manager(key))

    def part(self, manager: str) -> MergedShare | None:
        """Return the share of one field manager."""
        # Anybody may write thousands of shares, so they are looked up and not searched.
        at = bisect_left(self.parts, manager, key=_manager)
        return next((each for each in self.parts[at : at + 1] if each.manager == manager), None)


_manager = attrgetter("manager")


def observe(metadata: Mapping[str, Any]) -> Observed:
    """Return what an object's metadata shows. Anybody may have written it, so nothing in it raises."""
    labels, annotations = texts(metadata.get("labels")), texts(metadata.get("annotations"))
    ours, others = _split_managers(metadata)
    field_managers = [holder for holder, _ in others]
    parts = sorted(_parts(others, labels, annotations), key=_manager)
    our_keys = data_keys(ours)
    keys_of_others = frozenset[str]().union(*(holder.keys for holder in field_managers))
    # On most targets others own no data, even if they own a label: nothing is kept of them then.
    is_shared = bool(parts or not ours or keys_of_others)
    version_of = labels.get(names.LABEL_VERSION_OF, "")
    deletes = annotations.get(names.ANNOTATION_ON_REMOVAL) == "Delete"
    return Observed(
        uid=text(metadata.get("uid")),
        resource_version=text(metadata.get("resourceVersion")),
        owner=annotations.get(names.ANNOTATION_OWNER, ""),
        digest=annotations.get(names.ANNOTATION_DIGEST, ""),
        stamp=annotations.get(names.ANNOTATION_SEAL, ""),
        owned_fields=_observed_shape(ours, our_keys, labels, annotations) if ours else b"",
        foreign_keys=tuple(sorted(keys_of_others - our_keys)),
        terminating="deletionTimestamp" in metadata,
        deletes=deletes,
        others=_others(field_managers, parts, metadata) if is_shared else None,
        version_of=version_of,
        created=text(metadata.get("creationTimestamp")) if version_of else "",
        origin=_origin(metadata, annotations) if deletes else "",
        names=_our_names(our_keys, keys_of_others, annotations),
    )


def is_vast(metadata: Mapping[str, Any]) -> bool:
    """Return whether an object has so many data keys or managers that judging it with every event takes too long."""
    fields = [mapping(entry.get("fieldsV1")) for entry in mappings(metadata.get("managedFields"))]
    keys = sum(len(mapping(each.get(f"f:{name}"))) for each in fields for name in DATA_FIELDS)
    return keys > _MOST_KEYS or len(fields) > _MOST_MANAGERS


def _split_managers(
    metadata: Mapping[str, Any],
) -> tuple[Mapping[str, Any], list[tuple[FieldManager, Mapping[str, Any]]]]:
    """Return the fields that our apply owns, and the other field managers, each with its fields."""
    ours: Mapping[str, Any] = {}
    others: list[tuple[FieldManager, Mapping[str, Any]]] = []
    for entry in mappings(metadata.get("managedFields")):
        if entry.get("subresource"):
            continue
        fields = mapping(entry.get("fieldsV1"))
        manager, operation = text(entry.get("manager")) or "unknown", text(entry.get("operation"))
        if (manager, operation) == (names.FIELD_MANAGER, "Apply"):
            # We still own the type of an object that we gave up, since no apply can remove it; it counts as nothing.
            ours = fields if fields.keys() - {"f:type"} else {}
        else:
            others.append((FieldManager(manager, operation, data_keys(fields)), fields))
    return ours, others


def _parts(
    others: Iterable[tuple[FieldManager, Mapping[str, Any]]], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> Iterator[MergedShare]:
    """Yield the shares that PhaseSecrets merged into the object."""
    for holder, fields in others:
        if not holder.merges:
            continue
        owned_fields = _observed_shape(fields, holder.keys, labels, {})
        owned = mapping(mapping(fields.get("f:metadata")).get("f:annotations"))
        found = part(holder.manager, holder.keys, owned_fields, annotations, owned)
        # A share that was emptied may still own the type of the object, since no apply can remove it.
        if found.claimed or found.digest:
            yield found


def _our_names(ours: frozenset[str], held_by_others: frozenset[str], annotations: Mapping[str, str]) -> bytes:
    """Return digests of our keys' names. Others own a key that they edited; our annotation shows that it is ours."""
    if ours and not held_by_others:
        return join_digests(map(name_digest, ours))
    recorded = recorded_names(annotations.get(names.ANNOTATION_KEYS, ""))
    if not (ours or held_by_others):
        return join_digests(recorded)
    return join_digests({*map(name_digest, ours), *recorded.intersection(map(name_digest, held_by_others))})


def _origin(metadata: Mapping[str, Any], annotations: Mapping[str, str]) -> str:
    owners = mappings(metadata.get("ownerReferences"))
    ours = (text(each.get("uid")) for each in owners if text(each.get("apiVersion")).startswith(f"{names.GROUP}/"))
    return next(ours, annotations.get(names.ANNOTATION_ORIGIN, ""))


def _others(
    field_managers: Iterable[FieldManager], parts: Iterable[MergedShare], metadata: Mapping[str, Any]
) -> CoManagers | None:
    owners = mappings(metadata.get("ownerReferences"))
    controller = next((each for each in owners if each.get("controller")), None)
    found = CoManagers(
        tuple(sorted(field_managers, key=lambda holder: (holder.manager, holder.operation))),
        tuple(sorted(parts, key=lambda each: each.manager)),
        f"{text(controller.get('kind'))} {text(controller.get('name'))}" if controller else "",
    )
    return None if found == CoManagers() else found


def _observed_shape(
    ours: Mapping[str, Any], our_keys: frozenset[str], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> bytes:
    owned = mapping(ours.get("f:metadata"))
    our_labels = only(labels, *_names("f:", owned.get("f:labels")))
    our_annotations = without(only(annotations, *_names("f:", owned.get("f:annotations"))), *_UNSHAPED)
    # In managedFields, list items are named k:{"uid":"..."}.
    owners = [text(mapping(parsed(item)).get("uid")) for item in _names("k:", owned.get("f:ownerReferences"))]
    return owned_fields_digest(our_keys, our_labels, our_annotations, owners)


def _names(sign: str, fields: object) -> list[str]:
    return [item[len(sign) :] for item in mapping(fields) if item.startswith(sign)]
