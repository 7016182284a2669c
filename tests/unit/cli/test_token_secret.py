"""The Secret of a token: what stands in its place, and what may be written there."""

import base64
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.cli.common.failures import Failure
from phase_operator.cli.common.token_secret import Place, change_of, standing, token_in, token_secret
from phase_operator.core.values import SecretValue
from phase_operator.reconcile.ports import Token
from support.builders import TOKEN
from support.canary import Canary

HOSTS = "https://phase.example"


def there(**data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(each.encode()).decode() for key, each in data.items()}
    return {"metadata": {"name": TOKEN.name, "resourceVersion": "7"}, "data": encoded}


def token(text: str = "the-token", hosts: str | None = None) -> Token:
    return Token(SecretValue(text), hosts)


def test_a_token_that_is_written_is_read_back() -> None:
    made = token_secret(TOKEN, token(hosts=HOSTS))

    assert made["metadata"] == {
        "name": TOKEN.name,
        "namespace": TOKEN.namespace,
        "annotations": {names.ANNOTATION_ALLOWED_HOSTS: HOSTS},
    }
    assert token_in(made, TOKEN) == token(hosts=HOSTS)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param({}, id="no data"),
        pytest.param(there(other="x"), id="another key"),
        pytest.param(there(token="  \n"), id="blank"),
        pytest.param({"data": {"token": "%%%"}}, id="no base64"),
        pytest.param({"data": {"token": "/w=="}}, id="no text"),
        pytest.param(there(token="x" * 10_000), id="too long"),
    ],
)
def test_a_secret_without_a_token_is_a_sentence(secret: dict[str, Any]) -> None:
    with pytest.raises(Failure, match=r"Secret team/phase-service-token (has|holds) no"):
        token_in(secret, TOKEN)


@pytest.mark.parametrize(
    ("secret", "place"),
    [
        pytest.param(None, Place.FREE, id="nothing"),
        pytest.param(there(token="the-token\n"), Place.SAME, id="the very token"),
        pytest.param(there(token="another"), Place.TAKEN, id="another token"),
        pytest.param(there(), Place.TAKEN, id="empty"),
        pytest.param(there(token="the-token", password="x"), Place.TAKEN, id="other keys as well"),
        pytest.param({"data": {"token": "%%%"}}, Place.TAKEN, id="no base64"),
        pytest.param({"metadata": {"labels": {names.LABEL_TARGET: "true"}}}, Place.BARRED, id="a target"),
        pytest.param(
            {"metadata": {"annotations": {names.ANNOTATION_OWNER: "a/b"}}}, Place.BARRED, id="an owned object"
        ),
    ],
)
def test_the_secret_that_stands_there_decides(secret: dict[str, Any] | None, place: Place) -> None:
    assert standing(secret, token()).place is place


def test_other_hosts_for_the_same_token_are_a_change() -> None:
    assert standing(there(token="the-token"), token(hosts=HOSTS)).place is Place.TAKEN


def test_a_change_keeps_other_keys_and_is_refused_if_the_secret_has_changed() -> None:
    patch = change_of(there(password="x"), token(hosts=HOSTS))

    assert patch["metadata"]["resourceVersion"] == "7"
    assert patch["data"].keys() == {"token"}


def test_a_refusal_names_keys_and_no_value(canary: Canary) -> None:
    value = canary.value("password")

    why = standing(there(token=canary.value("token"), PASSWORD=value), token()).why

    canary.watch(why)
    assert why == 'it holds other keys: "PASSWORD"'
