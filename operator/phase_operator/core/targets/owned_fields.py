"""The fields of an object that an apply owns: their digest, and the data keys among them."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from phase_operator.core.json_access import mapping

DATA_FIELDS = ("data", "binaryData", "stringData")


def owned_fields_digest(
    data: Iterable[str], labels: Mapping[str, str], annotations: Mapping[str, str], owners: Iterable[str]
) -> bytes:
    """Return a digest of 12 bytes: of data keys, of labels and annotations with their values, and of owners' uids."""
    parts = [sorted(data), sorted(labels.items()), sorted(annotations.items()), sorted(owners)]
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=12).digest()


def data_keys(fields: Mapping[str, Any]) -> frozenset[str]:
    """Return the data keys among the fields that a manager owns, given as in managedFields."""
    return frozenset(key for name in DATA_FIELDS for key in _names(fields.get(f"f:{name}")))


def _names(fields: object) -> list[str]:
    return [item[2:] for item in mapping(fields) if item.startswith("f:")]
