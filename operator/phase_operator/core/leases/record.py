"""The record of a lease: an immutable Secret that keeps its credentials, since Phase shows them only once.

Rule: an object counts as a record only if our apply made it, for a resource with this very uid. Both can be copied, so
the id on it counts only with a proof, or if the ledger has the same one (see proofs.py).
Credentials may have keys that no Secret takes, so all of them are one JSON text.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import mapping, mappings, parsed, text, texts
from phase_operator.core.leases.facts import Record
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.targets.desired import owner_reference
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.timestamps import moment_of, timestamp
from phase_operator.core.values import ObjectKey, SecretValue

Credentials = Sequence[tuple[str, SecretValue]]

_CREDENTIALS = "credentials"
_LONGEST_NAME = 253
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """A record, as its metadata shows it."""

    ref: TargetRef
    observed: Observed
    record: Record


def record_ref(owner: ObjectKey, attempt: str) -> TargetRef:
    """Return the Secret that keeps the credentials of an attempt of a resource."""
    ending = f"-lease-{attempt}"
    stem = owner.name
    if len(stem) + len(ending) > _LONGEST_NAME:
        # Names may look alike once they are cut; their records must not.
        digest = hashlib.blake2b(stem.encode(), digest_size=_DIGITS // 2).hexdigest()
        stem = f"{stem[: _LONGEST_NAME - len(ending) - _DIGITS - 1].rstrip('-.')}-{digest}"
    return TargetRef(Kind.SECRET, ObjectKey(owner.namespace, f"{stem}{ending}"))


def is_record_of(owner: ObjectKey, ref: TargetRef) -> bool:
    """Return whether an object has a name that a record of a resource may have."""
    return ref == record_ref(owner, ref.key.name.rpartition("-")[2])


def manifest(owner: Owner, attempt: str, record: Record, credentials: Credentials) -> dict[str, Any]:
    """Return the Secret that keeps the credentials of a lease."""
    ref = record_ref(owner.key, attempt)
    said = json.dumps([[key, value.reveal()] for key, value in credentials]).encode()
    return {
        "apiVersion": "v1",
        "kind": str(ref.kind),
        "metadata": {
            "name": ref.key.name,
            "namespace": ref.key.namespace,
            "labels": {
                names.LABEL_MANAGED_BY: names.OPERATOR_NAME,
                names.LABEL_TARGET: names.LABEL_LEASE_VALUE,
            },
            "annotations": {
                names.ANNOTATION_OWNER: str(owner.key),
                # Nothing but the lease keeps it, so it may be deleted; the uid in its ownerReference is read with this.
                names.ANNOTATION_ON_REMOVAL: "Delete",
                names.ANNOTATION_LEASE_ID: record.id,
                names.ANNOTATION_LEASE_END: timestamp(record.ends_at),
                names.ANNOTATION_LEASE_PROOF: record.proof,
            },
            "ownerReferences": [owner_reference(owner)],
        },
        "type": names.LEASE_TYPE,
        "immutable": True,
        "data": {_CREDENTIALS: base64.b64encode(said).decode()},
    }


def is_record(metadata: Mapping[str, Any]) -> bool:
    """Return whether an object has the label of records; anybody may have set it."""
    return texts(metadata.get("labels")).get(names.LABEL_TARGET) == names.LABEL_LEASE_VALUE


def known_record(ref: TargetRef, metadata: Mapping[str, Any]) -> KnownRecord | None:
    """Return what the metadata of a record says; None if it is no record that we made."""
    observed, annotations = observe(metadata), texts(metadata.get("annotations"))
    lease_id, ends_at = (
        annotations.get(names.ANNOTATION_LEASE_ID),
        moment_of(annotations.get(names.ANNOTATION_LEASE_END)),
    )
    if not (is_record(metadata) and observed.is_applied and observed.origin and lease_id and ends_at):
        return None
    return KnownRecord(ref, observed, Record(lease_id, ends_at, annotations.get(names.ANNOTATION_LEASE_PROOF, "")))


def credentials_of(secret: Mapping[str, Any]) -> Credentials | None:
    """Return the credentials that a record keeps; None if it keeps none that can be read."""
    if not is_record(mapping(secret.get("metadata"))) or secret.get("type") != names.LEASE_TYPE:
        return None
    encoded = text(mapping(secret.get("data")).get(_CREDENTIALS))
    try:
        found = parsed(base64.b64decode(encoded, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None
    if not isinstance(found, list) or not all(map(_is_pair, found)):
        return None
    return [(key, SecretValue(value)) for key, value in found]


def owner_uid(secret: Mapping[str, Any]) -> str:
    """Return the uid of the resource that a record belongs to."""
    owners = mappings(mapping(secret.get("metadata")).get("ownerReferences"))
    ours = (text(each.get("uid")) for each in owners if text(each.get("apiVersion")).startswith(f"{names.GROUP}/"))
    return next(ours, "")


def _is_pair(value: object) -> bool:
    """Return whether a value is a credential, as a record has it: a list of its key and its value."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(each, str) for each in value)
