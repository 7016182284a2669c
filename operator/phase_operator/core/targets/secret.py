"""Render a Secret."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import CreationPolicy, ManagedSecretReference, SecretType
from phase_operator.core.claims import claim
from phase_operator.core.errors import Invalid
from phase_operator.core.secret_types import check_type
from phase_operator.core.targets.base import Desired, Owner, TargetRef, desired
from phase_operator.core.targets.content import content, metadata
from phase_operator.core.values import ConfigEntry, Entry

# A Secret of these types makes the API server accept its holder as somebody else.
_IMPERSONATION = frozenset({SecretType.SERVICE_ACCOUNT_TOKEN, SecretType.BOOTSTRAP_TOKEN})


def render_secret(
    ref: TargetRef,
    owner: Owner,
    spec: ManagedSecretReference,
    entries: Iterable[Entry],
    digest_key: bytes,
    visible: Sequence[ConfigEntry] = (),
) -> Desired:
    """Return the Secret that holds these entries; raise if a key, value, type or size stands in the way.

    `visible` are the entries that its labels and annotations may quote.
    """
    kind = spec.secret_type or SecretType.OPAQUE
    if kind in _IMPERSONATION:
        raise Invalid(
            Reason.TYPE_NOT_SUPPORTED,
            f"secretType {kind} is refused: a Secret of that type lets its holder act as somebody else",
        )
    data = content(spec, entries)
    if spec.creation_policy is not CreationPolicy.MERGE:
        # What others add to a merged object is not known here.
        check_type(kind, data)
    body: dict[str, Any] = {
        "type": str(kind),
        "data": {key: base64.b64encode(value).decode() for key, value in sorted(data.items())},
    }
    if spec.immutable:
        body["immutable"] = True
    return desired(ref, owner, body, data, metadata(spec, visible), claim(spec), digest_key)
