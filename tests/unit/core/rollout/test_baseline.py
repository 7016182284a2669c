"""A note is believed only where this operator wrote it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.core.refs import Kind
from phase_operator.core.rollout.baseline import (
    Baseline,
    as_labels,
    from_labels,
    read_baseline,
    reference_id,
    write_baseline,
)
from support.builders import DIGEST_KEY

DB = reference_id(Kind.SECRET, "db", None)
BASELINE = Baseline(b"templa", {DB: b"digest"})
TEXT = write_baseline(BASELINE, "uid", DIGEST_KEY)
# As Kubernetes has it.
LABEL_VALUE = re.compile(r"(?=.{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def test_a_baseline_is_read_back_as_it_was_written() -> None:
    assert read_baseline(TEXT, "uid", DIGEST_KEY) == BASELINE


@given(st.dictionaries(st.binary(min_size=6, max_size=6), st.binary(min_size=6, max_size=6), max_size=5))
def test_any_note_is_read_back(seen: dict[bytes, bytes]) -> None:
    baseline = Baseline(b"templa", seen)

    assert read_baseline(write_baseline(baseline, "uid", DIGEST_KEY), "uid", DIGEST_KEY) == baseline


@pytest.mark.parametrize(
    ("text", "uid", "key"),
    [
        pytest.param(TEXT, "another", DIGEST_KEY, id="copied to another workload"),
        pytest.param(TEXT, "uid", b"x" * 32, id="made with a key that was lost"),
        pytest.param(TEXT[:-1] + ("A" if TEXT[-1] != "A" else "B"), "uid", DIGEST_KEY, id="edited by hand"),
        pytest.param("2" + TEXT[1:], "uid", DIGEST_KEY, id="another form"),
        pytest.param("", "uid", DIGEST_KEY, id="none"),
        pytest.param("1..", "uid", DIGEST_KEY, id="empty"),
        pytest.param("1.A.A", "uid", DIGEST_KEY, id="no base64"),
        pytest.param("true", "uid", DIGEST_KEY, id="something else"),
    ],
)
def test_a_baseline_that_is_not_ours_is_not_believed(text: str, uid: str, key: bytes) -> None:
    assert read_baseline(text, uid, key) is None


@given(st.text(max_size=30))
def test_no_text_makes_it_fail(text: str) -> None:
    assert read_baseline(text, "uid", DIGEST_KEY) is None
    assert read_baseline(f"1.{text}", "uid", DIGEST_KEY) is None


def test_another_choice_of_keys_is_another_reader() -> None:
    readers = {
        DB,
        reference_id(Kind.CONFIG_MAP, "db", None),
        reference_id(Kind.SECRET, "cache", None),
        reference_id(Kind.SECRET, "db", frozenset({"A"})),
        reference_id(Kind.SECRET, "db", frozenset({"A", "B"})),
    }

    assert len(readers) == 5
    assert reference_id(Kind.SECRET, "db", frozenset({"B", "A"})) in readers


@given(st.text("abcXYZ019-_.", max_size=400))
def test_a_note_comes_out_of_its_labels_as_it_went_in(text: str) -> None:
    labels = as_labels(text)

    assert all(LABEL_VALUE.fullmatch(value) for value in labels.values())
    assert from_labels({"app": "web", **labels}, lambda _: True) == text


def test_a_note_of_which_one_label_is_not_ours_is_not_believed() -> None:
    labels = as_labels(
        write_baseline(Baseline(b"t" * 6, {bytes([each]) * 6: b"d" * 6 for each in range(9)}), "uid", DIGEST_KEY)
    )
    assert len(labels) > 2

    for number in range(len(labels)):
        found = from_labels(labels, lambda name, number=number: not name.endswith(str(number)))  # type: ignore[misc]
        assert read_baseline(found, "uid", DIGEST_KEY) is None


def test_labels_that_a_hand_adds_after_a_note_take_nothing_from_it() -> None:
    ours = as_labels(TEXT)
    labels = ours | {f"{names.LABEL_RUNNING_PREFIX}{len(ours)}": "xhandx"}

    assert from_labels(labels, ours.__contains__) == TEXT


def test_labels_beyond_a_gap_are_no_part_of_a_note() -> None:
    labels = as_labels("a" * 200)
    labels.pop(f"{names.LABEL_RUNNING_PREFIX}1")

    assert from_labels(labels, lambda _: True) == "a" * 61
