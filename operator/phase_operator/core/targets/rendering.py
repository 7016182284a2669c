"""Spec x entries -> one rendering per target: which entries it takes and how it becomes an object.

Rule: a ConfigMap target takes entries of type config and no other. A Secret target without `types` leaves these out if
the spec has a ConfigMap target.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import (
    LeftOutWhy,
    ManagedConfigMapReference,
    ManagedSecretReference,
    TargetFields,
)
from phase_operator.core.content.template import MAX_WORK
from phase_operator.core.content.work_limit import WorkLimit
from phase_operator.core.errors import Waiting
from phase_operator.core.globs import Patterns, matcher
from phase_operator.core.outcome import LeftOut
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.source.folders import has_paths, target_folders
from phase_operator.core.source.selection import check_effort, config_entries, left_out, of_types, secret_entries
from phase_operator.core.targets.configmap import render_config_map
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.policy import config_map_ref, secret_ref
from phase_operator.core.targets.request import TargetRequest, target_request
from phase_operator.core.targets.secret import render_secret
from phase_operator.core.targets.unread import checked
from phase_operator.core.text import clean
from phase_operator.core.values import ConfigEntry, DynamicKey, Entry

_KEPT = 3
# Bytes of values that are encoded and digested in a microsecond.
_A_MICROSECOND = 100
# The work of the templates of all targets together: that of four templates of full size.
_RUN = 4 * MAX_WORK

AnyEntry = TypeVar("AnyEntry", bound=Entry)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A target, the entries that it takes, and the way to make it; `render` raises ExpectedError if that fails."""

    ref: TargetRef
    make: Callable[[Owner], Desired]
    target: TargetFields
    # The entries that it is made from.
    taken: Sequence[Entry]
    request: TargetRequest
    # The message if it takes no entry.
    nothing: str
    may_be_empty: bool = False
    # Entries that the PhaseSecret selects and this target does not take.
    left_out: tuple[LeftOut, ...] = ()
    # The message if it takes none because the PhaseSecret selects no entry in the folder that it names.
    no_folder: str = ""
    # How many versions of it are kept; None: it is one object, under its own name.
    keep: int | None = None

    def render(self, owner: Owner) -> Desired:
        """Make the target; raise Waiting if it takes no entry and must not be empty."""
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
    """Yield a rendering for each target of the spec, in the order of the spec."""
    work_limit = WorkLimit(_RUN)
    config = config_entries(entries)
    for_secrets = secret_entries(entries, with_config=not spec.managed_config_map_references)
    for secret in spec.managed_secret_references:
        ref = secret_ref(secret, namespace)
        offered = for_secrets if secret.types is None else of_types(entries, secret.types)
        taken = take(entries, offered, secret, spec)
        make = _secret(ref, secret, taken.entries, config, digest_key, impersonation, work_limit)
        nothing = "no entry that the PhaseSecret selects is for this Secret"
        yield _rendering(spec, ref, secret, taken, make, nothing, entries, dynamic)
    for config_map in spec.managed_config_map_references:
        ref = config_map_ref(config_map, namespace)
        values = take(entries, config, config_map, spec)
        make = _config_map(ref, config_map, values.entries, digest_key, work_limit)
        nothing = "no entry that the PhaseSecret selects is of type config and for this ConfigMap"
        yield _rendering(spec, ref, config_map, values, make, nothing, entries, dynamic)


def units(spec: PhaseSecretSpec, entries: Sequence[Entry]) -> int:
    """Return about how many microseconds it takes to make one target of a spec from all of these entries."""
    targets = (*spec.managed_secret_references, *spec.managed_config_map_references)
    patterns = max((len(target.keys.include) + len(target.keys.exclude) for target in targets), default=0)
    texts = max((sum(map(len, target.template.data.values())) for target in targets), default=0)
    return len(entries) * (4 + patterns) + 4 * texts + sum(entry.value.weight for entry in entries) // _A_MICROSECOND


