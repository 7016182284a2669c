"""The steps of a push: a call only after its announcement stands, few calls for many entries, and one environment."""

from dataclasses import replace

import pytest

from phase_operator.api.v1alpha1.phasepushsecret import UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy, EntryType
from phase_operator.core.flow.lost_calls import SENT_WITHIN
from phase_operator.core.push.answers import after_delete, after_post, after_put
from phase_operator.core.push.desired import Desired
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.ledger import Ledger, RowState
from phase_operator.core.push.looks import Listed, Look, Written
from phase_operator.core.push.machine import FRESH, next_step
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.room import MOST_ROWS
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.steps import (
    Delete,
    Happening,
    LookAt,
    Post,
    PushEvent,
    Put,
    ReadSources,
    Rest,
    WriteLedger,
)
from phase_operator.core.values import SecretValue
from support.canary import Canary
from unit.core.push.builders import (
    AT,
    BEFORE,
    NOW,
    OURS,
    PLACE,
    SOURCE,
    THEIRS,
    facts,
    ledger,
    listed,
    look,
    row,
    wanted,
)
from unit.core.push.playing import calls, many, play

ELSEWHERE = AT._replace(environment="staging")
DELETE = Policies(deletion=DeletionPolicy.DELETE)


@pytest.mark.parametrize(("number", "expected"), [(1, 1), (100, 2), (1000, 16)])
def test_many_entries_are_few_calls(number: int, expected: int) -> None:
    """A look before, a look after, and 64 entries in a call between."""
    entries = many(number)

    steps, known, there = play(entries, look(), Ledger(), Policies())

    assert calls(steps) == {"LookAt": 2, "Post": expected}
    assert set(known.rows) == {each.place for each in entries}
    assert {each.state for each in known.rows.values()} == {RowState.MADE}
    assert play(entries, there, known, Policies())[0] == [LookAt(AT), Rest(float("inf"))]

    moved = tuple(replace(each, source=BEFORE) for each in entries)
    steps, known, there = play(moved, there, known, Policies())
    assert calls(steps) == {"LookAt": 2, "Put": expected}

    steps, known, _ = play((), there, known, DELETE)
    assert calls(steps) == {"LookAt": 2, "Delete": expected}
    assert known.rows == {}


def test_large_entries_are_spread_over_calls() -> None:
    assert calls(play(many(10, 200_000), look(), Ledger(), Policies())[0])["Post"] == 5


def test_nothing_is_called_before_its_announcement_stands() -> None:
    first = next_step(ledger(), facts(wanted(), look=look(), bits=0xABC), NOW)

    assert isinstance(first, WriteLedger)
    [announced] = first.ledger.rows.values()
    assert (announced.state, announced.attempt, announced.announced_at) == (RowState.ADDING, "00000abc", NOW)

    second = next_step(first.ledger, facts(wanted(), look=look(), ready=frozenset({"00000abc"})), NOW)
    assert second == Post(AT, "00000abc", (wanted(),), NOW + SENT_WITHIN)

    # Another process does not know whether it was sent.
    assert isinstance(next_step(first.ledger, facts(wanted(), look=look()), NOW), Rest)


def test_a_change_is_announced_as_well() -> None:
    there = look(listed(version=4))
    first = next_step(ledger(row()), facts(wanted(), look=there, bits=1), NOW)

    assert isinstance(first, WriteLedger)
    [announced] = first.ledger.rows.values()
    assert announced.state is RowState.CHANGING
    assert isinstance(next_step(first.ledger, facts(wanted(), look=there, ready=frozenset({"00000001"})), NOW), Put)


@pytest.mark.parametrize("there", [look(at=NOW + SENT_WITHIN), look(listed(version=4), at=NOW + SENT_WITHIN)])
def test_a_call_that_was_not_sent_in_time_is_announced_anew(there: Look) -> None:
    """Of a call that is sent late, another process would believe that it is settled."""
    first = next_step(ledger(row()), facts(wanted(), look=replace(there, at=NOW), bits=1), NOW)
    assert isinstance(first, WriteLedger)

    late = facts(wanted(), look=there, bits=2, ready=frozenset({"00000001"}))
    again = next_step(first.ledger, late, NOW + SENT_WITHIN)

    assert isinstance(again, WriteLedger)
    assert {each.attempt for each in again.ledger.rows.values()} == {"00000002"}


