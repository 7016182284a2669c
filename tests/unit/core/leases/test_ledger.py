"""The ledger in a status: what is written reads the same, and what others wrote never raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.leases.ledger import MOST_LEASES, Lease, LeasePlace, LeaseState, Ledger
from support.any_json import nested

PLACE = LeasePlace("https://phase.example", "app", "production", "secret")
LEASE = Lease("5e1b09c2", LeaseState.ACTIVE, PLACE, "words", 3500, 1_800_000_000.0, "before", "lease", 1_800_003_500.0)
JSON = nested(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda each: st.lists(each, max_size=5) | st.dictionaries(st.text(), each, max_size=5),
    3,
)


@pytest.mark.parametrize("state", LeaseState)
def test_a_written_ledger_reads_the_same(state: LeaseState) -> None:
    """Times have whole seconds."""
    ledger = Ledger((LEASE.turned(state),), setbacks=2, last_attempt=1_800_000_000.0)

    assert Ledger.read(ledger.document()) == ledger


def test_a_status_without_leases_is_an_empty_ledger() -> None:
    """A new resource has no status."""
    assert Ledger.read({}) == Ledger()


@pytest.mark.parametrize(("lease_id", "state"), [("lease", LeaseState.RETIRING), ("", LeaseState.ASKING)])
def test_a_state_of_a_later_version_reads_as_the_careful_one(lease_id: str, state: LeaseState) -> None:
    """A lease that exists lives to its end; one that may exist is looked for."""
    row = {**Ledger((LEASE,)).document()["leases"][0], "state": "Renewing", "id": lease_id}

    (read,) = Ledger.read({"leases": [row]}).leases

    assert read.state is state


@pytest.mark.parametrize("missing", ["attempt", "host", "appId", "environment", "dynamicSecretId"])
def test_a_row_that_names_nothing_is_left_out(missing: str) -> None:
    """No call could be made about it."""
    row = {key: each for key, each in Ledger((LEASE,)).document()["leases"][0].items() if key != missing}

    assert not Ledger.read({"leases": [row]}).leases


def test_a_status_of_a_thousand_rows_is_bounded() -> None:
    """A client with access to statuses may write any number."""
    rows = Ledger((LEASE,)).document()["leases"] * 1000

    assert len(Ledger.read({"leases": rows}).leases) == MOST_LEASES


@given(st.dictionaries(st.sampled_from(["leases", "attempts"]), JSON | st.lists(st.dictionaries(st.text(), JSON))))
def test_no_json_raises(status: dict[str, Any]) -> None:
    """Whatever a status says."""
    Ledger.read(status)
