"""The ledger in a status: what is written reads the same, what others wrote never raises, and it stays small."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.push.ledger import Ledger, Row, RowState
from phase_operator.core.push.limits import MOST_ENTRIES
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import SourceState
from support.any_json import anything
from unit.core.push.builders import AT, NOW, adding, ledger, row

ROWS = [
    row(),
    adding("5e1b09c2"),
    row(is_sealed=True, unclear_until=NOW + 175),
    row(state=RowState.CHANGING, attempt="5e1b09c2", announced_at=NOW),
    row(state=RowState.REPLACING),
]


@pytest.mark.parametrize("each", ROWS)
def test_a_written_ledger_reads_the_same(each: Row) -> None:
    """Times have whole seconds."""
    assert Ledger.read(ledger(each).document()) == ledger(each)


def test_a_status_without_entries_is_an_empty_ledger() -> None:
    assert Ledger.read({}) == Ledger()
    assert Ledger().document() == {}


@given(status=st.fixed_dictionaries({"pushedTo": st.just(AT._asdict()) | anything, "entries": anything}))
def test_a_ledger_that_others_wrote_never_raises(status: dict[str, Any]) -> None:
    Ledger.read(status)


@pytest.mark.parametrize("field", ["path", "key", "source", "id", "version", "state", "announcedAt", "resourceVersion"])
@given(value=anything)
def test_a_row_with_any_field_never_raises(field: str, value: Any) -> None:
    document = ledger(adding()).document()
    document["entries"][0][field] = value

    Ledger.read(document)


def test_the_ledger_of_the_most_entries_fits_into_a_status() -> None:
    """With folders, keys and sources of a length that is seen; etcd takes 1.5 MiB."""
    source = SourceState(f"Secret/{'s' * 60}", "1234567890")
    places = [EntryPlace(f"/cluster/{'s' * 60}", f"{'K' * 60}{number}") for number in range(MOST_ENTRIES)]
    rows = [row(each, source=source, id="36fc0000-0000-4000-8000-000000000000") for each in places]

    assert len(json.dumps(ledger(*rows).document())) < 400 * 1024


def test_rows_beyond_all_that_is_pushed_are_not_read() -> None:
    """Whoever may write statuses could make each run take long."""
    document = ledger(row()).document()
    document["entries"] = [document["entries"][0] | {"key": f"K{number}"} for number in range(5000)]

    assert len(Ledger.read(document).rows) == 2 * MOST_ENTRIES