def test_a_part_that_is_announced_anew_leaves_no_announcement_of_the_rest() -> None:
    """It would be looked for, although nothing was sent."""
    entries = many(3)
    first = next_step(ledger(), facts(*entries, look=look(), bits=1), NOW)
    assert isinstance(first, WriteLedger)
    late = facts(*entries, look=look(at=NOW + SENT_WITHIN), bits=2, ready=frozenset({"00000001"}), most_in_call=1)

    again = next_step(first.ledger, late, NOW + SENT_WITHIN)

    assert isinstance(again, WriteLedger)
    assert [each.attempt for each in again.ledger.rows.values()] == ["00000002"]


def test_an_old_look_decides_no_call() -> None:
    """Whose an entry is may have changed since."""
    known = facts(look=look(listed()), policies=DELETE)

    assert isinstance(next_step(ledger(row()), known, NOW + FRESH), Delete)
    assert next_step(ledger(row()), known, NOW + FRESH + 1) == LookAt(AT)


def test_values_are_read_only_for_what_is_written() -> None:
    other = wanted(EntryPlace("/", "B"), value=None, source=SOURCE._replace(name="Secret/other"))
    known = facts(wanted(value=None), other, look=look(listed(), listed(EntryPlace("/", "B"), id="id-2", version=9)))

    assert next_step(ledger(row()), known, NOW) == ReadSources(frozenset({"Secret/other"}))


def test_answers_are_confirmed_by_a_look() -> None:
    """An id that was deleted meanwhile takes writes, and is not listed."""
    assert next_step(ledger(row()), facts(wanted(), look=look(listed(), has_answers=True)), NOW) == LookAt(AT)


def test_a_sealed_entry_is_deleted_and_made_anew() -> None:
    policies = Policies(replaces_sealed=True)
    there = look(listed(type="sealed"))

    steps, known, _ = play((wanted(type=EntryType.SEALED),), there, ledger(row(source=BEFORE)), policies)

    assert [type(each) for each in steps] == [
        LookAt, WriteLedger, Delete, WriteLedger, Post, WriteLedger, LookAt, Rest
    ]  # fmt: skip
    assert isinstance(steps[1], WriteLedger)
    assert steps[1].ledger.rows[PLACE].state is RowState.REPLACING
    assert known.rows[PLACE].is_sealed


def test_another_environment_is_pushed_to_when_the_one_before_is_left() -> None:
    old = replace(look(listed()), of=ELSEWHERE)
    known = facts(wanted(), policies=DELETE)

    assert next_step(ledger(row(), at=ELSEWHERE), known, NOW) == LookAt(ELSEWHERE)
    removal = next_step(ledger(row(), at=ELSEWHERE), replace(known, look=old), NOW)
    assert removal == Delete(ELSEWHERE, (listed(),))
    assert next_step(ledger(at=ELSEWHERE), replace(known, look=old), NOW) == LookAt(AT)


def test_no_call_goes_to_the_host_of_an_earlier_spec() -> None:
    there = AT._replace(host="https://elsewhere.example")

    step = next_step(ledger(row(), at=there), facts(wanted()), NOW)

    assert step == WriteLedger(Ledger(AT), (PushEvent(Happening.LEFT_AT_OTHER_HOST, PLACE),))


def test_an_environment_that_nobody_may_see_holds_up_no_other_one() -> None:
    step = next_step(ledger(row(), at=ELSEWHERE), replace(facts(wanted()), look=None, is_shut_out=True), NOW)

    assert step == WriteLedger(Ledger(AT), (PushEvent(Happening.ABANDONED, PLACE),))


def test_the_environment_that_the_spec_names_is_asked_for_again_however_often_it_is_refused() -> None:
    assert next_step(ledger(row()), replace(facts(wanted()), look=None, is_shut_out=True), NOW) == LookAt(AT)


