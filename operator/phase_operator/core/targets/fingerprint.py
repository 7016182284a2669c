"""Keyed digests of an object's content: one of the whole and one of each key, small enough for an annotation.

Rule: without the operator's key a digest reveals nothing about a value, not even that two objects or two keys have the
same one. The values are needed once, when the object is written; later comparisons use the annotation.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from phase_operator.core.digests import framed, keyed, pack, unpack

# Bytes of the digest of a key's name, of its value, and of what one workload reads of an object.
_NAME, _VALUE, READ_SIZE = 4, 5, 6
_ENTRY = _NAME + _VALUE
_MARK = 3
# 12 characters a key: 32 KiB of the 256 KiB that Kubernetes allows for all annotations of an object.
MAX_KEYS = 2730
# The format. Any other is not parsed, as if the object had no annotation.
_BY_KEY, _WHOLE = "1:", "1*"


@dataclass(frozen=True, slots=True)
class KeyDigests:
    """Digests of an object's content. `entries` is None if there are too many keys for one digest each."""

    entries: Mapping[bytes, bytes] | None
    whole: bytes
    # Others have keys in the object, too, which have no digests here.
    is_part: bool = False
    # An id of the digest key. Digests made with different keys cannot be compared.
    key_id: bytes = field(default=b"", compare=False)

    def read(self, keys: frozenset[str] | None) -> bytes:
        """Return a digest of what a workload gets that reads these keys; None means all keys."""
        if keys is None or self.entries is None:
            return self.whole
        digest = hashlib.blake2b(digest_size=READ_SIZE)
        for key in sorted(keys):
            name = name_digest(key)
            # A missing key adds fewer bytes than an empty one, so the two differ.
            digest.update(name + self.entries.get(name, b""))
        return digest.digest()

    def lacks(self, keys: Iterable[str]) -> list[str]:
        """Return those of the keys that the object surely does not have, sorted."""
        if self.entries is None or self.is_part:
            return []
        return sorted(key for key in keys if name_digest(key) not in self.entries)

    def __str__(self) -> str:
        """Return the text of the annotation."""
        if self.entries is None:
            return _WHOLE + pack(self.key_id + self.whole)
        return _BY_KEY + pack(self.key_id + _joined_entries(self.entries))


def _digest(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=READ_SIZE).digest()


# Pods read the same from an optional object that is missing as from an empty one.
EMPTY = KeyDigests({}, _digest(b""))


def key_digests_of(digest_key: bytes, target: str, data: Mapping[str, bytes]) -> KeyDigests:
    """Return the digests of an object's data; `target` is its kind, namespace and name. Its metadata does not count."""
    place = b"".join(framed([target.encode()]))
    entries = _joined_by_name(
        (name_digest(key), keyed(digest_key, b"phase-keys", (place, *framed((key.encode(), data[key]))), size=_VALUE))
        for key in sorted(data)
    )
    whole = _digest(_joined_entries(entries))
    return KeyDigests(entries if len(entries) <= MAX_KEYS else None, whole, key_id=_mark_of(digest_key))


def merge_key_digests(parts: Sequence[KeyDigests]) -> KeyDigests:
    """Return the digests of the shares that several PhaseSecrets have in one object."""
    by_key = [each.entries for each in parts if each.entries is not None]
    if len(by_key) < len(parts):
        return KeyDigests(None, _digest(b"".join(sorted(part.whole for part in parts))), is_part=True)
    entries = _joined_by_name(chain.from_iterable(each.items() for each in by_key))
    return KeyDigests(entries, _digest(_joined_entries(entries)), is_part=True)


def _joined_by_name(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the digests of values by the digest of their key's name; those that share a name follow one another."""
    entries: dict[bytes, bytes] = {}
    for name, value in pairs:
        entries[name] = entries.get(name, b"") + value
    return entries


def read_key_digests(text: str, digest_key: bytes) -> KeyDigests | None:
    """Parse the annotation; None if it has another format or was made with another key."""
    found = recorded_digests(text)
    return found if found is not None and found.key_id == _mark_of(digest_key) else None


def recorded_digests(text: str) -> KeyDigests | None:
    """Parse the annotation, whichever digest key it was made with: `key_id` tells which. None for another format."""
    marked = unpack(text[len(_BY_KEY) :]) or b""
    key_id, raw = marked[:_MARK], marked[_MARK:]
    if len(key_id) < _MARK:
        return None
    if text.startswith(_WHOLE) and len(raw) == READ_SIZE:
        return KeyDigests(None, raw, key_id=key_id)
    if not text.startswith(_BY_KEY) or len(raw) % _ENTRY:
        return None
    return KeyDigests(_joined_by_name((row[:_NAME], row[_NAME:]) for row in _rows(raw)), _digest(raw), key_id=key_id)


def _rows(raw: bytes) -> Iterator[bytes]:
    """Yield the digests of each key: those of its name and its value, joined."""
    return (raw[start : start + _ENTRY] for start in range(0, len(raw), _ENTRY))


def recorded_names(text: str) -> frozenset[bytes]:
    """Return the digests of key names in the annotation, whichever digest key it was made with."""
    raw = (unpack(text[len(_BY_KEY) :]) or b"")[_MARK:] if text.startswith(_BY_KEY) else b""
    if len(raw) % _ENTRY:
        return frozenset()
    return frozenset(row[:_NAME] for row in _rows(raw))


def join_digests(digests: Iterable[bytes]) -> bytes:
    """Return digests of names as one value of bytes, since the names of thousands of objects are kept."""
    return b"".join(sorted(digests))


def split_digests(digests: bytes) -> frozenset[bytes]:
    """Return the digests of names from what `join_digests` returned."""
    return frozenset(digests[start : start + _NAME] for start in range(0, len(digests), _NAME))


def _mark_of(digest_key: bytes) -> bytes:
    return keyed(digest_key, b"phase-key-mark", (), size=_MARK)


def _joined_entries(entries: Mapping[bytes, bytes]) -> bytes:
    # Names that share a digest, one pair in four billion, follow one another and are compared together.
    return b"".join(
        name + values[start : start + _VALUE]
        for name, values in sorted(entries.items())
        for start in range(0, len(values), _VALUE)
    )


# Kept for a while, since thousands of objects have the same few names.
@lru_cache(maxsize=1024)
def name_digest(key: str) -> bytes:
    """Return the digest of the name of a key."""
    # Not keyed, since managedFields of the same object have the names in plain text.
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_NAME).digest()


def content_digest(key: bytes, data: Mapping[str, bytes], extra: Mapping[str, str]) -> str:
    """Return 32 hex digits for a data map and the other properties that distinguish the object."""
    properties = ((name.encode(), extra[name].encode()) for name in sorted(extra))
    values = ((name.encode(), data[name]) for name in sorted(data))
    parts = chain.from_iterable(chain(properties, [(b"", b"")], values))
    return keyed(key, b"", framed(parts), size=16).hex()
