"""What to do about one place in Phase: the plan of a push, as a table.

| in Phase | wanted | verdict |
|---|---|---|
| nothing | yes | add; wait instead while a lost call may still make it |
| nothing | no | out of the ledger |
| ours, version and source as known | yes | nothing; change type or tags if they differ |
| ours, another version or source | yes | change; nothing under IfNotExists |
| ours, sealed, another source or type | yes | a problem, or replace it if the spec says so |
| nobody's | yes | nothing under IfNotExists; take over under Replace; else a problem |
| another mark's, rotating, or a dynamic secret's key | yes | a problem; nothing under IfNotExists |
| ours | no | Retain: take the mark off. Delete: remove, but keep what somebody changed since |
| ours | held | nothing |
| several of one key | yes | remove ours that are not the oldest, if nobody changed them; else a problem |

Rule: whose an entry is, its mark says; whether it is in step, its version says. No verdict compares values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from math import floor

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasepushsecret import UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy, EntryType
from phase_operator.core.flow import lost_calls
from phase_operator.core.push.desired import Wanted
from phase_operator.core.push.facts import Facts
from phase_operator.core.push.ledger import Row, RowState, is_adding
from phase_operator.core.push.looks import FIRST_VERSION, Listed, Look
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.steps import Change, Happening
from phase_operator.core.text import clean


class Act(Enum):
    """What is done about a place."""

    NOTHING = auto()
    # A lost call may still make the entry.
    WAIT = auto()
    # The value is needed, and its source was not read.
    READ = auto()
    ADD = auto()
    CHANGE = auto()
    # Delete, so that it can be added again.
    REPLACE = auto()
    REMOVE = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about a place, and the row that its ledger has by then; None if it has none."""

    act: Act
    row: Row | None = None
    change: Change | None = None
    # What REPLACE and REMOVE delete.
    deleted: tuple[Listed, ...] = ()
    problem: Problem | None = None
    happening: Happening | None = None
    # Until when a WAIT lasts, in seconds since 1970.
    until: float = 0.0


def judge(place: EntryPlace, wanted: Wanted | None, row: Row | None, look: Look, facts: Facts) -> Verdict:
    """Return what to do about a place."""
    there = look.entries.get(place, ())
    row = _standing(row, look, facts) if row is not None else None
    is_held = wanted is None and _is_held(place, row, facts)
    due = _due(row, there, look, facts)
    if due is not None:
        return Verdict(Act.WAIT, row, until=due)
    if not there:
        return _absent(place, wanted, row, look, facts, is_held=is_held)
    if len(there) > 1:
        return _several(there, wanted, row, look, facts, is_held=is_held)
    [entry] = there
    if not entry.is_kept_by(facts.mark):
        return _of_others(entry, wanted, row, facts)
    row = row or _unknown(entry, look)
    if wanted is not None:
        return _ours(entry, wanted, row, look, facts)
    return Verdict(Act.NOTHING, _recorded(entry, row, look)) if is_held else _unwanted(entry, row, look, facts)


def _is_held(place: EntryPlace, row: Row | None, facts: Facts) -> bool:
    """Return whether a place stays as it is, since nobody can tell what should be there."""
    return facts.desired.holds(place, row.source.name if row is not None else "")


def _standing(row: Row, look: Look, facts: Facts) -> Row:
    """Return a row without the announcement of a change: of one whose answer is lost, nothing is known any more."""
    row = _in_time(row, look, facts)
    if row.state is RowState.CHANGING:
        made = replace(row, state=RowState.MADE, attempt="", announced_at=0.0)
        if row.attempt in facts.ready | facts.refused:
            return made
        return _forgotten(made, max(row.unclear_until, floor(_lost_at(row, facts) + lost_calls.SURELY_DONE)))
    return row


def _in_time(row: Row, look: Look, facts: Facts) -> Row:
    """Return a row without times at which nothing can come any more, or not so late: a hand may write any time."""
    latest = float(floor(_latest(look)))
    if row.announced_at > latest and row.attempt not in facts.ready:
        row = replace(row, announced_at=float(floor(look.at)))
    if row.unclear_until > latest:
        return replace(row, unclear_until=latest)
    if not 0.0 < row.unclear_until <= look.at:
        return row
    is_there = row.state in (RowState.MADE, RowState.CHANGING)
    return _forgotten(row, 0.0) if is_there else replace(row, unclear_until=0.0)


def _latest(look: Look) -> float:
    """Return until when a call may come that nobody remembers."""
    return lost_calls.sent_until(look.at) + lost_calls.CLOCKS_APART + lost_calls.SURELY_DONE


def _unknown(entry: Listed, look: Look) -> Row:
    """Return the row of an entry of ours that no ledger names: a call that nobody remembers may still be under way."""
    until = float(floor(_latest(look)))
    return Row(entry.place, RowState.MADE, SourceState("", ""), entry.id, unclear_until=until)


