"""A file of entries -> entries as Phase would answer them.

Rule: values are text, as in Phase: 5432 and yes are read as they are written. A message names the file, the line and
the key, and quotes no value.
"""

import io
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from phase_operator.api.v1alpha1.phasesecret import EntryType
from phase_operator.cli.common.manifests import ManifestError, bounded
from phase_operator.cli.common.yaml_lines import YamlError, as_text, read_all
from phase_operator.core.source.folders import normal_path
from phase_operator.core.text import clean
from phase_operator.core.values import ConfigEntry, Entry, SecretValue

_FIELDS = frozenset({"value", "type", "path", "tags"})
_SHAPE = "write KEY: value, or KEY: {value, type, path, tags}, or a list of such mappings"


class EntriesFormat(StrEnum):
    """How a file of entries is written."""

    YAML = "yaml"
    JSON = "json"
    DOTENV = "dotenv"


_SUFFIXES = {
    ".yaml": EntriesFormat.YAML,
    ".yml": EntriesFormat.YAML,
    ".json": EntriesFormat.JSON,
    ".env": EntriesFormat.DOTENV,
}


class _Wrong(Exception):
    """A file that holds no entries: what is wrong, and in which line, if that is known."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line


def format_of(file: str) -> EntriesFormat | None:
    """Return the format of a file by its name; None if the name does not say it. `.env.local` is dotenv."""
    path = PurePath(file)
    if path.name == ".env" or path.name.startswith(".env."):
        return EntriesFormat.DOTENV
    return _SUFFIXES.get(path.suffix)


def entries(raw: bytes, file: str, form: EntriesFormat) -> tuple[Entry, ...]:
    """Return the entries of a file; raise ManifestError."""
    try:
        given = _READERS[form](bounded(raw, file))
        return tuple(_entry(number, *each) for number, each in enumerate(_listed(given)))
    except (_Wrong, YamlError) as error:
        # Without its cause, which may hold a value.
        raise ManifestError(file, error.problem, error.line) from None


def _from_yaml(raw: bytes) -> Any:
    documents = [each for each in read_all(raw, as_text) if each.value not in (None, "")]
    if len(documents) > 1:
        raise _Wrong("several documents; entries are one", documents[1].line(()))
    return documents[0].value if documents else {}


def _from_json(raw: bytes) -> Any:
    try:
        # Numbers stay as they are written.
        text = raw.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise _Wrong(f"not JSON: {error.msg}", error.lineno) from None
    except (UnicodeError, RecursionError):
        raise _Wrong("not JSON: no text in UTF-8, or too deep") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Wrong(f'"{clean(twice)}" is there twice')
    return found


def _from_dotenv(raw: bytes) -> Any:
    # Imported here: no other command needs it. pydantic-settings brings it.
    from dotenv.parser import parse_stream

    found: dict[str, Any] = {}
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeError:
        raise _Wrong("no text in UTF-8") from None
    for each in parse_stream(io.StringIO(text, newline="")):
        line = each.original.line
        if each.error or (each.key is not None and each.value is None):
            raise _Wrong("not KEY=value", line)
        if each.key in found:
            raise _Wrong(f'"{clean(each.key)}" is there twice', line)
        if each.key is not None:
            found[each.key] = each.value
    return found


_READERS = {EntriesFormat.YAML: _from_yaml, EntriesFormat.JSON: _from_json, EntriesFormat.DOTENV: _from_dotenv}


def _listed(found: Any) -> Iterator[tuple[str, Any]]:
    """Yield keys and what is given for each: of a mapping, or of several where a key lies in more than one folder."""
    for part in found if isinstance(found, list) else [found]:
        if not isinstance(part, Mapping):
            raise _Wrong(f"no entries: {_SHAPE}")
        yield from part.items()


def _entry(number: int, key: str, given: Any) -> Entry:
    fields = given if isinstance(given, Mapping) else {"value": given}
    where = f'entry "{clean(key)}"'
    if unknown := sorted(fields.keys() - _FIELDS):
        raise _Wrong(f'{where}: "{clean(unknown[0])}" is no field of an entry: {_SHAPE}')
    if not key or "value" not in fields:
        raise _Wrong(f"{where}: has no {'value' if key else 'key'}: {_SHAPE}")
    kind = _text(fields.get("type", EntryType.SECRET), f"{where}: type")
    if kind not in set(EntryType):
        raise _Wrong(f"{where}: type has to be one of {', '.join(EntryType)}")
    made = ConfigEntry if kind == EntryType.CONFIG else Entry
    value = SecretValue(_text(fields["value"], f"{where}: value"))
    path = normal_path(_text(fields.get("path", "/"), f"{where}: path"))
    return made(f"entry-{number}", key, value, path, _tags(fields.get("tags", []), where), str(kind))


def _tags(given: Any, where: str) -> frozenset[str]:
    if not isinstance(given, list):
        raise _Wrong(f"{where}: tags have to be a list of texts")
    return frozenset(_text(each, f"{where}: tags") for each in given)


def _text(given: Any, where: str) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    if given is None:
        raise _Wrong(f"{where}: null is no text; put it in quotes")
    if not isinstance(given, str):
        raise _Wrong(f"{where}: has to be a text")
    return given
