"""Which targets a spec wants and on which terms, and which it does not name any more.

Rule: what was written is known from the status, so a target that is dropped from the spec is not forgotten before it
was dealt with.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.claims import Claim, claim
from phase_operator.core.targets.base import Kind, TargetRef
from phase_operator.core.values import ObjectKey


def wanted(spec: PhaseSecretSpec, namespace: str) -> dict[TargetRef, Claim]:
    """Return the targets of a spec with what is claimed of each."""
    found: dict[TargetRef, Claim] = {}
    for secret in spec.managed_secret_references:
        key = ObjectKey(secret.secret_namespace or namespace, secret.secret_name)
        found[TargetRef(Kind.SECRET, key)] = claim(secret)
    for config_map in spec.managed_config_map_references:
        key = ObjectKey(config_map.config_map_namespace or namespace, config_map.config_map_name)
        found[TargetRef(Kind.CONFIG_MAP, key)] = claim(config_map)
    return found


def needs_finalizer(targets: Mapping[TargetRef, Claim], namespace: str) -> bool:
    """Say whether something has to be removed with the PhaseSecret that no garbage collector takes away."""
    return any(
        claim.deletes and (claim.merges or target.key.namespace != namespace) for target, claim in targets.items()
    )


def dropped(status: Mapping[str, Any], targets: Collection[TargetRef]) -> list[TargetRef]:
    """Return the targets that the status names and the spec does not."""
    return [target for target in named(status) if target not in targets]


def named(status: Mapping[str, Any]) -> Iterator[TargetRef]:
    """Yield the targets that a status names."""
    for target in status.get("targets") or []:
        yield TargetRef(Kind(target["kind"]), ObjectKey(target["namespace"], target["name"]))
