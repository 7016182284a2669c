"""The smallest valid installations, and a caller that needs no socket."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from phase_dev.server.app import application
from phase_dev.server.clock import AdvancingClock
from phase_dev.server.installation import Phase
from phase_dev.server.seed import apply_seed, parse_seed
from phase_dev.server.state import Journal, State

START = datetime(2026, 11, 23, 5, 0, 0, 1, tzinfo=UTC)
SEED: dict[str, Any] = {
    "apps": [
        {
            "name": "backend",
            "environments": [{"name": "Development"}, {"name": "Staging"}, {"name": "Production"}],
        },
        {"name": "Shared Config", "environments": [{"name": "Development"}]},
        {"name": "legacy", "sse": False, "environments": [{"name": "Development"}]},
    ],
    "accounts": [
        {"name": "operator", "access": {"backend": ["Development", "Staging"], "Shared Config": ["*"]}},
        {"name": "other", "access": {"backend": ["Development"]}},
        {"name": "admin", "role": "Admin", "access": {"backend": ["*"]}},
    ],
}


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Installation:
    """A seeded installation with its application and a clock that is turned by hand.

    Whatever waits is not waited for: the clock moves on, and `meanwhile` may look.
    """

    def __init__(
        self,
        seed: Mapping[str, Any] = SEED,
        *,
        quota: int | None = None,
        journal: Journal | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.clock = HandClock()
        state = State(journal)
        if state.empty:
            apply_seed(parse_seed(dict(seed)), state, self.clock())
        self.phase = Phase(state, AdvancingClock(self.clock), quota)

        async def sleep(seconds: float) -> None:
            self.clock.advance(seconds)
            meanwhile()

        self.app = application(self.phase, sleep)

    async def call(
        self,
        method: str,
        route: str = "/v1/secrets/",
        *,
        account: str = "operator",
        env: str | None = "development",
        body: object = None,
        **query: str,
    ) -> httpx.Response:
        params = {"app_id": self.phase.app("backend").id, **({"env": env} if env else {}), **query}
        kind = {"service": "ServiceAccount", "user": "User", "legacy": "Service"}[self.phase.account(account).kind]
        headers = {"Authorization": f"Bearer {kind} {self.phase.token(account).value}"}
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://phase") as client:
            return await client.request(method, route, params=params, headers=headers, json=body)

    async def control(self, method: str, route: str, body: object = None) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://phase") as client:
            return await client.request(method, f"/_control/{route}", json=body)
