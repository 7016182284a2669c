"""The targets of a spec and their policies: who owns the object, and what happens to it in the end.

Rule: the defaults of creation, deletion and adoption are decided here and nowhere else.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import (
    CreationPolicy,
    DeletionPolicy,
    Followers,
    ManagedConfigMapReference,
    ManagedSecretReference,
    OnTypeChange,
    TargetFields,
)
from phase_operator.core.errors import Invalid
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey

# The default of the deletion policy. Keys that stay in the object of others, and no spec names any more, are litter.
_DELETION = {
    CreationPolicy.OWNER: DeletionPolicy.RETAIN,
    CreationPolicy.ORPHAN: DeletionPolicy.RETAIN,
    CreationPolicy.MERGE: DeletionPolicy.DELETE,
}


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """The policies of a target as they take effect."""

    creation: CreationPolicy = CreationPolicy.OWNER
    deletion: DeletionPolicy = DeletionPolicy.RETAIN
    # Take over an object that others made.
    adopt: bool = False
    # Replace a Secret if its type has to change.
    replace: bool = False
    # False: an object that others made is never taken over, even if nothing shows who made it. So it is in another
    # namespace, unless a grant allows more.
    takes: bool = True
    # Workloads that read the object may be restarted for it.
    is_followed: bool = True

    @property
    def merges(self) -> bool:
        """Whether the object belongs to others, and only our keys in it are ours."""
        return self.creation is CreationPolicy.MERGE

    @property
    def deletes(self) -> bool:
        """Whether what we wrote is deleted when the spec does not name it any more."""
        return self.deletion is DeletionPolicy.DELETE

    def without_taking(self) -> "TargetPolicy":
        """Return the same policies without the right to take over an object that others made."""
        return replace(self, adopt=False, takes=False)


def policy(target: TargetFields) -> TargetPolicy:
    """Return the policies of a target, with defaults."""
    creation = target.creation_policy or CreationPolicy.OWNER
    return TargetPolicy(
        creation,
        _deletion(target, creation),
        bool(target.adopt),
        _replaces(target) and creation is not CreationPolicy.MERGE,
        # A version is a new object for each content, so no workload has read it before.
        is_followed=target.versioned is None and target.restart.workloads is not Followers.NONE,
    )


def _deletion(target: TargetFields, creation: CreationPolicy) -> DeletionPolicy:
    if creation is CreationPolicy.ORPHAN:
        return DeletionPolicy.RETAIN
    return target.deletion_policy or _DELETION[creation]


def _replaces(target: TargetFields) -> bool:
    return isinstance(target, ManagedSecretReference) and target.on_type_change is OnTypeChange.REPLACE


def secret_ref(target: ManagedSecretReference, namespace: str) -> TargetRef:
    """Return the kind, namespace and name of a target of a PhaseSecret in this namespace."""
    return TargetRef(Kind.SECRET, ObjectKey(target.secret_namespace or namespace, target.secret_name))


def config_map_ref(target: ManagedConfigMapReference, namespace: str) -> TargetRef:
    """Return the kind, namespace and name of a target of a PhaseSecret in this namespace."""
    return TargetRef(Kind.CONFIG_MAP, ObjectKey(target.config_map_namespace or namespace, target.config_map_name))


def spec_targets(spec: PhaseSecretSpec, namespace: str) -> Iterator[tuple[TargetRef, TargetFields]]:
    """Yield the targets of a spec and their fields, in the order of the spec."""
    for secret in spec.managed_secret_references:
        yield secret_ref(secret, namespace), secret
    for config_map in spec.managed_config_map_references:
        yield config_map_ref(config_map, namespace), config_map


def declared_targets(spec: PhaseSecretSpec, namespace: str) -> dict[TargetRef, TargetPolicy]:
    """Return the targets of a spec, in its order, with their policies; raise Invalid if the spec names one twice."""
    pairs = [(ref, policy(target)) for ref, target in spec_targets(spec, namespace)]
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _named_twice(ref for ref, _ in pairs)
    return found


def _named_twice(targets: Iterable[TargetRef]) -> Invalid:
    times = Counter(map(str, targets))
    doubles = sorted(target for target in times if times[target] > 1)
    return Invalid(Reason.INVALID_SPEC, f"the same target is named twice: {listing(doubles)}")


def needs_finalizer(targets: Mapping[TargetRef, TargetPolicy], namespace: str) -> bool:
    """Return whether the PhaseSecret ends with a deletion that the garbage collector does not do."""
    return any(
        policy.deletes and (policy.merges or target.key.namespace != namespace) for target, policy in targets.items()
    )
