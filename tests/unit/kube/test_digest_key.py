"""The operator's own key is one that keeps what it is for, or none."""

import base64

import pytest

from phase_operator.core.errors import Waiting
from phase_operator.kube.digest_key import MAX_KEY, MIN_KEY, key_of


@pytest.mark.parametrize("length", [MIN_KEY, 32, MAX_KEY])
def test_a_key_is_what_the_secret_holds(length: int) -> None:
    assert key_of({"data": {"key": base64.b64encode(b"k" * length).decode()}}) == b"k" * length


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param({}, id="no data"),
        pytest.param({"data": {}}, id="no key"),
        pytest.param({"data": {"key": ""}}, id="an empty key"),
        pytest.param({"data": {"key": "AAAA"}}, id="too short"),
        pytest.param({"data": {"key": base64.b64encode(b"k" * (MAX_KEY + 1)).decode()}}, id="too long"),
        pytest.param({"data": {"key": "no base64"}}, id="no base64"),
        pytest.param({"data": {"key": None}}, id="null"),
    ],
)
def test_a_secret_without_a_valid_key_is_refused_with_what_to_do(secret: dict[str, object]) -> None:
    with pytest.raises(Waiting, match="delete it so that a new one is created"):
        key_of(secret)
