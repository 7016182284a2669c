"""Events of Kubernetes about some objects, as lines for people.

Rule: whoever may write Events in a namespace may write any about any object there. So each cell is a bounded line,
and only the newest are kept.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.cli.common.ages import age_since
from phase_operator.cli.common.subjects import Subject
from phase_operator.cli.common.terminal import Tone, cut, shown, toned
from phase_operator.core.json_access import mapping, number, text
from phase_operator.core.timestamps import moment_of

HEAD = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
MOST = 500
_LONGEST_TYPE, _LONGEST_REASON = 12, 40
_TIMES = ("lastTimestamp", "eventTime", "firstTimestamp")


@dataclass(frozen=True, slots=True)
class EventRow:
    """One Event, as far as it is shown; `at` is in seconds since 1970."""

    at: float
    uid: str
    count: int
    type: str
    reason: str
    about: str
    message: str

    def cells(self, now: float | None) -> list[str]:
        """Return the cells of its line."""
        times = f" (x{self.count})" if self.count > 1 else ""
        return [age_since(self.at, now), self.type, self.reason, self.about, f"{self.message}{times}"]


class EventFilter:
    """Knows which Events are about the objects of one resource."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = {(each.kind, each.namespace, each.name): each for each in subjects}
        # Of the resource itself, which is the first.
        self._home = subjects[0].namespace

    @property
    def namespaces(self) -> list[str]:
        """The namespaces that have to be looked at, the resource's own first."""
        return list(dict.fromkeys(namespace for _, namespace, _ in self._subjects))

    def row(self, event: Mapping[str, Any]) -> EventRow | None:
        """Return the row of an Event; None if it is about other objects, or about one that had the name before."""
        about, metadata = mapping(event.get("involvedObject")), mapping(event.get("metadata"))
        place = (text(about.get("kind")), text(about.get("namespace")), text(about.get("name")))
        subject = self._subjects.get(place)
        if subject is None or (subject.uid and about.get("uid") not in (None, "", subject.uid)):
            return None
        return EventRow(
            at=_moment(event, metadata),
            uid=text(metadata.get("uid")),
            count=number(mapping(event.get("series")).get("count")) or number(event.get("count")),
            type=cut(shown(event.get("type")), _LONGEST_TYPE),
            reason=cut(shown(event.get("reason")), _LONGEST_REASON),
            about=self._name(subject),
            message=shown(event.get("message")),
        )

    def _name(self, subject: Subject) -> str:
        place = subject.name if subject.namespace == self._home else f"{subject.namespace}/{subject.name}"
        return f"{subject.kind.lower()}/{place}"


class Newest:
    """The newest rows of those that come, at most so many."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rows: list[tuple[float, str, EventRow]] = []

    def add(self, row: EventRow) -> None:
        """Take a row."""
        item = (row.at, row.uid, row)
        heapq.heappush(self._rows, item)
        if len(self._rows) > self._most:
            heapq.heappop(self._rows)

    def rows(self) -> list[EventRow]:
        """Return them, the oldest first."""
        return [row for _, _, row in sorted(self._rows, key=lambda item: item[:2])]


def with_tone(cells: list[str]) -> list[str]:
    """Return cells of which a type that is not Normal is coloured."""
    return [cells[0], toned(cells[1], None if cells[1].strip() == "Normal" else Tone.NOTE), *cells[2:]]


def _moment(event: Mapping[str, Any], metadata: Mapping[str, Any]) -> float:
    said = [text(mapping(event.get("series")).get("lastObservedTime")), *(text(event.get(name)) for name in _TIMES)]
    moments = (moment_of(each) for each in (*said, text(metadata.get("creationTimestamp"))))
    return next((each for each in moments if each is not None), 0.0)
