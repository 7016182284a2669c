"""Render a Secret."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import CreationPolicy, ManagedSecretReference, SecretType
from phase_operator.core.content.data import build_data, metadata
from phase_operator.core.content.secret_types import check_type
from phase_operator.core.content.template import MAX_WORK
from phase_operator.core.content.work_limit import WorkLimit
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.desired import Desired, desired
from phase_operator.core.targets.policy import policy
from phase_operator.core.text import listing
from phase_operator.core.values import ConfigEntry, Entry

# With a Secret of these types, its holder can act as another user or ServiceAccount at the API server.
IMPERSONATION = frozenset({SecretType.SERVICE_ACCOUNT_TOKEN, SecretType.BOOTSTRAP_TOKEN})
_SERVICE_ACCOUNT = "kubernetes.io/service-account.name"
# Keys that Kubernetes writes into a Secret of the type service-account-token, and would write again.
_FILLED_IN = frozenset({"token", "ca.crt", "namespace"})


def render_secret(
    ref: TargetRef,
    owner: Owner,
    spec: ManagedSecretReference,
    entries: Iterable[Entry],
    digest_key: bytes,
    visible: Sequence[ConfigEntry] = (),
    *,
    impersonation: bool = False,
    work_limit: WorkLimit | None = None,
) -> Desired:
    """Return the Secret with these entries; raise ExpectedError if a key, value, type or size makes it impossible.

    `visible` are the entries that its labels and annotations may quote. Types that let the holder act as another user
    are refused unless `impersonation` allows them. The work of its templates counts for `work_limit`, or for a limit of
    its own.
    """
    work_limit = work_limit or WorkLimit(MAX_WORK)
    kind = spec.secret_type or SecretType.OPAQUE
    _check_impersonation(kind, is_allowed=impersonation)
    data = build_data(spec, entries, work_limit)
    if spec.creation_policy is not CreationPolicy.MERGE:
        # A merged object may have keys of others, which are not known here.
        check_type(kind, data)
    found = desired(
        ref,
        owner,
        _body(kind, data, is_immutable=bool(spec.immutable)),
        data,
        metadata(spec, visible, work_limit),
        policy(spec),
        digest_key,
        is_versioned=spec.versioned is not None,
    )
    return _for_service_account(found, data, spec) if kind is SecretType.SERVICE_ACCOUNT_TOKEN else found


def _body(kind: str, data: Mapping[str, bytes], *, is_immutable: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": str(kind),
        "data": {key: base64.b64encode(value).decode() for key, value in sorted(data.items())},
    }
    return body | {"immutable": True} if is_immutable else body


def _check_impersonation(kind: SecretType, *, is_allowed: bool) -> None:
    if kind in IMPERSONATION and not is_allowed:
        raise Invalid(
            Reason.TYPE_NOT_SUPPORTED,
            f"secretType {kind} is refused: a Secret of that type lets its holder act as another user "
            "(--allow-impersonation-types)",
        )


def check_service_account(spec: ManagedSecretReference) -> None:
    """Raise Invalid for a Secret of a ServiceAccount's token that does not say which ServiceAccount it is for."""
    is_token = spec.secret_type is SecretType.SERVICE_ACCOUNT_TOKEN
    if is_token and not spec.template.metadata.annotations.get(_SERVICE_ACCOUNT):
        raise Invalid(
            Reason.INVALID_SPEC,
            f"secretType {SecretType.SERVICE_ACCOUNT_TOKEN} needs the annotation {_SERVICE_ACCOUNT} in "
            "template.metadata.annotations: the ServiceAccount that the token is for",
        )


def _for_service_account(found: Desired, data: Mapping[str, bytes], spec: ManagedSecretReference) -> Desired:
    """Refuse what Kubernetes refuses or overwrites; count the keys that it fills in as ours, so that they stay."""
    check_service_account(spec)
    if taken := sorted(_FILLED_IN & data.keys()):
        raise Waiting(Reason.TYPE_MISMATCH, f"Kubernetes itself fills in {listing(taken)}; leave out these keys")
    return replace(found, keys=found.keys | _FILLED_IN)
