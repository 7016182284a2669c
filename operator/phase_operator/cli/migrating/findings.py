"""What a check found, worst first, as rows for people and as JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from phase_operator.core.errors import shortened
from phase_operator.core.json_access import filled
from phase_operator.core.text import clean, counted
from phase_operator.core.values import ObjectKey

# The most findings of one resource: whoever writes it decides how many there are.
_MOST = 200


class Severity(IntEnum):
    """How much a difference matters; the smallest is the worst."""

    # The resource is ready, and the target holds something else than before.
    BREAKS = 0
    # The target stays as it is, and the status says why.
    STOPS = 1
    # The target comes out differently, or what happens around it does.
    DIFFERS = 2
    # Good to know; nothing has to be done.
    NOTE = 3

    @property
    def words(self) -> str:
        """Return it as a table shows it."""
        return _WORDS[self]


_WORDS = {
    Severity.BREAKS: "breaks silently",
    Severity.STOPS: "stops with a reason",
    Severity.DIFFERS: "differs",
    Severity.NOTE: "note",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: how bad, where in the resource or at which target, and what to do about it."""

    severity: Severity
    where: str
    what: str
    cure: str = ""

    @property
    def sentence(self) -> str:
        """What differs and what to do, as one line that is safe to print."""
        return shortened(f"{self.what}; {self.cure}" if self.cure else self.what)

    def as_json(self) -> dict[str, str]:
        """Return it as a program reads it."""
        return {
            "severity": self.severity.name.lower(),
            "where": shortened(self.where),
            "what": shortened(self.what),
            **filled({"cure": shortened(self.cure)}),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found about one resource, and what it could not judge."""

    key: ObjectKey
    findings: Sequence[Finding] = ()
    unjudged: Sequence[str] = field(default=())

    @property
    def worst(self) -> Severity | None:
        """The worst that was found; None if there is nothing."""
        return min((each.severity for each in self.findings), default=None)

    @property
    def differs(self) -> bool:
        """Return whether anything is worse than a note."""
        return any(each.severity is not Severity.NOTE for each in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return it as a program reads it."""
        return {
            "namespace": clean(self.key.namespace),
            "name": clean(self.key.name),
            "differs": self.differs,
            "findings": [each.as_json() for each in ordered(self.findings)],
            "notJudged": [shortened(each) for each in self.unjudged],
        }


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, each once, the worst first; of very many, the first."""
    every = dict.fromkeys(findings)
    return sorted(every, key=lambda each: (each.severity, each.where, each.what))[:_MOST]


def worst_first(reports: Iterable[Report]) -> list[Report]:
    """Return reports by what is worst in each; those without a finding are the last."""
    nothing = len(Severity)
    return sorted(reports, key=lambda each: (nothing if each.worst is None else each.worst, each.key))


def rows(reports: Iterable[Report]) -> list[tuple[Severity, list[str]]]:
    """Return a row for each finding, over all resources the worst first, with the severity that it is coloured by."""
    every = [
        (finding.severity, [finding.severity.words, clean(str(report.key)), clean(finding.where), finding.sentence])
        for report in reports
        for finding in ordered(report.findings)
    ]
    return sorted(every, key=lambda row: (row[0], row[1][1]))


def unjudged(reports: Iterable[Report]) -> Mapping[str, list[str]]:
    """Return what could not be judged, with the resources that it concerns."""
    found: dict[str, list[str]] = {}
    for report in reports:
        for text in report.unjudged:
            found.setdefault(shortened(text), []).append(clean(str(report.key)))
    return found


def summary(reports: Sequence[Report]) -> str:
    """Return one line about all of them: how many differ, by what is worst in each."""
    counts = {severity: sum(each.worst is severity for each in reports) for severity in Severity}
    parts = [f"{count} {severity.words}" for severity, count in counts.items() if count]
    left = len(reports) - sum(counts.values())
    parts += [f"{left} without a difference"] if left else []
    return f"{counted(len(reports), 'resource')}: {', '.join(parts)}" if parts else "no resources"
