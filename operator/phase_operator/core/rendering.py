"""Spec x entries -> one rendering per target: which entries it takes and how it becomes an object.

Rule: ConfigMap targets get `ConfigEntry` values and nothing else; Secret targets leave these out as soon as the spec
has a ConfigMap target.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import (
    KeySelection,
    ManagedConfigMapReference,
    ManagedSecretReference,
    TargetFields,
)
from phase_operator.core.errors import Waiting
from phase_operator.core.folders import has_paths, target_folders
from phase_operator.core.selection import config_entries, of_types, secret_entries, wants
from phase_operator.core.targets import Desired, Kind, Owner, TargetRef, render_config_map, render_secret
from phase_operator.core.values import ConfigEntry, Entry, ObjectKey

_KEPT = 3

AnyEntry = TypeVar("AnyEntry", bound=Entry)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A target and the way to make it; `render` raises what stands in the way."""

    ref: TargetRef
    render: Callable[[Owner], Desired]
    # How many versions of it stay; None: there is one object, under its own name.
    keep: int | None = None


def renderings(
    spec: PhaseSecretSpec, namespace: str, entries: Sequence[Entry], digest_key: bytes
) -> Iterator[Rendering]:
    """Yield a rendering for each target of the spec, in its order."""
    config = config_entries(entries)
    for_secrets = secret_entries(entries, with_config=not spec.managed_config_map_references)
    for secret in spec.managed_secret_references:
        ref = TargetRef(Kind.SECRET, ObjectKey(secret.secret_namespace or namespace, secret.secret_name))
        offered = for_secrets if secret.types is None else of_types(entries, secret.types)
        yield Rendering(ref, _secret(ref, secret, spec, offered, config, digest_key), _keep(secret))
    for config_map in spec.managed_config_map_references:
        ref = TargetRef(
            Kind.CONFIG_MAP, ObjectKey(config_map.config_map_namespace or namespace, config_map.config_map_name)
        )
        yield Rendering(ref, _config_map(ref, config_map, spec, config, digest_key), _keep(config_map))


def _keep(target: TargetFields) -> int | None:
    return None if target.versioned is None else target.versioned.keep or _KEPT


def _secret(
    ref: TargetRef,
    target: ManagedSecretReference,
    spec: PhaseSecretSpec,
    offered: Sequence[Entry],
    config: Sequence[ConfigEntry],
    digest_key: bytes,
) -> Callable[[Owner], Desired]:
    def render(owner: Owner) -> Desired:
        taken = _some(take(offered, target, spec), spec, "no entry that the PhaseSecret selects is for this Secret")
        return render_secret(ref, owner, target, taken, digest_key, config)

    return render


def _config_map(
    ref: TargetRef,
    target: ManagedConfigMapReference,
    spec: PhaseSecretSpec,
    config: Sequence[ConfigEntry],
    digest_key: bytes,
) -> Callable[[Owner], Desired]:
    def render(owner: Owner) -> Desired:
        message = "no entry that the PhaseSecret selects is of type config and for this ConfigMap"
        taken = _some(take(config, target, spec), spec, message)
        return render_config_map(ref, owner, target, taken, digest_key)

    return render


def take(offered: Sequence[AnyEntry], target: TargetFields, spec: PhaseSecretSpec) -> Sequence[AnyEntry]:
    """Return the entries that a target takes of those offered: by its folder and its keys."""
    if target.path is None and target.keys == KeySelection() and not has_paths(spec):
        return offered
    folders = target_folders(target, spec)
    return tuple(entry for entry in offered if folders.holds(entry.path) and wants(entry.key, target.keys))


def _some(taken: Sequence[AnyEntry], spec: PhaseSecretSpec, message: str) -> Sequence[AnyEntry]:
    if not taken and not spec.allow_empty:
        raise Waiting(Reason.NO_ENTRIES, f"{message}; it stays as it is")
    return taken
