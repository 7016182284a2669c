"""Requests of a reader that the embedded server once answered otherwise than the real one, each with the real answer.

Where the comparison says nothing, the answer is what the console's published source does; such rows say so.
"""

from dataclasses import replace

import pytest

from contract.phase_server.compared import ACCOUNTS, SECRETS, WORLD, ask, told
from unit.phase_dev.server.builders import Installation

BUG = "Internal server error."
DYNAMIC = "/v1/secrets/dynamic/?app_id={backend_app}&env=development"
NO_TOKENS = "You don't have permission to create service account tokens."
CONTEXT_OF_OLD = "Service tokens require an environment context"


@pytest.fixture
def installation() -> Installation:
    return Installation(WORLD)


@pytest.mark.parametrize(
    ("route", "account", "status", "text"),
    [
        pytest.param("/v1/secrets/?app_id=x", "half", 404, "App with ID x not found", id="an unknown app alone"),
        pytest.param(
            "/v1/secrets/?app_id={closed_app}", "half", 401, "Service account cannot access this app", id="an app alone"
        ),
        pytest.param("/v1/secrets/?app_id={backend_app}", "old", 401, CONTEXT_OF_OLD, id="an app alone, an old token"),
        pytest.param("/v1/secrets/?app_id={shared_app}", "person", 403, "User cannot access this app", id="of a user"),
        pytest.param("/v1/secrets/?app_id=x", "old", 404, "App with ID x not found", id="an old token's unknown app"),
        pytest.param(
            "/v1/environments/?app_id={backend_app}&env=nope",
            "half",
            404,
            "Environment 'nope' not found in App {backend_app}",
            id="the query names an unknown environment",
        ),
        pytest.param(
            "/v1/environments/?app_id={backend_app}&env=staging",
            "half",
            401,
            "Service account cannot access this environment",
            id="the query names a closed environment",
        ),
        pytest.param("/v1/apps/?app_id=x", "half", 404, "App with ID x not found", id="the query of apps is heeded"),
        pytest.param(
            "/v1/environments/{staging}/",
            "half",
            403,
            "Service account doesn't have access to this environment.",
            id="an environment of a held app",
        ),
        pytest.param(
            "/v1/environments/{staging}/", "person", 403, "You don't have access to this environment.", id="by a user"
        ),
        pytest.param(
            "/v1/environments/{closed}/",
            "half",
            401,
            "Service account cannot access this app",
            id="an environment of another app",
        ),
        pytest.param("/v1/environments/{shared}/", "person", 403, "User cannot access this app", id="another, a user"),
        pytest.param("/v1/apps/", "old", 401, CONTEXT_OF_OLD, id="apps by an old token"),
        pytest.param("/v1/apps/{backend_app}/", "old", 401, CONTEXT_OF_OLD, id="an app by an old token"),
        pytest.param("/v1/environments/{development}/", "old", 401, CONTEXT_OF_OLD, id="an environment by one"),
        pytest.param("/v1/service-accounts/x/", "old", 401, CONTEXT_OF_OLD, id="an account by an old token"),
        pytest.param("/v1/service-accounts/x/", "admin", 404, "Service account not found.", id="an unknown account"),
        pytest.param(
            "/v1/environments/?app_id={legacy_app}",
            "mute",
            403,
            "SSE is not enabled for this App.",
            id="before",
        ),
        pytest.param("/v1/apps/{legacy_app}/", "mute", 403, "SSE is not enabled for this App.", id="of an app, too"),
        pytest.param(
            "/v1/secrets/?app_id={legacy_app}&env=development",
            "mute",
            403,
            "You don't have permission to read secrets in this environment.",
            id="of secrets after it",
        ),
        # These three by the source.
        pytest.param("/v1/apps/x/", "old", 404, "App with ID x not found", id="an unknown app in an old token's path"),
        pytest.param(
            "/v1/environments/{development}/?app_id={shared_app}",
            "half",
            404,
            "Environment not found",
            id="an environment in the path that is not of the app in the query",
        ),
        pytest.param(
            "/v1/environments/{development}/?app_id={backend_app}&env=nope",
            "half",
            404,
            "Environment 'nope' not found in App {backend_app}",
            id="the query wins over an environment in the path",
        ),
        pytest.param("/v1/secrets/?app_id=%00&env=development", "half", 500, BUG, id="a NUL in an app's id"),
        pytest.param("/v1/secrets/?app_id=%00", "half", 500, BUG, id="a NUL in the id of an app alone"),
        # These two by the source.
        pytest.param(
            "/v1/secrets/?app_id={backend_app}&env=%00", "half", 500, BUG, id="a NUL in an environment's name"
        ),
        pytest.param("/v1/secrets/?secret_id=%00", "half", 500, BUG, id="a NUL in a secret's id"),
        pytest.param(f"{SECRETS}&path=/a%00b", "half", 500, BUG, id="a NUL in a path"),
        pytest.param(f"{SECRETS}&tags=db,%00", "half", 500, BUG, id="a NUL in tags"),
        # These four by the source.
        pytest.param(f"{DYNAMIC}&path=%00", "half", 500, BUG, id="a NUL in the path of a dynamic secret"),
        pytest.param("/v1/apps/%00/", "half", 500, BUG, id="a NUL in the path of an app"),
        pytest.param("/v1/environments/%00/", "half", 500, BUG, id="a NUL in the path of an environment"),
        pytest.param("/v1/service-accounts/%00/", "admin", 404, "Service account not found.", id="not of an account"),
        pytest.param(f"{SECRETS}&format=xml", "half", 404, "Not found.", id="an unknown format"),
        pytest.param("/v1/apps/?FORMAT=JSON", "half", 404, "Not found.", id="a format has a case"),
        pytest.param(
            f"{SECRETS}&dynamic=true&lease_ttl=x",
            "half",
            400,
            "lease_ttl must be a valid integer (seconds)",
            id="the ttl of no lease",
        ),
    ],
)
async def test_a_refusal_is_the_real_ones(
    installation: Installation, route: str, account: str, status: int, text: str
) -> None:
    answer = await ask(installation, route, account)

    wanted = text.replace("{backend_app}", installation.phase.app("backend").id)
    assert told(answer) == (status, wanted)


