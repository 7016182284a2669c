"""The plan as a table: a line for each way in which an entry can be in Phase, wanted and remembered."""

from dataclasses import replace
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasepushsecret import UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy, EntryType
from phase_operator.core.flow.lost_calls import CLOCKS_APART, LOOKS, SENT_WITHIN
from phase_operator.core.push.desired import Desired, Wanted
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.ledger import Row, RowState
from phase_operator.core.push.looks import Listed
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.steps import Happening
from phase_operator.core.push.verdicts import Act, Verdict, judge
from phase_operator.core.values import SecretValue
from unit.core.push.builders import BEFORE, NOW, OURS, PLACE, SOURCE, THEIRS, adding, facts, listed, look, row, wanted

OWNED, IF_NOT_EXISTS, REPLACE = UpdatePolicy.OWNED, UpdatePolicy.IF_NOT_EXISTS, UpdatePolicy.REPLACE
DELETE, RETAIN = DeletionPolicy.DELETE, DeletionPolicy.RETAIN
SEALED, CONFIG = EntryType.SEALED, EntryType.CONFIG
UNREAD = wanted(value=None)
LOST = SENT_WITHIN + CLOCKS_APART


def verdict(
    *there: Listed, want: Wanted | None = None, known: Row | None = None, at: float = NOW, **fields: Any
) -> Verdict:
    update, deletion = fields.pop("update", OWNED), fields.pop("deletion", RETAIN)
    policies = Policies(update, deletion, replaces_sealed=fields.pop("replaces_sealed", False))
    shown = look(*there, at=at, dynamic=fields.pop("dynamic", ()))
    found = facts(*([want] if want is not None else []), policies=policies, look=shown, **fields)
    return judge(PLACE, want, known, shown, found)


@pytest.mark.parametrize("update", UpdatePolicy)
def test_an_absent_entry_is_added(update: UpdatePolicy) -> None:
    assert verdict(want=wanted(), update=update).act is Act.ADD


def test_an_entry_that_somebody_deleted_is_restored_and_told() -> None:
    found = verdict(want=wanted(), known=row())

    assert (found.act, found.happening) == (Act.ADD, Happening.RESTORED)
    assert verdict(want=wanted(), known=row(state=RowState.REPLACING)).happening is None


def test_a_value_that_was_not_read_is_read_before_it_is_added_or_changed() -> None:
    assert verdict(want=UNREAD).act is Act.READ
    assert verdict(listed(version=4), want=UNREAD, known=row()).act is Act.READ
    assert verdict(listed(), want=UNREAD, known=row()).act is Act.NOTHING


def test_an_absent_entry_that_is_not_wanted_leaves_the_ledger() -> None:
    assert verdict(known=row()) == Verdict(Act.NOTHING)


@pytest.mark.parametrize("after", [0.0, LOST, LOST + LOOKS[-1] - 1])
def test_a_lost_entry_is_looked_for_and_not_added_again(after: float) -> None:
    """The server may still make it; another process counts from the moment at which the call was sent at the latest."""
    found = verdict(want=wanted(), known=adding(), at=NOW + after)

    assert found.act is Act.WAIT
    assert NOW + after < found.until <= NOW + LOST + LOOKS[-1]


@pytest.mark.parametrize("update", UpdatePolicy)
def test_a_lost_entry_is_remembered_while_somebody_else_has_one(update: UpdatePolicy) -> None:
    """That one may go, and ours come late: it would be made twice."""
    assert verdict(listed(marks=(THEIRS,)), want=wanted(), known=adding(), update=update).row == adding()
    assert verdict(listed(marks=()), known=adding(), update=update).row == adding()


def test_a_lost_entry_that_was_surely_not_made_is_added() -> None:
    assert verdict(want=wanted(), known=adding(), at=NOW + LOST + LOOKS[-1]).act is Act.ADD
    assert verdict(want=wanted(), known=adding(), at=NOW + LOOKS[-1] + 1, lost={"a": NOW + 1}).act is Act.ADD


