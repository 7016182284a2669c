"""A seal holds exactly as long as nothing changed."""

from dataclasses import replace

import pytest

from phase_operator.api import names
from phase_operator.core.source.query import Revision
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.plan import Apply, Unchanged, plan
from phase_operator.core.targets.provenance import inputs_digest, stamp_matches, stamped
from support.builders import DIGEST_KEY, desired_secret, entry, query, spec

REVISION = Revision("app-1", "2030-01-01T00:00:00Z")
MADE_FROM = inputs_digest(spec(), query(), REVISION)


def standing() -> Observed:
    """Return what the API server shows of a target that was applied with its seal."""
    desired = stamped(desired_secret(), MADE_FROM, DIGEST_KEY)
    annotations = desired.manifest["metadata"]["annotations"]
    return Observed(
        uid="uid",
        resource_version="1",
        owner=str(desired.owner.key),
        digest=annotations[names.ANNOTATION_DIGEST],
        stamp=annotations[names.ANNOTATION_SEAL],
        owned_fields=desired.owned_fields,
        foreign_keys=(),
    )


WRONG = inputs_digest(spec(), query(), replace(REVISION, moved_at="2029-12-31T23:59:59Z"))


@pytest.mark.parametrize(
    ("inputs", "misdated", "is_kept"),
    [
        pytest.param(MADE_FROM, None, True, id="the same date"),
        pytest.param(MADE_FROM, WRONG, True, id="the same date, after a wrong one"),
        pytest.param(WRONG, None, True, id="another date: what moved did not change it"),
        pytest.param(WRONG, MADE_FROM, False, id="the date was wrong"),
        pytest.param(None, None, True, id="no date"),
        pytest.param(None, WRONG, True, id="no date any more, and the seal has another one"),
        pytest.param(None, MADE_FROM, False, id="the date was taken back"),
        pytest.param(MADE_FROM, MADE_FROM, True, id="the date was taken back, and found to be right"),
    ],
)
def test_a_seal_is_written_anew_only_if_its_date_was_wrong(
    inputs: bytes | None, misdated: bytes | None, is_kept: bool
) -> None:
    desired = stamped(desired_secret(), inputs, DIGEST_KEY, misdated)

    assert plan(desired, standing()) == (Unchanged() if is_kept else Apply("1", only_seal=True))


def test_a_seal_that_is_missing_is_written_once_its_date_is_known() -> None:
    bare = replace(standing(), stamp="")

    assert plan(desired_secret(), bare) == Unchanged()
    assert plan(stamped(desired_secret(), None, DIGEST_KEY, WRONG), bare) == Unchanged()
    assert plan(stamped(desired_secret(), MADE_FROM, DIGEST_KEY), bare) == Apply("1", only_seal=True)


def test_a_stamp_matches_while_nothing_changed() -> None:
    assert stamp_matches(standing(), MADE_FROM, DIGEST_KEY)


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(inputs_digest(spec(suspend=False), query(), REVISION), id="another spec"),
        pytest.param(inputs_digest(spec(), query(path="/other"), REVISION), id="another folder"),
        pytest.param(inputs_digest(spec(), query(environment="dev"), REVISION), id="another environment"),
        pytest.param(inputs_digest(spec(), query(), replace(REVISION, app_id="app-2")), id="another app"),
        pytest.param(inputs_digest(spec(), query(), replace(REVISION, moved_at="2030-01-01T00:00:01Z")), id="it moved"),
    ],
)
def test_a_stamp_breaks_with_any_input_of_the_object(inputs: bytes) -> None:
    assert not stamp_matches(standing(), inputs, DIGEST_KEY)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"digest": "0" * 32}, id="another digest"),
        pytest.param({"owned_fields": b"other"}, id="an edited field"),
        pytest.param({"owned_fields": b""}, id="never applied by us"),
        pytest.param({"foreign_keys": ("X",)}, id="a key of somebody else"),
        pytest.param({"terminating": True}, id="going away"),
        pytest.param({"stamp": ""}, id="no seal"),
    ],
)
def test_a_stamp_does_not_match_an_edited_object(change: dict[str, object]) -> None:
    assert not stamp_matches(replace(standing(), **change), MADE_FROM, DIGEST_KEY)  # type: ignore[arg-type]  # a table of fields


def test_no_stamp_matches_without_an_object() -> None:
    assert not stamp_matches(None, MADE_FROM, DIGEST_KEY)


def test_a_stamp_does_not_match_under_another_digest_key() -> None:
    assert not stamp_matches(standing(), MADE_FROM, b"other" * 6)


def test_the_account_is_no_part_of_it() -> None:
    # The name of an account is made anew by each process.
    assert inputs_digest(spec(), query(account="other"), REVISION) == MADE_FROM


def test_a_seal_says_nothing_of_the_content_by_itself() -> None:
    one, other = (
        stamped(desired_secret(entry("A", text)), MADE_FROM, DIGEST_KEY).manifest["metadata"]["annotations"]
        for text in ("one", "other")
    )

    assert one[names.ANNOTATION_SEAL] != other[names.ANNOTATION_SEAL]