async def test_an_old_token_is_told_no_environments(installation: Installation) -> None:
    answer = await ask(installation, "/v1/environments/?app_id={backend_app}&env=development", "old")

    assert told(answer) == (200, {"data": []})


async def test_an_old_token_has_no_role_that_could_lack_a_right() -> None:
    """By the source."""
    old = {"name": "old", "kind": "legacy", "role": "Mute", "access": {"backend": ["*"]}}
    installation = Installation(WORLD | {"accounts": [*(a for a in ACCOUNTS if a["name"] != "old"), old]})

    assert told(await ask(installation, SECRETS, "old")) == (200, [])


async def test_the_app_of_the_query_wins_over_that_of_the_path(installation: Installation) -> None:
    answer = await ask(installation, "/v1/apps/{backend_app}/?app_id={shared_app}", "operator")

    assert answer.json()["name"] == "Shared Config"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH"])
@pytest.mark.parametrize(
    "route", ["apps/", "environments/?app_id={backend_app}", "environments/{development}/", "service-accounts/x/"]
)
async def test_metadata_answers_405_to_other_methods(installation: Installation, method: str, route: str) -> None:
    assert (await ask(installation, f"/v1/{route}", "operator", method)).status_code == 405
    assert (await ask(installation, "/v1/secrets/", "operator", method)).status_code == 403


