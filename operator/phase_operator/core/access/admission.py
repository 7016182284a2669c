"""What a resource may use, checked before anything is registered, read, written or counted.

Rule: what a spec names is only a request. `admit` alone makes an `Admitted`, and code that registers, reads or writes
takes one as its argument.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.access.default_host import assumed_host, with_host
from phase_operator.core.access.grants import Use
from phase_operator.core.access.tenancy import Tenancy, check_tenancy
from phase_operator.core.refs import TargetRef
from phase_operator.core.source.query import Ask, ask_of
from phase_operator.core.targets.policy import TargetPolicy, declared_targets
from phase_operator.core.values import ObjectKey


class _Judgement:
    """A token that `Admitted` requires and that only this module can make."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A resource whose token, host and targets are all allowed, with what it may use."""

    key: ObjectKey
    # With the host that it is asked at, also if it names none.
    spec: PhaseSecretSpec
    ask: Ask
    # The Secret that holds its token.
    token: ObjectKey
    # In the spec's order.
    target_policies: Mapping[TargetRef, TargetPolicy]
    # The host, for the status, if the spec names none and it is not Phase's cloud.
    assumed_host: str
    by: _Judgement = field(repr=False)


def admit(
    tenancy: Tenancy,
    spec: PhaseSecretSpec,
    key: ObjectKey,
    labels: Mapping[str, str],
    *,
    token_for: Use = Use.TOKEN,
) -> Admitted:
    """Check all that a spec names; raise Invalid if any of it is not allowed. `labels` are those of its namespace.

    `token_for` is what a grant has to allow if the token is in another namespace.
    """
    asked = with_host(spec, tenancy.default_host)
    ask = ask_of(asked, key.namespace)
    target_policies = declared_targets(asked, key.namespace)
    check_tenancy(tenancy, ask, key, labels, target_policies, token_for=token_for)
    host = assumed_host(spec, ask.base_url)
    return Admitted(key, asked, ask, ask.token_key, target_policies, host, _Judgement())
