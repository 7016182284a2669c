"""The restart report in a status: for each target, the workloads that were restarted for it, and those that wait.

Rule: the report is kept in the status and in memory only; after a start, memory is filled from the status.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.core.errors import shortened
from phase_operator.core.json_access import mappings, strings, without
from phase_operator.core.outcome import StatusDocument
from phase_operator.core.refs import TargetRef
from phase_operator.core.status.recorded import recorded_ref, recorded_targets

MAX_RESTARTED, MAX_WAITING = 20, 10
_LONGEST, _LONGEST_NAME = 500, 300


@dataclass(slots=True)
class FirstLines:
    """The first of many lines and their count. The number of workloads is not bounded, so the report is."""

    most: int
    first: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, line: str) -> None:
        """Add one line."""
        self.count += 1
        if len(self.first) < self.most:
            self.first.append(line)

    def lines(self) -> tuple[str, ...]:
        """Return the lines within the limit; if there are more, the last line says how many."""
        return listed(self.first, self.most, self.count)


@dataclass(frozen=True, slots=True)
class RestartReport:
    """The restart report of one target: names and sentences for people. If there are too many, the last are dropped."""

    restarted: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


NO_RESTARTS = RestartReport()
# None: this PhaseSecret may not see the report, and its old one may not be true any more.
RestartReportOf = Callable[[TargetRef], RestartReport | None]


def listed(names: list[str], most: int, count: int | None = None) -> tuple[str, ...]:
    """Return the list, cut to `most` lines, the last of which then says how many more there are.

    `count` is the full number, if `names` holds only the first.
    """
    count = len(names) if count is None else count
    if count <= most:
        return tuple(names)
    return (*names[: most - 1], f"and {count - most + 1} more")


def with_restarts(document: StatusDocument, report_of: RestartReportOf) -> StatusDocument:
    """Return the status with the restart reports of its targets."""
    targets = [_target(target, report_of) for target in mappings(document.get("targets"))]
    return document | {"targets": targets} if targets else document


def _target(target: Mapping[str, Any], report_of: RestartReportOf) -> Mapping[str, Any]:
    ref = recorded_ref(target)
    if ref is None:
        # Another version wrote it: it stays as it is.
        return target
    report = report_of(ref)
    if report is None:
        # The restarts that happened stay true. The waiting ones may have happened by now.
        return without(target, "notRestarted")
    return without_restarts(target) | _lines(report)


def _lines(report: RestartReport) -> dict[str, list[str]]:
    lines = {
        "restarted": [shortened(each, _LONGEST_NAME) for each in report.restarted],
        "notRestarted": [shortened(each, _LONGEST) for each in report.waiting],
    }
    return {name: each for name, each in lines.items() if each}


def without_restarts(target: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entry of a target in a status without its restart report."""
    return without(target, "restarted", "notRestarted")


def recorded_restarts(status: Mapping[str, Any]) -> dict[TargetRef, RestartReport]:
    """Return the restart reports that a status holds, by target."""
    return {ref: report for ref, target in recorded_targets(status) if (report := _report(target)) != NO_RESTARTS}


def _report(target: Mapping[str, Any]) -> RestartReport:
    return RestartReport(tuple(strings(target.get("restarted"))), tuple(strings(target.get("notRestarted"))))
