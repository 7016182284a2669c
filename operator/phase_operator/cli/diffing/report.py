"""What a diff found of one resource, as lines for people and as a document for programs.

Rule: values are in neither, unless they are asked for; then only as text that a terminal cannot obey.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.cli.common.terminal import MASK, Tone, cut, shown
from phase_operator.cli.diffing.changes import Change, Sign, TargetDiff, Verdict
from phase_operator.cli.diffing.entries import EntryChange
from phase_operator.cli.diffing.restarts import ComingRestart
from phase_operator.core.text import listing

_TONES = {Sign.ADDED: Tone.GOOD, Sign.REMOVED: Tone.BAD, Sign.CHANGED: Tone.NOTE}
_BAD = frozenset({Verdict.REFUSED, Verdict.DELETE, Verdict.REPLACE})
_LONGEST_VALUE = 500

Line = tuple[str, Tone | None]


@dataclass(frozen=True, slots=True)
class Report:
    """What the next run of the operator would do for one resource."""

    resource: str
    targets: Sequence[TargetDiff] = ()
    entries: Sequence[EntryChange] = ()
    restarts: Sequence[ComingRestart] = ()
    notes: Sequence[str] = ()

    @property
    def is_same(self) -> bool:
        """Whether nothing would be done."""
        return not self.entries and all(each.is_same for each in self.targets)


def lines(report: Report, *, show_values: bool = False) -> Iterator[Line]:
    """Yield a report for people, a line at a time."""
    yield f"{report.resource}{': no change' if report.is_same else ''}", None
    for target in report.targets:
        if not target.is_same:
            yield from _target(target, show_values=show_values)
    for entry in report.entries:
        yield _entry(entry)
    for restart in report.restarts:
        yield f"  {_restart(restart)}", Tone.NOTE
    for note in report.notes:
        yield f"  note: {shown(note)}", Tone.FAINT


def document(report: Report, *, show_values: bool = False) -> dict[str, Any]:
    """Return a report for programs."""
    return {
        "resource": report.resource,
        "differs": not report.is_same,
        "targets": [_target_document(each, show_values=show_values) for each in report.targets],
        "entries": [{"sign": each.sign, "entry": each.name, "what": each.what} for each in report.entries],
        "restarts": [
            {"workload": each.workload, "targets": [str(ref) for ref in each.targets], "why": each.why}
            for each in report.restarts
        ],
        "notes": list(report.notes),
    }


def _target(target: TargetDiff, *, show_values: bool) -> Iterator[Line]:
    why = f": {shown(target.why)}" if target.why else ""
    yield f"  {target.ref} {target.verdict}{why}", Tone.BAD if target.verdict in _BAD else None
    for change in target.changes:
        yield f"    {change.sign} {_change(change, show_values=show_values)}", _TONES[change.sign]


def _change(change: Change, *, show_values: bool) -> str:
    name = shown(change.name)
    if change.before is None and change.after is None:
        return f"{change.what} {name}"
    what = name if change.what == "key" else f"{change.what} {name}"
    if not show_values:
        return what
    sides = [_value(each) for each in (change.before, change.after) if each is not None]
    return f"{what}: {' -> '.join(sides)}"


def _value(value: bytes) -> str:
    """Return a value in quotes, with all but plain letters escaped."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"{len(value)} bytes that are no text"
    return cut(json.dumps(text), _LONGEST_VALUE)


def _entry(entry: EntryChange) -> Line:
    if entry.sign is None:
        return f"  ! {shown(entry.what)}", Tone.BAD
    return f"  {entry.sign} {shown(entry.name)}: {shown(entry.what)}", _TONES[entry.sign]


def _restart(restart: ComingRestart) -> str:
    why = f", but not at once: {shown(restart.why)}" if restart.why else ""
    return f"{shown(restart.workload)} would restart for {shown(listing(map(str, restart.targets)))}{why}"


def _target_document(target: TargetDiff, *, show_values: bool) -> dict[str, Any]:
    changes = [
        {"sign": each.sign, "what": each.what, "name": each.name} | (_sides(each, show_values=show_values))
        for each in target.changes
    ]
    return {"target": str(target.ref), "verdict": target.verdict, "why": target.why, "changes": changes}


def _sides(change: Change, *, show_values: bool) -> dict[str, str]:
    sides = {"before": change.before, "after": change.after}
    return {side: _value(each) if show_values else MASK for side, each in sides.items() if each is not None}
