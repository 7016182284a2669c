"""Leases live by the clock, die at their first expiry, and show their credentials once."""

from typing import Any

import httpx
import pytest

from unit.phase_dev.server.builders import SEED, Installation

LEASES = "/v1/secrets/dynamic/leases/"
DYNAMIC = "/v1/secrets/dynamic/"
BACKEND = {
    "name": "backend",
    "environments": [
        {
            "name": "Development",
            "dynamicSecrets": [
                {"name": "aws", "maxTtl": 7200, "policies": ["read", "write"], "groups": ["uploaders"]},
            ],
        }
    ],
}
LEASING: dict[str, Any] = {
    "roles": {
        "Leaseless": {"Secrets": ["read"]},
        "Unreading": {"DynamicSecretLeases": ["create", "read", "update", "delete"]},
    },
    "apps": [BACKEND],
    "accounts": [
        *({**account, "access": {"backend": ["Development"]}} for account in SEED["accounts"]),
        {"name": "leaseless", "role": "Leaseless", "access": {"backend": ["Development"]}},
        {"name": "unreading", "role": "Unreading", "access": {"backend": ["Development"]}},
        {"name": "person", "kind": "user", "access": {"backend": ["Development"]}},
        {"name": "guest", "kind": "user", "role": "Leaseless", "access": {"backend": ["Development"]}},
        {"name": "old", "kind": "legacy", "access": {"backend": ["Development"]}},
    ],
}
# The worker looks every two seconds, so that a lease may outlive its expiry by as much.
LOOK = 2


@pytest.fixture
def installation() -> Installation:
    return Installation(LEASING)


async def ask(installation: Installation, account: str = "operator", **query: str) -> httpx.Response:
    return await installation.call("GET", DYNAMIC, account=account, lease="true", **query)


async def lease(installation: Installation, account: str = "operator", **query: str) -> dict[str, Any]:
    [row] = (await ask(installation, account, **query)).json()
    found: dict[str, Any] = row["lease"]
    return found


async def listed(installation: Installation, account: str = "operator") -> list[dict[str, Any]]:
    (dynamic,) = installation.phase.state.dynamic_secrets
    rows: list[dict[str, Any]] = (await installation.call("GET", LEASES, account=account, secret_id=dynamic)).json()
    return rows


async def renew(installation: Installation, lease_id: object, ttl: object = 60) -> httpx.Response:
    return await installation.call("PUT", LEASES, body={"lease_id": lease_id, "ttl": ttl})


async def revoke(installation: Installation, lease_id: object, account: str = "operator") -> httpx.Response:
    return await installation.call("DELETE", LEASES, account=account, body={"lease_id": lease_id})


@pytest.mark.parametrize("lease_flag", [pytest.param({"lease": "true"}, id="leasing"), pytest.param({}, id="listing")])
@pytest.mark.parametrize(
    ("ttl", "status"),
    [
        pytest.param("x", 400, id="a word"),
        pytest.param("71.5", 400, id="a fraction"),
        pytest.param("", 200, id="empty"),
        pytest.param("0", 200, id="none"),
    ],
)
async def test_a_ttl_is_read_even_if_nothing_is_leased(
    installation: Installation, lease_flag: dict[str, str], ttl: str, status: int
) -> None:
    plain = await installation.call("GET", DYNAMIC, ttl=ttl, **lease_flag)
    other = await installation.call("GET", dynamic="true", lease_ttl=ttl, **lease_flag)

    assert (plain.status_code, other.status_code) == (status, status)
    if status == 400:
        assert [each.json()["error"].split()[0] for each in (plain, other)] == ["ttl", "lease_ttl"]


async def test_every_lease_is_a_new_one_with_other_credentials(installation: Installation) -> None:
    first, second = await lease(installation), await lease(installation)

    assert first["id"] != second["id"]
    assert first["credentials"] != second["credentials"]


async def test_a_lease_is_a_user_with_the_policies_groups_and_tags_of_its_dynamic_secret(
    installation: Installation,
) -> None:
    made = await lease(installation, ttl="71")

    [user] = installation.phase.leases.users()
    credentials = {each["key"]: each["value"] for each in made["credentials"]}
    assert user.name == credentials["AWS_IAM_USERNAME"]
    assert (user.policies, user.groups) == (("read", "write"), ("uploaders",))
    assert (user.tags["CreatedBy"], user.tags["TTL"]) == ("phase-dynamic-secrets", "71")
    key = credentials["AWS_ACCESS_KEY_ID"], credentials["AWS_SECRET_ACCESS_KEY"]
    assert installation.phase.leases.opens(*key) == user
    assert installation.phase.leases.opens(key[0], "another secret") is None


