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
from phase_operator.api.v1alpha1.phasesecret import CreationPolicy, TemplateMetadata
from phase_operator.core.claims import Claim
from phase_operator.core.contents import Content, content_of, joined, name_digest, names_told
from phase_operator.core.digest import content_digest
from phase_operator.core.errors import Waiting
from phase_operator.core.foreign import mapping, mappings, parsed, text, texts
from phase_operator.core.keys import listing
from phase_operator.core.targets.parts import Holder, Others, Part, mark, merge_annotation, merge_manager, part, spelled
from phase_operator.core.values import ObjectKey
from phase_operator.core.versions import versioned_name

# Kubernetes: MaxSecretSize, and the same bound for ConfigMaps.
MAX_BYTES = 1024 * 1024
_LABEL = 63
# etcd: the usual bound of one write, less what our marks and the object's own metadata take. The API server keeps every
# key a second time, as the name of a field that we manage; with the signs around both, and with its digest, that makes
# so much more a key.
_MAX_STORED, _PER_KEY = 1536 * 1024 - 16 * 1024, 36
_DATA_FIELDS = ("data", "binaryData", "stringData")
# Annotations of ours that are no part of an object's shape.
_UNSHAPED = frozenset({names.ANNOTATION_DIGEST, names.ANNOTATION_SEAL, names.ANNOTATION_ORIGIN})


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
    claim: Claim = field(default_factory=Claim)
    manager: str = names.FIELD_MANAGER
    # With Merge: the type that the object gets if it has to be made. Else it is part of the manifest.
    made_as: str = ""
    # What it will hold, for those who read single keys; the same for all versions of one target.
    content: Content | None = None

    @property
    def names(self) -> frozenset[bytes]:
        """Digests of the names of its keys."""
        if self.content is not None and self.content.entries is not None:
            return frozenset(self.content.entries)
        return frozenset(map(name_digest, self.keys))


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
    terminating: bool = False
    # core/seal.py: what it was made from; "" if it does not say.
    seal: str = ""
    # It says that it may be deleted when its PhaseSecret names it no more.
    deletes: bool = False
    # None for the usual target, on whose data nobody else is at work.
    others: Others | None = None
    # The label of versions: which base name it belongs to; "" if it is no version.
    version_of: str = ""
    # When it was made, kept of versions alone: RFC 3339 in UTC, so that texts compare like times.
    created: str = ""
    # The uid in our ownerReference, or an `origin_mark`; kept only of what goes when it is wanted no more.
    origin: str = ""
    # core/contents.py: the digests of the names of the keys that we wrote and that stand, one after another.
    names: bytes = field(default=b"", compare=False)

    @property
    def is_applied(self) -> bool:
        """Whether the API server lists an apply of ours on it: on a copy that somebody made, it does not."""
        return self.shape != b""

    @property
    def managers(self) -> tuple[str, ...]:
        """Who else manages its data, for the message of a refusal."""
        return tuple(holder.manager for holder in self.holders if holder.keys)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Every field manager besides our own."""
        return self.others.holders if self.others else ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """What PhaseSecrets merged into it."""
        return self.others.parts if self.others else ()

    def part(self, manager: str) -> Part | None:
        """Return what one PhaseSecret merged into it."""
        return next((each for each in self.parts if each.manager == manager), None)


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
    shape = _shape(data, labels, annotations, [str(reference["uid"]) for reference in owners])
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
    shape = _shape(data, _PART_LABELS, {}, [])
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
    manifest |= {name: body[name] for name in _DATA_FIELDS if name in body}
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


# By these, deployment tools know what they made: on a target, they would take it for theirs, and prune it.
_TRACKED_BY = frozenset(
    {
        names.LABEL_MANAGED_BY,
        "app.kubernetes.io/instance",
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/tracking-id",
        "helm.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/namespace",
        "kustomize.toolkit.fluxcd.io/name",
        "kustomize.toolkit.fluxcd.io/namespace",
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
        "kubectl.kubernetes.io/last-applied-configuration",
    }
)


def version_label(base: str) -> str:
    """Return what selects the versions of a base name."""
    return base if len(base) <= _LABEL else hashlib.blake2b(base.encode(), digest_size=16).hexdigest()


def is_reserved(key: str) -> bool:
    """Say whether a label or annotation is one by which deployment tools, or we, know what is whose."""
    prefix, _, _ = key.partition("/")
    return key in _TRACKED_BY or prefix == names.GROUP or prefix.endswith(f".{names.GROUP}")


def without_reserved(wanted: Mapping[str, str]) -> dict[str, str]:
    """Leave out what tools or we track objects by; whoever asks for it is told (core/offers.py)."""
    return {key: value for key, value in wanted.items() if not is_reserved(key)}


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
    pairs = [*template.labels.items(), *template.annotations.items()]
    return sum(2 * len(key) + len(value.encode(errors="replace")) + _PER_KEY for key, value in pairs)


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
    """Boil an object's metadata down to an Observed. Anybody may have written it, so nothing in it raises."""
    labels, annotations = texts(metadata.get("labels")), texts(metadata.get("annotations"))
    ours: Mapping[str, Any] = {}
    holders: list[Holder] = []
    parts: list[Part] = []
    for entry in mappings(metadata.get("managedFields")):
        if entry.get("subresource"):
            continue
        fields = mapping(entry.get("fieldsV1"))
        manager, operation = text(entry.get("manager")) or "unknown", text(entry.get("operation"))
        if manager == names.FIELD_MANAGER and operation == "Apply":
            # The type alone is what is left of an object that was given up: nobody can take it away.
            ours = fields if fields.keys() - {"f:type"} else {}
            continue
        keys = data_keys(fields)
        holders.append(Holder(manager, operation, keys))
        if manager.startswith(names.MERGE_MANAGER_PREFIX) and operation == "Apply":
            shape = _observed_shape(fields, keys, labels, {})
            owned = mapping(mapping(fields.get("f:metadata")).get("f:annotations"))
            found = part(manager, keys, shape, annotations, owned)
            # An intent that was emptied may leave the type of the object behind, which nobody can take away.
            if found.claimed or found.digest:
                parts.append(found)
    our_keys = data_keys(ours)
    # On most targets others own no data, whatever they label; nothing is kept of them then.
    is_shared = bool(parts) or not ours or any(holder.keys for holder in holders)
    version_of = labels.get(names.LABEL_VERSION_OF, "")
    deletes = annotations.get(names.ANNOTATION_ON_REMOVAL) == "Delete"
    return Observed(
        uid=text(metadata.get("uid")),
        resource_version=text(metadata.get("resourceVersion")),
        owner=annotations.get(names.ANNOTATION_OWNER, ""),
        digest=annotations.get(names.ANNOTATION_DIGEST, ""),
        seal=annotations.get(names.ANNOTATION_SEAL, ""),
        shape=_observed_shape(ours, our_keys, labels, annotations) if ours else b"",
        foreign_keys=tuple(sorted(frozenset().union(*(holder.keys for holder in holders)) - our_keys)),
        terminating="deletionTimestamp" in metadata,
        deletes=deletes,
        others=_others(holders, parts, metadata) if is_shared else None,
        version_of=version_of,
        created=text(metadata.get("creationTimestamp")) if version_of else "",
        origin=_origin(metadata, annotations) if deletes else "",
        names=_our_names(our_keys, frozenset().union(*(holder.keys for holder in holders)), annotations),
    )


