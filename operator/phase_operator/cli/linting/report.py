"""Findings as lines: for people, for programs, and for GitHub, which shows them beside the lines of a change."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phase_operator.cli.linting.findings import Finding, Level
from phase_operator.core.text import clean, counted

# GitHub's workflow commands: what ends a message, and what ends a property before it.
_IN_MESSAGES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES = {**_IN_MESSAGES, ":": "%3A", ",": "%2C"}


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding, in which resource it is, and in which line of which file."""

    file: str
    # None: not known.
    line: int | None
    # Kind and name of the resource; "" for a file that is none.
    resource: str
    finding: Finding

    @property
    def message(self) -> str:
        """The field and what is wrong with it, in one line."""
        field = f"{self.finding.field}: " if self.finding.path else ""
        return f"{field}{' '.join(self.finding.message.split())}"


def as_text(found: Placed) -> str:
    """Return a finding as one line for people."""
    where = clean(found.file) if found.line is None else f"{clean(found.file)}:{found.line}"
    what = f"{clean(found.resource)}: " if found.resource else ""
    return f"{where}: {found.finding.level}: {what}{found.message}"


def as_github(found: Placed) -> str:
    """Return a finding as a workflow command of GitHub."""
    place = f"file={_escaped(clean(found.file), _IN_PROPERTIES)}"
    line = "" if found.line is None else f",line={found.line}"
    title = f",title={_escaped(clean(found.resource), _IN_PROPERTIES)}" if found.resource else ""
    return f"::{found.finding.level} {place}{line}{title}::{_escaped(found.message, _IN_MESSAGES)}"


def as_json(found: Sequence[Placed]) -> str:
    """Return findings as a JSON list."""
    rows = [
        {
            "file": each.file,
            "line": each.line,
            "level": str(each.finding.level),
            "resource": each.resource,
            "field": each.finding.field,
            "message": each.finding.message,
        }
        for each in found
    ]
    return json.dumps(rows, indent=2)


def summary(found: Sequence[Placed], checked: int, others: int, unread: int = 0) -> str:
    """Return what was looked at and what came of it, in one line."""
    errors = sum(each.finding.level is Level.ERROR for each in found)
    skipped = f", {others} of other kinds skipped" if others else ""
    skipped += f", {counted(unread, 'file')} passed over that cannot be read as YAML" if unread else ""
    faults = f"{counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}"
    return f"{counted(checked, 'resource')} checked{skipped}: {faults}"


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(sign, sign) for sign in text)