def offers_type(spec: PhaseSecretSpec, target: TargetFields, entry: Entry) -> bool:
    """Return whether a target takes entries of this entry's type."""
    is_config = isinstance(entry, ConfigEntry)
    if not isinstance(target, ManagedSecretReference):
        return is_config
    if target.types is not None:
        return entry.type in target.types
    return not (is_config and spec.managed_config_map_references)


def vain_path(spec: PhaseSecretSpec, target: TargetFields, entries: Sequence[Entry]) -> str:
    """Return a sentence if the PhaseSecret selects no entry in the folder that a target names; otherwise ""."""
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
    work_limit: WorkLimit,
) -> Callable[[Owner], Desired]:
    def render(owner: Owner) -> Desired:
        return render_secret(
            ref, owner, target, taken, digest_key, config, impersonation=impersonation, work_limit=work_limit
        )

    return render


def _config_map(
    ref: TargetRef,
    target: ManagedConfigMapReference,
    taken: Sequence[ConfigEntry],
    digest_key: bytes,
    work_limit: WorkLimit,
) -> Callable[[Owner], Desired]:
    def render(owner: Owner) -> Desired:
        return render_config_map(ref, owner, target, taken, digest_key, work_limit=work_limit)

    return render


@dataclass(frozen=True, slots=True)
class Taken(Generic[AnyEntry]):
    """The entries of its types that a target takes, and those that it leaves out."""

    entries: Sequence[AnyEntry]
    left_out: tuple[LeftOut, ...]
    # Raises the reason if its patterns are too costly to match; `entries` are then all that they would be matched with.
    refusal: Callable[[Owner], Desired] | None = None


def _rendering(
    spec: PhaseSecretSpec,
    ref: TargetRef,
    target: TargetFields,
    taken: Taken[AnyEntry],
    make: Callable[[Owner], Desired],
    nothing: str,
    entries: Sequence[Entry],
    dynamic: Sequence[DynamicKey],
) -> Rendering:
    make, unread = checked(taken.refusal or make, spec, target, taken.entries, dynamic)
    empty = vain_path(spec, target, entries) if not taken.entries else ""
    return Rendering(
        ref,
        make,
        target,
        taken.entries,
        target_request(spec, target),
        f"{empty or nothing}{unread}",
        bool(spec.allow_empty),
        taken.left_out,
        empty,
        _keep(target),
    )


def take(
    every: Sequence[Entry], offered: Sequence[AnyEntry], target: TargetFields, spec: PhaseSecretSpec
) -> Taken[AnyEntry]:
    """Return which of the offered entries a target takes, and which of all entries it leaves out, and why.

    Patterns that are too costly to match make this target fail and no other.
    """
    inside = _inside(offered, target, spec)
    taken, refusal = inside, None
    try:
        taken = _with_keys(inside, target.keys)
    except Waiting as error:
        refusal = _refusing(error.reason, error.message)
    steps = ((every, offered, LeftOutWhy.TYPE), (offered, inside, LeftOutWhy.PATH), (inside, taken, LeftOutWhy.KEYS))
    rest = [each for before, after, why in steps if len(before) != len(after) for each in left_out(before, after, why)]
    return Taken(taken, tuple(rest), refusal)


def _inside(offered: Sequence[AnyEntry], target: TargetFields, spec: PhaseSecretSpec) -> Sequence[AnyEntry]:
    """Return the entries in the folders that a target takes."""
    if not has_paths(spec):
        return offered
    folders = target_folders(target, spec)
    return [entry for entry in offered if folders.holds(entry.path)]


def _with_keys(entries: Sequence[AnyEntry], keys: Patterns) -> Sequence[AnyEntry]:
    """Return the entries whose keys match; raise Waiting if the patterns are too costly to match."""
    if not (keys.include or keys.exclude):
        return entries
    check_effort(keys, entries)
    wanted = matcher(keys)
    return [entry for entry in entries if wanted(entry.key)]


def _refusing(reason: Reason, message: str) -> Callable[[Owner], Desired]:
    def refuse(_: Owner) -> Desired:
        raise Waiting(reason, message)

    return refuse
