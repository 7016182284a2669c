"""Requests for apps, environments and accounts are checked in the order of the real server, odd corners included."""

from typing import Any

import httpx
import pytest

from unit.phase_dev.server.builders import SEED, Installation

ACCOUNTS = [
    *SEED["accounts"],
    {"name": "half", "access": {"backend": ["Development"], "legacy": ["*"]}},
    {"name": "person", "kind": "user", "access": {"backend": ["Development"]}},
    {"name": "old", "kind": "legacy", "access": {"backend": ["Development"]}},
    {"name": "mute", "role": "Mute", "access": {"legacy": ["*"]}},
]
CONTEXT_OF_OLD = "Service tokens require an environment context"


@pytest.fixture
def installation() -> Installation:
    return Installation(SEED | {"accounts": ACCOUNTS, "roles": {"Mute": {}}})


async def ask(
    installation: Installation, route: str, account: str, method: str = "GET", headers: dict[str, str] | None = None
) -> httpx.Response:
    phase = installation.phase
    known = {f"{app.name.split()[0].lower()}_app": app.id for app in phase.state.apps.values()}
    known |= {env: phase.environment("backend", env).id for env in ("development", "staging", "production")}
    known |= {"shared": phase.environment("Shared Config", "development").id}
    kind = {"service": "ServiceAccount", "user": "User", "legacy": "Service"}[phase.account(account).kind]
    own = {"Authorization": f"Bearer {kind} {phase.token(account).value}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=installation.app), base_url="http://phase"
    ) as client:
        return await client.request(method, route.format_map(known), headers=own | (headers or {}))


def told(answer: httpx.Response) -> tuple[int, Any]:
    content = answer.json()
    return answer.status_code, content["error"] if answer.status_code >= 400 else content


@pytest.mark.parametrize(
    ("route", "account", "status", "text"),
    [
        pytest.param("/v1/secrets/?app_id=x", "half", 404, "App with ID x not found", id="an unknown app alone"),
        pytest.param(
            "/v1/secrets/?app_id={shared_app}", "half", 401, "Service account cannot access this app", id="an app alone"
        ),
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
            "/v1/environments/{shared}/",
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


async def test_the_app_of_the_query_wins_over_that_of_the_path(installation: Installation) -> None:
    answer = await ask(installation, "/v1/apps/{backend_app}/?app_id={shared_app}", "operator")

    assert answer.json()["name"] == "Shared Config"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("route", ["apps/", "environments/?app_id={backend_app}", "environments/{development}/"])
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
    named = header.format(development=installation.phase.environment("backend", "development").id)

    answer = await ask(installation, route, "operator", headers={"Environment": named})

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
