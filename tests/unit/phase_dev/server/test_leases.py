"""Leases live by the clock, and their credentials are shown once."""

import pytest

from unit.phase_dev.server.builders import SEED, Installation

LEASES = "/v1/secrets/dynamic/leases/"
BACKEND = {
    "name": "backend",
    "environments": [{"name": "Development", "dynamicSecrets": [{"name": "aws", "maxTtl": 7200}]}],
}
LEASING = {
    "apps": [BACKEND],
    "accounts": [{**account, "access": {"backend": ["Development"]}} for account in SEED["accounts"]],
}


@pytest.fixture
def installation() -> Installation:
    return Installation(LEASING)


async def lease(installation: Installation, **query: str) -> dict[str, object]:
    rows = (await installation.call("GET", dynamic="true", lease="true", **query)).json()
    found: dict[str, object] = rows[0]["lease"]
    return found


async def listed(installation: Installation) -> list[dict[str, object]]:
    (dynamic,) = installation.phase.state.dynamic_secrets
    rows: list[dict[str, object]] = (await installation.call("GET", LEASES, secret_id=dynamic)).json()
    return rows


async def test_every_lease_is_a_new_one_with_other_credentials(installation: Installation) -> None:
    first, second = await lease(installation), await lease(installation)

    assert first["id"] != second["id"]
    assert first["credentials"] != second["credentials"]


async def test_a_list_shows_no_credentials(installation: Installation) -> None:
    await lease(installation)

    assert [row["credentials"] for row in await listed(installation)] == [[]]


async def test_a_lease_expires_by_the_clock(installation: Installation) -> None:
    await lease(installation, lease_ttl="60")
    installation.clock.advance(59)
    before = (await listed(installation))[0]["status"]
    installation.clock.advance(1)

    assert (before, (await listed(installation))[0]["status"]) == ("active", "expired")


async def test_renewing_adds_to_the_present_expiry_up_to_the_maximum(installation: Installation) -> None:
    made = await lease(installation)

    answers = [await installation.call("PUT", LEASES, body={"lease_id": made["id"], "ttl": 3600}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert (await listed(installation))[0]["ttl"] == "02:00:00"


async def test_an_expired_lease_is_not_renewed(installation: Installation) -> None:
    made = await lease(installation)
    installation.clock.advance(3600)

    answer = await installation.call("PUT", LEASES, body={"lease_id": made["id"], "ttl": 60})

    assert answer.status_code == 400


async def test_anothers_lease_needs_a_role_that_may(installation: Installation) -> None:
    made = await lease(installation)

    answers = [
        await installation.call("DELETE", LEASES, account=account, body={"lease_id": made["id"]})
        for account in ("other", "admin")
    ]

    assert [answer.status_code for answer in answers] == [403, 200]
