"""What a status, an Event and a log say of a push; names and numbers, never a word of a value."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from phase_operator.api.reasons import Reason
from phase_operator.core.outcome import Event, Pushed, PushedSource, SourceFacts
from phase_operator.core.push.desired import Wanted
from phase_operator.core.push.ledger import Ledger, RowState
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.steps import Happening, PushEvent
from phase_operator.core.text import clean_listing

# Problems whose texts a message has.
_TOLD = 3
_MEANINGS = {
    Happening.RESTORED: ("Normal", "somebody had deleted {} in Phase: it is made again"),
    Happening.LEFT: ("Warning", "{} is not wanted any more, but somebody changed it in Phase since: it stays"),
    Happening.LEFT_AT_OTHER_HOST: ("Warning", "the spec names another host: {} stays where it was made"),
    Happening.ABANDONED: (
        "Warning",
        "the spec names another place, and Phase shows the one before no more: {} stays there",
    ),
}


def pushed(
    ledger: Ledger,
    problems: Iterable[Problem],
    sources: Iterable[SourceState],
    wanted: Mapping[EntryPlace, Wanted],
    *,
    is_done: bool,
    to: SourceFacts | None = None,
    is_news: bool = False,
    why: str = "",
) -> Pushed:
    """Return the state of a push; `is_done`: nothing is left to do but what the problems tell.

    `is_news`: entries were written since the last report. `why` is what happened to a call whose effect nobody knows.
    """
    made = [each for each in ledger.rows.values() if each.state is RowState.MADE and not each.unclear_until]
    older = sum(each.place in wanted and wanted[each.place].source != each.source for each in made)
    ready, reason, message = _verdict(len(ledger.rows), len(made), older, tuple(problems), why, is_done=is_done)
    entries_of = Counter(each.source.name for each in made)
    states = sorted(set(sources))
    return Pushed(
        ready, reason, message, len(made) - older, tuple(_source(each, entries_of) for each in states), to, is_news
    )


def _verdict(
    rows: int, made: int, older: int, problems: tuple[Problem, ...], why: str, *, is_done: bool
) -> tuple[bool, Reason, str]:
    if problems:
        told = "; ".join(each.text for each in problems[:_TOLD])
        more = f"; and {len(problems) - _TOLD} more" if len(problems) > _TOLD else ""
        return False, problems[0].reason, f"{told}{more}"
    if not is_done:
        message = f"{_many(rows - made)} may or may not be at Phase: looks tell within three minutes"
        return False, Reason.ENTRIES_UNCLEAR, f"{message} ({why})" if why else message
    message = f"{_many(made - older)} {'is' if made - older == 1 else 'are'} in step"
    if older:
        # What else is made of an older source is changed, or a problem.
        stay = f"{'stays as it is' if older == 1 else 'stay as they are'}, since updatePolicy: IfNotExists changes none"
        message = f"{message}; {_many(older)} {stay}"
    return True, Reason.SYNCED, message


def _source(state: SourceState, entries_of: Mapping[str, int]) -> PushedSource:
    kind, _, name = state.name.partition("/")
    return PushedSource(kind, name, state.version, entries_of.get(state.name, 0))


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
