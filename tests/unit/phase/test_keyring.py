"""The token route: what is listed, what is left out, and what is refused as a whole."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.source.keyring import (
    Identity,
    KeyedApp,
    KeyedEnvironment,
    Keyring,
    Keys,
    environment_named,
)
from phase_operator.core.source.query import base_url, encrypted_base
from phase_operator.core.values import SecretValue
from support.any_json import nested
from support.canary import Canary
from support.sealing import SealedAccount, SealedApp, SealedEnvironment, tokens_answer
from unit.phase.builders import HTML, URL, Server, answered, client, failure, place, refused

ACCOUNT = SealedAccount()
fields = st.sampled_from(["id", "name", "environment", "identity_key", "apps", "environment_keys"])
parts = nested(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part, max_size=5) | st.dictionaries(fields, part),
    4,
)


async def keyring(answer: Any, token: str | None = None) -> Keyring:
    edge = client(Server(tokens=answer))
    return await edge.keyring(URL, edge.credential(SecretValue(token or ACCOUNT.token())), place())


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        pytest.param("https://console.phase.dev", "https://console.phase.dev/service", id="the cloud's console"),
        pytest.param("https://api.phase.dev", "https://console.phase.dev/service", id="the cloud's API"),
        pytest.param("https://phase.example.com", "https://phase.example.com/service", id="another host"),
        pytest.param("https://x.example/service/public", "https://x.example/service", id="given in full"),
        pytest.param("http://x.example:8080/phase/", "http://x.example:8080/phase/service", id="under a path"),
        pytest.param("https://api.phase.dev.evil.example", "https://api.phase.dev.evil.example/service", id="alike"),
    ],
)
def test_the_encrypted_routes_lie_beside_the_public_ones(host: str, asked: str) -> None:
    assert encrypted_base(base_url(host)) == asked


async def test_a_keyring_lists_apps_and_environments_in_an_order_of_its_own() -> None:
    first = SealedEnvironment("Production", updated_at="2030-01-01T00:00:00.5Z")
    second = SealedEnvironment("Development", updated_at=None)
    apps = [SealedApp("b", [second, first]), SealedApp("a", [], encryption="SSE")]

    found = await keyring(tokens_answer(ACCOUNT, *apps))
    again = await keyring(tokens_answer(ACCOUNT, apps[1], SealedApp("b", [first, second], id=apps[0].id)))

    assert [(app.name, app.is_encrypted) for app in found.apps] == [("b", True), ("a", False)]
    assert [(each.id, each.name, each.revision) for each in found.apps[0].environments] == [
        (first.id, "Production", "2030-01-01T00:00:00.5Z"),
        (second.id, "Development", None),
    ]
    assert found == again


@pytest.mark.parametrize(
    ("kind", "encryption", "is_encrypted"),
    [
        pytest.param("pss_service:v2", "E2E", True, id="encrypted"),
        pytest.param("pss_service:v2", "SSE", False, id="not encrypted"),
        pytest.param("pss_user:v1", "E2E", True, id="a person's token"),
        pytest.param("pss_service:v1", "E2E", None, id="a legacy token, which is always told so"),
        pytest.param("pss_service:v2", "XYZ", None, id="another word"),
        pytest.param("pss_service:v2", ["E2E"], None, id="no word"),
        pytest.param("pss_service:v2", None, None, id="an old server"),
    ],
)
async def test_the_mode_of_an_app_is_what_phase_says_truly(kind: str, encryption: Any, is_encrypted: bool) -> None:
    answer = tokens_answer(ACCOUNT, SealedApp("shop", [SealedEnvironment()], encryption=encryption))

    found = await keyring(answer, ACCOUNT.token(kind))

    assert found.apps[0].is_encrypted is is_encrypted


@pytest.mark.parametrize(
    "withdrawn",
    [
        {"deleted_at": "2030-01-01T00:00:00Z", "identity_key": "", "wrapped_seed": "", "wrapped_salt": ""},
        {"deleted_at": "2030-01-01T00:00:00Z"},
        {"identity_key": "", "wrapped_seed": ""},
        {"identity_key": None, "wrapped_seed": None},
    ],
    ids=["deleted and empty", "deleted", "empty", "null"],
)
async def test_a_withdrawn_key_is_left_out_alone(withdrawn: dict[str, Any]) -> None:
    kept, gone = SealedEnvironment("Kept"), SealedEnvironment("Gone")
    answer = tokens_answer(ACCOUNT, SealedApp("shop", [kept]))
    answer["apps"][0]["environment_keys"].insert(0, gone.key(ACCOUNT, **withdrawn))

    found = await keyring(answer)

    assert [each.name for each in found.apps[0].environments] == ["Kept"]


async def test_two_keys_of_one_environment_are_one_environment() -> None:
    environment = SealedEnvironment()
    answer = tokens_answer(ACCOUNT, SealedApp("shop", [environment, environment]))

    assert len((await keyring(answer)).apps[0].environments) == 1


async def test_of_two_keys_of_one_environment_the_same_is_taken_in_whatever_order_they_come() -> None:
    """Phase's order is undefined: a key that is another one with each keyring looks as if keys were made anew."""
    environment = SealedEnvironment()
    answer = tokens_answer(ACCOUNT, SealedApp("shop", [environment, environment]))

    one = await keyring(answer)
    answer["apps"][0]["environment_keys"].reverse()
    other = await keyring(answer)

    assert one.apps[0].environments[0].keys == other.apps[0].environments[0].keys


