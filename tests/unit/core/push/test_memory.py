"""What this process wrote: only the same text in the very version that the ledger has counts as unchanged."""

from dataclasses import replace

from phase_operator.core.push.desired import Desired, Wanted
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.looks import Written
from phase_operator.core.push.memory import WrittenValues
from phase_operator.core.values import SecretValue
from support.canary import Canary
from unit.core.push.builders import BEFORE, PLACE, ledger, row, wanted

WRITTEN = Written("id-1", PLACE, 3)


def remembering(entry: Wanted, written: Written = WRITTEN) -> WrittenValues:
    memory = WrittenValues(b"k" * 32)
    memory.remember([entry], [written])
    return memory


def of(entry: Wanted) -> Desired:
    return Desired({entry.place: entry})


def test_the_same_text_of_a_source_that_moved_is_unchanged() -> None:
    assert remembering(wanted(source=BEFORE)).unchanged(of(wanted()), ledger(row())) == {PLACE}


def test_another_text_version_or_id_is_not_unchanged() -> None:
    memory = remembering(wanted())

    assert not memory.unchanged(of(wanted(value=SecretValue("other"))), ledger(row()))
    assert not memory.unchanged(of(wanted()), ledger(row(version=4)))
    assert not memory.unchanged(of(wanted()), ledger(row(id="id-2")))
    assert not memory.unchanged(of(wanted(value=None)), ledger(row()))
    assert memory.unchanged(of(wanted()), ledger(row())) == {PLACE}


def test_a_value_that_no_answer_confirmed_is_not_known() -> None:
    assert not WrittenValues(b"k" * 32).unchanged(of(wanted()), ledger(row()))
    assert not remembering(wanted(), replace(WRITTEN, id="id-2")).unchanged(of(wanted()), ledger(row()))


def test_a_change_without_a_value_is_not_taken_for_one_with_it() -> None:
    memory = remembering(wanted())

    memory.remember([wanted(value=None)], [replace(WRITTEN, version=4)])

    assert not memory.unchanged(of(wanted()), ledger(row(version=4)))


def test_a_value_that_left_the_ledger_is_forgotten() -> None:
    """Nothing grows with what was pushed once."""
    memory = remembering(wanted())

    memory.unchanged(Desired(), Ledger())

    assert not memory.unchanged(of(wanted()), ledger(row()))


def test_no_value_is_held(canary: Canary) -> None:
    memory = remembering(wanted(value=SecretValue(canary.value("pushed"))))

    canary.see("memory", repr(vars(memory)))
