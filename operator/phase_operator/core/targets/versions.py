"""Versioned targets: `shop` is written as `shop-<ten hex digits>`, one object for each content.

Rule: the name follows from the base name and the digest, so equal content has the same name. Whether a name may belong
to a base name follows from the two names alone.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

# Kubernetes: the name of a Secret or ConfigMap is a DNS subdomain.
_LONGEST = 253
_DIGITS = 10
_SUFFIX = re.compile(rf"-[0-9a-f]{{{_DIGITS}}}")
_LONGEST_STEM = _LONGEST - _DIGITS - 1


def versioned_name(base: str, digest: str) -> str:
    """Return the name for a content with this hex digest; a base that is too long for a suffix is cut."""
    stem = _stem(base)
    if stem != base:
        # Bases may look alike once they are cut; their versions must not.
        digest = hashlib.blake2b(f"{base}\n{digest}".encode(), digest_size=_DIGITS).hexdigest()
    return f"{stem}-{digest[:_DIGITS]}"


def is_version(name: str, base: str) -> bool:
    """Return whether `name` could be a version of `base`. Cut bases can share a stem, so several may match."""
    stem = _stem(base)
    return name.startswith(stem) and _SUFFIX.fullmatch(name, len(stem)) is not None


@dataclass(frozen=True, slots=True)
class Made:
    """A version that exists: its name and when it was created, as RFC 3339 in UTC, so that texts sort as times do."""

    name: str
    created: str


def prunable(versions: Iterable[Made], keep: int, newest: str) -> list[Made]:
    """Return the versions that are not among the newest `keep`, oldest first; `newest` is one of those kept."""
    others = sorted((each for each in versions if each.name != newest), key=lambda each: (each.created, each.name))
    return others[: max(0, len(others) - (keep - 1))]


def _stem(base: str) -> str:
    return base if len(base) <= _LONGEST_STEM else base[:_LONGEST_STEM].rstrip("-.")


_LABEL = 63


def version_label(base: str) -> str:
    """Return the label value that selects the versions of a base name."""
    return base if len(base) <= _LABEL else hashlib.blake2b(base.encode(), digest_size=16).hexdigest()
