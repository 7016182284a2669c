"""What a process remembers of one push."""

import copy

from phase_operator.core.push.ledger import Ledger, PushPlace, Row, RowState
from phase_operator.core.push.memory import WrittenValues
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import SourceState
from phase_operator.reconcile.pushes.subject import PushSubject
from support.push_house import AT, KEY


def subject() -> PushSubject:
    return PushSubject(KEY, "uid", 0.0, WrittenValues(b"k" * 32))


def ledger(*keys: str, at: PushPlace = AT) -> Ledger:
    return Ledger(at).with_rows(
        Row(EntryPlace("/", key), RowState.MADE, SourceState("Secret/db", "7"), key, 1) for key in keys
    )


def test_a_ledger_is_read_once_from_a_status_that_stays_the_same() -> None:
    status, found = ledger("A", "B").document(), subject()

    first = found.ledger_in(status)

    assert set(first.rows) == {EntryPlace("/", "A"), EntryPlace("/", "B")}
    # The store parses an object anew when another one was asked for in between.
    assert found.ledger_in(copy.deepcopy(status)) is first


def test_a_ledger_is_read_anew_from_another_status_and_after_a_rest() -> None:
    found = subject()
    first = found.ledger_in(ledger("A").document())

    other = found.ledger_in(ledger("B").document())

    assert (set(first.rows), set(other.rows)) == ({EntryPlace("/", "A")}, {EntryPlace("/", "B")})
    found.rested()
    assert found.ledger_in(ledger("B").document()) is not other
