"""May we write this object: ours, absent, or somebody else's.

Rule: only what is ours is written. A whole object is ours by its owner annotation, or by what our own apply still owns
where a hand edit took the annotation; of a merged object those keys are ours that we wrote before. What another living
PhaseSecret keeps is never taken, whatever the spec says; what anybody else keeps is taken only with `adopt`. A mark
that the API server does not list an apply for was copied together with the object, and so was one that names a
PhaseSecret that may not write there: the object is anybody else's.
"""

from collections.abc import Collection
from dataclasses import dataclass

from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import Part, merge_manager
from phase_operator.core.targets.observed import Observed
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey

# The field managers that the official operator leaves on its Secrets, by POST and PUT. Its first version (Python) has
# the name that every program with the generated client has; its second (Go, built from cmd/manager) sends its
# program's name. Neither sets a mark of its own, so the keys have to bear it out.
OFFICIAL_MANAGERS = frozenset({"OpenAPI-Generator", "manager", "phase-kubernetes-operator"})


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an object must not be written."""

    why: str
    # The PhaseSecrets in the way: once they want it no more, there is no objection.
    by: tuple[str, ...] = ()


def objection(desired: Desired, observed: Observed, gone: Collection[str] = ()) -> Objection | None:
    """Say why the object must not be written, or None.

    `gone` are PhaseSecrets that do not want it any more, or cannot write there. What one of its own namespace left is
    free; what one of another namespace left takes `adopt`, like everybody else's.
    """
    is_anothers = observed.owner not in {"", str(desired.owner.key), *gone}
    if is_anothers and not _has_keys(observed.part(merge_manager(desired.owner.key))):
        return Objection(f"it belongs to PhaseSecret {observed.owner}", (observed.owner,))
    if not desired.claim.takes and not _is_own(desired, observed):
        return Objection(_whose(observed))
    if desired.claim.merges:
        return _to_part(desired, observed, gone)
    return _to_whole(desired, observed, gone)


def _is_own(desired: Desired, observed: Observed) -> bool:
    """Say whether an object itself shows that this PhaseSecret writes it: by its mark, its part or its digest."""
    if observed.owner == str(desired.owner.key):
        return True
    if observed.is_applied:
        # Somebody took a mark off. The digest, which nobody else can make, is that of this PhaseSecret's content.
        return not observed.owner and observed.digest == desired.digest
    return observed.part(merge_manager(desired.owner.key)) is not None


def _to_whole(desired: Desired, observed: Observed, gone: Collection[str]) -> Objection | None:
    is_whole = observed.owner == str(desired.owner.key)
    rivals = [each.of for each in _rivals(desired, observed, gone) if _has_keys(each) or not is_whole]
    if rivals:
        return Objection(f"PhaseSecret {', '.join(rivals)} merges into it", tuple(rivals))
    if is_whole or desired.claim.adopt:
        return None
    own = merge_manager(desired.owner.key)
    left = [part.of for part in observed.parts if part.manager != own and not is_free(part.of, desired)]
    if left:
        return Objection(
            f"it holds keys of PhaseSecret {', '.join(left)} of another namespace, which wants them no more"
        )
    if (observed.is_applied and is_free(observed.owner, desired)) or is_official(desired, observed):
        return None
    if observed.part(own) and set(observed.managers) <= {own, *(each.manager for each in observed.parts)}:
        # It was merged into by this PhaseSecret, and nobody else has data there.
        return None
    return Objection(_whose(observed))


def is_free(by: str, desired: Desired) -> bool:
    """Say whether what nobody, or a PhaseSecret that let go, has left is free for this one.

    Two namespaces do not trust each other: who comes from another one than the object's has to say `adopt`.
    """
    return not by or {ObjectKey.read(by).namespace, desired.owner.key.namespace} == {desired.ref.key.namespace}


def _whose(observed: Observed) -> str:
    if observed.owner:
        return f"it carries the mark of PhaseSecret {observed.owner}, which does not keep it: it is a copy, or was left"
    if observed.others and observed.others.controller:
        return f"it is controlled by {observed.others.controller}"
    managers = observed.managers or tuple(holder.manager for holder in observed.holders)
    if managers:
        return f"it is managed by {', '.join(dict.fromkeys(managers))}"
    return "it was made by someone else"


def is_official(desired: Desired, observed: Observed) -> bool:
    """Say whether the official operator made the object and nobody else has a hand in it.

    Its manager's name alone proves nothing, many programs share it. What we would write must hold every key that
    stands there: so the object is never made smaller, and another program's Secret is not mistaken for one.
    """
    if not observed.holders or observed.parts or observed.owner or (observed.others and observed.others.controller):
        return False
    by_official = all(
        holder.manager in OFFICIAL_MANAGERS and holder.operation == "Update" for holder in observed.holders
    )
    return by_official and bool(observed.foreign_keys) and desired.keys.issuperset(observed.foreign_keys)


def _to_part(desired: Desired, observed: Observed, gone: Collection[str]) -> Objection | None:
    is_whole = observed.owner == str(desired.owner.key)
    for part in observed.parts:
        contested = part.claimed & desired.keys
        if contested and part.manager != desired.manager and part.of not in gone:
            return Objection(f"PhaseSecret {part.of} keeps {listing(sorted(contested))} in it", (part.of,))
    if desired.claim.adopt or is_whole:
        return None
    if observed.is_applied and not observed.owner:
        return Objection("it belongs to a PhaseSecret whose mark was taken off")
    own = observed.part(desired.manager)
    ours = own.claimed if own else frozenset()
    free = {part.manager for part in observed.parts if is_free(part.of, desired)} | {desired.manager}
    for holder in observed.holders:
        contested = (holder.keys & desired.keys) - ours
        if contested and holder.manager not in free:
            return Objection(f"{listing(sorted(contested))} in it is managed by {holder.manager}")
    return None


def _rivals(desired: Desired, observed: Observed, gone: Collection[str]) -> list[Part]:
    own = merge_manager(desired.owner.key)
    return [part for part in observed.parts if part.manager != own and part.of not in gone]


def _has_keys(part: Part | None) -> bool:
    """Say whether data in an object is a PhaseSecret's part.

    Beside the owner mark of another one that can only be if that one had let go. It may come back and finds the object
    taken: the part stays.
    """
    return part is not None and bool(part.keys)