def test_an_entry_that_was_refused_is_added_again_at_once() -> None:
    assert verdict(want=wanted(), known=adding(), refused=frozenset("a")) == Verdict(Act.ADD)


def test_an_announced_entry_of_another_source_version_is_announced_anew() -> None:
    assert verdict(want=wanted(), known=adding(), ready=frozenset("a")).row == adding()
    assert verdict(want=wanted(), known=adding(source=BEFORE), ready=frozenset("a")).row is None


def test_a_found_entry_of_a_lost_call_is_known_by_its_first_version() -> None:
    assert verdict(listed(version=1), want=wanted(), known=adding()) == Verdict(Act.NOTHING, row(version=1))
    assert verdict(listed(version=2), want=wanted(), known=adding()).act is Act.WAIT
    settled = NOW + LOST + LOOKS[-1]
    assert verdict(listed(version=2), want=wanted(), known=adding(), at=settled).act is Act.CHANGE


def test_an_entry_that_is_as_known_is_left_alone() -> None:
    assert verdict(listed(), want=wanted(), known=row()) == Verdict(Act.NOTHING, row())


@pytest.mark.parametrize("update", [OWNED, REPLACE])
@pytest.mark.parametrize(
    ("there", "known"),
    [
        (listed(version=4), row()),
        (listed(), row(source=BEFORE)),
        (listed(id="id-2"), row()),
        (listed(), None),
        (listed(), row(state=RowState.CHANGING, attempt="lost", announced_at=NOW)),
    ],
    ids=["another version", "another source", "another id", "no row", "a lost change"],
)
def test_an_entry_that_may_differ_is_written(there: Listed, known: Row | None, update: UpdatePolicy) -> None:
    found = verdict(there, want=wanted(), known=known, update=update)

    assert found.act is Act.CHANGE
    assert found.change is not None
    assert (found.change.value, found.change.is_marked) == (SecretValue("new"), None)


def test_a_source_that_moved_with_the_same_values_is_recorded_without_a_call() -> None:
    found = verdict(listed(), want=wanted(), known=row(source=BEFORE), unchanged=frozenset({PLACE}))

    assert found == Verdict(Act.NOTHING, row())
    assert verdict(listed(version=4), want=wanted(), known=row(), unchanged=frozenset({PLACE})).act is Act.CHANGE


def test_tags_and_types_are_corrected_without_the_value() -> None:
    found = verdict(listed(type="config", tags=frozenset("t")), want=UNREAD, known=row())

    assert found.change is not None
    assert (found.change.value, found.change.type, found.change.tags) == (None, "secret", frozenset())


def test_a_change_that_was_lost_is_written_again_when_it_cannot_come_any_more() -> None:
    """The server counts versions without a lock, so a late change may leave the version that we know."""
    lost = verdict(listed(), want=wanted(), known=row(state=RowState.CHANGING, attempt="a", announced_at=NOW)).row
    assert lost is not None
    assert lost.unclear_until == NOW + LOST + LOOKS[-1]

    known = row(unclear_until=lost.unclear_until)
    assert verdict(listed(), want=wanted(), known=known, at=lost.unclear_until - 1) == Verdict(Act.NOTHING, known)
    again = verdict(listed(), want=wanted(), known=known, at=lost.unclear_until)
    assert (again.act, again.row and again.row.unclear_until) == (Act.CHANGE, 0.0)


def test_a_lost_change_is_remembered_while_somebody_else_has_the_entry() -> None:
    """It may be taken over again before the change comes late."""
    known = row(unclear_until=NOW + 9)

    for there in (listed(marks=()), listed(marks=(THEIRS,))):
        assert verdict(there, want=wanted(), known=known).row == known
        assert verdict(there, want=wanted(), known=known, at=NOW + 9).row is None


def test_a_change_that_was_refused_is_forgotten() -> None:
    refused = row(state=RowState.CHANGING, attempt="a", announced_at=NOW, source=BEFORE)

    assert verdict(listed(), want=wanted(), known=refused, refused=frozenset("a")).row == row(source=BEFORE)


