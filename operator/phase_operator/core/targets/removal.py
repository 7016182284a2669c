"""May what stands there be deleted, or our part of it be taken out: the one place that decides it, for whatever reason.

Rule: only this module can make a `Delete` or a `Withdraw`, and it makes one only for an object whose owner mark names
the PhaseSecret that asks and in which the API server still lists our own apply. A mark alone says nothing: whoever
copies an object copies its marks, too.
"""

from dataclasses import InitVar, dataclass
from typing import Final, assert_never, final

from phase_operator.api import names
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.desired import origin_mark
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.policy import Claim
from phase_operator.core.targets.versions import is_version, version_label


class _Decision:
    """What a removal is made with: nobody else has one."""


_DECIDED: Final = _Decision()


@final
@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object, if it is still the one that was judged."""

    uid: str
    resource_version: str
    decided: InitVar[_Decision]

    def __post_init__(self, decided: _Decision) -> None:
        """Refuse to be made by anybody else."""
        _check(decided)


@final
@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take out what one of our field managers has written into the object, and nothing else."""

    manager: str
    # Without it, an apply would make an object that is gone by now.
    uid: str
    resource_version: str
    # Stays, since Kubernetes cannot take it out; see plan.Apply.
    type: str
    decided: InitVar[_Decision]

    def __post_init__(self, decided: _Decision) -> None:
        """Refuse to be made by anybody else."""
        _check(decided)


Removal = Delete | Withdraw


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave it. `why` is for people, where somebody could expect it to go; else it is empty."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Unwanted:
    """The PhaseSecret wants the object no more: its target was dropped or renamed, or the PhaseSecret itself ends.

    The object's own mark says whether it goes. What the spec still says of the target may only spare it.
    """

    # What the spec says of it; None: the spec does not name it.
    claim: Claim | None = None
    # Kubernetes takes whole objects with their PhaseSecret, and may have been told to spare them.
    is_collected: bool = False
    # Why the PhaseSecret may not reach the object's namespace; "" if it may.
    refused: str = ""
    # False: nothing but marks says that the PhaseSecret wrote it. Then they have to name its uid and this very place.
    is_told: bool = True


@dataclass(frozen=True, slots=True)
class Superseded:
    """A version of a target, of which newer ones are kept."""

    base: TargetRef


@dataclass(frozen=True, slots=True)
class Needless:
    """The copy of a Secret that is there again. Its owner is the one that only copies have."""


@dataclass(frozen=True, slots=True)
class Retyped:
    """A Secret that is made anew, with another type, as soon as it is gone."""


Why = Unwanted | Superseded | Needless | Retyped


def removal(ref: TargetRef, observed: Observed | None, owner: Owner, why: Why) -> Removal | Leave:
    """Say how an object goes, or that it stays, when a PhaseSecret has this reason to remove it."""
    if observed is None or observed.terminating:
        return Leave()
    match why:
        case Unwanted():
            return _unwanted(ref, observed, owner, why)
        case Superseded(base=base):
            return _whole(observed, owner) if is_version_of(ref, observed, base) else Leave()
        case Needless() | Retyped():
            return _whole(observed, owner)
        case _:
            assert_never(why)


def is_version_of(ref: TargetRef, observed: Observed, base: TargetRef) -> bool:
    """Say whether an object is a version of a target, by its place, its label and its name."""
    is_there = (ref.kind, ref.key.namespace) == (base.kind, base.key.namespace)
    labelled = observed.version_of == version_label(base.key.name)
    return is_there and labelled and is_version(ref.key.name, base.key.name)


def _unwanted(ref: TargetRef, observed: Observed, owner: Owner, why: Unwanted) -> Removal | Leave:
    found = _part(observed, owner, why) if observed.owner != str(owner.key) else _unwanted_whole(observed, owner, why)
    if isinstance(found, Leave):
        return found
    if not why.is_told and not _names_place(ref, observed, owner):
        return Leave()
    return Leave(why.refused) if why.refused else found


def _unwanted_whole(observed: Observed, owner: Owner, why: Unwanted) -> Removal | Leave:
    is_spared = why.claim is not None and not why.claim.merges and not why.claim.deletes
    found = Leave() if is_spared or why.is_collected or not observed.deletes else _whole(observed, owner)
    own = merge_manager(owner.key)
    if isinstance(found, Delete) and any(part.keys and part.manager != own for part in observed.parts):
        # Since this PhaseSecret wants it no more, others have merged into it: their keys stay.
        return Withdraw(names.FIELD_MANAGER, observed.uid, observed.resource_version, "", _DECIDED)
    return found


def _part(observed: Observed, owner: Owner, why: Unwanted) -> Removal | Leave:
    # A part is known by its field manager: that of a copy is not listed.
    part = observed.part(merge_manager(owner.key))
    is_spared = why.claim is not None and why.claim.merges and not why.claim.deletes
    if part is None or is_spared or not part.deletes:
        return Leave()
    return Withdraw(part.manager, observed.uid, observed.resource_version, part.type, _DECIDED)


def _whole(observed: Observed, owner: Owner) -> Removal | Leave:
    if observed.owner != str(owner.key) or not observed.is_applied:
        return Leave()
    return Delete(observed.uid, observed.resource_version, _DECIDED)


def _names_place(ref: TargetRef, observed: Observed, owner: Owner) -> bool:
    """Say whether the marks name the PhaseSecret's uid and this very object: no copy's and no namesake's do."""
    place = origin_mark(owner.uid, ref)
    if observed.owner != str(owner.key):
        part = observed.part(merge_manager(owner.key))
        return part is not None and part.origin == place
    # An ownerReference reaches no other namespace, and Kubernetes would collect by it as well.
    return observed.origin == (owner.uid if ref.key.namespace == owner.key.namespace else place)


def _check(decided: object) -> None:
    if decided is not _DECIDED:
        raise TypeError("only core.removal decides what is removed")
