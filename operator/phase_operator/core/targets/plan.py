"""Desired x observed -> what to do, as data.

Rule: an object that is as it should be is not written, and neither is one that is not ours.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import MergedShare, merge_annotation, merge_manager, read_mark, spelled
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.ownership import Objection, is_free, objection


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply the manifest. `resource_version` is that of the object we judged; None: it must not exist yet."""

    resource_version: str | None
    # Data keys of others to remove afterwards: server-side apply leaves fields that it does not own.
    prune: tuple[str, ...] = ()
    # Field managers of ours whose fields are removed afterwards: those of the creationPolicy before.
    release: tuple[str, ...] = ()
    # With Merge: the type that the object has from us. Each apply must name it, as long as we own it.
    type: str = ""
    # False: a field that another manager owns, unseen by us, is a conflict.
    force: bool = True
    # True: the object is as it should be, and only its stamp is new.
    only_seal: bool = False
    # True: the object gets a reference to its owner that it does not have. Kubernetes deletes an object whose owner is
    # gone, so the owner has to be there when this is written.
    adds_owner: bool = False


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Leave the object: it is as it should be."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Leave the object: it is not ours."""

    why: str
    # The PhaseSecrets in the way; empty if others are.
    by: tuple[str, ...] = ()


Plan = Apply | Unchanged | Refuse


def plan(desired: Desired, observed: Observed | None, gone: Collection[str] = ()) -> Plan:
    """Return what makes observed desired. `gone` are PhaseSecrets that do not name the target any more."""
    if observed is None:
        return Apply(resource_version=None, type=desired.create_type, adds_owner=desired.names_owner)
    found = objection(desired, observed, gone)
    if found is not None:
        return Refuse(f"it exists and is not ours: {found.why}; {_cure(desired, found)}", found.by)
    return _plan_part(desired, observed) if desired.policy.merges else _plan_whole(desired, observed)


def _cure(desired: Desired, found: Objection) -> str:
    if found.by:
        return "choose another name, or let that one go first"
    if desired.policy.takes:
        return "choose another name, delete it, or set adopt to take it over"
    # Merge needs no adopt: it never takes the whole object over.
    adopting = "" if desired.policy.merges else ", together with adopt: true"
    grant = f"from={desired.owner.key.namespace},to={desired.ref.key.namespace},what=target+adopt"
    return f"choose another name, or ask the operator's administrator to allow it (--grant {grant}){adopting}"


def _plan_whole(desired: Desired, observed: Observed) -> Apply | Unchanged:
    own = merge_manager(desired.owner.key)
    release = (own,) if observed.part(own) else ()
    prune = _foreign_keys(desired, observed)
    is_same = (observed.digest, observed.owned_fields) == (desired.digest, desired.owned_fields)
    if is_same and not (prune or release):
        return Unchanged() if desired.is_sealed(observed.stamp) else Apply(observed.resource_version, only_seal=True)
    adds_owner = desired.names_owner and observed.origin != desired.owner.uid
    return Apply(observed.resource_version, prune, release, adds_owner=adds_owner)


def _foreign_keys(desired: Desired, observed: Observed) -> tuple[str, ...]:
    """Return the data keys of others that the object is not to have."""
    # Keys that others own together with us would stay after our apply, so they count as well.
    held = frozenset[str]().union(observed.foreign_keys, *(holder.keys for holder in observed.field_managers))
    return tuple(sorted(held - desired.keys))


def _plan_part(desired: Desired, observed: Observed) -> Apply | Unchanged:
    own = observed.part(desired.manager)
    if observed.belongs_to(desired.owner.key):
        return Apply(observed.resource_version, release=(names.FIELD_MANAGER,), type=desired.create_type)
    if own is not None:
        return _plan_share(desired, observed, own)
    # By force it may take its own keys that were edited by hand, and keys of a PhaseSecret of this namespace that gave
    # the object up.
    is_left = observed.owner != "" and is_free(observed.owner, desired)
    held = is_left or any(holder.keys & desired.keys for holder in observed.field_managers)
    return Apply(observed.resource_version, force=held or desired.policy.adopt)


def _plan_share(desired: Desired, observed: Observed, own: MergedShare) -> Apply | Unchanged:
    """Return what makes a share that this PhaseSecret has in the object as desired."""
    wanted = (desired.digest, desired.owned_fields, desired.keys)
    is_same = own.is_marked and (own.digest, own.owned_fields, own.recorded) == wanted
    if is_same and desired.is_sealed(own.stamp):
        return Unchanged()
    return Apply(observed.resource_version, type=own.type, only_seal=is_same)


def intent(desired: Desired, action: Apply, version: str) -> dict[str, Any]:
    """Return the manifest to apply."""
    metadata = desired.manifest["metadata"] | {"resourceVersion": version}
    if not action.type:
        return desired.manifest | {"metadata": metadata}
    marked = read_mark(metadata["annotations"], desired.manager) | {"type": action.type}
    annotations = metadata["annotations"] | {merge_annotation(desired.manager): spelled(marked)}
    return desired.manifest | {"metadata": metadata | {"annotations": annotations}, "type": action.type}
