"""The copy that is kept while a Secret is made anew with another type.

Rule: at every moment the Secret or its copy holds the values. The copy says on itself what it is, so that a run after a
crash can finish from it without Phase.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from phase_operator.api import names
from phase_operator.core.claims import Claim
from phase_operator.core.targets.base import Desired, Owner, TargetRef
from phase_operator.core.values import ObjectKey

# Kubernetes takes no longer name for a Secret.
_LONGEST_NAME = 253
# No PhaseSecret can have such a name, so nothing but a copy carries such a mark.
_COPY = "#copy"


def copy_ref(ref: TargetRef) -> TargetRef:
    """Return where the copy of a target stands."""
    name = ref.key.name[: _LONGEST_NAME - len(names.COPY_SUFFIX)].rstrip("-.")
    return TargetRef(ref.kind, ObjectKey(ref.key.namespace, f"{name}{names.COPY_SUFFIX}"))


def copy_owner(key: ObjectKey) -> ObjectKey:
    """Return the owner mark of the copies that a PhaseSecret keeps."""
    return ObjectKey(key.namespace, f"{key.name}{_COPY}")


def is_copy(desired: Desired) -> bool:
    """Say whether this is the copy of a target."""
    return desired.owner.key.name.endswith(_COPY)


def copy_of(desired: Desired) -> Desired:
    """Return the copy of a target: the same, under another name, and not looked after by the watches."""
    ref = copy_ref(desired.ref)
    owner = Owner(copy_owner(desired.owner.key), desired.owner.uid)
    metadata = desired.manifest["metadata"]
    copied = metadata | {
        "name": ref.key.name,
        "labels": metadata["labels"] | {names.LABEL_TARGET: names.LABEL_COPY_VALUE},
        "annotations": metadata["annotations"] | {names.ANNOTATION_OWNER: str(owner.key)},
    }
    # It takes nobody's place, whatever the target may do.
    return replace(desired, ref=ref, owner=owner, claim=Claim(), manifest=desired.manifest | {"metadata": copied})


def original_of(copy: Mapping[str, Any], ref: TargetRef) -> dict[str, Any]:
    """Return the target that a copy was made of."""
    kept = copy["metadata"]
    owner = str(kept["annotations"][names.ANNOTATION_OWNER]).removesuffix(_COPY)
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
