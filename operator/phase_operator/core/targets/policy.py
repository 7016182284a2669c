"""Which targets a spec names, and their policies: who owns the object, and what happens to it in the end.

Rule: the defaults that users do not write are decided here, once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import (
    CreationPolicy,
    DeletionPolicy,
    ManagedConfigMapReference,
    ManagedSecretReference,
    OnTypeChange,
    TargetFields,
)
from phase_operator.core.errors import Invalid
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class Claim:
    """The policies of a target as they take effect."""

    creation: CreationPolicy = CreationPolicy.OWNER
    deletion: DeletionPolicy = DeletionPolicy.RETAIN
    # Take over what somebody else made.
    adopt: bool = False
    # Make a Secret anew if its type has to change.
    replace: bool = False
    # False: what others made stays theirs, also without a sign of its maker. So it is in another namespace, unless a
    # grant says more.
    takes: bool = True

    @property
    def merges(self) -> bool:
        """The object is kept by others; only our keys are ours."""
        return self.creation is CreationPolicy.MERGE

    @property
    def deletes(self) -> bool:
        """What we wrote goes when it is wanted no more."""
        return self.deletion is DeletionPolicy.DELETE

    def without_taking(self) -> "Claim":
        """Return the same claim to what is free or its own already, and to nothing else."""
        return replace(self, adopt=False, takes=False)


def claim(target: TargetFields) -> Claim:
    """Return the policies of a target, defaults filled in."""
    creation = target.creation_policy or CreationPolicy.OWNER
    replace = isinstance(target, ManagedSecretReference) and target.on_type_change is OnTypeChange.REPLACE
    match creation:
        case CreationPolicy.MERGE:
            # Our keys in somebody else's object are litter once nobody writes them.
            return Claim(creation, target.deletion_policy or DeletionPolicy.DELETE, bool(target.adopt))
        case CreationPolicy.ORPHAN:
            return Claim(creation, DeletionPolicy.RETAIN, bool(target.adopt), replace)
        case CreationPolicy.OWNER:
            return Claim(creation, target.deletion_policy or DeletionPolicy.RETAIN, bool(target.adopt), replace)


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
