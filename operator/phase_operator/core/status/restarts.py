"""What a status tells about restarts: for each target the workloads that were restarted for it, and those that wait.

Rule: it stands in the status, and in memory, where it is taken from the status after a start; nothing else keeps it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.core.errors import shortened
from phase_operator.core.json_access import mappings
from phase_operator.core.outcome import StatusDocument
from phase_operator.core.refs import TargetRef
from phase_operator.core.status.recorded import told_ref, told_targets

MAX_RESTARTED, MAX_WAITING = 20, 10
_LONGEST, _LONGEST_NAME = 500, 300


@dataclass(slots=True)
class Some:
    """The first of many lines and how many there are: others size what is told, and nobody reads more."""

    most: int
    first: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, line: str) -> None:
        """Take one more line."""
        self.count += 1
        if len(self.first) < self.most:
            self.first.append(line)

    def lines(self) -> tuple[str, ...]:
        """Return as many lines as there may be; the last one says how many more there are."""
        return listed(self.first, self.most, self.count)


@dataclass(frozen=True, slots=True)
class Told:
    """Names and sentences for people; the last ones first to go when there are too many."""

    restarted: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


NOTHING = Told()
# None: it is not for this PhaseSecret to know, and what its status tells is not known to be true any more.
ToldOf = Callable[[TargetRef], Told | None]


def listed(names: list[str], most: int, count: int | None = None) -> tuple[str, ...]:
    """Bound a list; its last line then says how many more there are. `count`: of how many these are the first."""
    count = len(names) if count is None else count
    if count <= most:
        return tuple(names)
    return (*names[: most - 1], f"and {count - most + 1} more")


def with_told(document: StatusDocument, told_of: ToldOf) -> StatusDocument:
    """Return the status with what is to be told about restarts."""
    targets = [_target(target, told_of) for target in mappings(document.get("targets"))]
    return document | {"targets": targets} if targets else document


def _target(target: Mapping[str, Any], told_of: ToldOf) -> Mapping[str, Any]:
    ref = told_ref(target)
    if ref is None:
        # Another version's business: it stays as it is.
        return target
    told = told_of(ref)
    if told is None:
        # What was restarted for it is history. What waits may be over, or anything.
        return {key: value for key, value in target.items() if key != "notRestarted"}
    found = {key: value for key, value in target.items() if key not in ("restarted", "notRestarted")}
    if told.restarted:
        found["restarted"] = [shortened(each, _LONGEST_NAME) for each in told.restarted]
    if told.waiting:
        found["notRestarted"] = [shortened(each, _LONGEST) for each in told.waiting]
    return found


def told_before(status: Mapping[str, Any]) -> dict[TargetRef, Told]:
    """Return what a status tells of its targets, where that is something."""
    return {
        ref: told
        for ref, target in told_targets(status)
        if (told := Told(_texts(target.get("restarted")), _texts(target.get("notRestarted")))) != NOTHING
    }


def _texts(found: object) -> tuple[str, ...]:
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()