@pytest.mark.parametrize(
    "there",
    [listed(version=4), listed(marks=()), listed(marks=(THEIRS,)), listed(is_rotating=True), listed(type="sealed")],
)
def test_if_not_exists_changes_nothing_that_is_there(there: Listed) -> None:
    found = verdict(there, want=wanted(), known=row(), update=IF_NOT_EXISTS)

    assert (found.act, found.problem) == (Act.NOTHING, None)


@pytest.mark.parametrize(
    ("there", "update", "words"),
    [
        (listed(marks=()), OWNED, "made in Phase"),
        (listed(marks=(THEIRS,)), OWNED, "west/shop/to-phase"),
        (listed(marks=(THEIRS,)), REPLACE, "west/shop/to-phase"),
        (listed(marks=(OURS, THEIRS)), REPLACE, "west/shop/to-phase"),
        (listed(marks=(), is_rotating=True), REPLACE, "rotates"),
        (listed(is_rotating=True, version=4), OWNED, "rotates"),
        (listed(marks=(), type="sealed"), REPLACE, "sealed"),
    ],
)
def test_an_entry_that_others_keep_is_refused_with_who_it_is(there: Listed, update: UpdatePolicy, words: str) -> None:
    found = verdict(there, want=wanted(), known=row(), update=update, replaces_sealed=True)

    assert found.act is Act.NOTHING
    assert found.problem is not None
    assert found.problem.reason is Reason.ENTRY_CONFLICT
    assert words in found.problem.text
    assert '"/cluster/PASSWORD"' in found.problem.text


def test_a_key_of_a_dynamic_secret_is_refused() -> None:
    assert verdict(want=wanted(), dynamic=[PLACE]).problem is not None
    assert verdict(want=wanted(), dynamic=[PLACE], update=IF_NOT_EXISTS).problem is None


def test_replace_takes_over_what_nobody_keeps() -> None:
    found = verdict(listed(marks=()), want=wanted(), update=REPLACE)

    assert found.act is Act.CHANGE
    assert found.change is not None
    assert (found.change.value, found.change.is_marked) == (SecretValue("new"), True)


def test_a_row_makes_nothing_ours() -> None:
    """Whoever may write statuses can make up rows."""
    for there in (listed(marks=()), listed(marks=(THEIRS,))):
        assert verdict(there, want=wanted(), known=row(source=BEFORE)).change is None
        assert verdict(there, known=row(), deletion=DELETE) == Verdict(Act.NOTHING)


@pytest.mark.parametrize(
    ("want", "known", "is_known"),
    [
        (wanted(type=SEALED), row(is_sealed=True), True),
        (wanted(type=SEALED), row(is_sealed=True, version=2), True),
        (wanted(type=SEALED), row(version=2), False),
        (wanted(type=SEALED), row(is_sealed=True, source=BEFORE), False),
        (wanted(type=SEALED), None, False),
        (wanted(), row(is_sealed=True), False),
    ],
    ids=["as known", "a note was added", "it was sealed by somebody", "another source", "no row", "another type"],
)
def test_a_sealed_entry_is_known_by_its_id_and_never_written(want: Wanted, known: Row | None, is_known: bool) -> None:
    found = verdict(listed(type="sealed"), want=want, known=known)
    replaced = verdict(listed(type="sealed"), want=want, known=known, replaces_sealed=True)

    assert found.act is Act.NOTHING
    assert (found.problem is None) == is_known
    assert is_known or (found.problem is not None and found.problem.reason is Reason.ENTRY_SEALED)
    assert replaced.act is (Act.NOTHING if is_known else Act.REPLACE)


def test_a_sealed_entry_is_deleted_for_a_new_one_only_after_that_is_announced() -> None:
    found = verdict(listed(type="sealed"), want=wanted(type=SEALED), known=row(source=BEFORE), replaces_sealed=True)

    assert found.row is not None
    assert found.row.state is RowState.REPLACING
    assert [each.id for each in found.deleted] == ["id-1"]