def _our_names(ours: frozenset[str], held_by_others: frozenset[str], annotations: Mapping[str, str]) -> bytes:
    """Return which keys are ours; one that was edited by hand is another manager's, and our annotation still tells."""
    if ours and not held_by_others:
        return joined(map(name_digest, ours))
    told = names_told(str(annotations.get(names.ANNOTATION_KEYS, "")))
    if not ours and not held_by_others:
        return joined(told)
    return joined({*map(name_digest, ours), *(told & set(map(name_digest, held_by_others)))})


def _origin(metadata: Mapping[str, Any], annotations: Mapping[str, str]) -> str:
    for each in mappings(metadata.get("ownerReferences")):
        if each.get("kind") == names.KIND_PHASE_SECRET and text(each.get("apiVersion")).startswith(f"{names.GROUP}/"):
            return text(each.get("uid"))
    return annotations.get(names.ANNOTATION_ORIGIN, "")


def _others(holders: Iterable[Holder], parts: Iterable[Part], metadata: Mapping[str, Any]) -> Others | None:
    owners = mappings(metadata.get("ownerReferences"))
    controller = next((each for each in owners if each.get("controller")), None)
    found = Others(
        tuple(sorted(holders, key=lambda holder: (holder.manager, holder.operation))),
        tuple(sorted(parts, key=lambda each: each.manager)),
        f"{text(controller.get('kind'))} {text(controller.get('name'))}" if controller else "",
    )
    return None if found == Others() else found


def _observed_shape(
    ours: Mapping[str, Any], our_keys: frozenset[str], labels: Mapping[str, str], annotations: Mapping[str, str]
) -> bytes:
    owned = mapping(ours.get("f:metadata"))
    our_labels = {key: labels[key] for key in _names(owned.get("f:labels")) if key in labels}
    our_annotations = {
        key: annotations[key]
        for key in _names(owned.get("f:annotations"))
        if key in annotations and key not in _UNSHAPED
    }
    # managedFields name list items as k:{"uid":"..."}.
    items = (item for item in mapping(owned.get("f:ownerReferences")) if item.startswith("k:"))
    owners = [text(mapping(parsed(item[2:])).get("uid")) for item in items]
    return _shape(our_keys, our_labels, our_annotations, owners)


def data_keys(fields: Mapping[str, Any]) -> frozenset[str]:
    """Return the data keys among the fields that a manager owns, as managedFields spell them."""
    return frozenset(key for name in _DATA_FIELDS for key in _names(fields.get(f"f:{name}")))


def _names(fields: object) -> list[str]:
    return [item[2:] for item in mapping(fields) if item.startswith("f:")]
