"""A proof is of one row of one resource: nothing that names the lease can be changed, and nothing can be copied."""

from dataclasses import replace
from typing import Any

import pytest

from phase_operator.core.leases.facts import Record
from phase_operator.core.leases.ledger import Lease, LeasePlace, LeaseState, Ledger
from phase_operator.core.leases.proofs import Proofs

PROOFS = Proofs(b"k" * 32, "uid-1")
PLACE = LeasePlace("https://phase.example", "app", "production", "secret")
LEASE = Lease("5e1b09c2", LeaseState.ACTIVE, PLACE, "words", 3500, 1_800_000_000.7, "before", "lease", 1_800_003_500.0)
RECORD = Record("lease", 1_800_003_500.5)
OTHERS = [
    pytest.param(Proofs(b"x" * 32, "uid-1"), id="another key"),
    pytest.param(Proofs(b"k" * 32, "uid-2"), id="another resource"),
]


def row(lease: Lease = LEASE) -> dict[str, Any]:
    (found,) = PROOFS.document(Ledger((lease,)))["leases"]
    return dict(found)


def is_proven(found: dict[str, Any], proofs: Proofs = PROOFS) -> bool:
    (read,) = proofs.read({"leases": [found]}).leases
    return read.is_proven


@pytest.mark.parametrize("lease", [LEASE, replace(LEASE, state=LeaseState.ASKING, id="", after="", ends_at=0.0)])
def test_a_ledger_that_was_written_is_proven_and_read_the_same(lease: Lease) -> None:
    document = PROOFS.document(Ledger((lease,)))
    read = PROOFS.read(document)

    assert is_proven(row(lease))
    assert PROOFS.document(read) == document


def test_the_form_of_a_proof_never_changes() -> None:
    assert row()["proof"] == "eHsR58ooEdml3VMqcVrdcA"
    assert PROOFS.proven("5e1b09c2", RECORD).proof == "0HkbnTaJ-VXCDy8CFIY15A"


@pytest.mark.parametrize("proofs", OTHERS)
def test_a_proof_of_another_resource_or_operator_proves_nothing(proofs: Proofs) -> None:
    announced = replace(LEASE, id="", state=LeaseState.ASKING)

    assert not is_proven(row(), proofs)
    assert not proofs.counts(announced, PROOFS.proven("5e1b09c2", RECORD))


@pytest.mark.parametrize(
    "field", ["attempt", "host", "appId", "environment", "dynamicSecretId", "ttl", "askedAt", "after", "id", "proof"]
)
def test_a_row_in_which_anything_that_names_the_lease_was_changed_is_not_proven(field: str) -> None:
    changed = {"ttl": 3499, "askedAt": "2026-01-01T00:00:00Z"}.get(field, "other")

    assert not is_proven(row() | {field: changed})


@pytest.mark.parametrize("changed", [{"state": "Revoking"}, {"revokeAfter": "2027-01-01T00:00:00Z"}, {"askedBy": "x"}])
def test_facts_about_the_resource_alone_are_not_part_of_the_proof(changed: dict[str, str]) -> None:
    """Each write makes the proof anew, but a later version may have other states."""
    assert is_proven(row() | changed)


def test_a_row_that_is_not_proven_gets_no_proof_by_a_write() -> None:
    read = PROOFS.read({"leases": [row() | {"id": "other"}]})
    (written,) = PROOFS.document(read)["leases"]

    assert not is_proven(written)


def test_a_record_counts_for_a_lease_that_has_its_id_or_by_its_proof() -> None:
    announced, proven = replace(LEASE, id="", state=LeaseState.ASKING), PROOFS.proven("5e1b09c2", RECORD)

    assert PROOFS.counts(announced, proven)
    assert not PROOFS.counts(announced, RECORD)
    assert not PROOFS.counts(announced, replace(proven, id="other"))
    assert not PROOFS.counts(announced, replace(proven, ends_at=proven.ends_at + 1))
    assert not PROOFS.counts(replace(announced, attempt="00000000"), proven)
    assert PROOFS.counts(LEASE, RECORD)
    assert not PROOFS.counts(LEASE, replace(proven, id="other"))
