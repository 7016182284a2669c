"""The switches of leases count what is left, do what happens behind one's back, and tell a mistake in one sentence."""

from typing import Any

import pytest

from unit.phase_dev.server.builders import Installation
from unit.phase_dev.server.test_leases import DYNAMIC, LEASING, LOOK, ask, lease, listed

PLACE = {"app": "backend", "env": "development"}


@pytest.fixture
def installation() -> Installation:
    return Installation(LEASING)


async def told(installation: Installation, route: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await installation.control("GET", route)).json()
    return answer


async def test_leases_are_told_with_their_true_end(installation: Installation) -> None:
    made = await lease(installation, ttl="600")
    await installation.control("POST", "leases", {"lease": made["id"], "action": "renew", "ttl": 300})

    answer = await told(installation, "leases")

    [row] = answer["leases"]
    assert (answer["total"], answer["live"]) == (1, 1)
    assert (row["app"], row["env"], row["dynamic_secret"], row["account"]) == (
        "backend",
        "Development",
        "aws",
        "operator",
    )
    assert row["ttl"] == "00:15:00"
    assert (row["ends_at"], row["user_exists"]) == (made["expiresAt"], True)
    assert row["expires_at"] > row["ends_at"]


async def test_no_switch_tells_a_credential(installation: Installation) -> None:
    made = await lease(installation)
    secret = next(each["value"] for each in made["credentials"] if each["key"] == "AWS_SECRET_ACCESS_KEY")

    texts = [(await installation.control("GET", route)).text for route in ("leases", "cloud")]

    assert not any(secret in text for text in texts)


async def test_cloud_users_are_told_and_those_that_nothing_takes_away_are_counted(installation: Installation) -> None:
    made = await lease(installation)
    await installation.control("POST", "cloud/faults", {"kind": "refuse", "action": "TagUser", "times": 1})
    await ask(installation)

    answer = await told(installation, "cloud")

    assert (answer["total"], answer["leaked"]) == (2, 1)
    by_lease = {row["lease"]: row for row in answer["users"]}
    assert by_lease[made["id"]]["access_keys"] == [made["credentials"][1]["value"]]
    assert (by_lease[None]["leaked"], by_lease[None]["tags"]) == (True, {})


async def test_a_key_can_be_tried_until_its_lease_has_ended(installation: Installation) -> None:
    made = await lease(installation)
    user, key_id, secret = (each["value"] for each in made["credentials"])
    key = {"access_key_id": key_id, "secret_access_key": secret}

    before = (await installation.control("POST", "cloud/check", key)).json()
    await installation.control("POST", "leases", {"lease": made["id"], "action": "revoke"})
    after = (await installation.control("POST", "cloud/check", key)).json()

    assert (before, after) == ({"user": user}, {"user": None})
    assert (await listed(installation))[0]["status"] == "revoked"


async def test_a_user_is_deleted_by_hand(installation: Installation) -> None:
    made = await lease(installation)

    await installation.control("DELETE", "cloud", {"user": made["credentials"][0]["value"]})

    assert (await told(installation, "cloud"))["total"] == 0
    assert (await told(installation, "leases"))["live"] == 0


async def test_a_job_is_taken_out_of_the_schedule(installation: Installation) -> None:
    made = await lease(installation, ttl="60")

    await installation.control("POST", "leases", {"lease": made["id"], "action": "unschedule"})
    installation.clock.advance(60 + LOOK)

    assert (await told(installation, "leases"))["leases"][0]["ends_at"] is None
    assert (await told(installation, "cloud"))["leaked"] == 1


async def test_the_worker_is_stopped_and_started(installation: Installation) -> None:
    await lease(installation, ttl="60")
    await installation.control("POST", "worker", {"runs": False})
    installation.clock.advance(600)
    stopped = (await told(installation, "leases"))["live"]
    await installation.control("POST", "worker", {"runs": True})
    installation.clock.advance(4)

    assert (stopped, (await told(installation, "leases"))["live"]) == (1, 0)


