"""The errors of the two end-to-end encrypted routes, row by row as they were seen on a real server."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx
import pytest

from contract.phase_server.recording import HERE
from phase_dev.server import EmbeddedPhase

HTTP = httpx.Client(verify=False, trust_env=False)
NO_CONTEXT = "Environment context required. Supply `app_id` and `env` as query parameters."
OTHER_HEX = "d" * 64


class Case(NamedTuple):
    name: str
    tokens: tuple[int, str] | None
    secrets: tuple[int, str] | None
    account: str | None = "operator"
    authorization: str | None = None
    environment: str | None = "vault/Development"


GONE, INVALID = "Token expired or deleted", "Invalid token"
REFUSED = (403, GONE)
CASES = (
    Case("no header", (500, "Internal server error."), (401, "Authentication credentials were not provided."), None),
    Case("basic", REFUSED, (401, INVALID), authorization="Basic b3A6"),
    Case("bearer alone", REFUSED, (401, INVALID), authorization=f"Bearer {OTHER_HEX}"),
    Case("lower-case type", REFUSED, (401, INVALID), authorization="Bearer serviceaccount {hex}"),
    Case("unknown type", REFUSED, (401, INVALID), authorization="Bearer Robot {hex}"),
    Case("two spaces", REFUSED, (401, INVALID), authorization="Bearer ServiceAccount  {hex}"),
    Case("unknown token", REFUSED, (401, GONE), authorization=f"Bearer ServiceAccount {OTHER_HEX}"),
    Case("expired token", REFUSED, (401, GONE), authorization="Bearer ServiceAccount {expired}"),
    Case("wrong type", REFUSED, (401, GONE), authorization="Bearer User {hex}"),
    Case("the whole token", REFUSED, (401, GONE), authorization="Bearer ServiceAccount {pss}"),
    Case("no environment", (200, ""), (403, NO_CONTEXT), environment=None),
    Case("no environment of a user", (200, ""), (403, NO_CONTEXT), "person", environment=None),
    Case(
        "no environment of an old token",
        (200, ""),
        (401, "Service tokens require an environment context"),
        "old",
        environment=None,
    ),
    Case("no uuid", (200, ""), (401, "Environment not found"), environment="nope"),
    Case("unknown id", (200, ""), (401, "Environment not found"), environment=f"{OTHER_HEX[:8]}-0000-4000-8000-0"),
    Case("another organisation's", (200, ""), (401, "Environment not found"), environment="foreign/Development"),
    Case("no access", (200, ""), (401, "Service account cannot access this environment"), "nobody"),
    Case(
        "no access of an old token",
        (200, ""),
        (401, "Service token cannot access this environment"),
        "old",
        environment="vault/Production",
    ),
    Case(
        "no access of a user",
        (200, ""),
        (403, "User cannot access this environment"),
        "person",
        environment="vault/Production",
    ),
    Case("role", (200, ""), (403, "You don't have permission to read secrets in this environment."), "no_secrets"),
    Case(
        "address",
        (200, ""),
        (403, "Access denied: a network access policy restricts access from your IP address."),
        "ip_locked",
    ),
)


@pytest.fixture(scope="module", autouse=True)
def _connections() -> Iterator[None]:
    yield
    HTTP.close()


@pytest.fixture(scope="module")
def phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(HERE / "encrypted_seed.yaml") as phase:
        yield phase


@pytest.fixture
def own_phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(HERE / "encrypted_seed.yaml") as phase:
        yield phase


def ask(phase: EmbeddedPhase, route: str = "secrets/tokens/", method: str = "GET", **headers: str) -> httpx.Response:
    return HTTP.request(method, f"{phase.url}/service/{route}", headers=headers)


def headers_of(phase: EmbeddedPhase, case: Case) -> dict[str, str]:
    headers = {}
    if case.environment:
        app, _, environment = case.environment.partition("/")
        headers["Environment"] = phase.environment_id(app, environment) if environment else app
    if case.authorization:
        known = {
            "hex": phase.token("operator", "hex"),
            "pss": phase.token("operator", "pss"),
            "expired": phase.phase.token("operator", "expired").value,
        }
        headers["Authorization"] = case.authorization.format_map(known)
    elif case.account:
        headers |= phase.headers(case.account)
    return headers


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_error_is_the_seen_one(phase: EmbeddedPhase, case: Case) -> None:
    headers = headers_of(phase, case)

    assert told(ask(phase, "secrets/tokens/", **headers)) == case.tokens
    assert told(ask(phase, "secrets/", **headers)) == case.secrets


def told(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    content: Any = answer.json()
    return answer.status_code, content["error"] if answer.status_code != 200 else ""


def test_an_id_in_capitals_and_a_deleted_environment_are_unknown(own_phase: EmbeddedPhase) -> None:
    there = own_phase.environment_id("vault", "Development")
    authorization = own_phase.headers("operator")

    assert told(ask(own_phase, "secrets/", Environment=there.upper(), **authorization))[1] == "Environment not found"
    own_phase.phase.remove("vault", "Development")
    assert told(ask(own_phase, "secrets/", Environment=there, **authorization)) == (401, "Environment not found")
    assert "Development" not in ask(own_phase, **authorization).text.split("plain")[0]


@pytest.mark.parametrize("account", ["no_secrets", "ip_locked"])
def test_keys_are_handed_out_whatever_role_and_address_may_read(phase: EmbeddedPhase, account: str) -> None:
    [app] = ask(phase, **phase.headers(account)).json()["apps"]

    assert app["environment_keys"][0]["wrapped_seed"].startswith("ph:v1:")


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "POST", "DELETE"])
def test_the_route_of_tokens_knows_get_alone(phase: EmbeddedPhase, method: str) -> None:
    answer = ask(phase, method=method, **phase.headers("operator"))

    assert answer.status_code == 405
    assert method == "HEAD" or answer.json() == {"error": f'Method "{method}" not allowed.'}


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "OPTIONS"])
def test_the_route_of_rows_refuses_other_methods_as_v1_does(phase: EmbeddedPhase, method: str) -> None:
    there = {"Environment": phase.environment_id("vault", "Development")}
    answer = ask(phase, "secrets/", method, **there, **phase.headers("operator"))

    assert answer.status_code == 403
    assert method == "HEAD" or answer.json() == {"error": f"Unsupported HTTP method: {method}"}


def test_options_of_tokens_is_answered(phase: EmbeddedPhase) -> None:
    assert ask(phase, method="OPTIONS").status_code == 200


@pytest.mark.parametrize("route", ["secrets/tokens/", "secrets/"])
def test_a_browser_gets_a_page_with_status_200(phase: EmbeddedPhase, route: str) -> None:
    there = {"Environment": phase.environment_id("vault", "Development")}
    answer = ask(phase, route, Accept="text/html", **there, **phase.headers("operator"))

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "ph:v1:" in answer.text


@pytest.mark.parametrize("accept", ["application/json, text/html", "*/*", "application/json"])
def test_json_wins_where_it_is_welcome(phase: EmbeddedPhase, accept: str) -> None:
    assert told(ask(phase, Accept=accept, **phase.headers("operator"))) == (200, "")


@pytest.mark.parametrize("route", ["secrets/tokens/", "secrets/"])
def test_a_client_that_accepts_neither_format_is_refused(phase: EmbeddedPhase, route: str) -> None:
    there = {"Environment": phase.environment_id("vault", "Development")}
    answer = ask(phase, route, Accept="image/png", **there, **phase.headers("operator"))

    assert told(answer) == (406, "Could not satisfy the request Accept header.")


@pytest.mark.parametrize(
    "path",
    [
        "/service/secrets/tokens", "/service/secrets", "/service/public/secrets/tokens/", "/service/public/secrets/",
        "/public/secrets/tokens/", "/public/secrets/",
    ],
)  # fmt: skip
def test_without_the_slash_and_under_public_there_is_nothing(phase: EmbeddedPhase, path: str) -> None:
    answer = HTTP.get(f"{phase.url}{path}", headers=phase.headers("operator"))

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_both_routes_stand_at_the_root_of_the_host_too(phase: EmbeddedPhase) -> None:
    there = {"Environment": phase.environment_id("vault", "Development")}
    headers = phase.headers("operator") | there

    assert HTTP.get(f"{phase.url}/secrets/tokens/", headers=headers).status_code == 200
    assert HTTP.get(f"{phase.url}/secrets/", headers=headers).status_code == 200


def test_calls_for_tokens_are_counted_by_address_even_with_bad_tokens(own_phase: EmbeddedPhase) -> None:
    own_phase.set_quota(3)
    bad = {"Authorization": f"Bearer ServiceAccount {OTHER_HEX}"}

    answers = [ask(own_phase, **bad) for _ in range(4)]
    other_account = ask(own_phase, **own_phase.headers("person"))
    elsewhere = ask(own_phase, **own_phase.headers("person"), **{"X-Forwarded-For": "10.0.0.1, 10.0.0.2"})

    assert [answer.status_code for answer in answers] == [403, 403, 403, 429]
    assert told(answers[3])[1].startswith("Request was throttled. Expected available in ")
    assert 0 < int(answers[3].headers["retry-after"]) <= 60
    assert other_account.status_code == 429
    assert elsewhere.status_code == 200


def test_calls_for_rows_are_counted_by_account_together_with_those_of_v1(own_phase: EmbeddedPhase) -> None:
    own_phase.set_quota(2)
    there = {"Environment": own_phase.environment_id("plain", "Development")}
    params: Mapping[str, str] = {"app_id": own_phase.app_id("plain"), "env": "development"}
    mine, theirs = own_phase.headers("operator"), own_phase.headers("person")

    HTTP.get(f"{own_phase.url}/v1/secrets/", params=params, headers=mine)
    statuses = [ask(own_phase, "secrets/", **there, **who).status_code for who in (mine, mine, theirs, theirs, theirs)]

    assert statuses == [200, 429, 200, 200, 429]


def test_rows_are_only_read_here(phase: EmbeddedPhase) -> None:
    there = {"Environment": phase.environment_id("vault", "Development")}
    answer = ask(phase, "secrets/", "POST", **there, **phase.headers("operator"))

    assert told(answer) == (405, 'Method "POST" not allowed.')


@pytest.mark.parametrize(
    ("route", "status", "text"),
    [
        pytest.param("secrets/?app_id={app}&env=development", 400, "SSE is not enabled for this App", id="secrets"),
        pytest.param("environments/?app_id={app}", 403, "SSE is not enabled for this App.", id="environments"),
        pytest.param("environments/{env}/", 403, "SSE is not enabled for this App.", id="environment"),
        pytest.param("apps/{app}/", 403, "SSE is not enabled for this App.", id="app"),
    ],
)
def test_v1_refuses_an_encrypted_app(phase: EmbeddedPhase, route: str, status: int, text: str) -> None:
    names = {"app": phase.app_id("vault"), "env": phase.environment_id("vault", "Development")}
    answer = ask(phase, f"public/v1/{route.format_map(names)}", **phase.headers("operator"))

    assert told(answer) == (status, text)


def test_v1_lists_an_encrypted_app(phase: EmbeddedPhase) -> None:
    apps = ask(phase, "public/v1/apps/", **phase.headers("operator")).json()["data"]

    assert {app["name"]: app["sseEnabled"] for app in apps} == {"vault": False, "plain": True}
