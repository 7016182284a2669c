"""What a PhaseSecret claims of a target: all of it or its keys, for its own lifetime or longer.

Rule: the defaults that users do not write are decided here, once.
"""

from dataclasses import dataclass, replace

from phase_operator.api.v1alpha1.phasesecret import (
    CreationPolicy,
    DeletionPolicy,
    ManagedSecretReference,
    OnTypeChange,
    TargetFields,
)


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
