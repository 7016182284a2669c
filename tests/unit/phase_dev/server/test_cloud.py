"""A cloud account that fails leaves behind what it left behind the real server, and what is left can be counted."""

from typing import Any

import pytest

from unit.phase_dev.server.builders import Installation
from unit.phase_dev.server.test_leases import DYNAMIC, LEASES, LEASING, LOOK, ask, lease, listed, renew, revoke

NOT_CREATED = {"error": "An internal error occurred while creating the lease"}


@pytest.fixture
def installation() -> Installation:
    return Installation(LEASING)


@pytest.mark.parametrize(
    ("kind", "action", "times", "status", "rows", "keys"),
    [
        pytest.param("refuse", "CreateUser", None, 500, 0, [], id="no right to make users"),
        pytest.param("refuse", "TagUser", None, 500, 0, [0], id="no right to tag leaves a user"),
        pytest.param("refuse", "AttachUserPolicy", None, 500, 0, [0], id="no right to attach leaves a user"),
        pytest.param("refuse", "AddUserToGroup", None, 500, 0, [0], id="no right to join leaves a user"),
        pytest.param("refuse", "CreateAccessKey", None, 500, 0, [], id="no right to make keys is tidied up"),
        pytest.param("throttle", None, None, 500, 0, [], id="throttled"),
        pytest.param("throttle", None, 4, 200, 1, [1], id="throttled four times, the fifth gets through"),
        pytest.param("error", None, None, 500, 0, [], id="broken"),
        pytest.param("away", None, None, 500, 0, [], id="away"),
        pytest.param("lost", "CreateUser", 1, 500, 0, [0], id="the answer with the user is lost"),
        pytest.param("lost", "CreateAccessKey", 1, 200, 1, [2], id="the answer with the key is lost"),
        pytest.param("lost", "CreateAccessKey", 2, 500, 0, [], id="two such answers: no third key, tidied up"),
        pytest.param("hang", "CreateAccessKey", None, 500, 0, [2], id="never answers, nobody knows the keys"),
    ],
)
async def test_a_failing_cloud_leaves_the_users_and_keys_of_the_table(
    installation: Installation,
    kind: Any,
    action: str | None,
    times: int | None,
    status: int,
    rows: int,
    keys: list[int],
) -> None:
    installation.phase.leases.fail(kind, action, times=times)

    answer = await ask(installation)

    assert answer.status_code == status
    assert len(await listed(installation)) == rows
    assert [len(user.keys) for user in installation.phase.leases.users()] == keys
    assert len(installation.phase.leases.leaked()) == (0 if rows else len(keys))


async def test_a_process_that_was_killed_answers_a_page(installation: Installation) -> None:
    installation.phase.leases.fail("hang", "CreateAccessKey", delay=120)
    start = installation.clock.now

    answer = await ask(installation)

    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "text/html")
    assert (installation.clock.now - start).total_seconds() == 120


async def test_one_route_hides_the_cause_and_the_other_tells_it(installation: Installation) -> None:
    installation.phase.leases.fail("refuse", "CreateUser")

    plain, other = await ask(installation), await installation.call("GET", dynamic="true", lease="true")

    assert plain.json() == NOT_CREATED
    assert (other.status_code, other.json()["successfulLeases"]) == (400, 0)
    assert other.json()["failedLeases"][0]["error"].startswith(
        "An error occurred (AccessDenied) when calling the Create"
    )


async def test_an_account_that_is_full_makes_no_user() -> None:
    full = Installation({**LEASING, "organisations": [{"cloud": {"users": 1}}]})
    first, second = await ask(full), await ask(full)

    assert (first.status_code, second.status_code) == (200, 500)
    await revoke(full, first.json()[0]["lease"]["id"])
    assert (await ask(full)).status_code == 200


async def test_a_slow_account_is_waited_for_and_the_row_comes_last() -> None:
    seen: list[tuple[int, int, int]] = []

    def look() -> None:
        leases = slow.phase.leases
        seen.append((len(leases.all()), len(leases.users()), len(leases.leaked())))

    slow = Installation({**LEASING, "organisations": [{"cloud": {"delay": 4}}]}, meanwhile=look)
    start = slow.clock.now

    made = await lease(slow)

    calls = 6
    assert (slow.clock.now - start).total_seconds() == 4 * calls
    assert seen == [(0, 0, 0), *[(0, 1, 0)] * (calls - 1)]
    assert made["createdAt"].startswith("2026-11-23T05:00:24")


async def test_a_revocation_that_fails_can_be_tried_again(installation: Installation) -> None:
    made = await lease(installation)
    installation.phase.leases.fail("away")
    refused = await revoke(installation, made["id"])
    [between] = await listed(installation)
    installation.phase.leases.clear()

    answer = await revoke(installation, made["id"])

    assert (refused.status_code, refused.json()["error"]) == (
        500,
        "An internal error occurred while revoking the lease",
    )
    assert (between["status"], answer.json()["message"]) == ("active", "Lease revoked successfully")