async def test_a_broken_key_of_one_environment_costs_no_other() -> None:
    """Nothing is opened before it is read, so that a broken key is a matter of those who read that environment."""
    answer = tokens_answer(ACCOUNT, SealedApp("shop", [SealedEnvironment("A"), SealedEnvironment("B")]))
    answer["apps"][0]["environment_keys"][0] |= {"wrapped_seed": "broken", "identity_key": "broken"}

    assert len((await keyring(answer)).apps[0].environments) == 2


def many(apps: int, environments: int) -> dict[str, Any]:
    one = SealedEnvironment().key(ACCOUNT)
    listed = [
        {"id": f"app-{number}", "name": f"app-{number}", "environment_keys": [one] * environments}
        for number in range(apps)
    ]
    return {"wrapped_key_share": ACCOUNT.wrapped_share, "apps": listed}


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        pytest.param({"apps": []}, Transient, Reason.UNEXPECTED_ANSWER, id="no share"),
        pytest.param({"wrapped_key_share": "00", "apps": []}, Transient, Reason.UNEXPECTED_ANSWER, id="a short share"),
        pytest.param({"wrapped_key_share": None, "apps": []}, Transient, Reason.UNEXPECTED_ANSWER, id="null"),
        pytest.param([], Transient, Reason.UNEXPECTED_ANSWER, id="a list"),
        pytest.param(answered({}, headers=HTML), Transient, Reason.UNEXPECTED_ANSWER, id="a page with 200"),
        pytest.param(
            tokens_answer(ACCOUNT, SealedApp("a", [SealedEnvironment(id="x\r\nPath: /")])),
            Transient,
            Reason.UNEXPECTED_ANSWER,
            id="an id that is a header",
        ),
        pytest.param(
            tokens_answer(ACCOUNT, SealedApp("a", [], id="é")),
            Transient,
            Reason.UNEXPECTED_ANSWER,
            id="an id in letters",
        ),
        pytest.param(many(5, 2_000), Waiting, Reason.ANSWER_TOO_LARGE, id="10,005 in all"),
        pytest.param(many(1, 12_000), Waiting, Reason.ANSWER_TOO_LARGE, id="10 MB"),
        pytest.param(refused(403, "Token expired or deleted"), Waiting, Reason.ACCESS_DENIED, id="a bad token"),
        pytest.param(refused(500, "Internal server error."), Transient, Reason.PHASE_UNAVAILABLE, id="no header"),
        pytest.param(refused(429, "Request was throttled."), Transient, Reason.RATE_LIMITED, id="throttled"),
    ],
)
async def test_a_refused_keyring_says_why_and_shows_nothing(
    answer: Any, kind: type[Exception], reason: Reason, canary: Canary
) -> None:
    for secret in (ACCOUNT.wrapped_share, ACCOUNT.share.hex(), ACCOUNT.bearer.hex(), ACCOUNT.unwrap.hex()):
        canary.token(secret)

    error = await failure(keyring(answer), canary)

    assert (type(error), error.reason) == (kind, reason)


