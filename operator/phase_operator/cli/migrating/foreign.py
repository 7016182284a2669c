"""A resource of another operator, and which of its fields a converter has read.

Rule: a field that nobody has read is not dropped in silence: `unread` names it. Others wrote the resource, so a value
of another type than expected reads as nothing, and stays unread.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from phase_operator.cli.common.resources import place_of
from phase_operator.core.json_access import mapping, text, texts
from phase_operator.core.text import clean
from phase_operator.core.values import ObjectKey

Path = tuple[str | int, ...]
# The most fields that are named: whoever writes the resource decides how many there are.
_MOST_NAMED = 50
# No field of a resource lies deeper; what does is named at this depth.
_DEEPEST = 32
_DEFAULT_NAMESPACE = "default"
SPEC: Path = ("spec",)


def home_of(body: Mapping[str, Any], namespace: str) -> ObjectKey:
    """Return namespace and name of an object; one that names no namespace is in this one, else in `default`."""
    own, name, _ = place_of(body)
    return ObjectKey(own or namespace or _DEFAULT_NAMESPACE, name)


class Foreign:
    """One resource, read field by field."""

    def __init__(self, body: Mapping[str, Any], namespace: str = "") -> None:
        self._body = body
        self._read: set[Path] = set()
        metadata = mapping(body.get("metadata"))
        self.key = home_of(body, namespace)
        self.kind = text(body.get("kind"))
        self.labels = texts(metadata.get("labels"))
        self.annotations = texts(metadata.get("annotations"))

    def text(self, *path: str | int) -> str:
        """Return a text, "" if there is none; the field counts as read if it is one."""
        found = self._value(path)
        if isinstance(found, str):
            self._read.add(path)
            return found
        return ""

    def flag(self, *path: str | int) -> bool | None:
        """Return a truth value, None if there is none; the field counts as read if it is one."""
        found = self._value(path)
        if isinstance(found, bool):
            self._read.add(path)
            return found
        return None

    def number(self, *path: str | int) -> int | None:
        """Return an integer, None if there is none; the field counts as read if it is one."""
        found = self._value(path)
        if isinstance(found, int) and not isinstance(found, bool):
            self._read.add(path)
            return found
        return None

    def words(self, *path: str | int) -> list[str]:
        """Return a list of texts; the field counts as read if it is one."""
        found = self._value(path)
        if isinstance(found, list) and all(isinstance(each, str) for each in found):
            self._read.add(path)
            return found
        return []

    def pairs(self, *path: str | int) -> dict[str, str]:
        """Return a mapping of texts; the field counts as read if it is one."""
        found = self._value(path)
        if isinstance(found, dict) and all(isinstance(each, str) for each in found.values()):
            self._read.add(path)
            return {str(name): each for name, each in found.items()}
        return {}

    def skip(self, usual: str, *path: str | int) -> None:
        """Count a field as read if it says what is usual, and what happens here anyway."""
        if self._value(path) == usual:
            self._read.add(path)

    def has(self, *path: str | int) -> bool:
        """Return whether a field is there and says something; it does not count as read."""
        return not _says_nothing(self._value(path))

    def items(self, *path: str | int) -> Iterator[Path]:
        """Yield the path of each object in a list."""
        found = self._value(path)
        if isinstance(found, list):
            yield from ((*path, number) for number, each in enumerate(found) if isinstance(each, dict))

    def names(self, *path: str | int) -> list[str]:
        """Return the names of the members of an object."""
        return [str(each) for each in mapping(self._value(path))]

    def done(self, *path: str | int) -> None:
        """Count a field as read, with all that is in it: the caller has said what becomes of it."""
        self._read.add(path)

    def unread(self) -> list[Path]:
        """Return the fields of the spec that nobody has read, the outermost of each; of very many, the first."""
        found: list[Path] = []
        opened = {path[:length] for path in self._read for length in range(len(path))} | {SPEC}
        self._search(SPEC, mapping(self._body.get("spec")), opened, found)
        return found[:_MOST_NAMED]

    def _search(self, path: Path, value: object, opened: Collection[Path], found: list[Path]) -> None:
        """Collect the fields that were not read; `opened` are those in which something was."""
        if path in self._read or _says_nothing(value) or len(found) > _MOST_NAMED:
            return
        if path not in opened or len(path) > _DEEPEST:
            found.append(path)
            return
        members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, each in members:
            self._search((*path, name), each, opened, found)

    def _value(self, path: Path) -> object:
        value: Any = self._body
        for part in path:
            if isinstance(part, int):
                value = value[part] if isinstance(value, list) and part < len(value) else None
            else:
                value = mapping(value).get(part)
        return value


def _says_nothing(value: object, depth: int = 0) -> bool:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if members is None:
        return value is None or value == ""
    return depth < _DEEPEST and all(_says_nothing(each, depth + 1) for each in members)


def spelled(path: Path) -> str:
    """Return a path as people write it: `spec.data[0].remoteRef`."""
    found = ""
    for part in path:
        found += f"[{part}]" if isinstance(part, int) else f".{clean(part)}"
    return found.removeprefix(".")
