"""Digests that are stored in a cluster: how they are computed and encoded.

Rule: digests are compared with those that older versions wrote, so no form ever changes; a test compares all forms with
recorded ones. Without the key, nobody can make a keyed digest or learn anything about its parts.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator


def keyed(key: bytes, person: bytes, parts: Iterable[bytes], *, size: int) -> bytes:
    """Return a digest of the joined parts; a different purpose (`person`) or size in bytes gives a different digest.

    The digest does not depend on where one part ends and the next begins, unless the parts are `framed`. With an empty
    key, anybody can make it.
    """
    digest = hashlib.blake2b(key=key, person=person, digest_size=size)
    for part in parts:
        digest.update(part)
    return digest.digest()


def framed(parts: Iterable[bytes], width: int = 8) -> Iterator[bytes]:
    """Yield each part after its length, which takes `width` bytes: no two lists of parts give the same bytes."""
    for part in parts:
        yield len(part).to_bytes(width, "big") + part


def pack(raw: bytes) -> str:
    """Encode bytes in letters, digits, "-" and "_", which annotations and labels accept."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unpack(text: str) -> bytes | None:
    """Decode what `pack` encoded; None if the text is not valid."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
