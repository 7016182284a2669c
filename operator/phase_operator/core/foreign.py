"""Look into JSON that others wrote.

Rule: what is not of the kind that is asked for is empty, and nothing raises. JSON makes dicts and lists; to ask for
these, and not for what behaves alike, is five times as fast, and a namespace may have thousands of objects.
"""

from collections.abc import Iterator, Mapping
from typing import Any


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


def number(value: object) -> int:
    """Return an integer, also one that is written as text, or 0."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0
    return value if isinstance(value, int) else 0
