"""What comes next for a PhasePushSecret.

`next_step` looks at the ledger and at what is known now, and returns one call or one write. The shell does it and asks
again. Nothing here remembers anything, so a process that dies at any point goes on where the ledger is. Its order: to
look, read the values that are needed, write the ledger, make, change, delete, and look once more to confirm.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import floor, inf

from phase_operator.api.reasons import Reason
from phase_operator.core.flow import lost_calls
from phase_operator.core.push.desired import Desired, Wanted
from phase_operator.core.push.facts import Facts
from phase_operator.core.push.ledger import Ledger, Row, RowState, has_room_for, is_adding
from phase_operator.core.push.limits import first_call, sized
from phase_operator.core.push.looks import Look
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.room import Room
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.steps import (
    Change,
    Delete,
    Happening,
    LookAt,
    Post,
    PushEvent,
    Put,
    ReadSources,
    Rest,
    Step,
    WriteLedger,
)
from phase_operator.core.push.verdicts import Act, Verdict, judge

# Seconds. No call is decided by an older look: whose an entry is may have changed.
FRESH = 30.0
_Verdicts = Mapping[EntryPlace, Verdict]


def next_step(ledger: Ledger, facts: Facts, now: float) -> Step:
    """Return the next step; a `Rest` if there is nothing to do before a moment or a new fact."""
    at = ledger.at
    if at is None or at == facts.at or not ledger.rows:
        return _step(ledger, facts, now)
    if at.host != facts.at.host or facts.is_shut_out:
        # What nobody lets us see must not hold up what the spec wants now.
        what = Happening.LEFT_AT_OTHER_HOST if at.host != facts.at.host else Happening.ABANDONED
        return WriteLedger(Ledger(facts.at), tuple(PushEvent(what, place) for place in sorted(ledger.rows)))
    # The spec names another environment: first the one before is left, where nothing is wanted any more.
    return _step(ledger, replace(facts, at=at, desired=Desired()), now)


def _step(ledger: Ledger, facts: Facts, now: float) -> Step:
    look = facts.look_there
    if look is None:
        return LookAt(facts.at)
    verdicts = _judged(ledger, look, facts)
    wanted = facts.desired.entries
    if unread := frozenset(wanted[place].source.name for place, each in verdicts.items() if each.act is Act.READ):
        return ReadSources(unread)
    planned = _planned(ledger, verdicts, facts, now)
    if planned != ledger:
        return WriteLedger(planned, tuple(_events(ledger, planned, verdicts)))
    call = _call(ledger, verdicts, facts)
    if call is not None:
        return call if now - look.at <= FRESH else LookAt(facts.at)
    return _rest(verdicts, look, facts, now)


def _judged(ledger: Ledger, look: Look, facts: Facts) -> _Verdicts:
    """Return a verdict for each place that is wanted, in the ledger, or has an entry of ours."""
    ours = (
        place
        for place, several in look.entries.items()
        if has_room_for(place) and any(each.is_kept_by(facts.mark) for each in several)
    )
    places = dict.fromkeys((*facts.desired.entries, *ledger.rows, *ours))
    wanted = facts.desired.entries
    return {each: judge(each, wanted.get(each), ledger.rows.get(each), look, facts) for each in places}


def _planned(ledger: Ledger, verdicts: _Verdicts, facts: Facts, now: float) -> Ledger:
    """Return the ledger that has to stand before the next call."""
    room = Room()
    rows, added = _held(ledger, verdicts, facts, room)
    ready = {row.place: row for row in _ready(ledger, verdicts, facts) if now < lost_calls.sent_until(row.announced_at)}
    if not ready:
        # One call at a time. What was announced and not sent in time is announced anew: of a call that is sent late,
        # another process would believe that it is settled.
        rows = {place: row for place, row in rows.items() if not _adds(row, facts)}
        ready = {each.place: each for each in _announced(rows, added, verdicts, facts, now, room)}
    return Ledger(facts.at).with_rows((rows | ready).values())


def _held(
    ledger: Ledger, verdicts: _Verdicts, facts: Facts, room: Room
) -> tuple[dict[EntryPlace, Row], Sequence[Wanted]]:
    """Return the rows for which there is room, and what is to be added that has a row, or room for one."""
    found = [each.row for each in verdicts.values() if each.row is not None]
    spare = {each.place: each for each in found if each.says_nothing and each.place not in facts.desired.entries}
    rows = _fitting((each for each in found if each.place not in spare), ledger, room)
    added = _added(verdicts, rows, facts, room)
    # Anybody may write our mark into entries: those of which nothing is known have what is left.
    return rows | _fitting(spare.values(), ledger, room), added


def _added(verdicts: _Verdicts, rows: Container[EntryPlace], facts: Facts, room: Room) -> Sequence[Wanted]:
    """Return what is to be added, as far as it has a row or there is room for one."""
    adds = (facts.desired.entries[place] for place, each in verdicts.items() if each.act is Act.ADD)
    return [each for each in adds if each.place in rows or room.takes(each.place, each.source.name)]


def _fitting(rows: Iterable[Row], ledger: Ledger, room: Room) -> dict[EntryPlace, Row]:
    """Return the rows for which there is room, first those of the ledger: an entry without a row is found again."""
    ordered = sorted(rows, key=lambda row: row.place not in ledger.rows)
    return {row.place: row for row in ordered if room.takes(row.place, row.source.name)}


def _announced(
    rows: Mapping[EntryPlace, Row],
    added: Sequence[Wanted],
    verdicts: _Verdicts,
    facts: Facts,
    now: float,
    room: Room,
) -> Iterator[Row]:
    """Yield the rows of what the next call makes of those to be added, or else changes, if there is room for them."""
    attempt, announced_at = f"{facts.bits % 2**32:08x}", float(floor(now))
    for wanted in first_call(added, _size_of_wanted, facts.most_in_call):
        yield Row(wanted.place, RowState.ADDING, wanted.source, attempt=attempt, announced_at=announced_at)
    if added:
        return
    changes = _changes(verdicts.values())
    held = (each for each in changes if each.entry.place in rows or room.takes(each.entry.place, ""))
    for change in first_call(held, _size_of_change, facts.most_in_call):
        place = change.entry.place
        row = rows.get(place) or Row(place, RowState.MADE, SourceState("", ""), change.entry.id)
        yield replace(row, state=RowState.CHANGING, attempt=attempt, announced_at=announced_at)


def _ready(ledger: Ledger, verdicts: _Verdicts, facts: Facts) -> list[Row]:
    """Return the rows that announce what this process is still to do."""
    return [row for place, row in ledger.rows.items() if _is_announced(row, verdicts[place], facts)]


def _is_announced(row: Row, verdict: Verdict, facts: Facts) -> bool:
    acts = {RowState.ADDING: Act.ADD, RowState.CHANGING: Act.CHANGE}
    is_same = row.state is not RowState.ADDING or row == verdict.row
    return row.attempt in facts.ready and verdict.act is acts.get(row.state) and is_same


def _adds(row: Row, facts: Facts) -> bool:
    """Return whether a row announces a new entry, by this process."""
    return is_adding(row) and row.attempt in facts.ready


def _changes(verdicts: Iterable[Verdict]) -> Iterator[Change]:
    return (each.change for each in verdicts if each.act is Act.CHANGE and each.change is not None)


def _events(ledger: Ledger, planned: Ledger, verdicts: _Verdicts) -> Iterator[PushEvent]:
    for place, each in verdicts.items():
        before, after = ledger.rows.get(place), planned.rows.get(place)
        if each.happening is not None and before is not None and before != after:
            yield PushEvent(each.happening, place)


def _call(ledger: Ledger, verdicts: _Verdicts, facts: Facts) -> Step | None:
    if ready := _ready(ledger, verdicts, facts):
        row = ready[0]
        until = lost_calls.sent_until(row.announced_at)
        if row.state is RowState.ADDING:
            return Post(facts.at, row.attempt, tuple(facts.desired.entries[each.place] for each in ready), until)
        return Put(facts.at, row.attempt, tuple(_changes(verdicts[each.place] for each in ready)), until)
    deleted = (entry for each in verdicts.values() if each.act in (Act.REPLACE, Act.REMOVE) for entry in each.deleted)
    if removed := first_call(deleted, lambda _: 0, facts.most_in_call):
        return Delete(facts.at, removed)
    return None


def _size_of_wanted(wanted: Wanted) -> int:
    return sized(len(str(wanted.place)), wanted.value)


def _size_of_change(change: Change) -> int:
    return sized(len(str(change.entry.place)) + change.entry.note.weight, change.value)


def _rest(verdicts: _Verdicts, look: Look, facts: Facts, now: float) -> Step:
    until = _next_look(verdicts.values())
    if look.has_answers or until <= now:
        return LookAt(facts.at)
    found = [each.problem for each in verdicts.values() if each.problem is not None]
    if left := sum(each.act is Act.ADD for each in verdicts.values()):
        why = f"{left:,} entries wait until others are gone: the status has no room for more; shorten names, or wait"
        found.append(Problem(Reason.TOO_LARGE, why))
    return Rest(until, (*facts.desired.problems, *found))


def _next_look(verdicts: Collection[Verdict]) -> float:
    """Return when a look is due, to see what calls have done whose answers were lost; infinity if there are none."""
    waits = (each.until for each in verdicts if each.act is Act.WAIT)
    unclear = (each.row.unclear_until for each in verdicts if each.row is not None and each.row.unclear_until)
    return min((*waits, *unclear), default=inf)
