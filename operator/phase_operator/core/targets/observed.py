"""What stands at a target's place, read from its metadata.

Rule: a target is judged by its metadata alone. The digest annotation says which content we applied last, and
managedFields say whether every field that we applied is still ours; so the values never have to be read back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import mapping, mappings, parsed, text, texts
from phase_operator.core.targets.fingerprint import joined, name_digest, names_told
from phase_operator.core.targets.merge import Holder, Others, Part, part
from phase_operator.core.targets.owned_fields import data_keys, owned_fields_digest

# Annotations of ours that are no part of an object's shape.
_UNSHAPED = frozenset({names.ANNOTATION_DIGEST, names.ANNOTATION_SEAL, names.ANNOTATION_ORIGIN})


@dataclass(frozen=True, slots=True)
class Observed:
    """What stands at a target's place, boiled down to what decisions need; small, since thousands are kept."""

    uid: str
    resource_version: str
    # namespace/name of the PhaseSecret whose mark it carries, "" if none.
    owner: str
    digest: str
    # What our own apply still owns, comparable with Desired.shape; empty if we never applied it.
    shape: bytes
    # Data keys that others put there and we never applied.
    foreign_keys: tuple[str, ...]
    terminating: bool = False
    # core/targets/provenance.py: what it was made from; "" if it does not say.
    seal: str = ""
    # It says that it may be deleted when its PhaseSecret names it no more.
    deletes: bool = False
    # None for the usual target, on whose data nobody else is at work.
    others: Others | None = None
    # The label of versions: which base name it belongs to; "" if it is no version.
    version_of: str = ""
    # When it was made, kept of versions alone: RFC 3339 in UTC, so that texts compare like times.
    created: str = ""
    # The uid in our ownerReference, or an `origin_mark`; kept only of what goes when it is wanted no more.
    origin: str = ""
    # core/targets/fingerprint.py: the digests of the names of the keys that we wrote and that stand, one after another.
    names: bytes = field(default=b"", compare=False)

    @property
    def is_applied(self) -> bool:
        """Whether the API server lists an apply of ours on it: on a copy that somebody made, it does not."""
        return self.shape != b""

    @property
    def managers(self) -> tuple[str, ...]:
        """Who else manages its data, for the message of a refusal."""
        return tuple(holder.manager for holder in self.holders if holder.keys)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Every field manager besides our own."""
        return self.others.holders if self.others else ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """What PhaseSecrets merged into it."""
        return self.others.parts if self.others else ()

    def part(self, manager: str) -> Part | None:
        """Return what one PhaseSecret merged into it."""
        return next((each for each in self.parts if each.manager == manager), None)


def observe(metadata: Mapping[str, Any]) -> Observed:
    """Boil an object's metadata down to an Observed. Anybody may have written it, so nothing in it raises."""
    labels, annotations = texts(metadata.get("labels")), texts(metadata.get("annotations"))
    ours: Mapping[str, Any] = {}
    holders: list[Holder] = []
    parts: list[Part] = []
    for entry in mappings(metadata.get("managedFields")):
        if entry.get("subresource"):
            continue
        fields = mapping(entry.get("fieldsV1"))
        manager, operation = text(entry.get("manager")) or "unknown", text(entry.get("operation"))
        if manager == names.FIELD_MANAGER and operation == "Apply":
            # The type alone is what is left of an object that was given up: nobody can take it away.
            ours = fields if fields.keys() - {"f:type"} else {}
            continue
        keys = data_keys(fields)
        holders.append(Holder(manager, operation, keys))
        if manager.startswith(names.MERGE_MANAGER_PREFIX) and operation == "Apply":
            shape = _observed_shape(fields, keys, labels, {})
            owned = mapping(mapping(fields.get("f:metadata")).get("f:annotations"))
            found = part(manager, keys, shape, annotations, owned)
            # An intent that was emptied may leave the type of the object behind, which nobody can take away.
            if found.claimed or found.digest:
                parts.append(found)
    our_keys = data_keys(ours)
    # On most targets others own no data, whatever they label; nothing is kept of them then.
    is_shared = bool(parts) or not ours or any(holder.keys for holder in holders)
    version_of = labels.get(names.LABEL_VERSION_OF, "")
    deletes = annotations.get(names.ANNOTATION_ON_REMOVAL) == "Delete"
    return Observed(
        uid=text(metadata.get("uid")),
        resource_version=text(metadata.get("resourceVersion")),
        owner=annotations.get(names.ANNOTATION_OWNER, ""),
        digest=annotations.get(names.ANNOTATION_DIGEST, ""),
        seal=annotations.get(names.ANNOTATION_SEAL, ""),
        shape=_observed_shape(ours, our_keys, labels, annotations) if ours else b"",
        foreign_keys=tuple(sorted(frozenset().union(*(holder.keys for holder in holders)) - our_keys)),
        terminating="deletionTimestamp" in metadata,
        deletes=deletes,
        others=_others(holders, parts, metadata) if is_shared else None,
        version_of=version_of,
        created=text(metadata.get("creationTimestamp")) if version_of else "",
        origin=_origin(metadata, annotations) if deletes else "",
        names=_our_names(our_keys, frozenset().union(*(holder.keys for holder in holders)), annotations),
    )


def _our_names(ours: frozenset[str], held_by_others: frozenset[str], annotations: Mapping[str, str]) -> bytes:
    """Return which keys are ours; one that was edited by hand is another manager's, and our annotation still tells."""
    if ours and not held_by_others:
        return joined(map(name_digest, ours))
    told = names_told(str(annotations.get(names.ANNOTATION_KEYS, "")))
    if not ours and not held_by_others:
        return joined(told)
    return joined({*map(name_digest, ours), *(told & set(map(name_digest, held_by_others)))})


def _origin(metadata: Mapping[str, Any], annotations: Mapping[str, str]) -> str:
    for each in mappings(metadata.get("ownerReferences")):
        if text(each.get("apiVersion")).startswith(f"{names.GROUP}/"):
            return text(each.get("uid"))
    return annotations.get(names.ANNOTATION_ORIGIN, "")


def _others(holders: Iterable[Holder], parts: Iterable[Part], metadata: Mapping[str, Any]) -> Others | None:
    owners = mappings(metadata.get("ownerReferences"))
    controller = next((each for each in owners if each.get("controller")), None)
    found = Others(
        tuple(sorted(holders, key=lambda holder: (holder.manager, holder.operation))),
        tuple(sorted(parts, key=lambda each: each.manager)),
        f"{text(controller.get('kind'))} {text(controller.get('name'))}" if controller else "",
    )
    return None if found == Others() else found


def _observed_shape(
    ours: Mapping[str, Any], our_keys: frozenset[str], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> bytes:
    owned = mapping(ours.get("f:metadata"))
    our_labels = {key: labels[key] for key in _names(owned.get("f:labels")) if key in labels}
    our_annotations = {
        key: annotations[key]
        for key in _names(owned.get("f:annotations"))
        if key in annotations and key not in _UNSHAPED
    }
    # managedFields name list items as k:{"uid":"..."}.
    items = (item for item in mapping(owned.get("f:ownerReferences")) if item.startswith("k:"))
    owners = [text(mapping(parsed(item[2:])).get("uid")) for item in items]
    return owned_fields_digest(our_keys, our_labels, our_annotations, owners)


def _names(fields: object) -> list[str]:
    return [item[2:] for item in mapping(fields) if item.startswith("f:")]
