"""Events are posted in their own time, at a pace; the newest survive a flood, and all of other namespaces."""

import asyncio
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.outcome import Event
from phase_operator.core.values import ObjectKey
from phase_operator.kube.events import Recorder, Subject, event_body
from phase_operator.reconcile.internal_errors import InternalErrors
from support.clock import HandClock

KEY = ObjectKey("team", "shop")


class Poster:
    """Takes what would go to the API server."""

    def __init__(self, expected: int, *namespaces: str) -> None:
        self._paths = {f"/api/v1/namespaces/{each}/events" for each in namespaces or ("team",)}
        self.messages: list[str] = []
        self.kinds: list[str] = []
        self.complete = asyncio.Event()
        self._expected = expected

    async def request(self, method: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        """Keep an Event's message."""
        assert method == "POST"
        assert path in self._paths
        self.messages.append(body["message"])
        self.kinds.append(body["involvedObject"]["kind"])
        if len(self.messages) == self._expected:
            self.complete.set()
        return {}


def recorder(poster: Poster, clock: HandClock, counts: Counter[str]) -> Recorder:
    async def sleep(seconds: float) -> None:
        clock.turn(seconds)
        await asyncio.sleep(0)

    return Recorder(poster, clock, "test", lambda kind: counts.update([kind]), InternalErrors(), sleep)  # type: ignore[arg-type]  # only request() is called


async def post(count: int) -> tuple[list[str], Counter[str], float]:
    """Post so many Events at once; return what arrived, what was counted, and the seconds that it took."""
    poster, clock, counts = Poster(min(count, 200)), HandClock(), Counter[str]()
    events = recorder(poster, clock, counts)
    began = clock.monotonic()
    for number in range(count):
        events.post(KEY, "uid", [Event("Normal", "TargetWritten", f"{number}")])
    running = asyncio.create_task(events.run())
    await poster.complete.wait()
    running.cancel()
    return poster.messages, counts, clock.monotonic() - began


async def test_a_few_are_posted_at_once_in_their_order() -> None:
    messages, counts, seconds = await post(20)

    assert messages == [f"{number}" for number in range(20)]
    assert (counts, seconds) == ({"Normal": 20}, 0.0)


async def test_many_are_posted_at_a_pace() -> None:
    messages, _, seconds = await post(150)

    assert len(messages) == 150
    assert seconds == pytest.approx(10.0)


async def test_of_a_flood_the_newest_are_posted_and_the_rest_is_counted() -> None:
    messages, counts, _ = await post(1500)

    assert messages == [f"{number}" for number in range(1300, 1500)]
    assert counts == {"dropped": 1300, "Normal": 200}


async def test_a_flood_of_one_namespace_costs_no_other_an_event_and_delays_it_little() -> None:
    poster, clock, counts = Poster(200, "team", "good"), HandClock(), Counter[str]()
    events = recorder(poster, clock, counts)
    for number in range(5):
        events.post(ObjectKey("good", "shop"), "uid", [Event("Normal", "TargetWritten", f"good {number}")])
    for number in range(1000):
        events.post(KEY, "uid", [Event("Normal", "TargetWritten", f"{number}")])
    running = asyncio.create_task(events.run())
    await poster.complete.wait()
    running.cancel()

    assert [each for each in poster.messages[:10] if "good" in each] == [f"good {number}" for number in range(5)]
    assert counts == {"dropped": 805, "Normal": 200}


# Kubernetes: the name of an object is a DNS subdomain, and a generated one gets five letters.
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@given(st.from_regex(SUBDOMAIN, fullmatch=True).map(lambda name: (name * 253)[:253].strip(".-")), st.text())
def test_the_api_server_takes_the_name_and_the_message_of_every_event(name: str, message: str) -> None:
    subject = Subject("v1", "Secret", ObjectKey("team", name), "uid")

    body = event_body(subject, Event("Normal", "Reason", message * 300), "2026-01-01T00:00:00Z", "host")

    generated = f"{body['metadata']['generateName']}abcde"
    assert len(generated) <= 253
    assert SUBDOMAIN.fullmatch(generated) or not SUBDOMAIN.fullmatch(name)
    assert len(body["message"].encode()) <= 1024


async def test_an_event_that_cannot_be_made_costs_itself() -> None:
    class Broken(Poster):
        async def request(self, method: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
            if body["message"] == "1":
                raise KeyError("text")
            return await super().request(method, path, body=body)

    poster, clock = Broken(2), HandClock()
    events = recorder(poster, clock, Counter())
    for number in range(3):
        events.post(KEY, "uid", [Event("Normal", "TargetWritten", f"{number}")])
    running = asyncio.create_task(events.run())
    await poster.complete.wait()
    running.cancel()

    assert poster.messages == ["0", "2"]


async def test_an_event_is_about_the_kind_that_the_key_says() -> None:
    poster = Poster(2)
    events = recorder(poster, HandClock(), Counter())
    for key in (KEY, ObjectKey("team", "shop", "PhaseThing")):
        events.post(key, "uid", [Event("Normal", "TargetWritten", "x")])

    await events.flush()

    assert poster.kinds == ["PhaseSecret", "PhaseThing"]
