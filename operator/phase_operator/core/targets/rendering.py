"""Spec x entries -> one rendering per target: which entries it takes and how it becomes an object.

Rule: ConfigMap targets get `ConfigEntry` values and nothing else; Secret targets leave these out as soon as the spec
has a ConfigMap target.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import (
    KeySelection,
    LeftOutWhy,
    ManagedConfigMapReference,
    ManagedSecretReference,
    TargetFields,
)
from phase_operator.core.content.template import MAX_WORK
from phase_operator.core.content.work_limit import Budget
from phase_operator.core.errors import Waiting
from phase_operator.core.globs import matcher
from phase_operator.core.outcome import LeftOut
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.source.folders import has_paths, target_folders
from phase_operator.core.source.selection import check_effort, config_entries, left_out, of_types, secret_entries
from phase_operator.core.targets.configmap import render_config_map
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.policy import config_map_ref, secret_ref
from phase_operator.core.targets.request import Asked, asked
from phase_operator.core.targets.secret import render_secret
from phase_operator.core.targets.unread import checked
from phase_operator.core.text import clean
from phase_operator.core.values import ConfigEntry, DynamicKey, Entry

_KEPT = 3
# Bytes of values that are named, encoded and digested in that time.
_A_MICROSECOND = 100
# For the templates of all targets together: as much as four of full size, each part of which goes through functions.
_RUN = 4 * MAX_WORK

AnyEntry = TypeVar("AnyEntry", bound=Entry)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A target and the way to make it; `render` raises what stands in the way."""

    ref: TargetRef
    make: Callable[[Owner], Desired]
    target: TargetFields
    # The entries that it is made of.
    taken: Sequence[Entry]
    asked: Asked
    # What is wrong with it if it takes none.
    nothing: str
    may_be_empty: bool = False
    # What the PhaseSecret selects and this target does not take.
    left_out: tuple[LeftOut, ...] = ()
    # If it takes none, and it names a folder in which the PhaseSecret selects none: words that say so.
    no_folder: str = ""
    # How many versions of it stay; None: there is one object, under its own name.
    keep: int | None = None

    def render(self, owner: Owner) -> Desired:
        """Make the target; raise if it takes no entry and was not allowed to be empty."""
        if not self.taken and not self.may_be_empty:
            raise Waiting(Reason.NO_ENTRIES, f"{self.nothing}; it stays as it is")
        return self.make(owner)


def renderings(
    spec: PhaseSecretSpec,
    namespace: str,
    entries: Sequence[Entry],
    digest_key: bytes,
    *,
    impersonation: bool = False,
    dynamic: Sequence[DynamicKey] = (),
) -> Iterator[Rendering]:
    """Yield a rendering for each target of the spec, in its order."""
    budget = Budget(_RUN)
    config = config_entries(entries)
    for_secrets = secret_entries(entries, with_config=not spec.managed_config_map_references)
    for secret in spec.managed_secret_references:
        ref = secret_ref(secret, namespace)
        offered = for_secrets if secret.types is None else of_types(entries, secret.types)
        taken = take(entries, offered, secret, spec)
        make = taken.refusal or _secret(ref, secret, taken.entries, config, digest_key, impersonation, budget)
        make, unread = checked(make, spec, secret, taken.entries, dynamic)
        empty = vain_path(spec, secret, entries) if not taken.entries else ""
        yield Rendering(
            ref,
            make,
            secret,
            taken.entries,
            asked(spec, secret),
            f"{empty or 'no entry that the PhaseSecret selects is for this Secret'}{unread}",
            bool(spec.allow_empty),
            taken.left_out,
            empty,
            _keep(secret),
        )
    for config_map in spec.managed_config_map_references:
        ref = config_map_ref(config_map, namespace)
        values = take(entries, config, config_map, spec)
        make = values.refusal or _config_map(ref, config_map, values.entries, digest_key, budget)
        make, unread = checked(make, spec, config_map, values.entries, dynamic)
        empty = vain_path(spec, config_map, entries) if not values.entries else ""
        yield Rendering(
            ref,
            make,
            config_map,
            values.entries,
            asked(spec, config_map),
            f"{empty or 'no entry that the PhaseSecret selects is of type config and for this ConfigMap'}{unread}",
            bool(spec.allow_empty),
            values.left_out,
            empty,
            _keep(config_map),
        )


