"""The switches count, fail, grant and turn the clock, and answer a mistake in one sentence."""

from collections.abc import Callable
from typing import Any

import pytest

from phase_dev.server.keys import environment_keys
from phase_dev.server.sealing import unseal
from unit.phase_dev.server.builders import Installation


@pytest.fixture
def installation() -> Installation:
    return Installation()


async def test_calls_are_counted_by_route_app_environment_account_and_status(installation: Installation) -> None:
    await installation.call("GET")
    await installation.call("GET", env="Staging")
    await installation.call("GET", "/v1/apps/")

    counted = (await installation.control("GET", "calls")).json()

    assert counted["total"] == 3
    assert installation.phase.counter.count(route="/v1/secrets/", env="staging", account="operator", status=200) == 1


async def test_counting_starts_over(installation: Installation) -> None:
    await installation.call("GET")

    await installation.control("POST", "calls/reset")

    assert installation.phase.counter.count() == 0


async def test_a_fault_strikes_in_its_scope_as_often_as_ordered(installation: Installation) -> None:
    order = {"status": 503, "env": "Staging", "account": "operator", "route": "/v1/secrets/", "times": 1}
    await installation.control("POST", "faults", order)

    statuses = [(await installation.call("GET", env=env)).status_code for env in ("development", "staging", "staging")]

    assert statuses == [200, 503, 200]


async def test_a_fault_lasts_until_it_is_cleared(installation: Installation) -> None:
    await installation.control("POST", "faults", {"kind": "quota", "retry_after": 7})
    during = [await installation.call("GET") for _ in range(3)]

    await installation.control("DELETE", "faults")

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in during] == [(429, "7")] * 3
    assert (await installation.call("GET")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        pytest.param("html", 200, "text/html; charset=utf-8", id="a page with status 200"),
        pytest.param("redirect", 302, "text/html; charset=utf-8", id="to the login page"),
    ],
)
async def test_a_proxys_answers_are_not_json(
    installation: Installation, kind: str, status: int, content_type: str
) -> None:
    await installation.control("POST", "faults", {"kind": kind})

    answer = await installation.call("GET")

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, content_type)


async def test_access_is_withdrawn_and_granted(installation: Installation) -> None:
    order = {"account": "operator", "app": "backend", "envs": ["development"]}

    await installation.control("POST", "access", {**order, "action": "withdraw"})
    without = (await installation.call("GET")).status_code
    await installation.control("POST", "access", {**order, "action": "grant"})

    assert (without, (await installation.call("GET")).status_code) == (401, 200)


async def test_a_rotated_token_replaces_the_old_one(installation: Installation) -> None:
    old = installation.phase.token("operator").value

    new = (await installation.control("POST", "tokens", {"account": "operator", "action": "rotate"})).json()["token"]

    assert installation.phase.state.token_by_value(old) is None
    assert installation.phase.token("operator").value == new


async def test_the_clock_is_advanced(installation: Installation) -> None:
    before = installation.phase.clock()

    await installation.control("POST", "clock", {"advance": 90})

    assert (installation.phase.clock() - before).total_seconds() == 90


@pytest.mark.parametrize(
    ("route", "order"),
    [
        pytest.param("faults", {"kind": "nope"}, id="unknown kind"),
        pytest.param("faults", {"rout": "/"}, id="unknown field"),
        pytest.param("clock", {"advance": -1}, id="backwards"),
        pytest.param("access", {"account": "x", "app": "backend", "envs": [], "action": "grant"}, id="no such account"),
    ],
)
async def test_a_mistake_is_told(installation: Installation, route: str, order: dict[str, object]) -> None:
    answer = await installation.control("POST", route, order)

    assert answer.status_code == 422
    assert answer.json()["error"]


async def test_a_secret_of_an_encrypted_app_is_written_and_deleted_in_plain_text(installation: Installation) -> None:
    place = {"app": "legacy", "env": "development", "key": "aKey"}
    state, here = installation.phase.state, installation.phase.environment("legacy", "development").id

    await installation.control("POST", "secret", {**place, "value": "v", "keep_case": True})
    [secret] = state.secrets_of(here)
    pair = environment_keys(here).pair
    sealed = state.ciphertexts(secret)
    assert (unseal(sealed.key, pair), unseal(sealed.value, pair)) == (b"aKey", b"v")

    assert (await installation.control("DELETE", "secret", place)).status_code == 200
    assert list(state.secrets_of(here)) == []
    assert "aKey" in (await installation.control("DELETE", "secret", place)).json()["error"]


@pytest.mark.parametrize(
    ("order", "damaged"),
    [
        pytest.param({"app": "legacy", "env": "development", "key": "K", "how": "flipped"}, "secret", id="a secret"),
        pytest.param({"app": "legacy", "env": "development", "how": "cut"}, "environment", id="an environment"),
        pytest.param({"account": "operator", "how": "other"}, "token", id="an account"),
    ],
)
async def test_damage_is_ordered_and_mended(installation: Installation, order: dict[str, str], damaged: str) -> None:
    phase = installation.phase
    phase.set_secret("legacy", "development", "K", "v")
    found: dict[str, Callable[[], Any]] = {
        "secret": lambda: phase.secret("legacy", "development", "K"),
        "environment": lambda: phase.environment("legacy", "development"),
        "token": lambda: phase.token("operator"),
    }

    await installation.control("POST", "damage", order)
    assert {what: bool(look().damage) for what, look in found.items()} == {what: what == damaged for what in found}

    await installation.control("POST", "damage", {**order, "how": None})
    assert not any(look().damage for look in found.values())


@pytest.mark.parametrize(
    "order",
    [
        pytest.param({"how": "flipped"}, id="of nothing"),
        pytest.param({"how": "flipped", "app": "legacy"}, id="of an app"),
        pytest.param({"how": "parts", "account": "operator"}, id="of a share, which has no parts"),
        pytest.param(
            {"how": "cut", "app": "legacy", "env": "development", "field": "value"}, id="of a field of secrets alone"
        ),
        pytest.param({"how": "burnt", "account": "operator"}, id="of an unknown kind"),
        pytest.param({"how": "cut", "app": "legacy", "env": "development", "field": "name"}, id="of an unknown field"),
    ],
)
async def test_damage_that_means_nothing_is_told(installation: Installation, order: dict[str, str]) -> None:
    answer = await installation.control("POST", "damage", order)

    assert answer.status_code == 422
    assert answer.json()["error"]


async def test_a_made_token_is_told_in_full(installation: Installation) -> None:
    made = (await installation.control("POST", "tokens", {"account": "operator", "action": "add"})).json()

    assert made["full"].split(":")[:3] == ["pss_service", "v2", made["token"]]
    assert {len(field) for field in made["full"].split(":")[2:]} == {64}


async def test_a_429_may_come_without_its_header(installation: Installation) -> None:
    await installation.control("POST", "faults", {"kind": "quota", "retry_after": None})

    answer = await installation.call("GET")

    assert (answer.status_code, "Retry-After" in answer.headers) == (429, False)