async def test_faults_of_the_cloud_account_are_listed_and_cleared(installation: Installation) -> None:
    await installation.control("POST", "cloud/faults", {"kind": "away", "times": 9})
    await ask(installation)

    [fault] = (await told(installation, "cloud/faults"))["faults"]
    await installation.control("DELETE", "cloud/faults")

    assert (fault["kind"], fault["left"]) == ("away", 4)
    assert (await ask(installation)).status_code == 200


async def test_an_event_that_came_due_before_a_fault_happened_before_it(installation: Installation) -> None:
    await lease(installation, ttl="60")
    installation.clock.advance(60 + LOOK)

    await installation.control("POST", "cloud/faults", {"kind": "away"})

    assert (await listed(installation))[0]["status"] == "expired"


async def test_dynamic_secrets_are_made_changed_and_deleted(installation: Installation) -> None:
    names = {"username": "U", "access_key_id": "I", "secret_access_key": "S"}
    settings = {"name": "jobs", "path": "/jobs", "maxTtl": 600, "defaultTtl": 300, "keyMap": names}
    made = await installation.control("POST", "dynamic", {**PLACE, "settings": settings})

    changed = {**PLACE, "name": "jobs", "path": "/jobs", "settings": {"name": "tasks", "max_ttl": 900}}
    assert (await installation.control("PUT", "dynamic", changed)).status_code == 200
    [row] = (await installation.call("GET", DYNAMIC, name="tasks")).json()
    assert (row["id"], row["maxTtl"], row["defaultTtl"]) == (made.json()["id"], "00:15:00", "00:05:00")
    assert [entry["keyName"] for entry in row["keyMap"]] == ["U", "I", "S"]

    await installation.control("DELETE", "dynamic", {**PLACE, "name": "tasks", "path": "/jobs"})
    assert (await installation.call("GET", DYNAMIC, name="tasks")).status_code == 404


@pytest.mark.parametrize(
    ("method", "route", "order", "word"),
    [
        pytest.param("POST", "leases", {"lease": "x", "action": "revoke"}, "x", id="no such lease"),
        pytest.param("POST", "leases", {"lease": "x", "action": "end"}, "action", id="no such action"),
        pytest.param("DELETE", "cloud", {"user": "nobody"}, "nobody", id="no such user"),
        pytest.param("POST", "cloud/faults", {"kind": "burn"}, "kind", id="no such fault"),
        pytest.param("POST", "cloud/faults", {"kind": "lost", "action": "Fly"}, "action", id="no such call"),
        pytest.param("POST", "worker", {}, "runs", id="nothing for the worker"),
        pytest.param("POST", "dynamic", {**PLACE, "settings": {"name": "aws"}}, "aws", id="a name that is taken"),
        pytest.param("POST", "dynamic", {**PLACE, "settings": {"name": "b"}}, "keyMap", id="keys that are taken"),
        pytest.param("POST", "dynamic", {**PLACE, "settings": {"name": "b", "ttl": 1}}, "ttl", id="no such setting"),
        pytest.param("PUT", "dynamic", {**PLACE, "name": "b", "settings": {}}, '"b"', id="no such dynamic secret"),
        pytest.param(
            "PUT",
            "dynamic",
            {**PLACE, "name": "aws", "settings": {"maxTtl": 60}},
            "defaultTtl",
            id="too short a maximum",
        ),
    ],
)
async def test_a_mistake_is_told(
    installation: Installation, method: str, route: str, order: dict[str, object], word: str
) -> None:
    answer = await installation.control(method, route, order)

    assert answer.status_code == 422
    assert word in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


async def test_a_revocation_that_the_cloud_account_refuses_is_told(installation: Installation) -> None:
    made = await lease(installation)
    installation.phase.leases.fail("away")

    answer = await installation.control("POST", "leases", {"lease": made["id"], "action": "revoke"})

    assert answer.status_code == 422
    assert (await listed(installation))[0]["status"] == "active"
