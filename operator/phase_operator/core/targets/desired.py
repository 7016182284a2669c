"""A target as it should be, with the digests and marks that make it comparable with the object in the cluster.

Rule: everything that observed.py reads back is written here, except for the stamp (provenance.py) and for the type in
the mark of a merged share (plan.py).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import CreationPolicy, TemplateMetadata
from phase_operator.core.content.limits import check_size
from phase_operator.core.json_access import only
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.fingerprint import KeyDigests, content_digest, key_digests_of, name_digest
from phase_operator.core.targets.merge import mark, merge_annotation, merge_manager, spelled
from phase_operator.core.targets.owned_fields import DATA_FIELDS, owned_fields_digest
from phase_operator.core.targets.policy import TargetPolicy
from phase_operator.core.targets.reserved import without_reserved
from phase_operator.core.targets.versions import version_label, versioned_name
from phase_operator.core.values import ObjectKey

_SHARE_LABELS = {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
_LABELS = {names.LABEL_MANAGED_BY: names.OPERATOR_NAME, **_SHARE_LABELS}
# The type that Kubernetes gives a Secret without one.
_USUAL_TYPE = "Opaque"


@dataclass(frozen=True, slots=True)
class Desired:
    """An object as it should be. The manifest holds values and does not print."""

    ref: TargetRef
    owner: Owner
    keys: frozenset[str]
    # A keyed digest of the values, of the kind and type, and of the owned fields: equal digests are equal objects.
    digest: str
    # The digest of the owned fields alone, which managedFields show as well: it finds edits that keep `digest`.
    owned_fields: bytes
    manifest: dict[str, Any] = field(repr=False)
    policy: TargetPolicy = field(default_factory=TargetPolicy)
    # A PhaseSecret merges under a field manager of its own, so that one cannot remove another's keys.
    manager: str = names.FIELD_MANAGER
    # Only with Merge: the type for an object that does not exist yet. It is not in the manifest, since the type of an
    # existing object is not ours to set; "" for the usual type, which Kubernetes fills in.
    create_type: str = ""
    # Digests of each key, for the workloads that read single keys; the same for all versions of one target.
    content: KeyDigests | None = None
    # Set by provenance.py, once it is known from which answer the object was made: its stamp, and the stamp of the same
    # object from a revision whose time was wrong or is not certain. "" if there is none.
    stamp: str = ""
    misdated: str = ""

    @property
    def names(self) -> frozenset[bytes]:
        """Digests of the names of its keys."""
        if self.content is not None and self.content.entries is not None:
            return frozenset(self.content.entries)
        return frozenset(map(name_digest, self.keys))

    @property
    def names_owner(self) -> bool:
        """Whether the object refers to its owner, and so is deleted with it by Kubernetes."""
        return "ownerReferences" in self.manifest["metadata"]

    def is_sealed(self, stamp: str) -> bool:
        """Return whether the stamp in the cluster may stay: only a missing or a misdated one is a reason to write."""
        if stamp in ("", self.stamp):
            return stamp == self.stamp
        return stamp != self.misdated


def desired(
    ref: TargetRef,
    owner: Owner,
    body: Mapping[str, Any],
    data: Mapping[str, bytes],
    template: TemplateMetadata,
    policy: TargetPolicy,
    digest_key: bytes,
    *,
    is_versioned: bool = False,
) -> Desired:
    """Return the object with our marks, the user's metadata and the data; raise what Kubernetes refuses for its size.

    A version is an object of its own, named after its content; its metadata may change in place.
    """
    check_size(data, template)
    content = key_digests_of(digest_key, str(ref), data)
    if policy.merges:
        return _desired_share(ref, owner, body, data, policy, digest_key, content)
    labels = without_reserved(template.labels) | _LABELS
    if is_versioned:
        labels[names.LABEL_VERSION_OF] = version_label(ref.key.name)
        ref = _version_ref(ref, body, data, digest_key)
        body = {**body, "immutable": True}
    annotations = _annotations(template, owner, content, policy)
    owners = [owner_reference(owner)] if _is_collected(ref, owner, policy) else []
    owned_fields = owned_fields_digest(data, labels, annotations, [str(reference["uid"]) for reference in owners])
    digest = _digest(ref, body, data, owned_fields, digest_key)
    # The owned fields' digest leaves these two out: an object that was written without an origin is the same object.
    marks = {names.ANNOTATION_DIGEST: digest}
    if policy.deletes and not owners:
        marks[names.ANNOTATION_ORIGIN] = origin_mark(owner.uid, ref)
    manifest = {**_manifest(ref, labels, annotations | marks, owners), **body}
    return Desired(ref, owner, frozenset(data), digest, owned_fields, manifest, policy, content=content)


def _annotations(template: TemplateMetadata, owner: Owner, content: KeyDigests, policy: TargetPolicy) -> dict[str, str]:
    """Return the user's annotations and those of our marks that count as owned fields."""
    annotations = {
        **without_reserved(template.annotations),
        names.ANNOTATION_OWNER: str(owner.key),
        names.ANNOTATION_KEYS: str(content),
    }
    return annotations | ({names.ANNOTATION_ON_REMOVAL: str(policy.deletion)} if policy.deletes else {})


