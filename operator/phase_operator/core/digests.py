"""Digests that stand in a cluster: how their parts are put together, and how they are spelled.

Rule: what is made here is compared with what older versions wrote, so no form ever changes; a test holds all of them to
what was recorded. Without the key, a keyed digest says nothing of its parts, and cannot be made.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator


def keyed(key: bytes, person: bytes, parts: Iterable[bytes], *, size: int) -> bytes:
    """Return a digest of parts, one after another; another purpose (`person`) or size in bytes is another digest.

    Where one part ends and the next begins is not told, unless the parts are `framed`. An empty key makes a digest that
    anybody can make.
    """
    digest = hashlib.blake2b(key=key, person=person, digest_size=size)
    for part in parts:
        digest.update(part)
    return digest.digest()


def framed(parts: Iterable[bytes], width: int = 8) -> Iterator[bytes]:
    """Yield each part behind its length, in so many bytes: no two lists of parts come to the same bytes."""
    for part in parts:
        yield len(part).to_bytes(width, "big")
        yield part


def pack(raw: bytes) -> str:
    """Spell bytes in letters, digits, "-" and "_": what annotations and labels take."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unpack(text: str) -> bytes | None:
    """Read what `pack` spelled; None if it is nothing of the kind."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
