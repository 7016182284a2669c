"""YAML -> values as JSON has them, with the line of each.

Rule: a file may come from anybody, so its depth and number of values are bounded, and aliases count as what they stand
for. It is read as kubectl reads it: a date is text, `y` is true, and a key that is there twice is an error.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent, NodeEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from phase_operator.core.text import clean

FieldPath = tuple[str | int, ...]

_DEEPEST = 64
_MOST_VALUES = 200_000
_TOO_MUCH = "too many values, or too deep"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
# PyYAML makes a date of the first, and nothing of the second, which is a single `=`.
_TEXTS = frozenset({f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value"})
_NUMBERS = frozenset({f"{_TAG}int", f"{_TAG}float"})
_SHORT = {"y": True, "Y": True, "n": False, "N": False}
# Numbers for kubectl that are text for PyYAML: 12e3, 0o17.
_FLOAT = re.compile(r"[-+]?([.][0-9]+|[0-9]+([.][0-9]*)?)([eE][-+]?[0-9]+)?")
# Two halves of a letter, as JSON escapes it, after backslashes that escape each other.
_HALVES = re.compile(rb"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_OCTAL = re.compile(r"0o([0-7]+)")


class YamlError(Exception):
    """A stream that cannot be used: what is wrong, and in which line, if that is known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line


@dataclass(frozen=True, slots=True)
class Read:
    """One document of a stream: its value, and the line of each part by its path."""

    value: Any
    lines: Mapping[FieldPath, int]

    def line(self, path: FieldPath) -> int:
        """Return the line of a part; of the nearest one around it, if it is missing."""
        found = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in self.lines)
        return self.lines[found]


Scalar = Callable[[Any, ScalarNode], Any]


def as_json(loader: Any, node: ScalarNode) -> Any:
    """Return a scalar as kubectl reads it; raise YamlError if JSON does not have it."""
    plain = not node.style
    if node.tag in _TEXTS:
        return _bare(node.value) if plain else node.value
    if plain and node.tag in _NUMBERS and ":" in node.value:
        return node.value
    value = loader.construct_object(node)
    is_number = isinstance(value, float) and math.isfinite(value)
    if value is None or is_number or isinstance(value, str | int):
        return value
    raise YamlError("a value that JSON does not have; put it in quotes", node.start_mark.line + 1)


def _bare(text: str) -> Any:
    """Return what kubectl makes of a text without quotes that PyYAML takes for text."""
    if text in _SHORT:
        return _SHORT[text]
    if (octal := _OCTAL.fullmatch(text)) is not None:
        return int(octal[1], 8)
    if _FLOAT.fullmatch(text) is None or not math.isfinite(found := float(text)):
        return text
    return int(found) if found.is_integer() else found


def as_text(_: Any, node: ScalarNode) -> Any:
    """Return a scalar as the text that is written there; raise YamlError if it stands for bytes."""
    if node.tag == f"{_TAG}binary":
        raise YamlError("a binary value: write the text that Phase holds", node.start_mark.line + 1)
    return node.value


def read_all(raw: bytes, scalar: Scalar = as_json) -> Iterator[Read]:
    """Yield the documents of a stream, also empty ones, whose value is None; raise YamlError."""
    raw = _joined(raw)
    try:
        with _loading(raw) as loader:
            _check_size(loader)
        with _loading(raw) as loader:
            reader = _Reader(loader, scalar)
            while loader.check_node():
                yield reader.document(loader.get_node())
    except (yaml.YAMLError, UnicodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error)
        raise YamlError(f"not YAML: {clean(problem)}", None if mark is None else mark.line + 1) from error


def _joined(raw: bytes) -> bytes:
    """Return a stream of JSON whose letters are one escape each: YAML does not have the two halves that JSON has."""
    if not raw.lstrip().startswith((b"{", b"[")):
        return raw
    return _HALVES.sub(lambda found: b"%s\\U%08x" % (found[1], ord(json.loads(b'"%s"' % found[2]))), raw)


@contextmanager
def _loading(raw: bytes) -> Iterator[Any]:
    loader = _LOADER(raw)
    try:
        yield loader
    finally:
        loader.dispose()


def _check_size(loader: Any) -> None:
    """Raise YamlError for a stream that is too large; nodes are made by recursion in C, which a deep one crashes."""
    depth = number = 0
    while loader.check_event():
        event = loader.get_event()
        number += isinstance(event, NodeEvent)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if number > _MOST_VALUES or depth > _DEEPEST:
            raise _wrong(event, _TOO_MUCH)


class _Reader:
    """Turns the nodes of one stream into values, and notes their lines."""

    def __init__(self, loader: Any, scalar: Scalar) -> None:
        self._loader = loader
        self._scalar = scalar
        self._left = _MOST_VALUES
        self._lines: dict[FieldPath, int] = {}

    def document(self, node: Node) -> Read:
        self._lines = {}
        return Read(self._value(node, ()), self._lines)

    def _value(self, node: Node, path: FieldPath) -> Any:
        self._left -= 1
        if self._left < 0 or len(path) > _DEEPEST:
            raise _wrong(node, _TOO_MUCH)
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._value(each, (*path, number)) for number, each in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self._scalar(self._loader, node)

    def _mapping(self, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        found = self._merged(node, path)
        own: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            key = as_json(self._loader, key_node) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                raise _wrong(key_node, "a key that is no text; put it in quotes")
            if key in own:
                raise _wrong(key_node, f'"{clean(key)}" is there twice')
            own.add(key)
            found[key] = self._value(value_node, (*path, key))
            self._lines[(*path, key)] = key_node.start_mark.line + 1
        return found

    def _merged(self, node: MappingNode, path: FieldPath) -> dict[str, Any]:
        """Return what `<<` takes over from other mappings: each is read again, so that it counts again."""
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag != _MERGE:
                continue
            for each in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                if not isinstance(each, MappingNode):
                    raise _wrong(each, "<< takes over from mappings only")
                found = {**self._value(each, (*path, key_node.value)), **found}
        return found


def _wrong(at: Any, problem: str) -> YamlError:
    """Return an error at a node or an event."""
    return YamlError(problem, at.start_mark.line + 1)