def _forgotten(row: Row, unclear_until: float) -> Row:
    return replace(row, source=SourceState("", ""), version=0, is_sealed=False, unclear_until=unclear_until)


def _absent(
    place: EntryPlace, wanted: Wanted | None, row: Row | None, look: Look, facts: Facts, *, is_held: bool
) -> Verdict:
    if is_adding(row) and not _is_ready(row, wanted, facts):
        row = None
    if wanted is None:
        return Verdict(Act.NOTHING, row if is_held else None)
    if place in look.dynamic:
        return _of_dynamic_secret(place, facts)
    if wanted.value is None:
        return Verdict(Act.READ, row)
    is_restored = row is not None and row.state is RowState.MADE
    return Verdict(Act.ADD, row, happening=Happening.RESTORED if is_restored else None)


def _is_ready(row: Row, wanted: Wanted | None, facts: Facts) -> bool:
    """Return whether this process is still to make the entry that a row announces, of the source that is wanted."""
    return wanted is not None and row.attempt in facts.ready and row.source == wanted.source


def _of_dynamic_secret(place: EntryPlace, facts: Facts) -> Verdict:
    if facts.policies.update is UpdatePolicy.IF_NOT_EXISTS:
        return Verdict(Act.NOTHING)
    return Verdict(Act.NOTHING, problem=_problem(place, "a dynamic secret of that folder has this key"))


def _due(row: Row | None, there: Sequence[Listed], look: Look, facts: Facts) -> float | None:
    """Return when to look for an announced entry again; None if it is there, or no lost call can make it any more.

    What else is there meanwhile may go, and the entry come late: it would be made twice.
    """
    if not is_adding(row) or row.attempt in facts.ready | facts.refused:
        return None
    if any(each.version == FIRST_VERSION and each.is_kept_by(facts.mark) for each in there):
        return None
    return lost_calls.next_look(_lost_at(row, facts), look.at)


def _lost_at(row: Row, facts: Facts) -> float:
    """Return when the answer to an announced call was lost; of another process, the latest moment."""
    return facts.lost.get(row.attempt, lost_calls.sent_until(row.announced_at) + lost_calls.CLOCKS_APART)


def _of_others(entry: Listed, wanted: Wanted | None, row: Row | None, facts: Facts) -> Verdict:
    # A lost change of ours may still come, whoever has the entry by then.
    row = row if row is not None and row.unclear_until else None
    if wanted is None or facts.policies.update is UpdatePolicy.IF_NOT_EXISTS:
        return Verdict(Act.NOTHING, row)
    if entry.marks or facts.policies.update is UpdatePolicy.OWNED or entry.is_rotating:
        return Verdict(Act.NOTHING, row, problem=_problem(entry.place, _whose(entry)))
    if entry.type == EntryType.SEALED:
        why = "it was made in Phase and is sealed: no write changes its value, and nobody else's entry is deleted"
        return Verdict(Act.NOTHING, row, problem=_problem(entry.place, why))
    if wanted.value is None:
        return Verdict(Act.READ, row)
    change = Change(entry, wanted.source, wanted.value, wanted.type.value, wanted.tags, is_marked=True)
    return Verdict(Act.CHANGE, row, change)


def _ours(entry: Listed, wanted: Wanted, row: Row, look: Look, facts: Facts) -> Verdict:
    known = known_source(entry, row)
    is_current = _is_current(known, wanted, facts)
    recorded = _row(entry, wanted.source, row) if is_current else _recorded(entry, row, look)
    is_as_wanted = is_current and entry.tags == wanted.tags and entry.type == wanted.type
    if is_as_wanted or facts.policies.update is UpdatePolicy.IF_NOT_EXISTS:
        return Verdict(Act.NOTHING, recorded)
    if entry.is_rotating:
        return Verdict(Act.NOTHING, recorded, problem=_problem(entry.place, _whose(entry)))
    if entry.type == EntryType.SEALED and not (is_current and wanted.type is EntryType.SEALED):
        return _sealed(entry, wanted, recorded, facts)
    return _changed(entry, wanted, recorded, is_current=is_current)


def _is_current(known: SourceState | None, wanted: Wanted, facts: Facts) -> bool:
    """Return whether a value is the one that is wanted; None is one of which nobody knows what it was made of."""
    return known is not None and (known == wanted.source or wanted.place in facts.unchanged)


def _changed(entry: Listed, wanted: Wanted, recorded: Row, *, is_current: bool) -> Verdict:
    """Return the verdict on an entry of ours that differs: only what differs is written."""
    if not is_current and wanted.value is None:
        return Verdict(Act.READ, recorded)
    kind = None if entry.type == wanted.type else wanted.type.value
    tags = None if entry.tags == wanted.tags else wanted.tags
    return Verdict(Act.CHANGE, recorded, Change(entry, wanted.source, None if is_current else wanted.value, kind, tags))