async def test_a_list_shows_no_credentials_and_never_shrinks(installation: Installation) -> None:
    made = [await lease(installation) for _ in range(3)]
    await revoke(installation, made[0]["id"])

    rows = await listed(installation)

    assert [row["id"] for row in rows] == [each["id"] for each in reversed(made)]
    assert [row["credentials"] for row in rows] == [[], [], []]
    assert [row["status"] for row in rows] == ["active", "active", "revoked"]


async def test_a_lease_expires_by_the_clock_and_its_user_goes(installation: Installation) -> None:
    await lease(installation, ttl="60")
    installation.clock.advance(60)
    [before] = await listed(installation)
    installation.clock.advance(LOOK)

    [after] = await listed(installation)

    assert (before["status"], before["revokedAt"]) == ("active", None)
    assert after["status"] == "expired"
    assert after["expiresAt"] < after["revokedAt"]
    assert installation.phase.leases.users() == []


async def test_a_renewal_moves_the_expiry_and_not_the_end(installation: Installation) -> None:
    made = await lease(installation, ttl="60")
    answer = await renew(installation, made["id"], 3600)
    installation.clock.advance(60 + LOOK)

    [row] = await listed(installation)

    assert answer.status_code == 200
    assert (row["ttl"], row["status"], row["renewedAt"]) == ("01:01:00", "expired", None)
    assert row["revokedAt"] < row["expiresAt"]
    assert installation.phase.leases.users() == []


async def test_a_job_taken_out_of_the_schedule_leaves_the_renewed_end(installation: Installation) -> None:
    made = await lease(installation, ttl="60")
    await renew(installation, made["id"], 60)
    installation.phase.leases.unschedule(made["id"])
    installation.clock.advance(60 + LOOK)
    [between] = await listed(installation)
    installation.clock.advance(60)

    [row] = await listed(installation)

    assert (between["status"], row["status"]) == ("active", "expired")


async def test_a_negative_renewal_ends_a_lease_sooner(installation: Installation) -> None:
    made = await lease(installation, ttl="600")
    await renew(installation, made["id"], -500)
    installation.clock.advance(100 + LOOK)

    [row] = await listed(installation)

    assert (row["ttl"], row["status"]) == ("00:01:40", "expired")


