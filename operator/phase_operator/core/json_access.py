"""Look into JSON that others wrote.

Rule: a value of another type than expected reads as empty, and nothing raises. JSON makes only dicts and lists: a check
for these is five times as fast as one for abstract types, and a namespace may have thousands of objects.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic_core import from_json

T = TypeVar("T")

# More than etcd stores of one object, so that everything we write can be read again.
_LONGEST = 4 * 1024 * 1024
_DIGEST = 8
# Made once: `json.dumps` makes an encoder for each call that has options.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
# The largest integer of Go, in which Kubernetes reads JSON; a larger number is no real count.
_LARGEST = 2**63
_DIGITS = re.compile(r"[0-9]{1,18}")


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects in a list; none if the value is no list."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def at(value: object, path: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the JSON object at the end of a path, or an empty one."""
    for part in path:
        value = mapping(value).get(part)
    return mapping(value)


def text(value: object) -> str:
    """Return the value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def strings(value: object) -> list[str]:
    """Return the texts in a JSON list, such as finalizers; none if the value is no list."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def texts(value: object) -> dict[str, str]:
    """Return the text values of a JSON object, such as labels and annotations."""
    return {key: each for key, each in value.items() if isinstance(each, str)} if isinstance(value, dict) else {}


def number(value: object) -> int:
    """Return the value if it is an integer, also one that is written as text; else 0."""
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else 0
    return value if isinstance(value, int) and abs(value) < _LARGEST else 0


def without(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a JSON object without the members of these names."""
    return {name: value for name, value in members.items() if name not in names}


def only(members: Mapping[str, T], *names: str) -> dict[str, T]:
    """Return those members of a JSON object that have these names."""
    return {name: members[name] for name in names if name in members}


def filled(members: Mapping[str, T]) -> dict[str, T]:
    """Return those members of a JSON object that hold something: none that is empty, zero, false or null."""
    return {name: value for name, value in members.items() if value}


def bounded(value: str, longest: int) -> str:
    """Return a text of at most `longest` characters; a cut one ends in a digest, so that it stays distinct."""
    if len(value) <= longest:
        return value
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).hexdigest()
    return f"{value[: longest - len(digest) - 1]}-{digest}"


def canonical(value: object) -> str:
    """Return JSON in the form that digests are made of: equal values have equal texts."""
    return _CANONICAL(value)


def loaded(raw: bytes) -> Any:
    """Return what `json.loads` returns, in half of the time; raise ValueError and RecursionError as it does.

    Where the two parsers differ (NaN, halves of surrogate pairs, UTF-16, a byte order mark, a depth of 200), the first
    refuses the text, and Python's own decides.
    """
    try:
        # No text is kept in a cache: some are secret, and a cache would outlive them.
        return from_json(raw, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return json.loads(raw)


def parsed(written: object) -> object:
    """Parse a JSON text; return None if it is not valid, or too long or too deep."""
    if not isinstance(written, str) or len(written) > _LONGEST:
        return None
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return None
