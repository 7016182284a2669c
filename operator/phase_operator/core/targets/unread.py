"""What Phase has and no target gets: dynamic secrets, whose keys a spec must not name, and personal overrides.

Rule: a message lists names sorted and only a few of them, so that it stays the same while its cause does.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference, TargetFields
from phase_operator.core.content.keys import target_key
from phase_operator.core.errors import Waiting
from phase_operator.core.refs import Owner
from phase_operator.core.source.folders import target_folders
from phase_operator.core.source.selection import matching_if_feasible
from phase_operator.core.targets.desired import Desired
from phase_operator.core.text import clean, listing
from phase_operator.core.values import DynamicKey, Entry

Make = Callable[[Owner], Desired]

# Letters of patterns times letters of keys: that is some hundredths of a second, at worst.
_MOST_TRIED = 10_000_000
_QUOTED = re.compile(r'"([^"]*)"')


def unread(spec: PhaseSecretSpec, dynamic: Sequence[DynamicKey]) -> str | None:
    """Return a sentence on the keys of dynamic secrets that a spec asks for and no target gets, or None."""
    targets = [target for target in spec.managed_secret_references if target.types is None]
    found = {each.key for target in targets for each in _wanted(spec, target, dynamic)}
    return not_read(found) if found else None


def not_read(keys: Iterable[str]) -> str:
    """Return a sentence on keys that no target gets."""
    return f"dynamic secrets are not read by a PhaseSecret: {_named(keys)}"


def overridden(entries: Iterable[Entry]) -> str | None:
    """Return a sentence on the entries whose personal override no target gets, or None."""
    keys = {entry.key for entry in entries if entry.is_overridden}
    why = "personal overrides of the token's user are not read by a PhaseSecret, which takes the environment's value: "
    return f"{why}{_named(keys)}" if keys else None


def _named(keys: Iterable[str]) -> str:
    return listing(sorted({clean(key)[:253] for key in keys}))


def checked(
    make: Make, spec: PhaseSecretSpec, target: TargetFields, taken: Iterable[Entry], dynamic: Sequence[DynamicKey]
) -> tuple[Make, str]:
    """Return how to make a target, and what to add to the message if it takes no entry; "" if there is nothing to add.

    The way to make it raises Waiting if the target names a key of a dynamic secret.
    """
    wanted = {each.key for each in _wanted(spec, target, dynamic)}
    if not wanted:
        return make, ""
    keys = wanted.difference(entry.key for entry in taken)
    named = keys & {*target.keys.include, *target.processors, *_named_above(spec, target)}
    if named:
        message = f"{not_read(named)}; take it out of keys.include and processors, or make it a static secret"
        return _refusing(message), f"; {not_read(named)}"
    spelled = {target_key(key, target.name_transformer, None, target.prefix or ""): key for key in keys}
    return _explaining(make, spelled), _note(keys, target)


def _note(keys: Collection[str], target: TargetFields) -> str:
    return f"; {not_read(keys)}" if keys and _takes_any_type(target) else ""


def _takes_any_type(target: TargetFields) -> bool:
    return isinstance(target, ManagedSecretReference) and target.types is None


def _named_above(spec: PhaseSecretSpec, target: TargetFields) -> Collection[str]:
    """Return the keys that the spec names for all targets that take any type."""
    return spec.keys.include if _takes_any_type(target) else ()


def _wanted(spec: PhaseSecretSpec, target: TargetFields, dynamic: Sequence[DynamicKey]) -> Sequence[DynamicKey]:
    if not dynamic:
        return ()
    folders = target_folders(target, spec)
    inside = [each for each in dynamic if folders.holds(each.path)]
    return matching_if_feasible(target.keys, matching_if_feasible(spec.keys, inside, _MOST_TRIED), _MOST_TRIED)


def _refusing(message: str) -> Make:
    def refuse(_: Owner) -> Desired:
        raise Waiting(Reason.NO_ENTRIES, message)

    return refuse


def _explaining(make: Make, spelled: dict[str, str]) -> Make:
    def explain(owner: Owner) -> Desired:
        try:
            return make(owner)
        except Waiting as error:
            lacking = [spelled[key] for key in _QUOTED.findall(error.message) if key in spelled]
            if error.reason is not Reason.TEMPLATE_FAILED or not lacking:
                raise
            message = f"{error.message}; {not_read(lacking)}"
        raise Waiting(Reason.TEMPLATE_FAILED, message)

    return explain
