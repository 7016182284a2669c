"""How a request's body is spelled: JSON and YAML read the same of it."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.kube.client import _spelled

# YAML's own readers stop at these, however they are spelled; the API server's does not.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_a_body_is_what_was_given(body: dict[str, Any]) -> None:
    assert json.loads(_spelled(body) or b"") == body


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\U0001f469\u200d\U0001f4bb", id="emoji"),
        pytest.param(r"\ud83d\udc69", id="what only looks like a pair"),
        pytest.param("\\\U0001f469", id="a backslash before an emoji"),
        pytest.param("a\u2028b\u0085c\n", id="breaks"),
        pytest.param('"quotes" and \\', id="quotes"),
    ],
)
def test_yaml_reads_the_same(text: str) -> None:
    spelled = _spelled({"text": text})

    assert yaml.safe_load(spelled or b"") == {"text": text}
    assert json.loads(spelled or b"") == {"text": text}


def test_nothing_is_nothing() -> None:
    assert _spelled(None) is None
