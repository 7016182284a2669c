"""Render a Secret."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import replace

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference, SecretType
from phase_operator.core.decoding import decode
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.keys import assign_keys, listing
from phase_operator.core.secret_types import check_type
from phase_operator.core.targets.base import Desired, Owner, TargetRef, desired
from phase_operator.core.values import Entry

# A Secret of these types makes the API server accept its holder as somebody else.
IMPERSONATION = frozenset({SecretType.SERVICE_ACCOUNT_TOKEN, SecretType.BOOTSTRAP_TOKEN})
_SERVICE_ACCOUNT = "kubernetes.io/service-account.name"
# What Kubernetes itself puts into a Secret of the type service-account-token, and would put back.
_FILLED_IN = frozenset({"token", "ca.crt", "namespace"})


def render_secret(
    ref: TargetRef,
    owner: Owner,
    spec: ManagedSecretReference,
    entries: Iterable[Entry],
    digest_key: bytes,
    *,
    impersonation: bool = False,
) -> Desired:
    """Return the Secret that holds these entries; raise if a key, value, type or size stands in the way.

    Types that let the holder act as somebody else are refused unless `impersonation` allows them.
    """
    kind = spec.secret_type or SecretType.OPAQUE
    if kind in IMPERSONATION and not impersonation:
        raise Invalid(
            Reason.TYPE_NOT_SUPPORTED,
            f"secretType {kind} is refused: a Secret of that type lets its holder act as somebody else "
            "(--allow-impersonation-types)",
        )
    assigned = assign_keys(entries, spec.name_transformer, spec.processors)
    data = {key: decode(entry, spec.processors.get(entry.key)) for key, entry in assigned.items()}
    body = {"type": str(kind), "data": {key: base64.b64encode(value).decode() for key, value in sorted(data.items())}}
    found = desired(ref, owner, body, data, spec.template.metadata, spec.deletion_policy, digest_key)
    if kind not in IMPERSONATION:
        return found
    check_type(kind, data)
    return _for_service_account(found, data, spec) if kind is SecretType.SERVICE_ACCOUNT_TOKEN else found


def _for_service_account(found: Desired, data: Mapping[str, bytes], spec: ManagedSecretReference) -> Desired:
    """Refuse what Kubernetes refuses or overwrites, and count what it fills in as ours, so that it is left alone."""
    if not spec.template.metadata.annotations.get(_SERVICE_ACCOUNT):
        raise Invalid(
            Reason.INVALID_SPEC,
            f"secretType {SecretType.SERVICE_ACCOUNT_TOKEN} needs the annotation {_SERVICE_ACCOUNT} in "
            "template.metadata.annotations: the ServiceAccount that the token is for",
        )
    if taken := sorted(_FILLED_IN & data.keys()):
        raise Waiting(Reason.TYPE_MISMATCH, f"Kubernetes itself fills in {listing(taken)}; leave out these keys")
    return replace(found, keys=found.keys | _FILLED_IN)
