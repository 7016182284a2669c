"""Look into JSON that others wrote.

Rule: what is not of the kind that is asked for is empty, and nothing raises. JSON makes dicts and lists; to ask for
these, and not for what behaves alike, is five times as fast, and a namespace may have thousands of objects.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

# More than etcd stores of one object, so that nothing that we mean to write is too long to be read again.
_LONGEST = 4 * 1024 * 1024
_DIGEST = 8
# What a JSON number may be to Go; larger ones are nobody's count.
_LARGEST = 2**63


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Return the objects in a list."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def at(value: object, path: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the object at the end of a path, or an empty one."""
    for part in path:
        value = mapping(value).get(part)
    return mapping(value)


def text(value: object) -> str:
    """Return a text, or an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> dict[str, str]:
    """Return the texts in an object, as labels and annotations are."""
    return {key: each for key, each in value.items() if isinstance(each, str)} if isinstance(value, dict) else {}


def number(value: object) -> int:
    """Return an integer, also one that is written as text, or 0."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0
    return value if isinstance(value, int) and abs(value) < _LARGEST else 0


def bounded(value: str, longest: int) -> str:
    """Return a text that has its place: one that is longer is cut, and a digest tells it from others cut alike."""
    if len(value) <= longest:
        return value
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()
    return f"{value[: longest - len(digest) - 1]}-{digest}"


def parsed(written: object) -> object:
    """Return what a text says in JSON, or None: also if it is longer, or deeper, than what anybody has to say."""
    if not isinstance(written, str) or len(written) > _LONGEST:
        return None
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return None
