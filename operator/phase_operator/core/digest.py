"""A keyed digest of an object's content.

Rule: without the operator's key the digest says nothing about the values, so it may stand in an annotation that more
people can read than the values.
"""

import hashlib
from collections.abc import Mapping


def content_digest(key: bytes, data: Mapping[str, bytes], extra: Mapping[str, str]) -> str:
    """Return 32 hex digits for a data map and whatever else makes the object what it is."""
    digest = hashlib.blake2b(key=key, digest_size=16)
    for name in sorted(extra):
        _add(digest, name.encode(), extra[name].encode())
    _add(digest, b"", b"")
    for name in sorted(data):
        _add(digest, name.encode(), data[name])
    return digest.hexdigest()


def _add(digest: "hashlib.blake2b", *parts: bytes) -> None:
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
