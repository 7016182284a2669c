"""The quota is a sliding window per account."""

from unit.phase_dev.server.builders import SEED, Installation


async def test_the_window_opens_when_the_oldest_call_leaves_it() -> None:
    installation = Installation(quota=2)

    statuses = []
    for seconds in (0, 20, 20, 19, 1):
        installation.clock.advance(seconds)
        statuses.append((await installation.call("GET")).status_code)

    assert statuses == [200, 200, 429, 429, 200]


async def test_a_refusal_tells_the_whole_seconds_to_wait() -> None:
    installation = Installation(quota=1)
    await installation.call("GET")
    installation.clock.advance(17.5)

    answer = await installation.call("GET")

    assert answer.headers["Retry-After"] == "43"
    assert answer.json() == {"error": "Request was throttled. Expected available in 43 seconds."}


async def test_routes_share_an_accounts_window_and_accounts_do_not() -> None:
    installation = Installation(quota=1)
    await installation.call("GET")

    same = await installation.call("GET", "/v1/apps/")
    other = await installation.call("GET", account="other")

    assert (same.status_code, other.status_code) == (429, 200)


async def test_a_quota_of_the_seed_is_lifted() -> None:
    installation = Installation({**SEED, "organisations": [{"name": "acme", "quota": 1}]})
    await installation.call("GET")
    refused = await installation.call("GET")

    installation.phase.set_quota(None)

    assert (refused.status_code, (await installation.call("GET")).status_code) == (429, 200)


async def test_an_unknown_environment_is_neither_throttled_nor_counted() -> None:
    installation = Installation(quota=1)

    statuses = [
        (await installation.call("GET", env=env)).status_code for env in ("nope", "nope", "development", "nope")
    ]

    assert statuses == [404, 404, 200, 404]
