"""What a target should be, in a form that can be compared with what stands in its place.

Rule: everything that `observed` reads back is written here: the digest of the content, the marks and the labels.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import CreationPolicy, TemplateMetadata
from phase_operator.core.content.limits import check_size
from phase_operator.core.json_access import mapping
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.fingerprint import Content, content_digest, content_of, name_digest
from phase_operator.core.targets.merge import mark, merge_annotation, merge_manager, spelled
from phase_operator.core.targets.owned_fields import DATA_FIELDS, owned_fields_digest
from phase_operator.core.targets.policy import Claim
from phase_operator.core.targets.reserved import without_reserved
from phase_operator.core.targets.versions import version_label, versioned_name
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class Desired:
    """An object as it should stand. The manifest holds values and does not print."""

    ref: TargetRef
    owner: Owner
    keys: frozenset[str]
    digest: str
    shape: bytes
    manifest: dict[str, Any] = field(repr=False)
    claim: Claim = field(default_factory=Claim)
    manager: str = names.FIELD_MANAGER
    # With Merge: the type that the object gets if it has to be made. Else it is part of the manifest.
    made_as: str = ""
    # What it will hold, for those who read single keys; the same for all versions of one target.
    content: Content | None = None
    # core/targets/provenance.py: its seal, "" if it gets none, and the one that it may have and that is wrong.
    seal: str = ""
    misdated: str = ""

    @property
    def names(self) -> frozenset[bytes]:
        """Digests of the names of its keys."""
        if self.content is not None and self.content.entries is not None:
            return frozenset(self.content.entries)
        return frozenset(map(name_digest, self.keys))

    def is_sealed(self, seal: str) -> bool:
        """Say whether a seal that stands may stay; one that is old otherwise is no reason to write."""
        return self.seal == "" or seal not in ("", self.misdated)


def desired(
    ref: TargetRef,
    owner: Owner,
    body: Mapping[str, Any],
    data: Mapping[str, bytes],
    template: TemplateMetadata,
    claim: Claim,
    digest_key: bytes,
    *,
    is_versioned: bool = False,
) -> Desired:
    """Put marks, user's metadata and data together; refuse what Kubernetes would refuse for its size.

    A version is an object of its own, named after what it holds; its metadata may change in place.
    """
    check_size(data, template)
    content = content_of(digest_key, str(ref), data)
    if claim.merges:
        return _desired_part(ref, owner, body, data, claim, digest_key, content)
    labels = {
        **without_reserved(template.labels),
        names.LABEL_MANAGED_BY: names.OPERATOR_NAME,
        names.LABEL_TARGET: names.LABEL_TARGET_VALUE,
    }
    if is_versioned:
        labels[names.LABEL_VERSION_OF] = version_label(ref.key.name)
        kind_of = {"kind": str(ref.kind), "type": str(body.get("type", ""))}
        name = versioned_name(ref.key.name, content_digest(digest_key, data, kind_of))
        ref = TargetRef(ref.kind, ObjectKey(ref.key.namespace, name))
        body = {**body, "immutable": True}
    annotations = {
        **without_reserved(template.annotations),
        names.ANNOTATION_OWNER: str(owner.key),
        names.ANNOTATION_KEYS: str(content),
    }
    if claim.deletes:
        annotations[names.ANNOTATION_ON_REMOVAL] = str(claim.deletion)
    owners = [_owner_reference(owner)] if _is_collected(ref, owner, claim) else []
    shape = owned_fields_digest(data, labels, annotations, [str(reference["uid"]) for reference in owners])
    identity = {"kind": str(ref.kind), "type": str(body.get("type", "")), "shape": shape.hex()}
    if body.get("immutable"):
        identity["immutable"] = "true"
    digest = content_digest(digest_key, data, identity)
    # Neither part of the shape: an object that was written without an origin is the same object.
    told = {names.ANNOTATION_DIGEST: digest}
    if claim.deletes and not owners:
        told[names.ANNOTATION_ORIGIN] = origin_mark(owner.uid, ref)
    metadata: dict[str, Any] = {
        "name": ref.key.name,
        "namespace": ref.key.namespace,
        "labels": labels,
        "annotations": annotations | told,
    }
    if owners:
        metadata["ownerReferences"] = owners
    manifest = {"apiVersion": "v1", "kind": str(ref.kind), "metadata": metadata, **body}
    return Desired(ref, owner, frozenset(data), digest, shape, manifest, claim, content=content)


def origin_mark(uid: str, ref: TargetRef) -> str:
    """Return what an object says of the PhaseSecret that made it and of its own place; that of a copy is wrong."""
    return hashlib.blake2b(f"{uid} {ref}".encode(), digest_size=8).hexdigest()


def _is_collected(ref: TargetRef, owner: Owner, claim: Claim) -> bool:
    """Say whether the garbage collector takes the target with its PhaseSecret; it does not cross namespaces."""
    return claim.creation is CreationPolicy.OWNER and claim.deletes and ref.key.namespace == owner.key.namespace


_PART_LABELS = {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
# What a Secret is if nobody says otherwise.
_USUAL_TYPE = "Opaque"


def _desired_part(
    ref: TargetRef,
    owner: Owner,
    body: Mapping[str, Any],
    data: Mapping[str, bytes],
    claim: Claim,
    digest_key: bytes,
    content: Content,
) -> Desired:
    """Put our keys and our marks together, and nothing else: the rest of the object is not ours."""
    manager = merge_manager(owner.key)
    shape = owned_fields_digest(data, _PART_LABELS, {}, [])
    identity = {"kind": str(ref.kind), "shape": shape.hex(), "onRemoval": str(claim.deletion)}
    digest = content_digest(digest_key, data, identity)
    origin = origin_mark(owner.uid, ref) if claim.deletes else ""
    metadata: dict[str, Any] = {
        "name": ref.key.name,
        "namespace": ref.key.namespace,
        "labels": dict(_PART_LABELS),
        "annotations": {
            merge_annotation(manager): spelled(mark(owner.key, digest, data, str(content), origin)),
        },
    }
    manifest = {"apiVersion": "v1", "kind": str(ref.kind), "metadata": metadata}
    manifest |= {name: body[name] for name in DATA_FIELDS if name in body}
    made_as = str(body.get("type", _USUAL_TYPE))
    return Desired(
        ref,
        owner,
        frozenset(data),
        digest,
        shape,
        manifest,
        claim,
        manager,
        "" if made_as == _USUAL_TYPE else made_as,
        content,
    )


def _owner_reference(owner: Owner) -> dict[str, Any]:
    # Not blocking: deleting the owner must never wait for the operator or the garbage collector.
    return {
        "apiVersion": names.API_VERSION,
        "kind": owner.key.kind or names.KIND_PHASE_SECRET,
        "name": owner.key.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def _names(fields: object) -> list[str]:
    return [item[2:] for item in mapping(fields) if item.startswith("f:")]
