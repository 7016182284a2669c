"""The copy that is kept while a Secret is made anew with another type.

Rule: at every moment the Secret or its copy holds the values. The copy holds what stood there before and says on itself
what it is; so the Secret comes back as it was, without Phase, after a crash and if the new one is refused.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import at, mapping, mappings
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.policy import Claim
from phase_operator.core.values import ObjectKey

# Kubernetes takes no longer name for a Secret.
_LONGEST_NAME = 253
# No PhaseSecret can have such a name, so nothing but a copy carries such a mark.
_COPY = "#copy"


def copy_ref(ref: TargetRef) -> TargetRef:
    """Return where the copy of a target stands: no two share a place."""
    name = f"{ref.key.name}{names.COPY_SUFFIX}"
    if len(name) > _LONGEST_NAME:
        digits = hashlib.blake2b(ref.key.name.encode(), digest_size=5).hexdigest()
        stem = ref.key.name[: _LONGEST_NAME - len(names.COPY_SUFFIX) - len(digits) - 1].rstrip("-.")
        name = f"{stem}-{digits}{names.COPY_SUFFIX}"
    return TargetRef(ref.kind, ObjectKey(ref.key.namespace, name))


def original_ref(copy: TargetRef) -> TargetRef | None:
    """Return the target that a copy is of, by its place; None if its name had to be cut."""
    name = copy.key.name.removesuffix(names.COPY_SUFFIX)
    ref = TargetRef(copy.kind, ObjectKey(copy.key.namespace, name))
    return ref if copy_ref(ref) == copy else None


def copy_owner(key: ObjectKey) -> ObjectKey:
    """Return the owner mark of the copies that a PhaseSecret keeps."""
    return replace(key, name=f"{key.name}{_COPY}")


def original_owner(mark: str) -> str:
    """Return the owner mark of the Secret that a copy with this mark was made of; any other mark as it is."""
    return mark.removesuffix(_COPY)


def copy_of(desired: Desired) -> Desired:
    """Return what the copy of a target would be: the same, elsewhere, and nobody's target."""
    ref = copy_ref(desired.ref)
    owner = Owner(copy_owner(desired.owner.key), desired.owner.uid)
    metadata = desired.manifest["metadata"]
    copied = metadata | {
        "name": ref.key.name,
        "labels": metadata["labels"] | {names.LABEL_TARGET: names.LABEL_COPY_VALUE},
        "annotations": metadata["annotations"] | {names.ANNOTATION_OWNER: str(owner.key)},
    }
    # It takes nobody's place, whatever the target may do.
    return replace(
        desired,
        ref=ref,
        owner=owner,
        claim=Claim(takes=desired.claim.takes),
        manifest=desired.manifest | {"metadata": copied},
    )


def copy_of_standing(standing: Mapping[str, Any], copy: Desired) -> dict[str, Any]:
    """Return the copy of a target as it stands: all it holds, with those labels and annotations that we wrote.

    Others' stay away from it: a deployment tool would take the copy for an object of its own.
    """
    kept = standing["metadata"]
    ours = [
        entry
        for entry in mappings(kept.get("managedFields"))
        if (entry.get("manager"), entry.get("operation")) == (names.FIELD_MANAGER, "Apply")
    ]
    written = at(ours[0] if ours else {}, ("fieldsV1", "f:metadata"))
    labels, annotations = (
        {key: text for key, text in mapping(kept.get(name)).items() if f"f:{key}" in mapping(written.get(f"f:{name}"))}
        for name in ("labels", "annotations")
    )
    metadata: dict[str, Any] = {
        "namespace": copy.ref.key.namespace,
        "name": copy.ref.key.name,
        "labels": labels | {names.LABEL_TARGET: names.LABEL_COPY_VALUE},
        "annotations": annotations | {names.ANNOTATION_OWNER: str(copy.owner.key)},
    }
    owners = [each for each in mappings(kept.get("ownerReferences")) if each.get("apiVersion") == names.API_VERSION]
    if owners:
        metadata["ownerReferences"] = owners
    found = {"apiVersion": "v1", "kind": str(copy.ref.kind), "metadata": metadata}
    return found | {name: standing[name] for name in ("type", "data", "immutable") if name in standing}


def original_of(copy: Mapping[str, Any], ref: TargetRef) -> dict[str, Any]:
    """Return the target that a copy was made of."""
    kept = copy["metadata"]
    owner = original_owner(str(kept["annotations"][names.ANNOTATION_OWNER]))
    metadata: dict[str, Any] = {
        "namespace": ref.key.namespace,
        "name": ref.key.name,
        "labels": kept["labels"] | {names.LABEL_TARGET: names.LABEL_TARGET_VALUE},
        "annotations": kept["annotations"] | {names.ANNOTATION_OWNER: owner},
    }
    if owners := kept.get("ownerReferences"):
        metadata["ownerReferences"] = owners
    found = {"apiVersion": "v1", "kind": str(ref.kind), "metadata": metadata}
    return found | {name: copy[name] for name in ("type", "data", "immutable") if name in copy}