def test_events_are_told_once() -> None:
    restored = next_step(ledger(row()), facts(wanted(), look=look()), NOW)
    assert isinstance(restored, WriteLedger)
    assert restored.events == (PushEvent(Happening.RESTORED, PLACE),)

    known = facts(look=look(listed(version=4)), policies=DELETE)
    left = next_step(ledger(row()), known, NOW)
    assert isinstance(left, WriteLedger)
    assert left.events == (PushEvent(Happening.LEFT, PLACE),)
    rest = next_step(left.ledger, known, NOW)
    assert isinstance(rest, Rest)
    assert len(rest.problems) == 1


def test_all_problems_are_told_at_the_end() -> None:
    problem = Problem("EntryConflict", "another one")  # type: ignore[arg-type] # any reason
    desired = Desired({PLACE: wanted()}, (problem,))

    step = next_step(ledger(), facts(desired=desired, look=look(listed(marks=()))), NOW)

    assert isinstance(step, Rest)
    assert [each is problem for each in step.problems] == [True, False]


def test_after_a_refusal_fewer_entries_go_into_a_call() -> None:
    step = next_step(ledger(), facts(*many(10), look=look(), most_in_call=1), NOW)

    assert isinstance(step, WriteLedger)
    assert len(step.ledger.rows) == 1


def test_no_step_shows_a_value(canary: Canary) -> None:
    entry = wanted(value=SecretValue(canary.value("pushed")))
    note = SecretValue(canary.value("note"))
    known = facts(entry, look=look(listed(version=4, note=note)))
    first = next_step(ledger(row()), replace(known, bits=1), NOW)
    assert isinstance(first, WriteLedger)
    second = next_step(first.ledger, replace(known, ready=frozenset({"00000001"})), NOW)
    assert isinstance(second, Put)

    for shown in (known, first, first.ledger.document(), second):
        canary.see("step", repr(shown))


def test_an_answer_about_what_was_not_asked_for_changes_nothing() -> None:
    post = Post(AT, "a", (wanted(),), NOW)
    put = Put(AT, "a", (), NOW)
    foreign = Written("id-9", EntryPlace("/", "OTHER"), 1)

    assert after_post(look(), post, OURS, [foreign]).entries == {}
    assert after_put(look(), put, OURS, [foreign]).entries == {}
    assert after_delete(look(listed()), Delete(AT, ())).entries == {PLACE: (Listed("id-1", PLACE, 3, marks=(OURS,)),)}


@pytest.mark.parametrize("state", RowState)
@pytest.mark.parametrize("marks", [(OURS,), (THEIRS,), ()])
def test_a_row_that_a_hand_wrote_is_not_looked_for_again_and_again(state: RowState, marks: tuple[Mark, ...]) -> None:
    """Whoever may write statuses can say of any row that a lost change may still come, until any time."""
    there = look(listed(marks=marks, version=1, type=EntryType.SEALED.value))
    for until in (1.0, NOW + 10_000_000):
        forged = ledger(row(state=state, unclear_until=until, attempt="forged", announced_at=1.0))
        _, known, there = play((wanted(),), there, forged, Policies(UpdatePolicy.IF_NOT_EXISTS))

        assert all(each.unclear_until < NOW + 1_000 for each in known.rows.values())


def test_entries_that_others_mark_as_ours_take_no_room_from_those_that_are_wanted() -> None:
    """Anybody may write our mark into an entry; as long as a source is missing, nothing of those is let go."""
    forged = (listed(EntryPlace("/cluster", f"FORGED{number}"), id=f"f-{number}") for number in range(MOST_ROWS))
    desired = Desired({PLACE: wanted()}, held_sources=frozenset({"Secret/missing"}))
    there = look(*forged)

    first = next_step(Ledger(AT), facts(desired=desired, look=there, bits=7), NOW)
    unknown = ledger(*(row(each, source=SourceState("", ""), version=0) for each in there.entries))
    again = next_step(unknown, facts(desired=desired, look=there, bits=7), NOW)

    for each in (first, again):
        assert isinstance(each, WriteLedger)
        assert each.ledger.rows[PLACE].state is RowState.ADDING
        assert len(each.ledger.rows) == MOST_ROWS
    # What is announced is sent, and not written again.
    assert isinstance(first, WriteLedger)
    ready = facts(desired=desired, look=there, ready=frozenset({"00000007"}))
    assert isinstance(next_step(first.ledger, ready, NOW), Post)
