"""Whether an object may be deleted, or our share removed from it. No other module decides this.

Rule: only this module makes a `Delete` or a `Withdraw`. It makes one only if managedFields list our apply: for a whole
object together with an owner mark that names the PhaseSecret, for a share under the PhaseSecret's own field manager. A
mark alone proves nothing, since a copy of an object has the same marks.
"""

from dataclasses import InitVar, dataclass
from typing import Final, assert_never, final

from phase_operator.api import names
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.desired import origin_mark
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.policy import TargetPolicy
from phase_operator.core.targets.versions import is_version, version_label


class _Decision:
    """The proof that this module made a removal: no other module has one."""


_DECIDED: Final = _Decision()


@final
@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object, if it is still the version that was judged."""

    uid: str
    resource_version: str
    decided: InitVar[_Decision]

    def __post_init__(self, decided: _Decision) -> None:
        """Raise TypeError if another module makes it."""
        _check(decided)


@final
@dataclass(frozen=True, slots=True)
class Withdraw:
    """Remove what one of our field managers has written into the object, and nothing else."""

    manager: str
    # Without it, the apply would create the object again if it was deleted meanwhile.
    uid: str
    resource_version: str
    # The type stays, since Kubernetes cannot remove it; see plan.Apply.
    type: str
    decided: InitVar[_Decision]

    def __post_init__(self, decided: _Decision) -> None:
        """Raise TypeError if another module makes it."""
        _check(decided)


Removal = Delete | Withdraw


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the object. `why` is for people who would expect its deletion; otherwise it is empty."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Unwanted:
    """The PhaseSecret does not name the object any more: the target was removed or renamed, or the PhaseSecret ends.

    The object's own mark says whether it is deleted. A spec that still names it can only keep it.
    """

    # Its policies by the spec; None: the spec does not name it.
    policy: TargetPolicy | None = None
    # Kubernetes deletes whole objects with their PhaseSecret, unless a person asked it to orphan them.
    is_collected: bool = False
    # Why the PhaseSecret may not reach the object's namespace; "" if it may.
    refused: str = ""
    # False: only marks say that the PhaseSecret wrote it. Then they must name its uid and the place of this object.
    is_recorded: bool = True


@dataclass(frozen=True, slots=True)
class Superseded:
    """The object is an old version of a target; newer ones are kept."""

    base: TargetRef


@dataclass(frozen=True, slots=True)
class Needless:
    """The object is the copy of a Secret that exists again. Its owner is one that only copies have."""


@dataclass(frozen=True, slots=True)
class Retyped:
    """The object is a Secret that is created again, with another type, as soon as it is deleted."""


@dataclass(frozen=True, slots=True)
class Spent:
    """The object is the record of a lease that was given back, or that no ledger names."""


Why = Unwanted | Superseded | Needless | Retyped | Spent


def removal(ref: TargetRef, observed: Observed | None, owner: Owner, why: Why) -> Removal | Leave:
    """Return how to remove an object for this reason, or that it stays."""
    if observed is None or observed.terminating:
        return Leave()
    match why:
        case Unwanted():
            return _unwanted(ref, observed, owner, why)
        case Superseded(base=base):
            return _whole(observed, owner) if is_version_of(ref, observed, base) else Leave()
        case Needless() | Retyped():
            return _whole(observed, owner)
        case Spent():
            return _whole(observed, owner) if observed.origin == owner.uid else Leave()
        case _:
            assert_never(why)


def is_version_of(ref: TargetRef, observed: Observed, base: TargetRef) -> bool:
    """Return whether an object is a version of a target, by its place, its label and its name."""
    is_there = (ref.kind, ref.key.namespace) == (base.kind, base.key.namespace)
    labelled = observed.version_of == version_label(base.key.name)
    return is_there and labelled and is_version(ref.key.name, base.key.name)


def _unwanted(ref: TargetRef, observed: Observed, owner: Owner, why: Unwanted) -> Removal | Leave:
    found = _unwanted_whole(observed, owner, why) if observed.belongs_to(owner.key) else _part(observed, owner, why)
    if isinstance(found, Leave):
        return found
    if not why.is_recorded and not _names_place(ref, observed, owner):
        return Leave()
    return Leave(why.refused) if why.refused else found


def _unwanted_whole(observed: Observed, owner: Owner, why: Unwanted) -> Removal | Leave:
    if _is_spared(why.policy, merges=False) or why.is_collected or not observed.deletes:
        return Leave()
    found = _whole(observed, owner)
    if isinstance(found, Delete) and _holds_keys_of_others(observed, owner):
        # Others have merged into it since this PhaseSecret gave it up: their keys stay.
        return Withdraw(names.FIELD_MANAGER, observed.uid, observed.resource_version, "", _DECIDED)
    return found


def _part(observed: Observed, owner: Owner, why: Unwanted) -> Removal | Leave:
    # A share is known by its field manager, which managedFields do not list on a copy.
    part = observed.share_of(owner.key)
    if part is None or _is_spared(why.policy, merges=True) or not part.deletes:
        return Leave()
    return Withdraw(part.manager, observed.uid, observed.resource_version, part.type, _DECIDED)


def _holds_keys_of_others(observed: Observed, owner: Owner) -> bool:
    """Return whether shares of other PhaseSecrets have keys in the object."""
    own = merge_manager(owner.key)
    return any(part.keys for part in observed.parts if part.manager != own)


def _is_spared(policy: TargetPolicy | None, *, merges: bool) -> bool:
    """Return whether the spec still names the object, in this way, and keeps it."""
    return policy is not None and policy.merges is merges and not policy.deletes


def _whole(observed: Observed, owner: Owner) -> Removal | Leave:
    if not (observed.belongs_to(owner.key) and observed.is_applied):
        return Leave()
    return Delete(observed.uid, observed.resource_version, _DECIDED)


def _names_place(ref: TargetRef, observed: Observed, owner: Owner) -> bool:
    """Return whether the marks name the PhaseSecret's uid and the place of this object: those of copies do not."""
    place = origin_mark(owner.uid, ref)
    if not observed.belongs_to(owner.key):
        part = observed.share_of(owner.key)
        return part is not None and part.origin == place
    # An ownerReference works within one namespace only, and Kubernetes would delete by it as well.
    return observed.origin == (owner.uid if ref.key.namespace == owner.key.namespace else place)


def _check(decided: object) -> None:
    if decided is not _DECIDED:
        raise TypeError("only core.removal decides what is removed")
