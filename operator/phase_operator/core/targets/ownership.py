"""Whether a PhaseSecret may write an object that exists.

Rule: a PhaseSecret writes its own objects, and objects that PhaseSecrets of its namespace gave up.
- A whole object is its own by the owner annotation. If a hand edit removed that, an apply of ours in managedFields is
  enough, in another namespace together with the digest of its content.
- In a merged object, its own are the keys that it wrote before.
- It never takes what another PhaseSecret still writes, whatever the spec says.
- It takes an object of anybody else only with `adopt`, or if the official operator made it.
- The owner annotation of a PhaseSecret that gave the object up, or may not write there, frees the object only together
  with an apply of ours in managedFields. Without one, the annotation was copied, and the object belongs to others.
"""

from collections.abc import Collection
from dataclasses import dataclass

from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import MergedShare, merge_manager
from phase_operator.core.targets.observed import Observed
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey

# The field managers that the official operator leaves on its Secrets, by POST and PUT. The first version (Python) uses
# the default name of the generated client; the second (Go, built from cmd/manager) that of its program. Neither sets a
# mark of its own, so the keys must confirm it.
OFFICIAL_MANAGERS = frozenset({"OpenAPI-Generator", "manager", "phase-kubernetes-operator"})


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an object must not be written."""

    why: str
    # The PhaseSecrets in the way: once they do not name it any more, there is no objection.
    by: tuple[str, ...] = ()


def objection(desired: Desired, observed: Observed, gone: Collection[str] = ()) -> Objection | None:
    """Return why the object must not be written, or None.

    `gone` are PhaseSecrets that do not name it any more, or cannot write there. What they left is free within their
    namespace; for a PhaseSecret of another namespace it takes `adopt`, as any other object does.
    """
    is_anothers = observed.owner not in {"", str(desired.owner.key), *gone}
    if is_anothers and not _has_keys(observed.share_of(desired.owner.key)):
        return Objection(f"it belongs to PhaseSecret {observed.owner}", (observed.owner,))
    if not desired.policy.takes and not _is_own(desired, observed):
        return Objection(_whose(observed))
    if desired.policy.merges:
        return _to_part(desired, observed, gone)
    return _to_whole(desired, observed, gone)


def _is_own(desired: Desired, observed: Observed) -> bool:
    """Return whether an object itself shows that this PhaseSecret writes it: by its mark, a share or its digest."""
    if observed.belongs_to(desired.owner.key):
        return True
    if observed.is_applied:
        # A hand edit removed the mark. Only this operator can make the digest of this PhaseSecret's content.
        return not observed.owner and observed.digest == desired.digest
    return observed.share_of(desired.owner.key) is not None


def _to_whole(desired: Desired, observed: Observed, gone: Collection[str]) -> Objection | None:
    if rivals := _rivals(desired, observed, gone):
        return Objection(f"PhaseSecret {', '.join(rivals)} merges into it", rivals)
    if observed.belongs_to(desired.owner.key) or desired.policy.adopt:
        return None
    if left := _left_elsewhere(desired, observed):
        return Objection(
            f"it holds keys of PhaseSecret {', '.join(left)} of another namespace, which wants them no more"
        )
    return None if _may_take(desired, observed) else Objection(_whose(observed))


def _may_take(desired: Desired, observed: Observed) -> bool:
    """Return whether this PhaseSecret may take over, without `adopt`, an object that is not its own as a whole."""
    is_given_up = observed.is_applied and is_free(observed.owner, desired)
    return is_given_up or is_official(desired, observed) or _is_ours_in_parts(desired, observed)


def _is_ours_in_parts(desired: Desired, observed: Observed) -> bool:
    """Return whether this PhaseSecret merged into the object, and only PhaseSecrets have data there."""
    own = merge_manager(desired.owner.key)
    if observed.part(own) is None:
        return False
    return set(observed.managers) <= {own, *(each.manager for each in observed.parts)}


def _left_elsewhere(desired: Desired, observed: Observed) -> list[str]:
    """Return the PhaseSecrets of other namespaces whose shares are still in the object."""
    own = merge_manager(desired.owner.key)
    return [part.of for part in observed.parts if part.manager != own and not is_free(part.of, desired)]


def is_free(by: str, desired: Desired) -> bool:
    """Return whether this PhaseSecret may take an object that has no PhaseSecret, or whose PhaseSecret gave it up.

    Namespaces do not trust each other: a PhaseSecret of another namespace than the object's needs `adopt`.
    """
    return not by or {ObjectKey.read(by).namespace, desired.owner.key.namespace} == {desired.ref.key.namespace}


def _whose(observed: Observed) -> str:
    if observed.owner:
        return f"it carries the mark of PhaseSecret {observed.owner}, which does not keep it: it is a copy, or was left"
    if observed.controller:
        return f"it is controlled by {observed.controller}"
    managers = observed.managers or tuple(holder.manager for holder in observed.field_managers)
    if managers:
        return f"it is managed by {', '.join(dict.fromkeys(managers))}"
    return "it was made by someone else"


def is_official(desired: Desired, observed: Observed) -> bool:
    """Return whether the official operator made the object and no other manager has written it.

    The name of its field manager proves nothing, since many programs share it. So we must be about to write every key
    that the object has: it never gets smaller, and the Secret of another program is not mistaken for one of these.
    """
    if observed.parts or observed.owner or observed.controller:
        return False
    makers = {(holder.manager in OFFICIAL_MANAGERS, holder.operation) for holder in observed.field_managers}
    is_covered = bool(observed.foreign_keys) and desired.keys.issuperset(observed.foreign_keys)
    return makers == {(True, "Update")} and is_covered


def _to_part(desired: Desired, observed: Observed, gone: Collection[str]) -> Objection | None:
    if rival := _claimed_by_another(desired, observed, gone):
        return rival
    if desired.policy.adopt or observed.belongs_to(desired.owner.key):
        return None
    if observed.is_applied and not observed.owner:
        return Objection("it belongs to a PhaseSecret whose mark was taken off")
    return _managed_by_another(desired, observed)


def _claimed_by_another(desired: Desired, observed: Observed, gone: Collection[str]) -> Objection | None:
    """Return the objection that another PhaseSecret merges one of the same keys into the object."""
    for part in observed.parts:
        contested = part.claimed & desired.keys
        if contested and part.manager != desired.manager and part.of not in gone:
            return Objection(f"PhaseSecret {part.of} keeps {listing(sorted(contested))} in it", (part.of,))
    return None


def _managed_by_another(desired: Desired, observed: Observed) -> Objection | None:
    """Return the objection that one of the keys is managed by another client, and is neither ours nor free."""
    own = observed.part(desired.manager)
    wanted = desired.keys - own.claimed if own else desired.keys
    free = _free_managers(desired, observed)
    for holder in observed.field_managers:
        contested = holder.keys & wanted
        if contested and holder.manager not in free:
            return Objection(f"{listing(sorted(contested))} in it is managed by {holder.manager}")
    return None


def _free_managers(desired: Desired, observed: Observed) -> set[str]:
    """Return the field managers whose keys this PhaseSecret may take: its own, and those of shares that are free."""
    return {part.manager for part in observed.parts if is_free(part.of, desired)} | {desired.manager}


def _rivals(desired: Desired, observed: Observed, gone: Collection[str]) -> tuple[str, ...]:
    """Return the other PhaseSecrets whose shares keep this one from having the whole object."""
    own = merge_manager(desired.owner.key)
    others = (part for part in observed.parts if part.manager != own and part.of not in gone)
    # To take a whole object back leaves the marks of others on it, but not their keys.
    rivals = filter(_has_keys, others) if observed.belongs_to(desired.owner.key) else others
    return tuple(part.of for part in rivals)


def _has_keys(part: MergedShare | None) -> bool:
    """Return whether a share has data in the object.

    Beside the owner mark of another PhaseSecret, that is possible only if that one had given the object up. If it comes
    back, it finds the object taken: the share stays.
    """
    return part is not None and bool(part.keys)
