"""When the Lease is looked at again, and how it shows that nobody looks."""

import asyncio
from typing import Any, cast

import pytest
from hypothesis import given

from phase_operator.kube.client import KubeClient
from phase_operator.kube.elector import Elector
from phase_operator.kube.errors import ApiError
from phase_operator.reconcile.internal_errors import InternalErrors
from support.any_json import any_object
from support.clock import HandClock, settle


class Server:
    """An API server that has one Lease, and can be away."""

    def __init__(self) -> None:
        self.is_away = False
        self.bug: Exception | None = None
        self.lease: dict[str, Any] | None = None

    async def request(self, method: str, _: str, **more: Any) -> dict[str, Any]:
        """Answer a request for the Lease."""
        if self.bug is not None:
            raise self.bug
        if self.is_away:
            raise ApiError(0, "away", "")
        if method != "GET":
            version = str(
                int((self.lease or {"metadata": {"resourceVersion": "0"}})["metadata"]["resourceVersion"]) + 1
            )
            self.lease = {"metadata": {"resourceVersion": version}, "spec": more["body"]["spec"]}
        elif self.lease is None:
            raise ApiError(404, "NotFound", "")
        return dict(self.lease or {})


class Turned:
    """An elector whose pauses turn the clock."""

    def __init__(self, duration: float) -> None:
        self.server = Server()
        self.clock = HandClock()
        self.pauses: list[float] = []
        self.goes_on = asyncio.Event()
        self.elector = Elector(
            cast("KubeClient", self.server),
            self.clock,
            namespace="system",
            name="lease",
            identity="we",
            duration=duration,
            internal_errors=InternalErrors(),
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.goes_on.wait()
        self.goes_on.clear()
        self.clock.turn(seconds)

    async def go_on(self, times: int = 1) -> None:
        """Let so many pauses pass."""
        for _ in range(times):
            self.goes_on.set()
            await settle(20)


async def test_a_leader_whose_lease_ran_out_in_an_outage_leads_again_in_a_moment() -> None:
    # However long a Lease lasts.
    turned = Turned(duration=300.0)
    running = asyncio.create_task(turned.elector.run())
    await settle(20)
    assert turned.elector.is_leading()
    assert turned.pauses == [40.0]

    turned.server.is_away = True
    while turned.elector.is_leading():
        await turned.go_on()
    assert set(turned.pauses[1:]) == {0.5}
    turned.server.is_away = False
    await turned.go_on()

    assert turned.elector.is_leading()
    assert turned.pauses[-1] == 40.0
    running.cancel()


async def test_nobody_who_looks_is_a_standstill() -> None:
    turned = Turned(duration=15.0)
    running = asyncio.create_task(turned.elector.run())
    await settle(20)

    turned.clock.turn(500.0)
    assert turned.elector.silent() == 500.0
    turned.server.is_away = True
    await turned.go_on()

    # An API server that is away is none.
    assert turned.elector.silent() == 0.0
    running.cancel()


async def test_an_answer_that_nobody_foresaw_is_no_yes_and_the_next_look_may_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Turned(15.0)
    stage.server.bug = TypeError("-".join(["a", "value"]))
    running = asyncio.create_task(stage.elector.run())
    await stage.go_on(3)
    assert (stage.elector.is_leading(), stage.elector.lost.is_set(), running.done()) == (False, False, False)
    problems = [stage.elector.problem]

    stage.server.bug = None
    await stage.go_on(3)

    problems.append(stage.elector.problem)
    assert (stage.elector.is_leading(), problems) == (True, ["internal error; the log has the trace", None])
    assert "a-value" not in caplog.text
    running.cancel()


@given(any_object)
def test_any_lease_can_be_read(found: dict[str, Any]) -> None:
    async def look() -> None:
        stage = Turned(15.0)
        stage.server.lease = {"metadata": found, "spec": found}
        held = await stage.elector._read()
        assert held is not None

    asyncio.run(look())
