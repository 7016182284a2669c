"""Which targets a spec wants and on which terms, and which it does not name any more.

Rule: what was written is known from the status, so a target that is dropped from the spec is not forgotten before it
was dealt with.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import ManagedConfigMapReference, ManagedSecretReference, TargetFields
from phase_operator.core.claims import Claim, claim
from phase_operator.core.errors import Invalid
from phase_operator.core.foreign import mappings, text
from phase_operator.core.keys import listing
from phase_operator.core.targets.base import Kind, TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.core.versions import is_version

_KINDS = frozenset(map(str, Kind))


def secret_ref(target: ManagedSecretReference, namespace: str) -> TargetRef:
    """Return where a target of a PhaseSecret in this namespace is."""
    return TargetRef(Kind.SECRET, ObjectKey(target.secret_namespace or namespace, target.secret_name))


def config_map_ref(target: ManagedConfigMapReference, namespace: str) -> TargetRef:
    """Return where a target of a PhaseSecret in this namespace is."""
    return TargetRef(Kind.CONFIG_MAP, ObjectKey(target.config_map_namespace or namespace, target.config_map_name))


def places(spec: PhaseSecretSpec, namespace: str) -> Iterator[tuple[TargetRef, TargetFields]]:
    """Yield where the targets of a spec are and what it says of each, in its order."""
    for secret in spec.managed_secret_references:
        yield secret_ref(secret, namespace), secret
    for config_map in spec.managed_config_map_references:
        yield config_map_ref(config_map, namespace), config_map


def wanted(spec: PhaseSecretSpec, namespace: str) -> dict[TargetRef, Claim]:
    """Return the targets of a spec, in its order, with what is claimed of each; raise Invalid if one is named twice."""
    pairs = [(ref, claim(target)) for ref, target in places(spec, namespace)]
    found = dict(pairs)
    if len(found) != len(pairs):
        named_often = Counter(str(target) for target, _ in pairs)
        doubles = sorted(target for target, times in named_often.items() if times > 1)
        raise Invalid(Reason.INVALID_SPEC, f"the same target is named twice: {listing(doubles)}")
    return found


def needs_finalizer(targets: Mapping[TargetRef, Claim], namespace: str) -> bool:
    """Say whether something has to be removed with the PhaseSecret that no garbage collector takes away."""
    return any(
        claim.deletes and (claim.merges or target.key.namespace != namespace) for target, claim in targets.items()
    )


def dropped(status: Mapping[str, Any], targets: Collection[TargetRef]) -> list[TargetRef]:
    """Return the targets that the status names and the spec does not."""
    return [target for target in named(status) if target not in targets]


def named(status: Mapping[str, Any]) -> Iterator[TargetRef]:
    """Yield the targets that a status names."""
    return (target for target, _ in told_targets(status))


def written_before(status: Mapping[str, Any], target: TargetRef) -> bool:
    """Say whether the status tells that a target was written; no user can make it say so."""
    return any(ref == target and "keys" in told for ref, told in told_targets(status))


def standing_versions(status: Mapping[str, Any]) -> dict[TargetRef, str]:
    """Return the name of the newest object of each versioned target, as the status has it.

    Whoever may write statuses may write any name there: only one that a version of the target can have counts.
    """
    found = {target: text(told.get("version")) for target, told in told_targets(status)}
    return {target: version for target, version in found.items() if is_version(version, target.key.name)}


def standing(target: TargetRef, versions: Mapping[TargetRef, str]) -> TargetRef:
    """Return the object that stands for a target: its newest version, if it is versioned."""
    name = versions.get(target)
    return target if name is None else TargetRef(target.kind, ObjectKey(target.key.namespace, name))


def told_targets(status: Mapping[str, Any]) -> Iterator[tuple[TargetRef, Mapping[str, Any]]]:
    """Yield the targets of a status, each with what it tells; what this version does not know is passed over."""
    for target in mappings(status.get("targets")):
        ref = told_ref(target)
        if ref is not None:
            yield ref, target


def told_ref(target: Mapping[str, Any]) -> TargetRef | None:
    """Return which target a status tells of; None if a later version, or a hand, wrote what we do not know."""
    kind, namespace, name = (text(target.get(each)) for each in ("kind", "namespace", "name"))
    if kind not in _KINDS or not namespace or not name:
        return None
    return TargetRef(Kind(kind), ObjectKey(namespace, name))
