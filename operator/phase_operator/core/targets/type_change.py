"""The copy that exists while a Secret is replaced by one of another type.

Rule: at every moment the Secret or its copy has the values. The copy has the content from before, and marks that say
what it is. So the Secret can be restored without Phase, after a crash or if Kubernetes refuses the new one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import at, mapping, mappings, only
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.policy import TargetPolicy
from phase_operator.core.values import ObjectKey

# The longest name of a Secret that Kubernetes accepts.
_LONGEST_NAME = 253
# No PhaseSecret can have a name with this suffix, so only a copy has such a mark.
_COPY = "#copy"


def copy_ref(ref: TargetRef) -> TargetRef:
    """Return the ref of the copy of a target; no two targets share one."""
    name = f"{ref.key.name}{names.COPY_SUFFIX}"
    if len(name) > _LONGEST_NAME:
        digits = hashlib.blake2b(ref.key.name.encode(), digest_size=5).hexdigest()
        stem = ref.key.name[: _LONGEST_NAME - len(names.COPY_SUFFIX) - len(digits) - 1].rstrip("-.")
        name = f"{stem}-{digits}{names.COPY_SUFFIX}"
    return TargetRef(ref.kind, ObjectKey(ref.key.namespace, name))


def original_ref(copy: TargetRef) -> TargetRef | None:
    """Return the target of a copy, by its name; None if the name had to be cut."""
    name = copy.key.name.removesuffix(names.COPY_SUFFIX)
    ref = TargetRef(copy.kind, ObjectKey(copy.key.namespace, name))
    return ref if copy_ref(ref) == copy else None


def copy_owner(key: ObjectKey) -> ObjectKey:
    """Return the owner mark of the copies of a PhaseSecret's targets."""
    return ObjectKey(key.namespace, f"{key.name}{_COPY}", key.kind)


def original_owner(mark: str) -> str:
    """Return the owner mark of the original of a copy with this mark; return any other mark unchanged."""
    return mark.removesuffix(_COPY)


def copy_of(desired: Desired) -> Desired:
    """Return the copy of a target as it should be: the same object under another name, and no target itself."""
    ref = copy_ref(desired.ref)
    owner = Owner(copy_owner(desired.owner.key), desired.owner.uid)
    metadata = desired.manifest["metadata"]
    copied = metadata | {
        "name": ref.key.name,
        "labels": metadata["labels"] | {names.LABEL_TARGET: names.LABEL_COPY_VALUE},
        "annotations": metadata["annotations"] | {names.ANNOTATION_OWNER: str(owner.key)},
    }
    # The copy never takes an object over, even if the target may.
    return replace(
        desired,
        ref=ref,
        owner=owner,
        policy=TargetPolicy(takes=desired.policy.takes),
        manifest=desired.manifest | {"metadata": copied},
    )


def copy_of_existing(existing: Mapping[str, Any], copy: Desired) -> dict[str, Any]:
    """Return the manifest of the copy: the data of the target as it is, with the labels and annotations that we wrote.

    Those of others are left out: a deployment tool would take the copy for an object of its own.
    """
    kept = existing["metadata"]
    written = _written_metadata(kept)
    labels = _written_of(kept, written, "labels") | {names.LABEL_TARGET: names.LABEL_COPY_VALUE}
    annotations = _written_of(kept, written, "annotations") | {names.ANNOTATION_OWNER: str(copy.owner.key)}
    owners = [each for each in mappings(kept.get("ownerReferences")) if each.get("apiVersion") == names.API_VERSION]
    return _manifest(copy.ref, existing, labels, annotations, owners)


def _manifest(
    ref: TargetRef,
    content: Mapping[str, Any],
    labels: dict[str, Any],
    annotations: dict[str, Any],
    owners: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the manifest of an object with the content of another one."""
    metadata: dict[str, Any] = {
        "namespace": ref.key.namespace,
        "name": ref.key.name,
        "labels": labels,
        "annotations": annotations,
        **({"ownerReferences": owners} if owners else {}),
    }
    found = {"apiVersion": "v1", "kind": str(ref.kind), "metadata": metadata}
    return found | only(content, "type", "data", "immutable")


def _written_of(kept: Mapping[str, Any], written: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the labels or annotations that we wrote."""
    ours = mapping(written.get(f"f:{name}"))
    return {key: text for key, text in mapping(kept.get(name)).items() if f"f:{key}" in ours}


def _written_metadata(kept: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return which metadata an apply of ours owns, in the form of `fieldsV1`."""
    ours = (
        entry
        for entry in mappings(kept.get("managedFields"))
        if (entry.get("manager"), entry.get("operation")) == (names.FIELD_MANAGER, "Apply")
    )
    return at(next(ours, {}), ("fieldsV1", "f:metadata"))


def original_of(copy: Mapping[str, Any], ref: TargetRef) -> dict[str, Any]:
    """Return the manifest that restores a target from its copy."""
    kept = copy["metadata"]
    owner = original_owner(str(kept["annotations"][names.ANNOTATION_OWNER]))
    labels = kept["labels"] | {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
    annotations = kept["annotations"] | {names.ANNOTATION_OWNER: owner}
    return _manifest(ref, copy, labels, annotations, kept.get("ownerReferences", []))
