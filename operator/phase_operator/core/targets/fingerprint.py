"""Keyed digests of what an object holds: of the whole, and of each key, small enough for an annotation.

Rule: without the operator's key nothing here says anything about a value, nor that two objects or two keys hold the
same one. The values are needed once, when the object is written; from then on the annotation tells.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from phase_operator.core.digests import framed, keyed, pack, unpack

# Bytes for the name of a key, for its value, and for what one reader gets of an object.
_NAME, _VALUE, READ = 4, 5, 6
_ENTRY = _NAME + _VALUE
_MARK = 3
# 12 characters a key: 32 KiB of the 256 KiB that Kubernetes allows for all annotations of an object.
MAX_KEYS = 2730
# The form; another one is not read, which is as good as an object that says nothing.
_BY_KEY, _WHOLE = "1:", "1*"


@dataclass(frozen=True, slots=True)
class Content:
    """What an object holds. `entries` is None for an object with so many keys that only the whole is told."""

    entries: Mapping[bytes, bytes] | None
    whole: bytes
    # Others have keys in the object, too, of which nothing is told here.
    is_part: bool = False
    # Which digest key it was made with: what two keys make cannot be compared.
    made_with: bytes = field(default=b"", compare=False)

    def read(self, keys: frozenset[str] | None) -> bytes:
        """Return a digest of what somebody gets who reads these keys, or all of them."""
        if keys is None or self.entries is None:
            return self.whole
        digest = hashlib.blake2b(digest_size=READ)
        for key in sorted(keys):
            name = name_digest(key)
            # Lengths differ, so that a key that is missing is not one that holds nothing.
            digest.update(name + self.entries.get(name, b""))
        return digest.digest()

    def lacks(self, keys: Iterable[str]) -> list[str]:
        """Return those keys that the object surely does not hold, sorted."""
        if self.entries is None or self.is_part:
            return []
        return sorted(key for key in keys if name_digest(key) not in self.entries)

    def __str__(self) -> str:
        """Return it as it stands in the annotation."""
        if self.entries is None:
            return _WHOLE + pack(self.made_with + self.whole)
        return _BY_KEY + pack(self.made_with + _joined_entries(self.entries))


def _digest(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=READ).digest()


# An optional object that is not there gives what an empty one gives.
NOTHING = Content({}, _digest(b""))


def content_of(digest_key: bytes, target: str, data: Mapping[str, bytes]) -> Content:
    """Take down what an object holds, whose kind, namespace and name `target` is. Type and metadata do not count."""
    place = b"".join(framed([target.encode()]))
    entries: dict[bytes, bytes] = {}
    for key in sorted(data):
        value = keyed(digest_key, b"phase-keys", (place, *framed((key.encode(), data[key]))), size=_VALUE)
        name = name_digest(key)
        entries[name] = entries.get(name, b"") + value
    whole = _digest(_joined_entries(entries))
    return Content(entries if len(entries) <= MAX_KEYS else None, whole, made_with=_mark_of(digest_key))


def merged(parts: Sequence[Content]) -> Content:
    """Put together what several PhaseSecrets have in one object, beside others."""
    entries: dict[bytes, bytes] = {}
    for each in parts:
        if each.entries is None:
            return Content(None, _digest(b"".join(sorted(part.whole for part in parts))), is_part=True)
        for name, value in each.entries.items():
            entries[name] = entries.get(name, b"") + value
    return Content(entries, _digest(_joined_entries(entries)), is_part=True)


def read_content(text: str, digest_key: bytes) -> Content | None:
    """Read the annotation; None if it says nothing that we understand, or was made with another key."""
    raw = unpack(text[len(_BY_KEY) :])
    made_with = _mark_of(digest_key)
    if raw is None or raw[:_MARK] != made_with:
        return None
    raw = raw[_MARK:]
    if text.startswith(_WHOLE) and len(raw) == READ:
        return Content(None, raw, made_with=made_with)
    if not text.startswith(_BY_KEY) or len(raw) % _ENTRY:
        return None
    entries: dict[bytes, bytes] = {}
    for start in range(0, len(raw), _ENTRY):
        name, value = raw[start : start + _NAME], raw[start + _NAME : start + _ENTRY]
        entries[name] = entries.get(name, b"") + value
    return Content(entries, _digest(raw), made_with=made_with)


def names_told(text: str) -> frozenset[bytes]:
    """Return the digests of the names that the annotation tells, whichever digest key it was made with."""
    raw = (unpack(text[len(_BY_KEY) :]) or b"")[_MARK:] if text.startswith(_BY_KEY) else b""
    if len(raw) % _ENTRY:
        return frozenset()
    return frozenset(raw[start : start + _NAME] for start in range(0, len(raw), _ENTRY))


def joined(digests: Iterable[bytes]) -> bytes:
    """Put digests of names into the one form that is kept: thousands of objects are."""
    return b"".join(sorted(digests))


def parted(digests: bytes) -> frozenset[bytes]:
    """Return the digests of names that were joined."""
    return frozenset(digests[start : start + _NAME] for start in range(0, len(digests), _NAME))


def _mark_of(digest_key: bytes) -> bytes:
    return keyed(digest_key, b"phase-key-mark", (), size=_MARK)


def _joined_entries(entries: Mapping[bytes, bytes]) -> bytes:
    # Names that share a digest, one pair in four billion, stand one after another and are judged together.
    return b"".join(
        name + values[start : start + _VALUE]
        for name, values in sorted(entries.items())
        for start in range(0, len(values), _VALUE)
    )


def name_digest(key: str) -> bytes:
    """Return what stands for the name of a key."""
    # Not keyed: the names of the keys stand in the object's managedFields beside it.
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=_NAME).digest()


def content_digest(key: bytes, data: Mapping[str, bytes], extra: Mapping[str, str]) -> str:
    """Return 32 hex digits for a data map and whatever else makes the object what it is."""
    parts: list[bytes] = []
    for name in sorted(extra):
        parts += [name.encode(), extra[name].encode()]
    parts += [b"", b""]
    for name in sorted(data):
        parts += [name.encode(), data[name]]
    return keyed(key, b"", framed(parts), size=16).hex()
