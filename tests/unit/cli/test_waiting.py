"""Waiting tells of each resource as soon as it ends, is over in time, and is no load for the API server."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from phase_operator.cli.acting.awaited import Ending, Verdict
from phase_operator.cli.acting.waiting import Awaited, verdicts
from phase_operator.cli.common.cluster import all_of
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_resources import PHASE_SECRETS, Resource
from unit.cli.things import Clock


class Cluster:
    """Resources that say at which moment they are done."""

    def __init__(self, clock: Clock, **done_at: float) -> None:
        self.clock, self.done_at, self.reads = clock, done_at, 0

    async def find(self, _: Resource, __: str, name: str) -> dict[str, Any]:
        """Return whether it is done."""
        self.reads += 1
        return {"done": self.clock.seconds >= self.done_at[name]}


def judge(found: Mapping[str, Any] | None, waited: float) -> Verdict | None:
    return Verdict(Ending.DONE, f"after {waited:.0f} s") if found and found["done"] else None


async def waited(longest: float = 60, **done_at: float) -> tuple[list[str], list[str], Cluster]:
    clock = Clock()
    cluster = Cluster(clock, **done_at)
    said: list[str] = []
    awaited = [Awaited(PHASE_SECRETS, "shop", name, judge) for name in done_at]
    found = verdicts(cast("UserCluster", cluster), awaited, longest, clock, said.append)
    return [f"{each.name}: {verdict.says}" async for each, _, verdict in found], said, cluster


async def test_each_is_told_of_when_it_ends() -> None:
    told, said, _ = await waited(slow=5, fast=0)

    assert told == ["fast: after 0 s", "slow: after 5 s"]
    assert said == ["waiting for PhaseSecret shop/slow, 59 s at most ..."]


async def test_a_wait_that_ends_at_once_says_nothing_else() -> None:
    told, said, cluster = await waited(one=0)

    assert (told, said, cluster.reads) == (["one: after 0 s"], [], 1)


async def test_a_wait_that_does_not_end_is_told_of_when_time_is_up() -> None:
    told, said, cluster = await waited(longest=30, never=100)

    assert told == ["never: nothing came of it in 30 s"]
    assert len(said) == 3
    assert cluster.clock.seconds == pytest.approx(30, abs=0.5)


async def test_many_are_looked_at_less_often() -> None:
    _, _, cluster = await waited(longest=60, **{f"r{number}": 100.0 for number in range(500)})

    assert cluster.reads <= 500 * 14


async def test_all_of_returns_results_in_order_and_does_few_at_once() -> None:
    under_way = most = 0

    async def double(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(3):
            await asyncio.sleep(0)
        under_way -= 1
        return 2 * number

    assert await all_of(range(100), double) == [2 * number for number in range(100)]
    assert most == 8
