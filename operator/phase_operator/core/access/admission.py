"""What a PhaseSecret may use, judged before anything is registered, read, written or counted.

Rule: what a spec names is a wish. `admit` alone makes an `Admitted`, and whoever registers, reads or writes takes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.access.tenancy import Tenancy, check_tenancy, token_place
from phase_operator.core.refs import TargetRef
from phase_operator.core.targets.policy import Claim, wanted
from phase_operator.core.values import ObjectKey


class _Judgement:
    """What nobody outside this module has, and what an Admitted takes."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A PhaseSecret whose token, host and targets are all allowed, with what it may use."""

    key: ObjectKey
    token: ObjectKey
    # In the spec's order.
    claims: Mapping[TargetRef, Claim]
    by: _Judgement = field(repr=False)


def admit(tenancy: Tenancy, spec: PhaseSecretSpec, key: ObjectKey, labels: Mapping[str, str]) -> Admitted:
    """Judge what a spec names; raise Invalid if anything of it is not allowed. `labels` are those of its namespace."""
    token = token_place(spec, key.namespace)
    claims = wanted(spec, key.namespace)
    check_tenancy(tenancy, spec, key, labels, token, claims)
    return Admitted(key, token, claims, _Judgement())
