"""The invariant: wherever an answer is cut into parts, it is read as if it had come in one; and half of one is none."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.values import Entry
from phase_operator.phase.rows import Limits, Rows
from unit.phase.builders import HOST, place, row

texts = st.text(alphabet='aé🔑"\\[]{},: \n', max_size=8)
answers = st.lists(
    st.builds(lambda key, value, tags: row(key, value, id=key, tags=tags), texts, texts, st.lists(texts))
)


def read(parts: list[bytes], limits: Limits | None = None, total: int = 80 * MIB) -> list[Entry]:
    rows = Rows(HOST, limits or Limits(), place(total))
    for part in parts:
        rows.feed(part)
    return [each for each in rows.end() if isinstance(each, Entry)]


def cut(body: bytes, at: list[int]) -> list[bytes]:
    marks = [0, *sorted(each % (len(body) + 1) for each in at), len(body)]
    return [body[start:end] for start, end in pairwise(marks)]


@given(answers, st.lists(st.integers(0, 10_000)), st.booleans(), st.sampled_from([None, 1]))
def test_an_answer_is_read_alike_wherever_it_is_cut(
    rows: list[dict[str, Any]], at: list[int], is_ascii: bool, indent: int | None
) -> None:
    body = json.dumps(rows, ensure_ascii=is_ascii, indent=indent).encode()

    found = read(cut(body, at))

    assert [(each.key, each.value.reveal(), each.tags) for each in found] == [
        (each["key"], each["value"], frozenset(each["tags"])) for each in rows
    ]


@given(answers.filter(bool), st.data())
def test_a_part_of_an_answer_is_no_answer(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    body = json.dumps(rows).encode()
    end = data.draw(st.integers(0, len(body) - 1))

    with pytest.raises(ExpectedError) as caught:
        read([body[:end]])

    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


@given(st.binary(max_size=60))
def test_any_bytes_end_in_entries_or_in_an_expected_error(body: bytes) -> None:
    try:
        read([body])
    except ExpectedError as error:
        assert error.reason in {Reason.UNEXPECTED_ANSWER, Reason.ANSWER_TOO_LARGE}  # noqa: PT017 - it may end well


@pytest.mark.parametrize(
    "body", ["]", " ]", ",", ",]", "[,]", "[", "[{}", "[[]]]", f"[{json.dumps(row())},]", f"[{json.dumps(row())} ,\n]"]
)
@pytest.mark.parametrize("size", [1, 10_000], ids=["byte by byte", "at once"])
def test_a_text_that_is_no_whole_array_is_no_answer(body: str, size: int) -> None:
    """As an answer without entries, it would empty targets."""
    raw = body.encode()

    with pytest.raises(ExpectedError) as caught:
        read([raw[at : at + size] for at in range(0, len(raw), size)])

    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


@pytest.mark.parametrize("junk", ["x", ",", "]", "[]", "{}"])
def test_nothing_may_follow_an_answer(junk: str) -> None:
    with pytest.raises(ExpectedError):
        read([b"[]", junk.encode()])


@pytest.mark.parametrize(
    ("body", "limits", "total"),
    [
        pytest.param([row(value="x" * 2000)], Limits(size=1000), 80 * MIB, id="bytes"),
        pytest.param([row(str(number)) for number in range(11)], Limits(entries=10), 80 * MIB, id="entries"),
        pytest.param([row(value="x" * 2000)], Limits(), 1000, id="the memory of all"),
        pytest.param([row("x" * 3000)], Limits(), 80 * MIB, id="a long key"),
        pytest.param([row(path="/" + "x" * 3000)], Limits(), 80 * MIB, id="a long folder"),
        pytest.param([row(tags=["x" * 3000])], Limits(), 80 * MIB, id="a long tag"),
        pytest.param([row(tags=[str(each) for each in range(10_001)])], Limits(), 80 * MIB, id="many tags"),
    ],
)
def test_an_answer_over_a_limit_is_refused_with_the_host_or_the_namespace(
    body: object, limits: Limits, total: int
) -> None:
    with pytest.raises(ExpectedError) as caught:
        read([json.dumps(body).encode()], limits, total)

    assert caught.value.reason is Reason.ANSWER_TOO_LARGE
    assert HOST in caught.value.message or "namespace team" in caught.value.message
