"""How resources leave a cluster so that every target stays: what there is, what is dangerous, what comes first.

Rule: a target that its resource would take along is set to Retain before the resource is deleted. What cannot be kept
so is a reason not to begin.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.cli.acting.key_changes import KeyState
from phase_operator.cli.common.appliers import applier
from phase_operator.cli.common.resources import key_of, kind_named, place_of, uid_of
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mapping, mappings, strings, text
from phase_operator.core.refs import TargetRef
from phase_operator.core.status.recorded import newest_version, newest_versions, recorded_refs
from phase_operator.core.targets.policy import policy, spec_targets
from phase_operator.core.text import clean, clean_listing
from phase_operator.core.values import ObjectKey
from phase_operator.kube.user_resources import OURS as KINDS
from phase_operator.kube.user_resources import Resource
from phase_operator.reconcile.context import parse_spec

OURS = frozenset({*names.FINALIZERS, names.LEGACY_FINALIZER})
_RETAIN, _DELETE = "Retain", "Delete"
# The fields that name targets, in the order of a parsed spec, each with the field that holds a name.
_NAMES = {"managedSecretReferences": "secretName", "managedConfigMapReferences": "configMapName"}


@dataclass(frozen=True, slots=True)
class Leaver:
    """A resource that is to be deleted, and what hangs on it."""

    kind: str
    key: ObjectKey
    uid: str
    targets: tuple[TargetRef, ...]
    # The targets that would go with it.
    deletes: tuple[str, ...]
    finalizers: tuple[str, ...]
    warnings: tuple[str, ...]
    # Somebody has deleted it already, and it waits for a finalizer.
    is_ending: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.key.namespace}/{self.key.name}"

    @property
    def resource(self) -> Resource:
        """Which of our kinds it is of."""
        return kind_named(self.kind) or KINDS[0]

    def row(self) -> list[str]:
        """Return its line in the list: kind, namespace, name, number of targets, those set to Retain, finalizers."""
        finalizers = ",".join(clean(each) for each in self.finalizers) or "-"
        return [
            self.kind,
            self.key.namespace,
            self.key.name,
            str(len(self.targets)),
            clean_listing(self.deletes) or "-",
            finalizers,
        ]


HEAD = ("KIND", "NAMESPACE", "NAME", "TARGETS", "SET TO RETAIN", "FINALIZERS")


def leaver(found: Mapping[str, Any]) -> Leaver:
    """Return what hangs on a resource."""
    metadata, status = mapping(found.get("metadata")), mapping(found.get("status"))
    kind = text(found.get("kind"))
    versions = newest_versions(status)
    return Leaver(
        kind,
        place_of(found),
        uid_of(found),
        tuple(newest_version(each, versions) for each in recorded_refs(status)),
        tuple(_name(field, target) for field, target, deletes in _raw_targets(found) if deletes),
        tuple(strings(metadata.get("finalizers"))),
        tuple(_warnings(found, kind, status)),
        is_ending="deletionTimestamp" in metadata,
    )


def _warnings(found: Mapping[str, Any], kind: str, status: Mapping[str, Any]) -> Iterator[str]:
    spec = mapping(found.get("spec"))
    if (tool := applier(found)) is not None:
        yield f"{tool} applies it, and may make it again: take it out there first"
    if kind == names.KIND_PHASE_DYNAMIC_SECRET and spec.get("revoke") is not False:
        yield "its leases are revoked, so what its targets hold opens nothing any more"
    if kind == names.KIND_PHASE_PUSH_SECRET and spec.get("deletionPolicy") == _DELETE:
        entries = len(list(mappings(status.get("entries"))))
        yield f"its entries in Phase are deleted, {entries} of them: its deletionPolicy is Delete"
    if pending := [text(each.get("name")) for each in mappings(status.get("targets")) if _is_pending(each)]:
        yield f"{clean_listing(pending)}: out of the spec, with deletionPolicy Delete, so it goes if an operator runs"


def _is_pending(entry: Mapping[str, Any]) -> bool:
    return entry.get("reason") == "RemovalPending"


def _name(field: str, target: Mapping[str, Any]) -> str:
    return text(target.get(_NAMES[field]))


def _raw_targets(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """Yield the targets of a spec as they are written, each with its field and whether it goes with the resource."""
    spec = mapping(found.get("spec"))
    deletes = _deletes(found)
    number = 0
    for field in _NAMES:
        for target in mappings(spec.get(field)):
            # Of a spec that is not valid, nobody knows what a target of it means.
            is_deleted = deletes[number] if deletes is not None else target.get("deletionPolicy") != _RETAIN
            yield field, target, is_deleted
            number += 1


def _deletes(found: Mapping[str, Any]) -> Sequence[bool] | None:
    """Return for each target of a spec, in its order, whether it goes with the resource; None: it is not valid."""
    try:
        spec = parse_spec(mapping(found.get("spec")), key_of(found).kind)
    except Invalid:
        return None
    return [policy(target).deletes for _, target in spec_targets(spec, "")]


def retaining(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the merge patch by which no target goes with a resource; None if none does.

    A list is replaced as a whole, so the patch holds for this version of the resource alone.
    """
    fields: dict[str, list[dict[str, Any]]] = {}
    is_any = False
    for field, target, deletes in _raw_targets(found):
        is_any = is_any or deletes
        fields.setdefault(field, []).append({**target, "deletionPolicy": _RETAIN} if deletes else {**target})
    if not is_any:
        return None
    return {"metadata": {"resourceVersion": version_of(found)}, "spec": fields}


def releasing(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the merge patch that takes our finalizers off a resource; None if it has none."""
    finalizers = strings(mapping(found.get("metadata")).get("finalizers"))
    left = [each for each in finalizers if each not in OURS]
    if len(left) == len(finalizers):
        return None
    return {"metadata": {"resourceVersion": version_of(found), "finalizers": left}}


def version_of(found: Mapping[str, Any]) -> str:
    """Return the resourceVersion of an object."""
    return text(mapping(found.get("metadata")).get("resourceVersion"))


def obstacles(leavers: Iterable[Leaver]) -> list[str]:
    """Return why the work must not begin: what would be lost whatever is done."""
    return [
        f"{each} is being deleted already and would take {clean_listing(each.deletes)} along: wait until it is gone, "
        "or keep a copy of these"
        for each in leavers
        if each.is_ending and each.deletes
    ]


def losses(before: Mapping[TargetRef, KeyState], after: Mapping[TargetRef, KeyState | None]) -> list[str]:
    """Return a sentence for each object that is gone, or has fewer keys than before."""
    found = []
    for target, keys in sorted(before.items()):
        now = after.get(target)
        if now is None:
            found.append(f"{target} is gone")
        elif lost := keys.keys - now.keys:
            found.append(f"{target} lacks {clean_listing(lost)}")
    return found
