"""Spec x entries -> one rendering per target: which entries it takes and how it becomes an object.

Rule: ConfigMap targets get `ConfigEntry` values and nothing else; Secret targets leave these out as soon as the spec
has a ConfigMap target.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import ManagedConfigMapReference, ManagedSecretReference
from phase_operator.core.errors import Waiting
from phase_operator.core.selection import config_entries, secret_entries
from phase_operator.core.targets import Desired, Kind, Owner, TargetRef, render_config_map, render_secret
from phase_operator.core.values import ConfigEntry, Entry, ObjectKey


@dataclass(frozen=True, slots=True)
class Rendering:
    """A target and the way to make it; `render` raises what stands in the way."""

    ref: TargetRef
    render: Callable[[Owner], Desired]


def renderings(
    spec: PhaseSecretSpec,
    namespace: str,
    entries: Sequence[Entry],
    digest_key: bytes,
    *,
    impersonation: bool = False,
) -> Iterator[Rendering]:
    """Yield a rendering for each target of the spec, in its order."""
    for_secrets = secret_entries(entries, with_config=not spec.managed_config_map_references)
    for secret in spec.managed_secret_references:
        ref = TargetRef(Kind.SECRET, ObjectKey(secret.secret_namespace or namespace, secret.secret_name))
        yield Rendering(ref, _secret(ref, secret, for_secrets, digest_key, bool(spec.allow_empty), impersonation))
    for_config_maps = config_entries(entries)
    for config in spec.managed_config_map_references:
        ref = TargetRef(Kind.CONFIG_MAP, ObjectKey(config.config_map_namespace or namespace, config.config_map_name))
        yield Rendering(ref, _config_map(ref, config, for_config_maps, digest_key, bool(spec.allow_empty)))


def _secret(
    ref: TargetRef,
    spec: ManagedSecretReference,
    entries: Sequence[Entry],
    digest_key: bytes,
    allow_empty: bool,
    impersonation: bool,
) -> Callable[[Owner], Desired]:
    def render(owner: Owner) -> Desired:
        _some(entries, allow_empty, "no entry that the PhaseSecret selects is for a Secret")
        return render_secret(ref, owner, spec, entries, digest_key, impersonation=impersonation)

    return render


def _config_map(
    ref: TargetRef,
    spec: ManagedConfigMapReference,
    entries: Sequence[ConfigEntry],
    digest_key: bytes,
    allow_empty: bool,
) -> Callable[[Owner], Desired]:
    def render(owner: Owner) -> Desired:
        _some(entries, allow_empty, "no entry that the PhaseSecret selects is of type config")
        return render_config_map(ref, owner, spec, entries, digest_key)

    return render


def _some(entries: Sequence[Entry], allow_empty: bool, message: str) -> None:
    if not entries and not allow_empty:
        raise Waiting(Reason.NO_ENTRIES, f"{message}; it stays as it is")
