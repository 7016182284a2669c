"""The smallest push of each kind: one place, one source, one entry."""

from typing import Any

from phase_operator.api.v1alpha1.phasesecret import EntryType
from phase_operator.core.push.desired import Desired, Wanted
from phase_operator.core.push.facts import Facts, Policies
from phase_operator.core.push.ledger import Ledger, PushPlace, Row, RowState
from phase_operator.core.push.looks import Listed, Look
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import SourceState
from phase_operator.core.values import SecretValue

AT = PushPlace("https://phase.example", "app", "production")
OURS = Mark("east", "shop", "to-phase")
THEIRS = Mark("west", "shop", "to-phase")
PLACE = EntryPlace("/cluster", "PASSWORD")
SOURCE = SourceState("Secret/db", "7")
BEFORE = SourceState("Secret/db", "6")
NOW = 1_800_000_000.0


def wanted(place: EntryPlace = PLACE, **fields: Any) -> Wanted:
    found: dict[str, Any] = {"type": EntryType.SECRET, "source": SOURCE, "value": SecretValue("new")} | fields
    return Wanted(place, **found)


def listed(place: EntryPlace = PLACE, **fields: Any) -> Listed:
    found: dict[str, Any] = {"id": "id-1", "version": 3, "marks": (OURS,)} | fields
    return Listed(place=place, **found)


def row(place: EntryPlace = PLACE, **fields: Any) -> Row:
    found: dict[str, Any] = {"state": RowState.MADE, "source": SOURCE, "id": "id-1", "version": 3} | fields
    return Row(place, **found)


def adding(attempt: str = "a", at: float = NOW, **fields: Any) -> Row:
    said: dict[str, Any] = {"state": RowState.ADDING, "id": "", "version": 0, "attempt": attempt, "announced_at": at}
    return row(**(said | fields))


def look(*entries: Listed, at: float = NOW, **fields: Any) -> Look:
    found = Look.made(AT, at, entries, fields.pop("dynamic", ()))
    return Look(found.of, found.at, found.entries, found.dynamic, **fields)


def facts(*entries: Wanted, policies: Policies | None = None, **fields: Any) -> Facts:
    desired = fields.pop("desired", Desired({each.place: each for each in entries}))
    return Facts(AT, OURS, desired, policies or Policies(), **fields)


def ledger(*rows: Row, at: PushPlace | None = AT) -> Ledger:
    return Ledger(at, {each.place: each for each in rows})