def _sealed(entry: Listed, wanted: Wanted, recorded: Row, facts: Facts) -> Verdict:
    """Return the verdict on a sealed entry of ours that would have to be another one."""
    if not facts.policies.replaces_sealed:
        why = "it is sealed, so its value and type cannot change; onTypeChange: Replace deletes it and makes it anew"
        return Verdict(Act.NOTHING, recorded, problem=_problem(entry.place, why, Reason.ENTRY_SEALED))
    if wanted.value is None:
        return Verdict(Act.READ, recorded)
    # The version that we left: if it is not wanted any more before it is deleted, what others changed still shows.
    row = Row(entry.place, RowState.REPLACING, wanted.source, entry.id, recorded.version)
    return Verdict(Act.REPLACE, row, deleted=(entry,))


def _unwanted(entry: Listed, row: Row, look: Look, facts: Facts) -> Verdict:
    if entry.is_rotating:
        return Verdict(Act.NOTHING, problem=_problem(entry.place, _whose(entry)))
    # There is a row until it is done, so that nothing is taken for finished before.
    recorded = _recorded(entry, row, look)
    if facts.policies.deletion is DeletionPolicy.RETAIN:
        return Verdict(Act.CHANGE, recorded, Change(entry, None, is_marked=False))
    if _is_untouched(entry, row):
        return Verdict(Act.REMOVE, recorded, deleted=(entry,))
    why = "it is not wanted any more, but somebody may have changed it in Phase since: it stays"
    problem = _problem(entry.place, why)
    return Verdict(Act.NOTHING, problem=problem, happening=Happening.LEFT)


def _several(
    there: Sequence[Listed], wanted: Wanted | None, row: Row | None, look: Look, facts: Facts, *, is_held: bool
) -> Verdict:
    """Return the verdict on entries of one key, the oldest first: calls at the same time make them."""
    ours = [each for each in there if each.is_kept_by(facts.mark)]
    if wanted is None and not is_held:
        # One after the other: what is not ours any more is judged no further.
        return _unwanted(ours[0], row or _unknown(ours[0], look), look, facts) if ours else Verdict(Act.NOTHING)
    kept = None if is_adding(row) else row
    spare = () if is_held else _spare(ours, there[0], row)
    if spare:
        return Verdict(Act.REMOVE, kept, deleted=spare)
    why = f"Phase has it {len(there)} times; delete all but one in Phase"
    return Verdict(Act.NOTHING, kept, problem=_problem(there[0].place, why))


def _spare(ours: Iterable[Listed], oldest: Listed, row: Row | None) -> tuple[Listed, ...]:
    """Return the entries of ours that may be removed, of several of one key: not the oldest, and none with a change."""
    return tuple(each for each in ours if each is not oldest and _is_untouched(each, row) and not each.is_rotating)


def known_source(entry: Listed, row: Row | None) -> SourceState | None:
    """Return what the value of an entry of ours was made of; None if nobody can tell."""
    if entry.written_from is not None or row is None:
        return entry.written_from
    return row.source if _has_value_of(row, entry) else None


def _has_value_of(row: Row, entry: Listed) -> bool:
    """Return whether an entry of ours has the value that a row tells of."""
    if row.state is RowState.ADDING:
        return entry.version == FIRST_VERSION
    if row.state is not RowState.MADE or row.id != entry.id:
        return False
    return row.version == entry.version or (row.is_sealed and entry.type == EntryType.SEALED)


def _is_untouched(entry: Listed, row: Row | None) -> bool:
    """Return whether an entry of ours is as we left it: then nothing of anybody's work is lost with it."""
    # While a lost change may still come, a version that we know may be the count of somebody else's.
    is_known = row is not None and row.id == entry.id and row.version == entry.version and not row.unclear_until
    return entry.version == FIRST_VERSION or entry.written_from is not None or is_known


def _recorded(entry: Listed, row: Row, look: Look) -> Row:
    """Return the row of an entry that is there: what is known of it, but no announcement, which is over."""
    known = known_source(entry, row)
    if known is not None:
        return _row(entry, known, row)
    return _unknown(entry, look) if is_adding(row) else row


def _row(entry: Listed, source: SourceState, before: Row) -> Row:
    row = Row(entry.place, RowState.MADE, source, entry.id, entry.version, is_sealed=entry.type == EntryType.SEALED)
    if before.id != entry.id:
        return row
    # The version stays the one that we left: of a sealed entry, what somebody else changed is not its value.
    version = before.version if entry.written_from is None else entry.version
    return replace(row, version=version, unclear_until=before.unclear_until)


def _problem(place: EntryPlace, why: str, reason: Reason = Reason.ENTRY_CONFLICT) -> Problem:
    return Problem(reason, f'"{clean(str(place))}": {why}')


def _whose(entry: Listed) -> str:
    if entry.is_rotating:
        return "Phase rotates it by itself"
    if entry.marks:
        return f"it is kept by {', '.join(sorted(map(str, entry.marks)))}"
    return "it was made in Phase; updatePolicy: Replace takes it over"