async def test_a_renewal_does_not_touch_the_account(installation: Installation) -> None:
    made = await lease(installation)
    installation.phase.leases.fail("away")

    assert (await renew(installation, made["id"])).status_code == 200


async def test_an_expiry_while_the_account_is_away_is_not_repeated(installation: Installation) -> None:
    made = await lease(installation, ttl="60")
    installation.phase.leases.fail("away")
    installation.clock.advance(60 + LOOK)
    installation.phase.leases.clear()
    installation.clock.advance(3600)

    [row] = await listed(installation)

    assert (row["status"], row["revokedAt"]) == ("active", None)
    assert [user.name for user in installation.phase.leases.leaked()] == [made["credentials"][0]["value"]]
    assert (await revoke(installation, made["id"])).status_code == 200
    assert installation.phase.leases.users() == []


async def test_a_renewal_brings_a_second_chance_where_the_first_job_failed(installation: Installation) -> None:
    made = await lease(installation, ttl="60")
    await renew(installation, made["id"], 60)
    installation.phase.leases.fail("away")
    installation.clock.advance(60 + LOOK)
    installation.phase.leases.clear()
    installation.clock.advance(60)

    [row] = await listed(installation)

    assert row["status"] == "expired"


async def test_without_a_worker_nothing_expires_and_soon_after_it_is_back_all_is_done(
    installation: Installation,
) -> None:
    await lease(installation, ttl="60")
    installation.phase.leases.set_worker(runs=False)
    installation.clock.advance(600)
    [without] = await listed(installation)
    installation.phase.leases.set_worker(runs=True)
    [at_once] = await listed(installation)
    installation.clock.advance(4)

    [row] = await listed(installation)

    assert [without["status"], at_once["status"], row["status"]] == ["active", "active", "expired"]


async def test_a_lease_whose_end_cannot_be_scheduled_is_listed_although_its_user_is_gone(
    installation: Installation,
) -> None:
    installation.phase.leases.set_worker(takes_jobs=False)

    answer = await ask(installation)

    assert (answer.status_code, answer.json()) == (500, NOT_CREATED)
    [row] = await listed(installation)
    assert (row["status"], installation.phase.leases.users()) == ("active", [])
    assert (await revoke(installation, row["id"])).json() == {"message": "Lease revoked successfully"}


async def test_a_user_deleted_by_hand_is_not_noticed(installation: Installation) -> None:
    made = await lease(installation)
    [user] = installation.phase.leases.users()
    installation.phase.leases.remove_user(user.name)

    [row] = await listed(installation)

    assert row["status"] == "active"
    assert (await revoke(installation, made["id"])).status_code == 200


async def test_the_users_of_a_removed_environment_stay_behind(installation: Installation) -> None:
    await lease(installation, ttl="60")
    installation.phase.remove("backend", "development")
    installation.clock.advance(60 + LOOK)

    told = (await installation.control("GET", "cloud")).json()

    assert (told["total"], told["leaked"]) == (1, 1)
    assert (told["users"][0]["lease"], told["users"][0]["dynamic_secret"]) == (None, None)


async def test_a_fixed_user_name_serves_one_lease_at_a_time() -> None:
    dynamic = [{"name": "aws", "usernameTemplate": "only-one"}]
    app = {"name": "backend", "environments": [{"name": "Development", "dynamicSecrets": dynamic}]}
    fixed = Installation({**LEASING, "apps": [app]})

    assert [(await ask(fixed)).status_code for _ in range(2)] == [200, 500]


async def test_the_leases_before_one_that_fails_are_made_and_never_shown() -> None:
    dynamic = [
        {"name": "long"},
        {"name": "short", "path": "/short", "defaultTtl": 60, "maxTtl": 120},
        {"name": "last", "path": "/last"},
    ]
    app = {"name": "backend", "environments": [{"name": "Development", "dynamicSecrets": dynamic}]}
    three = Installation({**LEASING, "apps": [app]})

    first = await ask(three, ttl="300")
    after_first = len(three.phase.leases.users())
    other = await three.call("GET", dynamic="true", lease="true", lease_ttl="300")

    assert (first.status_code, after_first) == (400, 1)
    assert (other.status_code, other.json()["successfulLeases"]) == (400, 2)
    assert len(three.phase.leases.users()) == 3


async def test_calls_that_ask_for_a_lease_are_counted_apart(installation: Installation) -> None:
    for query in ({}, {"lease": "false"}, {"lease": "1"}):
        await installation.call("GET", DYNAMIC, **query)
    for query in ({"lease": "true"}, {"lease": "true", "dynamic": "true"}):
        await installation.call("GET", **query)
    await installation.call("GET", LEASES, lease="true")

    counter = installation.phase.counter
    assert (counter.count(lease=True), counter.count(lease=True, route=DYNAMIC)) == (2, 1)


async def test_a_fault_strikes_leasing_alone(installation: Installation) -> None:
    await installation.control("POST", "faults", {"status": 503, "lease": True})

    statuses = [(await installation.call("GET", DYNAMIC)).status_code, (await ask(installation)).status_code]

    assert statuses == [200, 503]
