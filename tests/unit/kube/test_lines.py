"""JSON of any depth is read, and what is no deeper than objects are is read as it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.kube.lines import json_object, read_json, shallow

DEPTHS = [150, 199, 200, 201, 999, 1_000, 5_000, 20_000]


NOT_DEEP = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    max_leaves=20,
)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("opening", "closing"), [('{"a\\"{": ', "}"), ("[", "]")], ids=["objects", "lists"])
def test_json_beside_deep_json_is_read(depth: int, opening: str, closing: str) -> None:
    raw = f'{{"first": 1, "deep": {opening * depth}1{closing * depth}, "last": "}}{{"}}'.encode()

    found, text = read_json(raw)

    assert found is not None
    assert (found["first"], found["last"]) == (1, "}{")
    assert json.loads(text) == found
    assert depth > 900 or text == raw


@given(st.dictionaries(st.text(), NOT_DEEP))
def test_json_that_is_not_deep_stays_as_it_is(found: dict[str, Any]) -> None:
    raw = json.dumps(found).encode()

    assert shallow(raw) == raw
    assert json_object(raw) == found


@pytest.mark.parametrize("raw", [b"", b"[]", b"1", b"{", b"[" * 5_000, b"}" * 5_000, b'{"a": ' * 5_000, b"\xff"])
def test_a_text_that_is_no_object_is_none(raw: bytes) -> None:
    assert json_object(raw) is None