def test_an_entry_becomes_sealed_with_its_new_value_in_one_write() -> None:
    found = verdict(listed(), want=wanted(type=SEALED), known=row(source=BEFORE))

    assert found.change is not None
    assert (found.change.value, found.change.type) == (SecretValue("new"), "sealed")


@pytest.mark.parametrize("there", [listed(), listed(version=9), listed(version=1)])
def test_retain_takes_the_mark_off_and_keeps_the_value(there: Listed) -> None:
    found = verdict(there, known=row())

    assert found.change is not None
    assert (found.change.value, found.change.is_marked) == (None, False)


@pytest.mark.parametrize(
    ("there", "known", "is_deleted"),
    [
        (listed(), row(), True),
        (listed(version=1), None, True),
        (listed(version=1), adding(), True),
        (listed(version=4), row(), False),
        (listed(), None, False),
        (listed(version=2), adding(at=NOW - 200), False),
        (listed(), row(state=RowState.CHANGING, attempt="lost", announced_at=NOW), False),
        (listed(type="sealed"), row(is_sealed=True, version=2), False),
        (listed(), row(unclear_until=NOW + 9), False),
    ],
)
def test_delete_deletes_only_what_nobody_changed(there: Listed, known: Row | None, is_deleted: bool) -> None:
    found = verdict(there, known=known, deletion=DELETE)

    assert found.act is (Act.REMOVE if is_deleted else Act.NOTHING)
    assert is_deleted or (found.problem is not None and found.happening is Happening.LEFT and found.row is None)


@pytest.mark.parametrize("deletion", DeletionPolicy)
def test_a_held_entry_stays_as_it_is(deletion: DeletionPolicy) -> None:
    """Its source has a value that cannot be pushed, or may not be read any more."""
    for desired in (Desired(held=frozenset({PLACE})), Desired(held_sources=frozenset({SOURCE.name}))):
        assert verdict(listed(), known=row(), deletion=deletion, desired=desired) == Verdict(Act.NOTHING, row())
        assert verdict(known=row(), deletion=deletion, desired=desired) == Verdict(Act.NOTHING, row())


def twins(first: tuple[Any, ...], second: tuple[Any, ...], version: int = 1) -> tuple[Listed, Listed]:
    older = listed(id="id-2", marks=first, version=version, created_at="2026-11-29T07:00:00Z")
    return replace(older, id="id-1", marks=second, created_at="2026-11-29T07:00:01Z"), older


@pytest.mark.parametrize("deletion", DeletionPolicy)
@pytest.mark.parametrize("first", [(OURS,), (THEIRS,), ()])
def test_of_twins_ours_that_is_newer_is_removed(first: tuple[Any, ...], deletion: DeletionPolicy) -> None:
    found = verdict(*twins(first, (OURS,)), want=wanted(), deletion=deletion)

    assert found.act is Act.REMOVE
    assert [each.id for each in found.deleted] == ["id-1"]


@pytest.mark.parametrize("second", [(THEIRS,), ()])
def test_of_twins_that_of_somebody_else_is_told(second: tuple[Any, ...]) -> None:
    found = verdict(*twins((OURS,), second), want=wanted())

    assert (found.act, found.deleted) == (Act.NOTHING, ())
    assert found.problem is not None


def test_a_twin_that_somebody_changed_is_not_removed() -> None:
    assert verdict(*twins((OURS,), (OURS,), version=2), want=wanted()).act is Act.NOTHING
    assert verdict(*twins((OURS,), (OURS,), version=2), known=row(), deletion=DELETE).act is Act.NOTHING


def test_twins_that_are_not_wanted_go_one_after_the_other() -> None:
    assert [each.id for each in verdict(*twins((OURS,), (OURS,)), deletion=DELETE).deleted] == ["id-2"]
    assert verdict(*twins((THEIRS,), ())) == Verdict(Act.NOTHING)


def test_an_answer_says_as_much_as_a_look() -> None:
    answered = listed(version=8, written_from=SOURCE)

    assert verdict(answered, want=wanted(), known=row(source=BEFORE)).row == row(version=8)
    assert verdict(listed(version=8, written_from=SourceState("", "")), want=wanted()).act is Act.CHANGE
