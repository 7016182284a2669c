"""What Phase tells a service account of itself."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.values import SecretValue
from phase_operator.phase.accounts import AccountClient, AccountToken, ServiceAccount
from phase_operator.phase.credentials import kind_of, parse
from unit.phase.builders import HEX, HTML, KEY, URL, Server, answered, credential, place, refused, session

IDENT = "c4ee5a03-874d-470a-8b4d-4714e8192b57"
ANSWER: dict[str, Any] = {
    "id": IDENT,
    "name": "operator",
    "role": {"id": "r", "name": "Service"},
    "tokens": [
        {"id": "t", "name": "ci", "createdAt": "2026-11-23T05:51:59Z", "expiresAt": None},
        {"id": "u", "name": "old", "createdAt": "2026-11-23T05:51:59Z", "expiresAt": "2027-01-15T08:00:00Z"},
    ],
    "apps": [{"id": "a", "name": "shop", "environments": [{"id": "e", "name": "Production", "envType": "prod"}]}],
}
parts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.sampled_from(["name", "role", "tokens", "apps", "x"]), part),
)


async def told(answer: Any, ident: str = IDENT) -> tuple[ServiceAccount, Server]:
    server = Server(**{ident: answer})
    transport = httpx.MockTransport(server)
    return await AccountClient(session(transport)).service_account(URL, credential(), ident, place()), server


async def test_an_account_is_told_with_its_role_and_tokens() -> None:
    found, server = await told(ANSWER)

    tokens = (AccountToken("ci", None), AccountToken("old", 1_800_000_000.0))
    assert found == ServiceAccount("operator", "Service", tokens)
    assert [request.url.path for request in server.requests] == [f"/service/public/v1/service-accounts/{IDENT}/"]


@pytest.mark.parametrize("ident", ["", "../apps", "a/b", "a?b", "a#b", "x" * 65])
async def test_an_id_that_is_none_makes_no_request(ident: str) -> None:
    """The id comes from an answer, and goes into a path."""
    with pytest.raises(ExpectedError) as error:
        await told(ANSWER, ident)

    assert error.value.reason is Reason.UNEXPECTED_ANSWER


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(refused(403, "You don't have permission."), Reason.ACCESS_DENIED, id="403"),
        pytest.param(answered([], headers=HTML), Reason.UNEXPECTED_ANSWER, id="a page"),
        pytest.param(answered([]), Reason.UNEXPECTED_ANSWER, id="a list"),
        pytest.param(answered({"tokens": {}}), Reason.UNEXPECTED_ANSWER, id="no list of tokens"),
    ],
)
async def test_a_refusal_is_a_reason(answer: httpx.Response, reason: Reason) -> None:
    with pytest.raises(ExpectedError) as error:
        await told(answer)

    assert error.value.reason is reason


async def test_thousands_of_tokens_and_long_names_are_bounded() -> None:
    tokens = [{"name": "n" * 10_000, "expiresAt": None}] * 90 + [{"name": "n"}] * 1_000

    found, _ = await told(ANSWER | {"name": "x" * 10_000, "tokens": tokens})

    assert len(found.tokens) == 100
    assert {len(found.name), len(found.tokens[0].name)} == {256}


@given(parts)
async def test_any_json_is_an_account_or_refused(part: Any) -> None:
    try:
        found, _ = await told(answered(part))
    except ExpectedError:
        return
    assert isinstance(found.name, str)


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (f"pss_service:v2:{HEX}:{HEX}:{HEX}:{HEX}", "ServiceAccount"),
        (f"pss_service:v1:{HEX}:{HEX}:{HEX}:{HEX}", "Service"),
        (f"bearer User {HEX}", "User"),
        (HEX, "ServiceAccount"),
    ],
)
def test_the_kind_of_a_token_is_phases_own_word(token: str, kind: str) -> None:
    assert kind_of(parse(SecretValue(token), KEY)) == kind
