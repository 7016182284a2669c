"""What a status records of targets: which were written, which left the spec, and the newest versions.

Rule: the status names every written target, so a target that leaves the spec is not forgotten before it is handled.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from phase_operator.core.json_access import mappings, text
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.targets.versions import is_version
from phase_operator.core.values import ObjectKey

_KINDS = frozenset(map(str, Kind))


def removed_targets(status: Mapping[str, Any], targets: Collection[TargetRef]) -> list[TargetRef]:
    """Return the targets that the status names and the spec does not."""
    return [target for target in recorded_refs(status) if target not in targets]


def recorded_refs(status: Mapping[str, Any]) -> Iterator[TargetRef]:
    """Yield the targets that a status names."""
    return (target for target, _ in recorded_targets(status))


def written_before(status: Mapping[str, Any], target: TargetRef) -> bool:
    """Return whether the status records that a target was written; users cannot write statuses."""
    return any(ref == target and "keys" in entry for ref, entry in recorded_targets(status))


def newest_versions(status: Mapping[str, Any]) -> dict[TargetRef, str]:
    """Return the name of the newest object of each versioned target, as the status records it.

    A client with access to statuses could write any name: one that no version of the target can have is ignored.
    """
    found = {target: text(entry.get("version")) for target, entry in recorded_targets(status)}
    return {target: version for target, version in found.items() if is_version(version, target.key.name)}


def newest_version(target: TargetRef, versions: Mapping[TargetRef, str]) -> TargetRef:
    """Return the object that workloads read: the newest version of a versioned target, else the target itself."""
    name = versions.get(target)
    return target if name is None else TargetRef(target.kind, ObjectKey(target.key.namespace, name))


def recorded_targets(status: Mapping[str, Any]) -> Iterator[tuple[TargetRef, Mapping[str, Any]]]:
    """Yield the targets of a status, each with its entry; entries that this version does not understand are skipped."""
    for target in mappings(status.get("targets")):
        ref = recorded_ref(target)
        if ref is not None:
            yield ref, target


def recorded_ref(target: Mapping[str, Any]) -> TargetRef | None:
    """Return the target of a status entry; None if this version does not understand the entry."""
    kind, namespace, name = (text(target.get(each)) for each in ("kind", "namespace", "name"))
    if kind not in _KINDS or not namespace or not name:
        return None
    return TargetRef(Kind(kind), ObjectKey(namespace, name))
