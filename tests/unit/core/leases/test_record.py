"""The record of a lease: it keeps any credentials, and what is on it counts only if we made it for this very owner."""

import base64
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.core.leases.facts import Record
from phase_operator.core.leases.record import (
    credentials_of,
    is_record_of,
    known_record,
    manifest,
    owner_uid,
    record_ref,
)
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.targets.removal import Delete, Leave, Spent, removal
from phase_operator.core.values import ObjectKey, SecretValue

KEY = ObjectKey("team", "uploads", names.KIND_PHASE_DYNAMIC_SECRET)
OWNER = Owner(KEY, "uid-1")
ATTEMPT = "0a1b2c3d"
CREDENTIALS = [("AWS_ACCESS_KEY_ID", SecretValue("AKIA")), ("with a space / and ü", SecretValue("\x00 é"))]


def made(owner: Owner = OWNER) -> dict[str, Any]:
    """Return a record as the API server shows it."""
    found = manifest(owner, ATTEMPT, Record("lease-1", 1_800_000_000.0), CREDENTIALS)
    fields: dict[str, Any] = {"f:data": {"f:credentials": {}}, "f:metadata": {"f:labels": {}}}
    entry = {"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    found["metadata"] |= {"uid": "secret-uid", "resourceVersion": "7", "managedFields": [entry]}
    return found


def test_a_record_keeps_credentials_whatever_their_keys() -> None:
    found = credentials_of(made())

    assert found == CREDENTIALS
    assert "AKIA" not in str(made()["metadata"])


def test_a_record_is_immutable_owned_and_labelled_and_of_a_type_of_its_own() -> None:
    found = made()

    assert found["immutable"] is True
    assert found["type"] == "secrets.phase.dev/lease"
    assert found["metadata"]["labels"]["secrets.phase.dev/target"] == "lease"
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("PhaseDynamicSecret", "uploads", "uid-1")
    assert owner_uid(found) == "uid-1"


def test_a_record_is_read_back_as_it_was_made() -> None:
    ref = record_ref(KEY, ATTEMPT)

    known = known_record(ref, made()["metadata"])

    assert known is not None
    assert known.record == Record("lease-1", 1_800_000_000.0)
    assert known.observed.origin == "uid-1"


@pytest.mark.parametrize(
    ("take", "what"),
    [
        pytest.param(("labels",), names.LABEL_TARGET, id="no label"),
        pytest.param(("annotations",), names.ANNOTATION_LEASE_ID, id="no id"),
        pytest.param(("annotations",), names.ANNOTATION_LEASE_END, id="no end"),
        pytest.param((), "ownerReferences", id="no owner"),
        pytest.param((), "managedFields", id="not applied by us"),
    ],
)
def test_an_object_that_we_did_not_make_so_is_no_record(take: tuple[str, ...], what: str) -> None:
    metadata = made()["metadata"]
    place = metadata
    for part in take:
        place = place[part]
    del place[what]

    assert known_record(record_ref(KEY, ATTEMPT), metadata) is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="nothing"),
        pytest.param("no base64", id="no base64"),
        pytest.param(base64.b64encode(b"\xff").decode(), id="no text"),
        pytest.param(base64.b64encode(b'{"a": 1}').decode(), id="no list"),
        pytest.param(base64.b64encode(b'[["a"]]').decode(), id="no pair"),
        pytest.param(base64.b64encode(b'[["a", 1]]').decode(), id="no text in a pair"),
    ],
)
def test_a_record_that_others_have_made_gives_no_credentials(data: str | None) -> None:
    found = made()
    found["data"] = {} if data is None else {"credentials": data}

    assert credentials_of(found) is None


def test_a_secret_of_another_type_or_label_is_never_read() -> None:
    assert credentials_of(made() | {"type": "Opaque"}) is None
    found = made()
    found["metadata"]["labels"] = {}
    assert credentials_of(found) is None


def test_a_record_is_deleted_only_for_the_owner_that_it_names_and_its_uid() -> None:
    ref = record_ref(KEY, ATTEMPT)
    known = known_record(ref, made()["metadata"])
    assert known is not None

    mine = removal(ref, known.observed, OWNER, Spent())
    assert isinstance(mine, Delete)
    assert (mine.uid, mine.resource_version) == ("secret-uid", "7")
    assert isinstance(removal(ref, known.observed, Owner(KEY, "uid-2"), Spent()), Leave)
    namesake = Owner(ObjectKey("team", "uploads"), "uid-1")
    assert isinstance(removal(ref, known.observed, namesake, Spent()), Leave)


def test_names_of_records_are_valid_and_differ_also_where_names_are_long() -> None:
    long = [ObjectKey("team", "a" * 250 + ending, names.KIND_PHASE_DYNAMIC_SECRET) for ending in ("x", "y")]
    refs = [record_ref(key, ATTEMPT) for key in long]

    assert len(set(refs)) == 2
    assert all(len(ref.key.name) <= 253 for ref in refs)
    assert all(is_record_of(key, ref) for key, ref in zip(long, refs, strict=True))
    assert record_ref(KEY, ATTEMPT) == TargetRef(Kind.SECRET, ObjectKey("team", "uploads-lease-0a1b2c3d"))
    assert not is_record_of(KEY, TargetRef(Kind.SECRET, ObjectKey("team", "uploads-aws")))