@given(parts)
async def test_any_json_is_a_keyring_or_refused(part: Any) -> None:
    answer = {"wrapped_key_share": ACCOUNT.wrapped_share, "apps": part}

    try:
        found = await keyring(answer)
    except (Transient, Waiting) as error:
        assert error.reason in {Reason.UNEXPECTED_ANSWER, Reason.ANSWER_TOO_LARGE}  # noqa: PT017 - it may end well
    else:
        assert len(found.apps) == len(part)


async def test_a_keyring_weighs_about_as_much_as_it_takes() -> None:
    apps = [SealedApp(f"app-{number}", [SealedEnvironment() for _ in range(3)]) for number in range(20)]
    where = place()
    edge = client(Server(tokens=tokens_answer(ACCOUNT, *apps)))

    found = await edge.keyring(URL, edge.credential(SecretValue(ACCOUNT.token())), where)

    assert found.place is where
    assert 60 * 500 < where.size < 60 * 2000


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"name": "\u0390" * 100_000}, id="a name that is three times as long without its case"),
        pytest.param({"updated_at": "2030-01-01T00:00:00" + "0" * 100_000}, id="a time"),
    ],
)
async def test_any_long_text_of_a_keyring_counts_as_long_as_it_is_kept(fields: dict[str, str]) -> None:
    environment = SealedEnvironment()
    answer = tokens_answer(ACCOUNT, SealedApp("shop", [environment]))
    [key] = answer["apps"][0]["environment_keys"]
    for name, text in fields.items():
        key["environment"][name] = text
    where = place()
    edge = client(Server(tokens=answer))

    found = await edge.keyring(URL, edge.credential(SecretValue(ACCOUNT.token())), where)

    kept = found.apps[0].environments[0]
    assert sum(map(sys.getsizeof, (kept.name, kept.name.casefold(), kept.revision))) < where.size


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        pytest.param({"organisation": {"name": "acme"}}, Identity("a", "acme"), id="a service account"),
        pytest.param({"account_id": None, "user_id": "u"}, Identity("u", ""), id="a person"),
        pytest.param({"account_id": 5, "organisation": ["x"]}, Identity(), id="what is no text"),
        pytest.param({"account_id": "a" * 10_000}, Identity("a" * 256), id="a long id"),
    ],
)
async def test_a_keyring_tells_whose_token_it_is_and_is_never_refused_for_it(
    fields: dict[str, Any], identity: Identity
) -> None:
    assert (await keyring(tokens_answer(ACCOUNT) | fields)).identity == identity


def app(*environments: str) -> KeyedApp:
    return KeyedApp(
        "id", "shop", True, tuple(KeyedEnvironment(f"id-{each}", each, None, Keys()) for each in environments)
    )


@pytest.mark.parametrize(
    ("environments", "asked", "found"),
    [
        (["Prod", "Pre-Prod"], "prod", "Prod"),
        (["Pre-Prod", "PROD"], "prod", "PROD"),
        (["STRASSE"], "straße", "STRASSE"),
        (["Prod", "prod", "PROD"], "prod", "prod"),
        (["Prod", "prod", "PROD"], "Prod", "Prod"),
    ],
    ids=["before a longer one", "after a longer one", "by case folding", "lower case of three", "title case of three"],
)
def test_an_environment_is_found_by_its_whole_name(environments: list[str], asked: str, found: str) -> None:
    assert environment_named(app(*environments), asked).name == found


@pytest.mark.parametrize(
    ("environments", "asked", "words"),
    [
        pytest.param(["Production", "Staging"], "prod", ['no environment "prod"', '"Production"'], id="a part"),
        pytest.param(["PROD", "Prod"], "prod", ["several", '"PROD"', '"Prod"'], id="two that differ in case"),
        pytest.param(["Prod", "Prod"], "Prod", ["several", '"Prod"'], id="two of exactly this name"),
        pytest.param([], "prod", ['no environment "prod"'], id="none at all"),
    ],
)
def test_a_name_that_is_no_environments_is_told_with_those_that_come_close(
    environments: list[str], asked: str, words: list[str]
) -> None:
    with pytest.raises(Waiting) as caught:
        environment_named(app(*environments), asked)

    assert caught.value.reason is Reason.ENVIRONMENT_NOT_FOUND
    assert all(word in caught.value.message for word in words), caught.value.message


def test_the_clouds_hosts_are_the_ones_that_tokens_may_go_to() -> None:
    """The route of the API's host lies on the console's, so a list of hosts that allows the former sends there."""
    assert encrypted_base(names.CLOUD_API) == f"{names.DEFAULT_HOST}/service"
