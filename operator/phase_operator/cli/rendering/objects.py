"""A target as the operator makes it -> the object as it is shown, with its values or with masks for them.

Rule: what is known without the operator and without a cluster is exactly what the operator writes. The rest is left
out: digests and seals, which are made with the operator's key; and references by uid, if the uid is not known. The
name of a version is made with that key too, and ends in `-xxxxxxxxxx`, which no version has.
"""

import base64
from collections.abc import Mapping
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.terminal import MASK
from phase_operator.core.json_access import without
from phase_operator.core.targets.desired import Desired

_KEYED = (names.ANNOTATION_DIGEST, names.ANNOTATION_KEYS, names.ANNOTATION_SEAL)
_DATA = ("data", "binaryData")
_DIGITS = 10


def known(desired: Desired) -> dict[str, Any]:
    """Return what is known of an object that is created: all but what the operator's key or a uid goes into."""
    found = dict(desired.manifest)
    if desired.create_type:
        found["type"] = desired.create_type
    return without_keyed(found, has_uid=bool(desired.owner.uid))


def without_keyed(manifest: Mapping[str, Any], *, has_uid: bool) -> dict[str, Any]:
    """Return an object without what the operator's key goes into; and without references by uid, if it has none."""
    metadata = dict(manifest["metadata"])
    annotations = {key: each for key, each in metadata["annotations"].items() if not _is_keyed(key)}
    if not has_uid:
        annotations.pop(names.ANNOTATION_ORIGIN, None)
        metadata.pop("ownerReferences", None)
    if names.LABEL_VERSION_OF in metadata["labels"]:
        metadata["name"] = f"{metadata['name'][:-_DIGITS]}{'x' * _DIGITS}"
    metadata |= {"annotations": annotations}
    return {**manifest, "metadata": metadata if annotations else without(metadata, "annotations")}


def _is_keyed(annotation: str) -> bool:
    return annotation in _KEYED or annotation.startswith(names.MERGE_ANNOTATION_PREFIX)


def masked(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with a mask for each of its values; its keys stay."""
    hidden = {field: dict.fromkeys(manifest[field], MASK) for field in _DATA if field in manifest}
    return {**manifest, **hidden}


def data_of(manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the values of an object that is not masked, as a pod reads them."""
    encoded = manifest.get("binaryData", {}) | (manifest.get("data", {}) if manifest["kind"] == "Secret" else {})
    texts = {} if manifest["kind"] == "Secret" else manifest.get("data", {})
    decoded = {key: base64.b64decode(value) for key, value in encoded.items()}
    return decoded | {key: value.encode() for key, value in texts.items()}
