"""Lines of the operator's log -> text about one resource.

Rule: the log is the operator's own, but names, messages of Phase and sources in it are of others: each value is one
bounded line. Lines about other resources are not shown, whoever may read them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.core.json_access import mapping, parsed, text
from phase_operator.core.text import clean
from phase_operator.core.timestamps import moment_of, timestamp

_PLAIN = re.compile(r'[^\s"=\\]+')
# The field of a line in the text format, with or without quotes.
_OBJECT = re.compile(r' object=("(?:[^"\\]|\\.)*"|\S+)')
_TIME = re.compile(r"\S{10,40}")
_HEAD = frozenset({"time", "level", "message", "logger", "object"})
# The trace of a bug has several lines.
_TRACE = "trace"
_MOST_LINES = 60
# A line of the text format, with all its fields.
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Told:
    """What a line says, and when that was, in seconds since 1970 if it says so."""

    text: str
    at: float | None


def told(line: str, names: frozenset[str], own: str) -> Told | None:
    """Return a line as text if it is about one of these objects, else None; `own` is left out of the text."""
    fields = mapping(parsed(line))
    if not fields:
        return _told_as_text(line, names)
    about = text(fields.get("object"))
    # A restart is a line about the workload; its detail names the targets.
    if about not in names and names.isdisjoint(text(fields.get("detail")).split(", ")):
        return None
    return Told(_written(fields, "" if about == own else about), moment_of(fields.get("time")))


def _told_as_text(line: str, names: frozenset[str]) -> Told | None:
    """Return a line of an operator that logs text."""
    found = _OBJECT.search(line)
    if found is None:
        return None
    quoted = found.group(1)
    about = parsed(quoted) if quoted.startswith('"') else quoted
    time = _TIME.match(line)
    return Told(clean(line, _LONGEST), moment_of(time.group() if time else "")) if about in names else None


def _written(fields: Mapping[str, Any], about: str) -> str:
    time, level = clean(text(fields.get("time"))), clean(text(fields.get("level")))
    parts = [time.split(".")[0], f"{level:<7}", clean(text(fields.get("message")))]
    if about:
        parts.append(f"object={_value(about)}")
    parts += [f"{clean(name)}={_value(each)}" for name, each in fields.items() if name not in (*_HEAD, _TRACE)]
    trace = [f"    {clean(each)}" for each in text(fields.get(_TRACE)).splitlines()[-_MOST_LINES:]]
    return "\n".join([" ".join(parts), *trace])


def _value(value: object) -> str:
    plain = clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return plain if not isinstance(value, str) or _PLAIN.fullmatch(plain) else json.dumps(plain, ensure_ascii=False)


class Cursor:
    """Knows how far a log was shown, so that it goes on there when it is opened again."""

    def __init__(self, since: int | None) -> None:
        self._since = since
        self._last: float | None = None
        # What is not later was shown when the log was opened.
        self._shown: float | None = None

    def query(self) -> list[tuple[str, str]]:
        """Return from where the API server is to begin, in whole seconds, and count what was read as shown."""
        self._shown = self._last
        if self._last is not None:
            return [("sinceTime", timestamp(self._last))]
        return [("sinceSeconds", str(self._since))] if self._since is not None else []

    def is_new(self, line: Told) -> bool:
        """Return whether a line was not shown before, and count it as read."""
        if line.at is None:
            return True
        if self._shown is not None and line.at <= self._shown:
            return False
        self._last = line.at
        return True
