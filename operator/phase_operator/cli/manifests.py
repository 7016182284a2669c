"""YAML files of Kubernetes objects -> documents that know on which line each field is.

Rule: a file may come from anybody, so its size, depth and number of values are bounded, and aliases count as what they
stand for. A key that is there twice is an error, as it is for the API server.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from phase_operator.core.json_access import mappings, text
from phase_operator.core.text import clean

STDIN = "-"
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_LARGEST = 8 * 1024 * 1024
_DEEPEST = 64
_MOST_VALUES = 200_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path_ = tuple[str | int, ...]


class ManifestError(Exception):
    """A file that cannot be used; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file."""

    file: str
    body: Mapping[str, Any]
    # The line of each field, by its path: ("spec", "keys", 0).
    lines: Mapping[Path_, int]
    # The path of the object in the file: not () for an item of a List.
    root: Path_ = ()

    def at(self, *path: str | int) -> str:
        """Return where a field is, as `file:line`; the nearest one that is there, if it is missing."""
        full = (*self.root, *path)
        found = next(full[:length] for length in range(len(full), -1, -1) if full[:length] in self.lines)
        return f"{self.file}:{self.lines[found]}"

    @property
    def kind(self) -> str:
        """The kind of the object, or ""."""
        return text(self.body.get("kind"))

    @property
    def api_version(self) -> str:
        """The group and version of the object, or ""."""
        return text(self.body.get("apiVersion"))


def read(files: Sequence[str]) -> Iterator[Document]:
    """Yield the objects of files and folders, in their order; `-` is the standard input. Raise ManifestError."""
    for name in files:
        if name == STDIN:
            yield from documents(sys.stdin.buffer.read(_LARGEST + 1), "standard input")
            continue
        for path in _paths(Path(name)):
            yield from documents(_content(path), str(path))


def documents(raw: bytes, file: str) -> Iterator[Document]:
    """Yield the objects of a YAML stream, and the items of its Lists; raise ManifestError."""
    if len(raw) > _LARGEST:
        raise ManifestError(f"{file}: larger than {_LARGEST // 1024 // 1024} MiB")
    try:
        loader = _Loader(raw)
        try:
            reader = _Reader(loader, file)
            while loader.check_node():
                yield from reader.document(loader.get_node())
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise ManifestError(f"{_place(file, error)}: not YAML: {clean(_problem(error))}") from error


def _paths(given: Path) -> list[Path]:
    if given.is_dir():
        return sorted(path for path in given.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    return [given]


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)
    except OSError as error:
        raise ManifestError(f"{path}: {error.strerror or error}") from error


def _place(file: str, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return file if mark is None else f"{file}:{mark.line + 1}"


def _problem(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error)


class _Reader:
    """Turns the nodes of one stream into values, and notes their lines."""

    def __init__(self, loader: Any, file: str) -> None:
        self._loader = loader
        self._file = file
        self._left = _MOST_VALUES
        self._lines: dict[Path_, int] = {}

    def document(self, node: Node) -> Iterator[Document]:
        """Yield the object of a document, or the items if it is a List; nothing if it is empty."""
        self._lines = {}
        body = self._value(node, ())
        if body is None:
            return
        if not isinstance(body, Mapping):
            raise ManifestError(f"{self._file}:{node.start_mark.line + 1}: not an object of Kubernetes")
        if body.get("kind") == "List" and body.get("apiVersion") == "v1":
            for number, item in enumerate(mappings(body.get("items"))):
                yield Document(self._file, item, self._lines, ("items", number))
            return
        yield Document(self._file, body, self._lines)

    def _value(self, node: Node, path: Path_) -> Any:
        self._left -= 1
        if self._left < 0 or len(path) > _DEEPEST:
            raise ManifestError(f"{self._where(node)}: too many values, or too deep")
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, MappingNode):
            self._loader.flatten_mapping(node)
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._value(each, (*path, number)) for number, each in enumerate(node.value)]
        return self._loader.construct_object(node)

    def _mapping(self, node: MappingNode, path: Path_) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._loader.construct_object(key_node) if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                raise ManifestError(f"{self._where(key_node)}: a key that is no text; put it in quotes")
            if key in found:
                raise ManifestError(f'{self._where(key_node)}: "{clean(key)}" is there twice')
            found[key] = self._value(value_node, (*path, key))
            self._lines[(*path, key)] = key_node.start_mark.line + 1
        return found

    def _where(self, node: Node) -> str:
        return f"{self._file}:{node.start_mark.line + 1}"
