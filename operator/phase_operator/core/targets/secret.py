"""Render a Secret."""

import base64
from collections.abc import Iterable

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference, SecretType
from phase_operator.core.decoding import decode
from phase_operator.core.errors import Invalid
from phase_operator.core.keys import assign_keys
from phase_operator.core.targets.base import Desired, Owner, TargetRef, desired
from phase_operator.core.values import Entry

# A Secret of these types makes the API server accept its holder as somebody else.
_IMPERSONATION = frozenset({SecretType.SERVICE_ACCOUNT_TOKEN, SecretType.BOOTSTRAP_TOKEN})


def render_secret(
    ref: TargetRef, owner: Owner, spec: ManagedSecretReference, entries: Iterable[Entry], digest_key: bytes
) -> Desired:
    """Return the Secret that holds these entries; raise if a key, value, type or size stands in the way."""
    kind = spec.secret_type or SecretType.OPAQUE
    if kind in _IMPERSONATION:
        raise Invalid(
            Reason.TYPE_NOT_SUPPORTED,
            f"secretType {kind} is refused: a Secret of that type lets its holder act as somebody else",
        )
    assigned = assign_keys(entries, spec.name_transformer, spec.processors)
    data = {key: decode(entry, spec.processors.get(entry.key)) for key, entry in assigned.items()}
    body = {"type": str(kind), "data": {key: base64.b64encode(value).decode() for key, value in sorted(data.items())}}
    return desired(ref, owner, body, data, spec.template.metadata, spec.deletion_policy, digest_key)
