"""The digests of an object: enough to compare what a reader gets, and nothing of a value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.targets.fingerprint import EMPTY, MAX_KEYS, key_digests_of, read_key_digests
from phase_operator.core.values import ObjectKey
from support.builders import DIGEST_KEY

REF = TargetRef(Kind.SECRET, ObjectKey("team", "db"))
OTHER = TargetRef(Kind.SECRET, ObjectKey("team", "cache"))
DATA = {"USER": b"app", "PASSWORD": b"one", "EMPTY": b""}
CONTENT = key_digests_of(DIGEST_KEY, str(REF), DATA)
CHANGED = key_digests_of(DIGEST_KEY, str(REF), DATA | {"PASSWORD": b"two"})


def test_a_reader_of_all_keys_sees_every_change() -> None:
    assert CONTENT.read(None) != CHANGED.read(None)
    assert CONTENT.read(None) != key_digests_of(DIGEST_KEY, str(REF), DATA | {"MORE": b""}).read(None)


def test_a_reader_of_some_keys_sees_their_changes_alone() -> None:
    assert CONTENT.read(frozenset({"USER", "EMPTY"})) == CHANGED.read(frozenset({"USER", "EMPTY"}))
    assert CONTENT.read(frozenset({"USER", "PASSWORD"})) != CHANGED.read(frozenset({"USER", "PASSWORD"}))


def test_a_key_that_is_missing_is_not_one_that_is_empty() -> None:
    without = key_digests_of(DIGEST_KEY, str(REF), {"USER": b"app", "PASSWORD": b"one"})

    assert CONTENT.read(frozenset({"EMPTY"})) != without.read(frozenset({"EMPTY"}))
    assert without.lacks(["USER", "EMPTY"]) == ["EMPTY"]


def test_equal_values_are_not_seen_to_be_equal() -> None:
    """Neither under two keys, nor in two objects, nor by two operators."""
    twice = key_digests_of(DIGEST_KEY, str(REF), {"A": b"same", "B": b"same"})
    values = set((twice.entries or {}).values())
    values |= set((key_digests_of(DIGEST_KEY, str(OTHER), {"A": b"same"}).entries or {}).values())
    values |= set((key_digests_of(b"x" * 32, str(REF), {"A": b"same"}).entries or {}).values())

    assert len(values) == 4


def test_an_object_that_is_not_there_reads_like_an_empty_one() -> None:
    empty = key_digests_of(DIGEST_KEY, str(REF), {})

    assert empty == EMPTY
    assert EMPTY.read(frozenset({"A"})) == empty.read(frozenset({"A"}))


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=10))
def test_the_annotation_says_it_all(data: dict[str, bytes]) -> None:
    content = key_digests_of(DIGEST_KEY, str(REF), data)

    assert read_key_digests(str(content), DIGEST_KEY) == content


def test_of_too_many_keys_only_the_whole_is_told() -> None:
    data = {f"KEY_{number}": b"x" for number in range(MAX_KEYS + 1)}
    content = key_digests_of(DIGEST_KEY, str(REF), data)

    assert read_key_digests(str(content), DIGEST_KEY) == content
    assert content.entries is None
    assert content.read(frozenset({"KEY_1"})) == content.read(None)
    assert content.read(None) != key_digests_of(DIGEST_KEY, str(REF), data | {"KEY_1": b"y"}).read(None)
    assert content.lacks(["ABSENT"]) == []


def test_the_annotation_stays_within_32_kib() -> None:
    data = {f"KEY_{number}": b"x" for number in range(MAX_KEYS)}

    assert len(str(key_digests_of(DIGEST_KEY, str(REF), data))) <= 32 * 1024 + 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("2:AAAA", id="another form"),
        pytest.param("1:A", id="no base64"),
        pytest.param("1:AAAA", id="cut off"),
        pytest.param("1*AAAA", id="a whole that is cut off"),
        pytest.param("1:ä", id="no ASCII"),
    ],
)
def test_key_digests_that_are_not_understood_are_none(text: str) -> None:
    assert read_key_digests(text, DIGEST_KEY) is None


@given(st.text(max_size=30), st.sampled_from(["", "1:", "1*"]))
def test_no_text_makes_it_fail(text: str, form: str) -> None:
    found = read_key_digests(form + text, DIGEST_KEY)

    assert found is None or found.read(frozenset({"A"}))