async def test_renewing_is_bounded_by_the_maximum(installation: Installation) -> None:
    made = await lease(installation)

    answers = [await renew(installation, made["id"], 3600) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert "Maximum remaining renewal time: 0 seconds" in answers[1].json()["error"]
    assert (await listed(installation))[0]["ttl"] == "02:00:00"


async def test_an_expired_lease_is_not_renewed(installation: Installation) -> None:
    made = await lease(installation)
    installation.clock.advance(3600)

    answer = await renew(installation, made["id"])

    assert (answer.status_code, answer.json()) == (400, {"error": "This lease has expired and cannot be renewed"})


async def test_a_refused_renewal_of_a_revoked_lease_still_moves_its_row(installation: Installation) -> None:
    made = await lease(installation)
    await revoke(installation, made["id"])

    answer = await renew(installation, made["id"], 60)

    assert answer.json()["error"].startswith("Lease has already been revoked at ")
    assert (await listed(installation))[0]["ttl"] == "01:01:00"


@pytest.mark.parametrize(
    "ttl", [pytest.param("60", id="text"), pytest.param(None, id="null"), pytest.param([], id="list")]
)
async def test_a_renewal_by_no_number_is_a_fault_of_the_server(installation: Installation, ttl: object) -> None:
    made = await lease(installation)

    answer = await renew(installation, made["id"], ttl)

    assert (answer.status_code, answer.json()["error"]) == (500, "An internal error occurred while renewing the lease")


async def test_a_lease_is_revoked_once_and_its_user_goes(installation: Installation) -> None:
    made = await lease(installation)

    messages = [(await revoke(installation, made["id"])).json() for _ in range(2)]

    assert messages == [{"message": "Lease revoked successfully"}, {"message": "Lease was already revoked"}]
    assert installation.phase.leases.users() == []


@pytest.mark.parametrize(
    ("lease_id", "status", "text"),
    [
        pytest.param("nope", 404, "Lease not found", id="unknown"),
        pytest.param("", 400, "lease_id is required", id="empty"),
    ],
)
async def test_an_unknown_lease_is_told(installation: Installation, lease_id: str, status: int, text: str) -> None:
    for answer in (await renew(installation, lease_id), await revoke(installation, lease_id)):
        assert (answer.status_code, answer.json()) == (status, {"error": text})


async def test_anothers_lease_needs_a_role_that_may(installation: Installation) -> None:
    made = await lease(installation)

    answers = [await revoke(installation, made["id"], account) for account in ("other", "admin")]

    assert [answer.status_code for answer in answers] == [403, 200]


async def test_a_user_holds_no_lease_and_needs_the_role(installation: Installation) -> None:
    made = await lease(installation, "guest")

    statuses = [(await revoke(installation, made["id"], account)).status_code for account in ("guest", "person")]

    assert statuses == [403, 200]


async def test_without_the_right_only_own_leases_are_listed(installation: Installation) -> None:
    await lease(installation)
    own = await lease(installation, "leaseless")

    assert [row["id"] for row in await listed(installation, "leaseless")] == [own["id"]]
    assert len(await listed(installation)) == 2


async def test_leasing_takes_secrets_read_alone(installation: Installation) -> None:
    answers = {account: (await ask(installation, account)).status_code for account in ("leaseless", "unreading")}

    assert answers == {"leaseless": 200, "unreading": 403}


async def test_leasing_may_ask_for_a_permission_of_its_own() -> None:
    strict = Installation({**LEASING, "organisations": [{"leasePermission": True}]})

    answers = {account: (await ask(strict, account)).status_code for account in ("operator", "leaseless")}

    assert answers == {"operator": 200, "leaseless": 403}
    assert len(strict.phase.state.leases) == 1


async def test_an_old_service_token_leases_nothing(installation: Installation) -> None:
    answer = await ask(installation, "old")

    assert (answer.status_code, answer.json()["error"]) == (
        500,
        "An internal error occurred while creating the lease",
    )
    assert installation.phase.leases.users() == []


async def test_another_plan_leases_nothing_and_hides_why(installation: Installation) -> None:
    installation.phase.set_plan("pro")

    plain = await ask(installation)
    other = await installation.call("GET", dynamic="true", lease="true")

    assert (plain.status_code, other.status_code) == (500, 400)
    assert other.json()["failedLeases"][0]["error"] == "Dynamic secrets are only available on the Enterprise plan."


async def test_a_provider_that_the_server_does_not_know_leases_nothing(installation: Installation) -> None:
    installation.phase.change_dynamic("backend", "development", "aws", {"provider": "gcp"})

    assert (await ask(installation)).status_code == 500
    assert (await installation.call("GET", DYNAMIC)).json()[0]["provider"] == "gcp"


async def test_a_name_in_two_folders_names_both() -> None:
    twice = [{"name": "aws"}, {"name": "aws", "path": "/jobs"}]
    app = {"name": "backend", "environments": [{"name": "Development", "dynamicSecrets": twice}]}
    two = Installation({**LEASING, "apps": [app]})

    both = (await two.call("GET", DYNAMIC, name="aws")).json()
    one = (await two.call("GET", DYNAMIC, name="aws", path="/jobs")).json()

    assert [row["path"] for row in both] == ["/", "/jobs"]
    assert one == both[1:]
    assert both[0]["id"] != both[1]["id"]


async def test_a_deleted_dynamic_secret_keeps_its_list_and_loses_its_leases(installation: Installation) -> None:
    await lease(installation)
    installation.phase.delete_dynamic("backend", "development", "aws")
    installation.clock.advance(LOOK)

    [row] = await listed(installation)

    assert row["status"] == "expired"
    assert row["revokedAt"] < row["expiresAt"]
    assert (await ask(installation)).status_code == 404
    assert installation.phase.leases.users() == []


async def test_a_lease_revoked_in_the_console_is_seen_in_the_list(installation: Installation) -> None:
    made = await lease(installation)
    installation.phase.leases.revoke(made["id"])

    [row] = await listed(installation)

    assert row["status"] == "revoked"
    assert row["revokedAt"]
