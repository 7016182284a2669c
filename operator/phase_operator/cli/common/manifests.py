"""YAML files of Kubernetes objects -> documents that know on which line each field is.

Rule: a file may come from anybody, so its size is bounded; yaml_lines.py bounds the rest.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.yaml_lines import FieldPath, Read, YamlError, read_all
from phase_operator.core.json_access import text
from phase_operator.core.text import clean

STDIN = "-"
_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_LARGEST = 8 * 1024 * 1024


class ManifestError(Exception):
    """A file that cannot be used; the message names the file and the line."""

    def __init__(self, file: str, problem: str, line: int | None = None) -> None:
        super().__init__(f"{clean(file)}{f':{line}' if line else ''}: {problem}")
        self.file = file
        self.problem = problem
        self.line = line


class UnreadableError(ManifestError):
    """A file that is not there, or may not be read."""


@contextmanager
def usable() -> Iterator[None]:
    """Raise what is wrong with a file as a Failure."""
    try:
        yield
    except ManifestError as error:
        raise Failure(str(error), ExitCode.USAGE) from None


@dataclass(frozen=True, slots=True)
class Source:
    """The content of a file, up to one byte more than is taken, and how messages call it."""

    file: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file."""

    file: str
    body: Mapping[str, Any]
    read: Read
    # The path of the object in the file: not () for an item of a List.
    root: FieldPath = ()

    def line(self, *path: str | int) -> int:
        """Return the line of a field; of the nearest one around it, if it is missing."""
        return self.read.line((*self.root, *path))

    def at(self, *path: str | int) -> str:
        """Return where a field is, as `file:line`."""
        return f"{clean(self.file)}:{self.line(*path)}"

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
    for source in sources(files):
        yield from documents(source.raw, source.file)


def sources(files: Sequence[str]) -> Iterator[Source]:
    """Yield the content of files, and of those in folders that may hold objects; raise UnreadableError."""
    for name in files:
        if name == STDIN:
            yield Source("standard input", sys.stdin.buffer.read(_LARGEST + 1))
            continue
        for path in _paths(Path(name)):
            yield source(path)


def source(path: Path) -> Source:
    """Return the content of a file; raise UnreadableError."""
    try:
        with path.open("rb") as file:
            return Source(str(path), file.read(_LARGEST + 1))
    except OSError as error:
        raise UnreadableError(str(path), error.strerror or str(error)) from error


def documents(raw: bytes, file: str) -> Iterator[Document]:
    """Yield the objects of a YAML stream, and the items of its Lists; raise ManifestError."""
    try:
        for read in read_all(bounded(raw, file)):
            yield from _objects(read, file)
    except YamlError as error:
        raise ManifestError(file, error.problem, error.line) from error


def _objects(read: Read, file: str) -> Iterator[Document]:
    """Yield the object of a document, or the items if it is a List; nothing if it is empty."""
    if read.value is None:
        return
    if not isinstance(read.value, dict):
        raise YamlError("not an object of Kubernetes", read.line(()))
    if (read.value.get("kind"), read.value.get("apiVersion")) != ("List", "v1"):
        yield Document(file, read.value, read)
        return
    items = read.value.get("items")
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict):
            raise YamlError("not an object of Kubernetes", read.line(("items", number)))
        yield Document(file, item, read, ("items", number))


def bounded(raw: bytes, file: str) -> bytes:
    """Return the content of a file that is not too large; raise ManifestError."""
    if len(raw) > _LARGEST:
        raise ManifestError(file, f"larger than {_LARGEST // 1024 // 1024} MiB")
    return raw


def _paths(given: Path) -> list[Path]:
    if given.is_dir():
        return sorted(path for path in given.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    return [given]