def units(spec: PhaseSecretSpec, entries: Sequence[Entry]) -> int:
    """Return about how many microseconds one target of a spec takes to be made of these entries, if it takes all."""
    targets = (*spec.managed_secret_references, *spec.managed_config_map_references)
    patterns = max((len(target.keys.include) + len(target.keys.exclude) for target in targets), default=0)
    texts = max((sum(map(len, target.template.data.values())) for target in targets), default=0)
    return len(entries) * (4 + patterns) + 4 * texts + sum(entry.value.weight for entry in entries) // _A_MICROSECOND


def offers_type(spec: PhaseSecretSpec, target: TargetFields, entry: Entry) -> bool:
    """Say whether a target takes entries of this entry's type."""
    is_config = isinstance(entry, ConfigEntry)
    if not isinstance(target, ManagedSecretReference):
        return is_config
    if target.types is not None:
        return entry.type in target.types
    return not (is_config and spec.managed_config_map_references)


def vain_path(spec: PhaseSecretSpec, target: TargetFields, entries: Sequence[Entry]) -> str:
    """Say that none of the entries that a PhaseSecret selects lies in the folder that a target names, or ""."""
    if target.path is None:
        return ""
    folders = target_folders(target, spec)
    if any(folders.holds(entry.path) for entry in entries):
        return ""
    where = f'folder "{clean(folders.roots[0])}"' + (" or below" if folders.recursive else "")
    return f"path: no entry that the PhaseSecret selects lies in {where}"


def _keep(target: TargetFields) -> int | None:
    return None if target.versioned is None else target.versioned.keep or _KEPT


def _secret(
    ref: TargetRef,
    target: ManagedSecretReference,
    taken: Sequence[Entry],
    config: Sequence[ConfigEntry],
    digest_key: bytes,
    impersonation: bool,
    budget: Budget,
) -> Callable[[Owner], Desired]:
    def render(owner: Owner) -> Desired:
        return render_secret(ref, owner, target, taken, digest_key, config, impersonation=impersonation, budget=budget)

    return render


def _config_map(
    ref: TargetRef,
    target: ManagedConfigMapReference,
    taken: Sequence[ConfigEntry],
    digest_key: bytes,
    budget: Budget,
) -> Callable[[Owner], Desired]:
    def render(owner: Owner) -> Desired:
        return render_config_map(ref, owner, target, taken, digest_key, budget=budget)

    return render


@dataclass(frozen=True, slots=True)
class Taken(Generic[AnyEntry]):
    """What a target takes of the entries of its types, and what it leaves out."""

    entries: Sequence[AnyEntry]
    left_out: tuple[LeftOut, ...]
    # Raises why its patterns are not tried; `entries` are then all that they would be tried on.
    refusal: Callable[[Owner], Desired] | None = None


def take(
    every: Sequence[Entry], offered: Sequence[AnyEntry], target: TargetFields, spec: PhaseSecretSpec
) -> Taken[AnyEntry]:
    """Return what a target takes of the entries whose type is for it, and what it leaves out of all, and why.

    Patterns that would take too long stand in the way of this target and of no other.
    """
    inside: Sequence[AnyEntry] = offered
    if has_paths(spec):
        folders = target_folders(target, spec)
        inside = [entry for entry in offered if folders.holds(entry.path)]
    taken: Sequence[AnyEntry] = inside
    refusal = None
    if target.keys != KeySelection():
        try:
            check_effort(target.keys, inside)
        except Waiting as error:
            refusal = _refusing(error.reason, error.message)
        else:
            wanted = matcher(target.keys)
            taken = [entry for entry in inside if wanted(entry.key)]
    steps = ((every, offered, LeftOutWhy.TYPE), (offered, inside, LeftOutWhy.PATH), (inside, taken, LeftOutWhy.KEYS))
    rest = [each for before, after, why in steps if len(before) != len(after) for each in left_out(before, after, why)]
    return Taken(taken, tuple(rest), refusal)


def _refusing(reason: Reason, message: str) -> Callable[[Owner], Desired]:
    def refuse(_: Owner) -> Desired:
        raise Waiting(reason, message)

    return refuse