@pytest.mark.parametrize(
    ("header", "route", "status"),
    [
        pytest.param("", "/v1/secrets/?app_id={backend_app}&env=development", 200, id="empty"),
        pytest.param("{development}", "/v1/environments/", 200, id="for the list of environments"),
        pytest.param("nope", "/v1/apps/", 401, id="an unknown one everywhere"),
    ],
)
async def test_the_header_of_an_environment_counts_on_all_routes(
    installation: Installation, header: str, route: str, status: int
) -> None:
    answer = await ask(installation, route, "operator", headers={"Environment": header})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("header", "text"),
    [
        pytest.param("", "Authentication credentials were not provided.", id="empty"),
        pytest.param("Bearer ServiceAccount  {hex}", "Invalid token", id="two spaces"),
    ],
)
async def test_a_bad_header_is_told(installation: Installation, header: str, text: str) -> None:
    spelled = header.format(hex=installation.phase.token("operator").value)

    answer = await ask(installation, "/v1/apps/", "operator", headers={"Authorization": spelled})

    assert told(answer) == (401, text)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param("APP_ID={backend_app}&ENV=development", 200, id="capitals"),
        pytest.param("appID={backend_app}&env=development", 200, id="a capital abbreviation"),
        pytest.param("appId={backend_app}&env=development", 200, id="camelCase"),
        # These two by the source of the library that spells the names anew.
        pytest.param("APPId={backend_app}&ENV=development", 200, id="an abbreviation and a word"),
        pytest.param("AppId={backend_app}&env=development", 403, id="a capital at the beginning makes another name"),
        pytest.param("app_id={backend_app}&appId=x&app_id={backend_app}&env=development", 404, id="the later spelling"),
    ],
)
async def test_names_of_the_query_may_be_spelled_otherwise(installation: Installation, query: str, status: int) -> None:
    assert (await ask(installation, f"/v1/secrets/?{query}", "operator")).status_code == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/health/", 200, id="health"),
        pytest.param("/service/health/", 200, id="health of the service"),
        pytest.param("/public/health/", 404, id="no health of the public API"),
        pytest.param("/service/public/health/", 404, id="nor there"),
        pytest.param("/public/", 200, id="the root of the public API"),
        pytest.param("/service/public/", 200, id="and there"),
        pytest.param("/public", 404, id="not without its slash"),
        pytest.param("/service/public", 404, id="nor there without it"),
        pytest.param("/service/public/v1/apps/", 200, id="a route"),
    ],
)
async def test_each_path_is_mounted_where_phase_has_it(installation: Installation, path: str, status: int) -> None:
    assert (await ask(installation, path, "operator")).status_code == status


