"""What a status, an Event and a log say of a push; names and numbers, never a word of a value."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.core.outcome import Event
from phase_operator.core.push.ledger import Ledger, RowState
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.problems import EntryReason, Problem
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.steps import Happening, PushEvent
from phase_operator.core.text import clean_listing

# Problems whose texts a message has, and sources that a status names.
_TOLD = 3
_MOST_SOURCES = 100
_MEANINGS = {
    Happening.RESTORED: ("Normal", "somebody had deleted {} in Phase: it is made again"),
    Happening.LEFT: ("Warning", "{} is not wanted any more, but somebody changed it in Phase since: it stays"),
    Happening.LEFT_AT_OTHER_HOST: ("Warning", "the spec names another host: {} stays where it was made"),
}


@dataclass(frozen=True, slots=True)
class Pushed:
    """The state of a push after a run."""

    ready: bool
    reason: Reason | EntryReason
    message: str
    in_step: int = 0
    sources: tuple[SourceState, ...] = ()
    entries_of: Counter[str] = field(default_factory=Counter)
    # Whether it passes by itself, so that it is no call to act.
    transient: bool = False

    def status(self) -> dict[str, Any]:
        """Return what the status says beside conditions and the ledger."""
        sources = [
            {
                "kind": each.name.partition("/")[0],
                "name": each.name.partition("/")[2],
                "resourceVersion": each.version,
                "entries": self.entries_of[each.name],
            }
            for each in self.sources[:_MOST_SOURCES]
        ]
        return {"sources": sources, "entriesInStep": self.in_step}


def pushed(
    ledger: Ledger, problems: Iterable[Problem], sources: Iterable[SourceState], *, is_done: bool, why: str = ""
) -> Pushed:
    """Return the state of a push; `is_done`: nothing is left to do but what the problems tell.

    `why` is what happened to a call whose effect nobody knows.
    """
    made = [each for each in ledger.rows.values() if each.state is RowState.MADE and not each.unclear_until]
    found = tuple(problems)
    ordered = tuple(sorted(set(sources)))
    entries_of = Counter(each.source.name for each in made)
    if found:
        told = "; ".join(each.text for each in found[:_TOLD])
        more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        return Pushed(False, found[0].reason, f"{told}{more}", len(made), ordered, entries_of)
    if not is_done:
        unclear = len(ledger.rows) - len(made)
        message = f"{_many(unclear)} may or may not be at Phase: looks tell within three minutes"
        message += f" ({why})" if why else ""
        return Pushed(False, EntryReason.UNCLEAR, message, len(made), ordered, entries_of, transient=True)
    verb = "is" if len(made) == 1 else "are"
    return Pushed(True, Reason.SYNCED, f"{_many(len(made))} {verb} in step", len(made), ordered, entries_of)


def events_of(happened: Iterable[PushEvent]) -> list[Event]:
    """Return one Event for all to which the same happened."""
    places: dict[Happening, list[EntryPlace]] = defaultdict(list)
    for each in happened:
        places[each.what].append(each.place)
    events = []
    for what, those in places.items():
        kind, text = _MEANINGS[what]
        events.append(Event(kind, str(what), text.format(clean_listing(map(str, those)))))
    return events


def written_event(places: Iterable[EntryPlace], verb: str) -> Event:
    """Return the Event of a call that was answered: how many entries were made, changed or deleted, and which."""
    those = list(places)
    return Event("Normal", "EntriesPushed", f"{_many(len(those))} {verb}: {clean_listing(map(str, those))}")


def generated_event(keys: Iterable[str], home: str) -> Event:
    """Return the Event of values that were made."""
    return Event("Normal", "ValueGenerated", f"made and kept in Secret {home}: {clean_listing(keys)}")


def abandoned_event(ledger: Ledger, why: str) -> Event:
    """Return the Event of a resource that ends before its entries are what its policy says."""
    which = clean_listing(map(str, ledger.rows))
    return Event(
        "Warning", "EntriesAbandoned", f"Phase did not let {_many(len(ledger.rows))} go in time ({why}): {which}"
    )


def _many(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"
