"""A ledger never has more rows, or longer ones, than a status takes: a write that is refused would end all pushing."""

import json
from dataclasses import replace
from itertools import accumulate

import pytest

from phase_operator.api.crd import PHASE_PUSH_SECRET, structural
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.core.errors import Waiting
from phase_operator.core.push.desired import Desired, desired
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.ledger import LONGEST_TEXT, Ledger, Row, RowState
from phase_operator.core.push.limits import MOST_ENTRIES
from phase_operator.core.push.looks import Listed
from phase_operator.core.push.machine import next_step
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.room import MOST_BYTES, MOST_ROWS, MOST_WANTED, weight
from phase_operator.core.push.sources import Rule, Source, SourceState
from phase_operator.core.push.steps import Rest, Step, WriteLedger
from phase_operator.core.refs import Kind
from unit.core.push.builders import NOW, SOURCE, facts, ledger, listed, look, row, wanted
from unit.core.push.playing import many, play

DELETE = Policies(deletion=DeletionPolicy.DELETE)
STATUS = structural(PHASE_PUSH_SECRET.model)["properties"]["status"]


def entries(number: int, folder: str) -> list[Listed]:
    return [listed(EntryPlace(folder, f"K{each:04}"), id=f"{folder}{each}") for each in range(number)]


def known(there: list[Listed]) -> Ledger:
    return ledger(*(row(each.place, id=each.id, version=each.version) for each in there))


def most_rows(steps: list[Step]) -> int:
    return max(len(each.ledger.rows) for each in steps if isinstance(each, WriteLedger))


def test_the_limit_is_that_of_the_status() -> None:
    rows = STATUS["properties"]["entries"]
    texts = {rows["items"]["properties"][field]["maxLength"] for field in ("path", "key", "source", "id")}

    assert (rows["maxItems"], texts) == (MOST_ROWS, {LONGEST_TEXT})


@pytest.mark.thorough
@pytest.mark.parametrize("policies", [DELETE, Policies()], ids=["Delete", "Retain"])
def test_a_spec_that_names_other_keys_again_and_again_is_followed_to_its_end(policies: Policies) -> None:
    """What the two specs before made is still there when the third one comes: first some of it goes."""
    before = [*entries(MOST_ENTRIES, "/one"), *entries(MOST_ENTRIES, "/two")]
    last = many(MOST_ENTRIES)

    steps, left, there = play(last, look(*before), known(before), policies)

    assert steps[-1] == Rest(float("inf"))
    assert most_rows(steps) <= MOST_ROWS
    assert set(left.rows) == {each.place for each in last}
    assert [each for each in there.entries if each.path == "/cluster"] == [each.place for each in last]


def test_entries_of_ours_beyond_what_a_ledger_holds_are_released_one_part_after_the_other() -> None:
    """Its status was lost, and other specs had made more than one resource pushes."""
    before = entries(MOST_ROWS + 100, "/lost")

    steps, left, there = play((), look(*before), ledger(), Policies())

    # Calls that nobody remembers may still come, so rows stay until none can.
    assert most_rows(steps) == MOST_ROWS
    assert isinstance(steps[-1], Rest)
    assert NOW < steps[-1].until < NOW + 200
    steps, left, there = play((), there, left, Policies(), steps[-1].until)
    assert most_rows(steps) <= MOST_ROWS
    steps, left, there = play((), there, left, Policies(), NOW + 400)
    assert not left.rows
    assert not [each for [each] in there.entries.values() if each.marks]


def test_an_entry_of_ours_that_somebody_moved_too_deep_for_a_row_stays_there_and_holds_up_nothing() -> None:
    moved = listed(EntryPlace("/f" * 600, "K"), id="moved")

    steps, left, _ = play((wanted(),), look(moved), ledger(), Policies())

    assert set(left.rows) == {wanted().place}
    assert isinstance(steps[-1], Rest)


def test_a_ledger_that_is_full_of_held_rows_says_so() -> None:
    """It must not look as if all were done."""
    held = entries(MOST_ROWS, "/held")
    wants = Desired({wanted().place: wanted()}, held_sources=frozenset({SOURCE.name}))

    step = next_step(known(held), facts(desired=wants, look=look(*held)), NOW)

    assert isinstance(step, Rest)
    [problem] = step.problems
    assert problem.reason is Reason.TOO_LARGE
    assert problem.text.startswith("1 entries wait until others are gone")


def test_every_row_that_is_written_is_read_as_it_was_written() -> None:
    """A row that were cut would be another place."""
    deepest, longer = EntryPlace("/" + "f" * (LONGEST_TEXT - 1), "K"), EntryPlace("/" + "f" * LONGEST_TEXT, "K")
    there = look(*(listed(each, id=each.path) for each in (deepest, longer, EntryPlace("/", "K" * 1025))))

    step = next_step(ledger(), facts(look=there), NOW)

    assert isinstance(step, WriteLedger)
    assert set(step.ledger.rows) == {deepest}


LONG = EntryPlace("/" + "<" * 100, "\N{PILE OF POO}" * 100)


def test_a_row_takes_no_more_than_its_weight() -> None:
    """The API server stores `<` in six bytes, and other letters in fewer bytes than JSON in ASCII has."""
    source = SourceState(f"ConfigMap/{'s' * 253}", "9" * 20)
    full = Row(LONG, RowState.REPLACING, source, "i" * 36, 2**31, True, "5e1b09c2", NOW, NOW)

    [document] = ledger(full).document()["entries"]

    stored = json.dumps(document, separators=(",", ":")).replace("<", "\\u003c")
    assert len(stored) <= weight(LONG, source.name)


def test_long_names_are_bounded_by_bytes_as_well() -> None:
    before = [listed(LONG._replace(path=f"{LONG.path}{number}"), id=str(number)) for number in range(700)]
    number = sum(total <= MOST_BYTES for total in accumulate(weight(each.place, "") for each in before))
    assert number < len(before)

    step = next_step(ledger(), facts(look=look(*before)), NOW)

    assert isinstance(step, WriteLedger)
    assert len(step.ledger.rows) == number
    assert len(json.dumps(step.ledger.document())) < MOST_BYTES


def test_names_that_no_status_holds_are_refused_before_anything_is_made() -> None:
    keys = {f"{'k' * 240}{number}": b"v" for number in range(MOST_ENTRIES)}
    source = Source(Kind.SECRET, "s" * 253, "7", Rule("/" + "f" * 60), keys)

    with pytest.raises(Waiting, match="are longer than a status holds; shorten them") as refused:
        desired([source])

    assert refused.value.reason is Reason.TOO_LARGE
    half = dict(list(keys.items())[: MOST_ENTRIES // 3])
    assert len(desired([replace(source, data=half)]).entries) == len(half)
    assert MOST_WANTED * 2 == MOST_BYTES
