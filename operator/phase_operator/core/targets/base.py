"""What a target should be and what stands in its place, in one comparable form.

Rule: a target is judged by its metadata alone. The digest annotation says which content we applied last, and
managedFields say whether every field that we applied is still ours; so the values never have to be read back.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy, TemplateMetadata
from phase_operator.core.digest import content_digest
from phase_operator.core.errors import Waiting
from phase_operator.core.keys import listing
from phase_operator.core.values import ObjectKey

# Kubernetes: MaxSecretSize, and the same bound for ConfigMaps.
MAX_BYTES = 1024 * 1024
# etcd: the usual bound of one write, less what our marks and the object's own metadata take. The API server keeps every
# key a second time, as the name of a field that we manage; with the signs around both that makes so much more a key.
_MAX_STORED, _PER_KEY = 1536 * 1024 - 16 * 1024, 24
_DATA_FIELDS = ("data", "binaryData", "stringData")


class Kind(StrEnum):
    """The kinds of target."""

    SECRET = "Secret"
    CONFIG_MAP = "ConfigMap"


@dataclass(frozen=True, slots=True, order=True)
class TargetRef:
    """Kind, namespace and name of a target."""

    kind: Kind
    key: ObjectKey

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


@dataclass(frozen=True, slots=True)
class Owner:
    """The PhaseSecret that a target belongs to."""

    key: ObjectKey
    uid: str


@dataclass(frozen=True, slots=True)
class Desired:
    """An object as it should stand. The manifest holds values and does not print."""

    ref: TargetRef
    owner: Owner
    keys: frozenset[str]
    digest: str
    shape: bytes
    manifest: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Observed:
    """What stands at a target's place, boiled down to what decisions need; small, since thousands are kept."""

    uid: str
    resource_version: str
    # namespace/name of the PhaseSecret whose mark it carries, "" if none.
    owner: str
    digest: str
    # What our own apply still owns, comparable with Desired.shape; empty if we never applied it.
    shape: bytes
    # Data keys that others put there and we never applied.
    foreign_keys: tuple[str, ...]
    # Who else manages its data, for the message of a refusal.
    managers: tuple[str, ...]
    terminating: bool = False
    # core/seal.py: what it was made from; "" if it does not say.
    seal: str = ""


def desired(
    ref: TargetRef,
    owner: Owner,
    body: Mapping[str, Any],
    data: Mapping[str, bytes],
    template: TemplateMetadata,
    policy: DeletionPolicy | None,
    digest_key: bytes,
) -> Desired:
    """Put marks, user's metadata and data together; refuse what Kubernetes would refuse for its size."""
    check_size(data, template)
    labels = {
        **without_reserved(template.labels),
        names.LABEL_MANAGED_BY: names.OPERATOR_NAME,
        names.LABEL_TARGET: names.LABEL_TARGET_VALUE,
    }
    annotations = {**without_reserved(template.annotations), names.ANNOTATION_OWNER: str(owner.key)}
    owners = [_owner_reference(owner)] if policy is DeletionPolicy.DELETE else []
    shape = _shape(data, labels, annotations, [str(reference["uid"]) for reference in owners])
    identity = {"kind": str(ref.kind), "type": str(body.get("type", "")), "shape": shape.hex()}
    if body.get("immutable"):
        identity["immutable"] = "true"
    digest = content_digest(digest_key, data, identity)
    metadata: dict[str, Any] = {
        "name": ref.key.name,
        "namespace": ref.key.namespace,
        "labels": labels,
        "annotations": annotations | {names.ANNOTATION_DIGEST: digest},
    }
    if owners:
        metadata["ownerReferences"] = owners
    manifest = {"apiVersion": "v1", "kind": str(ref.kind), "metadata": metadata, **body}
    return Desired(ref, owner, frozenset(data), digest, shape, manifest)


# Prefixes by which deployment tools track what they made: never ours to write on a target.
_RESERVED = (
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "helm.sh/",
    f"{names.GROUP}/",
)
_RESERVED_EXACT = (
    names.LABEL_MANAGED_BY,
    "app.kubernetes.io/instance",
    "kubectl.kubernetes.io/last-applied-configuration",
)


