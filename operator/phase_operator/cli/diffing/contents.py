"""The content of a Secret or ConfigMap: its keys and values as bytes, and digests by which they are compared.

Rule: values do not print. Digests are keyed with random bytes of this process, and never leave it.
"""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.core.digests import framed, keyed
from phase_operator.core.json_access import texts
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.targets.fingerprint import KeyDigests, key_digests_of


@dataclass(frozen=True, slots=True)
class Content:
    """The keys of an object, with digests of their values and the values themselves."""

    digests: Mapping[str, bytes]
    values: Mapping[str, bytes] = field(repr=False, compare=False)

    @classmethod
    def of(cls, values: Mapping[str, bytes], digest_key: bytes) -> "Content":
        """Return the content of these values."""
        return cls({key: _digest(digest_key, value) for key, value in values.items()}, values)

    def changed_in(self, after: "Content") -> list[str]:
        """Return the keys that have another value in another content, sorted."""
        both = self.digests.keys() & after.digests.keys()
        return sorted(key for key in both if self.digests[key] != after.digests[key])

    def with_changes(self, removed: Collection[str], written: "Content") -> "Content":
        """Return the content without some keys and with those of another one."""
        kept = {key: each for key, each in self.values.items() if key not in removed}
        digests = {key: each for key, each in self.digests.items() if key not in removed}
        return Content(digests | dict(written.digests), kept | dict(written.values))

    def key_digests(self, ref: TargetRef, digest_key: bytes) -> KeyDigests:
        """Return the digests by which it is decided whether workloads restart."""
        return key_digests_of(digest_key, str(ref), self.values)


def values_of(kind: Kind, body: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the values of an object, or of the manifest of one."""
    if kind is Kind.SECRET:
        return {key: _decoded(each) for key, each in texts(body.get("data")).items()}
    plain = {key: each.encode("utf-8", "surrogatepass") for key, each in texts(body.get("data")).items()}
    return plain | {key: _decoded(each) for key, each in texts(body.get("binaryData")).items()}


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        # The API server stores no such text.
        return text.encode()


def _digest(digest_key: bytes, value: bytes) -> bytes:
    return keyed(digest_key, b"phase-diff", framed((value,)), size=16)
