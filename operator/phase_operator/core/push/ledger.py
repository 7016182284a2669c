"""The ledger of a PhasePushSecret: what it has at Phase, in which version, and made of what.

Rule: what a call makes or changes is announced in a row, and its write is confirmed before the call. A row makes no
entry ours, only its mark does: whoever may write statuses can make the operator forget what it did, and nothing more.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple, TypeGuard

from phase_operator.api import names
from phase_operator.core.json_access import mapping, mappings, number, text
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.room import MOST_ROWS
from phase_operator.core.push.sources import SourceState
from phase_operator.core.timestamps import moment_of, timestamp

# The status takes no longer texts.
LONGEST_TEXT = 1024
# The fields of a status that are the ledger.
FIELDS = names.LEDGERS[names.KIND_PHASE_PUSH_SECRET]


class RowState(StrEnum):
    """What is known of an entry."""

    # Phase has it.
    MADE = "Made"
    # Announced. Whether Phase made it is not known before an answer or a look shows it.
    ADDING = "Adding"
    # A change is announced. Until an answer shows it, Phase has either value.
    CHANGING = "Changing"
    # To be deleted and made anew, since no write changes the value of a sealed entry.
    REPLACING = "Replacing"


class PushPlace(NamedTuple):
    """The environment that is pushed to."""

    # The base URL. No call about an entry goes to another host than the one at which it was made.
    host: str
    app_id: str
    environment: str


@dataclass(frozen=True, slots=True)
class Row:
    """One entry. Times are in seconds since 1970, by our own clock."""

    place: EntryPlace
    state: RowState
    # What its value is made of.
    source: SourceState
    id: str = ""
    # The version in which Phase has this value; every write by anybody makes another one.
    version: int = 0
    # No write changes its value: Phase has this value in every later version, too.
    is_sealed: bool = False
    # The announced call, as eight hexadecimal digits, and when it was announced.
    attempt: str = ""
    announced_at: float = 0.0
    # Until when a lost change may still come, in a version that looks like ours: the server counts versions without a
    # lock. The value is written once more then. 0 if none was lost.
    unclear_until: float = 0.0

    @property
    def says_nothing(self) -> bool:
        """Return whether a look tells as much of the entry: whoever has no room for the row loses nothing."""
        return self.state is RowState.MADE and not self.version and not self.source.name


@dataclass(frozen=True, slots=True)
class Ledger:
    """The rows by place, all in one environment."""

    at: PushPlace | None = None
    rows: Mapping[EntryPlace, Row] = field(default_factory=dict)

    def of_attempt(self, attempt: str) -> tuple[Row, ...]:
        """Return the entries that one call makes."""
        return tuple(each for each in self.rows.values() if each.attempt == attempt)

    def sources(self) -> dict[EntryPlace, SourceState]:
        """Return what each entry was made of."""
        return {place: each.source for place, each in self.rows.items()}

    def places_by_source(self) -> dict[str, frozenset[EntryPlace]]:
        """Return which entries were made of each source, by its name."""
        found: dict[str, set[EntryPlace]] = {}
        for place, each in self.rows.items():
            found.setdefault(each.source.name, set()).add(place)
        return {name: frozenset(places) for name, places in found.items()}

    def with_rows(self, rows: Iterable[Row]) -> "Ledger":
        """Return the ledger of the same environment with these rows."""
        return replace(self, rows={each.place: each for each in rows})

    def document(self) -> dict[str, Any]:
        """Return the ledger as the status has it; times have whole seconds."""
        if self.at is None:
            return {}
        at = {"host": self.at.host, "appId": self.at.app_id, "environment": self.at.environment}
        return {"pushedTo": at, "entries": [_document(self.rows[each]) for each in sorted(self.rows)]}

    @classmethod
    def read(cls, status: Mapping[str, Any]) -> "Ledger":
        """Return the ledger of a status; what is not understood is left out, as if it had never been written."""
        at = PushPlace(*(text(mapping(status.get("pushedTo")).get(each)) for each in ("host", "appId", "environment")))
        if not all(at):
            return cls()
        return cls(at, {each.place: each for each in _rows(status.get("entries"))})


def is_adding(row: Row | None) -> TypeGuard[Row]:
    """Return whether there is a row, and it announces a new entry."""
    return row is not None and row.state is RowState.ADDING


def has_room_for(place: EntryPlace) -> bool:
    """Return whether a row says a place in full: people move entries of ours to wherever they like."""
    return max(map(len, place)) <= LONGEST_TEXT


def _rows(entries: object) -> Iterator[Row]:
    for number_of_row, each in enumerate(mappings(entries)):
        row = _read(each)
        if number_of_row < MOST_ROWS and row is not None:
            yield row


def _document(row: Row) -> dict[str, Any]:
    said = {"id": row.id, "version": row.version, "attempt": row.attempt}
    times = {"announcedAt": row.announced_at, "unclearUntil": row.unclear_until}
    return {
        "path": row.place.path,
        "key": row.place.key,
        "source": row.source.name,
        "resourceVersion": row.source.version,
        **({} if row.state is RowState.MADE else {"state": row.state.value}),
        **{name: each for name, each in said.items() if each},
        **({"sealed": True} if row.is_sealed else {}),
        **{name: timestamp(each) for name, each in times.items() if each},
    }


def _read(row: Mapping[str, Any]) -> Row | None:
    said = {name: text(each)[:LONGEST_TEXT] for name, each in row.items()}
    place = EntryPlace(said.get("path", ""), said.get("key", ""))
    state = said.get("state", RowState.MADE.value)
    if not all(place) or state not in set(RowState):
        return None
    return Row(
        place,
        RowState(state),
        SourceState(said.get("source", ""), said.get("resourceVersion", "")),
        said.get("id", ""),
        max(0, number(row.get("version"))),
        row.get("sealed") is True,
        said.get("attempt", ""),
        moment_of(row.get("announcedAt")) or 0.0,
        moment_of(row.get("unclearUntil")) or 0.0,
    )