def origin_mark(uid: str, ref: TargetRef) -> str:
    """Return a mark for the PhaseSecret that made an object and for the object's place; on a copy it is wrong."""
    return hashlib.blake2b(f"{uid} {ref}".encode(), digest_size=8).hexdigest()


def _version_ref(ref: TargetRef, body: Mapping[str, Any], data: Mapping[str, bytes], digest_key: bytes) -> TargetRef:
    kind_of = {"kind": str(ref.kind), "type": str(body.get("type", ""))}
    name = versioned_name(ref.key.name, content_digest(digest_key, data, kind_of))
    return TargetRef(ref.kind, ObjectKey(ref.key.namespace, name))


def _digest(
    ref: TargetRef, body: Mapping[str, Any], data: Mapping[str, bytes], owned_fields: bytes, digest_key: bytes
) -> str:
    identity = {"kind": str(ref.kind), "type": str(body.get("type", "")), "shape": owned_fields.hex()}
    if body.get("immutable"):
        identity["immutable"] = "true"
    return content_digest(digest_key, data, identity)


def _manifest(
    ref: TargetRef, labels: dict[str, str], annotations: dict[str, str], owners: list[dict[str, Any]]
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": ref.key.name,
        "namespace": ref.key.namespace,
        "labels": labels,
        "annotations": annotations,
    }
    if owners:
        metadata["ownerReferences"] = owners
    return {"apiVersion": "v1", "kind": str(ref.kind), "metadata": metadata}


def _is_collected(ref: TargetRef, owner: Owner, policy: TargetPolicy) -> bool:
    """Return whether the garbage collector deletes the target with its PhaseSecret; it does not cross namespaces."""
    return policy.creation is CreationPolicy.OWNER and policy.deletes and ref.key.namespace == owner.key.namespace


def _desired_share(
    ref: TargetRef,
    owner: Owner,
    body: Mapping[str, Any],
    data: Mapping[str, bytes],
    policy: TargetPolicy,
    digest_key: bytes,
    content: KeyDigests,
) -> Desired:
    """Return the merged share: our keys and our marks, and nothing else, since the rest of the object is not ours."""
    manager = merge_manager(owner.key)
    owned_fields = owned_fields_digest(data, _SHARE_LABELS, {}, [])
    identity = {"kind": str(ref.kind), "shape": owned_fields.hex(), "onRemoval": str(policy.deletion)}
    digest = content_digest(digest_key, data, identity)
    origin = origin_mark(owner.uid, ref) if policy.deletes else ""
    marked = spelled(mark(owner.key, digest, data, str(content), origin))
    manifest = _manifest(ref, dict(_SHARE_LABELS), {merge_annotation(manager): marked}, [])
    manifest |= only(body, *DATA_FIELDS)
    create_type = str(body.get("type", _USUAL_TYPE))
    return Desired(
        ref,
        owner,
        frozenset(data),
        digest,
        owned_fields,
        manifest,
        policy,
        manager=manager,
        create_type="" if create_type == _USUAL_TYPE else create_type,
        content=content,
    )


def owner_reference(owner: Owner) -> dict[str, Any]:
    """Return what names the owner on an object of its namespace, for the garbage collector."""
    # Not blocking: the deletion of the owner must never wait for the operator or the garbage collector.
    return {
        "apiVersion": names.API_VERSION,
        "kind": owner.key.kind or names.KIND_PHASE_SECRET,
        "name": owner.key.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