async def test_tokens_of_an_account_are_listed_newest_first(installation: Installation) -> None:
    installation.phase.add_token("operator", "newer")

    answer = await ask(installation, f"/v1/service-accounts/{installation.phase.account('operator').id}/", "admin")

    assert [token["name"] for token in answer.json()["tokens"]] == ["newer", "token"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_the_route_of_an_accounts_tokens_asks_every_method_for_the_same(
    installation: Installation, method: str
) -> None:
    assert told(await ask(installation, "/v1/service-accounts/x/tokens/", "half", method)) == (403, NO_TOKENS)


async def test_an_unknown_format_is_told_before_the_token_is_looked_at(installation: Installation) -> None:
    answer = await ask(installation, f"{SECRETS}&format=xml", headers={"Authorization": ""})

    assert (answer.status_code, answer.text) == (404, '{"error":"Not found."}')


@pytest.mark.parametrize(
    ("query", "accept", "status"),
    [
        pytest.param("&format=json", "application/json", 200, id="JSON"),
        pytest.param("&format=", "*/*", 200, id="an empty format"),
        pytest.param("", "*/json", 200, id="any JSON"),
        pytest.param("", "", 406, id="nothing is accepted"),
        pytest.param("&format=json", "text/html", 406, id="a format that is not accepted"),
    ],
)
async def test_the_format_and_what_is_accepted_have_to_agree(
    installation: Installation, query: str, accept: str, status: int
) -> None:
    answer = await ask(installation, SECRETS + query, headers={"Accept": accept})

    assert answer.status_code == status


async def test_the_encrypted_route_shows_a_page_that_is_asked_for_by_its_format(installation: Installation) -> None:
    development = {"Environment": "{development}"}

    page = await ask(installation, "/secrets/?format=api", headers=development)
    json = await ask(installation, "/secrets/?format=json", headers=development)
    neither = await ask(installation, "/secrets/?format=api", headers=development | {"Accept": "application/json"})

    assert [each.headers["content-type"].split(";")[0] for each in (page, json)] == ["text/html", "application/json"]
    assert neither.status_code == 406


async def test_an_empty_ttl_of_a_lease_is_none(installation: Installation) -> None:
    assert told(await ask(installation, f"{SECRETS}&dynamic=true&lease=true&lease_ttl=")) == (200, [])


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param("secret_id={secret}&app_id={{backend_app}}&env=staging", {}, id="over the query"),
        pytest.param("secret_id={secret}", {"Environment": "{staging}"}, id="over the header"),
        # By the source.
        pytest.param("app_id={{backend_app}}&env=staging", {"Secret-Id": "{secret}"}, id="as a header"),
    ],
)
async def test_the_id_of_a_secret_wins(installation: Installation, query: str, headers: dict[str, str]) -> None:
    secret = installation.phase.set_secret("backend", "development", "A", "a").id
    sent = {name: value.replace("{secret}", secret) for name, value in headers.items()}

    answer = await ask(installation, f"/v1/secrets/?{query.format(secret=secret)}", "operator", headers=sent)

    assert [row["id"] for row in answer.json()] == [secret]


async def test_only_what_got_as_far_as_the_quota_is_counted(installation: Installation) -> None:
    installation.phase.set_quota(1)

    routes = ["?app_id=x", "?app_id={closed_app}", "", "?app_id={backend_app}"]
    told_statuses = [(await ask(installation, f"/v1/secrets/{route}")).status_code for route in routes]

    assert told_statuses == [404, 401, 403, 429]


@pytest.mark.parametrize(
    ("method", "path", "accept", "status"),
    [
        pytest.param("POST", "/", "*/*", 403, id="a write to the greeting"),
        pytest.param("PATCH", "/public/", "*/*", 403, id="a write to that of the public API"),
        pytest.param("POST", "/health/", "*/*", 500, id="a write to the health"),
        pytest.param("GET", "/health/", "text/html", 500, id="the health as a page"),
    ],
)
async def test_the_pages_without_a_token_refuse_with_pages(
    installation: Installation, method: str, path: str, accept: str, status: int
) -> None:
    answer = await ask(installation, path, method=method, headers={"Accept": accept})

    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (status, "text/html")


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        pytest.param("application/json; indent=4", '{\n    "data": []\n}', id="by four"),
        pytest.param("*/*;indent=99, text/html", f'{{\n{" " * 8}"data": []\n}}', id="by eight at most"),
        pytest.param("application/json;indent=0", '{"data":[]}', id="by nothing"),
        pytest.param("application/json;indent=x", '{"data":[]}', id="by no number"),
    ],
)
async def test_json_is_indented_for_who_asks(installation: Installation, accept: str, text: str) -> None:
    installation.phase.change_access("mute", "legacy", ["Development"], grant=False)
    installation.phase.state.put(
        replace(installation.phase.account("mute"), role=installation.phase.account("half").role)
    )

    answer = await ask(installation, "/v1/apps/", "mute", headers={"Accept": accept})

    assert answer.text == text


async def test_ends_of_lines_in_javascript_are_escaped(installation: Installation) -> None:
    """By the source of the framework."""
    installation.phase.set_secret("backend", "development", "A", "\u2028\u2029")

    answer = await ask(installation, SECRETS)

    assert '"value":"\\u2028\\u2029"' in answer.text
