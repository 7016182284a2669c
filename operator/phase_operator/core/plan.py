"""Desired x observed -> what to do, as data.

Rule: nothing is written when nothing differs, and nothing that is not ours is written or removed at all.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.claims import Claim
from phase_operator.core.ownership import objection
from phase_operator.core.targets.base import Desired, Observed
from phase_operator.core.targets.parts import merge_annotation, merge_manager, read_mark, spelled
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply the manifest. `resource_version` is the object we judged; None: it must not exist yet."""

    resource_version: str | None
    # Data keys of others to take out afterwards: server-side apply leaves what it does not own.
    prune: tuple[str, ...] = ()
    # Other field managers of ours whose fields are given up afterwards: those of another creationPolicy.
    release: tuple[str, ...] = ()
    # With Merge: the type that the object has from us, to be named as long as we own it.
    type: str = ""
    # False: a field that another manager holds, unseen by us, is a conflict.
    force: bool = True


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave it: it is as it should be."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Leave it: it is not ours."""

    why: str
    # The PhaseSecrets in the way, if it is these.
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object, if it is still the one that was judged."""

    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take out what a field manager of ours has put in, and nothing else."""

    manager: str
    # Without it, an apply would make an object that is gone by now.
    uid: str
    resource_version: str
    # Stays, since Kubernetes cannot take it out; see Apply.
    type: str = ""


Action = Apply
Plan = Apply | Keep | Refuse
Removal = Delete | Withdraw


def plan(desired: Desired, observed: Observed | None, gone: Collection[str] = ()) -> Plan:
    """Say what brings the target to what it should be. `gone` are PhaseSecrets that do not want it any more."""
    if observed is None:
        return Apply(resource_version=None, type=desired.made_as)
    found = objection(desired, observed, gone)
    if found is not None:
        cure = (
            "choose another name, or let that one go first"
            if found.by
            else "choose another name, delete it, or set adopt to take it over"
        )
        return Refuse(f"it exists and is not ours: {found.why}; {cure}", found.by)
    return _plan_part(desired, observed) if desired.claim.merges else _plan_whole(desired, observed)


def _plan_whole(desired: Desired, observed: Observed) -> Apply | Keep:
    own = merge_manager(desired.owner.key)
    release = (own,) if observed.part(own) else ()
    # What others hold beside us would stay when we give it up.
    held = frozenset[str]().union(observed.foreign_keys, *(holder.keys for holder in observed.holders))
    prune = tuple(sorted(held - desired.keys))
    is_same = observed.digest == desired.digest and observed.shape == desired.shape
    if is_same and not prune and not release:
        return Keep()
    return Apply(observed.resource_version, prune, release)


def _plan_part(desired: Desired, observed: Observed) -> Apply | Keep:
    own = observed.part(desired.manager)
    was_whole = observed.owner == str(desired.owner.key)
    if own is not None and not was_whole:
        is_same = own.digest == desired.digest and own.shape == desired.shape and own.recorded == desired.keys
        return Keep() if is_same else Apply(observed.resource_version, type=own.type)
    if was_whole:
        return Apply(observed.resource_version, release=(names.FIELD_MANAGER,), type=desired.made_as)
    held = any(holder.keys & desired.keys for holder in observed.holders)
    return Apply(observed.resource_version, force=held or desired.claim.adopt)


def intent(desired: Desired, action: Apply, version: str) -> dict[str, Any]:
    """Return what is applied."""
    metadata = desired.manifest["metadata"] | {"resourceVersion": version}
    if not action.type:
        return desired.manifest | {"metadata": metadata}
    marked = read_mark(metadata["annotations"], desired.manager) | {"type": action.type}
    annotations = metadata["annotations"] | {merge_annotation(desired.manager): spelled(marked)}
    return desired.manifest | {"metadata": metadata | {"annotations": annotations}, "type": action.type}


def removal(
    observed: Observed | None, owner: ObjectKey, claim: Claim | None = None, *, is_collected: bool = False
) -> Removal | None:
    """Say how a target goes that is not wanted any more, or None if it stays as it is.

    `claim` is what the spec says of it; where the spec names it no more, its own marks tell what the spec said last.
    A whole object that is collected with its PhaseSecret is left to Kubernetes, which may have been told to spare it.
    """
    if observed is None or observed.terminating:
        return None
    if observed.owner == str(owner):
        deletes = observed.deletes if claim is None or claim.merges else claim.deletes
        return Delete(observed.uid, observed.resource_version) if deletes and not is_collected else None
    part = observed.part(merge_manager(owner))
    if part is None:
        return None
    deletes = part.deletes if claim is None or not claim.merges else claim.deletes
    return Withdraw(part.manager, observed.uid, observed.resource_version, part.type) if deletes else None