def without_reserved(wanted: Mapping[str, str]) -> dict[str, str]:
    """Drop keys that belong to deployment tools or to us."""
    return {key: value for key, value in wanted.items() if not key.startswith(_RESERVED) and key not in _RESERVED_EXACT}


def check_size(data: Mapping[str, bytes], template: TemplateMetadata | None = None) -> None:
    """Refuse data that Kubernetes would refuse for its size, and name the largest keys."""
    names_of_keys = sum(map(len, data))
    total = names_of_keys + sum(map(len, data.values()))
    if total > MAX_BYTES:
        largest = sorted(data, key=lambda key: (-len(data[key]), key))
        raise Waiting(
            Reason.TOO_LARGE,
            f"the target would exceed the 1 MiB that Kubernetes allows; largest keys: {listing(largest)}",
        )
    stored = total + names_of_keys + _PER_KEY * len(data) + (_stored(template) if template else 0)
    if stored > _MAX_STORED:
        raise Waiting(
            Reason.TOO_LARGE,
            f"the target would exceed what etcd takes: {len(data)} keys are too many for their length, since each is "
            "kept twice; make fewer or shorter keys, or one file with format",
        )


def _stored(template: TemplateMetadata) -> int:
    texts = [*template.labels.items(), *template.annotations.items()]
    return sum(2 * len(key) + len(text.encode(errors="replace")) + _PER_KEY for key, text in texts)


def _owner_reference(owner: Owner) -> dict[str, Any]:
    # Not blocking: deleting the PhaseSecret must never wait for the operator or the garbage collector.
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND_PHASE_SECRET,
        "name": owner.key.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _shape(
    data: Iterable[str], labels: Mapping[str, str], annotations: Mapping[str, str], owners: Iterable[str]
) -> bytes:
    parts = [sorted(data), sorted(labels.items()), sorted(annotations.items()), sorted(owners)]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).digest()


def observe(metadata: Mapping[str, Any]) -> Observed:
    """Boil an object's metadata down to an Observed."""
    labels: Mapping[str, str] = metadata.get("labels") or {}
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    ours: Mapping[str, Any] = {}
    others: dict[str, frozenset[str]] = {}
    for entry in metadata.get("managedFields") or []:
        if entry.get("subresource"):
            continue
        fields = entry.get("fieldsV1") or {}
        if entry.get("manager") == names.FIELD_MANAGER and entry.get("operation") == "Apply":
            ours = fields
        elif keys := _data_keys(fields):
            others[str(entry.get("manager") or "unknown")] = keys
    our_keys = _data_keys(ours)
    return Observed(
        uid=str(metadata.get("uid", "")),
        resource_version=str(metadata.get("resourceVersion", "")),
        owner=annotations.get(names.ANNOTATION_OWNER, ""),
        digest=annotations.get(names.ANNOTATION_DIGEST, ""),
        seal=annotations.get(names.ANNOTATION_SEAL, ""),
        shape=_observed_shape(ours, our_keys, labels, annotations) if ours else b"",
        foreign_keys=tuple(sorted(frozenset().union(*others.values()) - our_keys)),
        managers=tuple(sorted(others)),
        terminating="deletionTimestamp" in metadata,
    )


def _observed_shape(
    ours: Mapping[str, Any], our_keys: frozenset[str], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> bytes:
    owned = ours.get("f:metadata") or {}
    our_labels = {key: labels[key] for key in _names(owned.get("f:labels")) if key in labels}
    our_annotations = {
        key: annotations[key]
        for key in _names(owned.get("f:annotations"))
        if key in annotations and key not in (names.ANNOTATION_DIGEST, names.ANNOTATION_SEAL)
    }
    # managedFields name list items as k:{"uid":"..."}.
    owners = [json.loads(item[2:])["uid"] for item in owned.get("f:ownerReferences") or {} if item.startswith("k:")]
    return _shape(our_keys, our_labels, our_annotations, owners)


def _data_keys(fields: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(key for name in _DATA_FIELDS for key in _names(fields.get(f"f:{name}")))


def _names(fields: Mapping[str, Any] | None) -> list[str]:
    return [item[2:] for item in fields or {} if item.startswith("f:")]
