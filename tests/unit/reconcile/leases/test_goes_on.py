"""Whatever happened before, leases go on once nothing disturbs: each thing that is waited for comes, or has an end.

The shell runs on fakes with resources that share an account and a dynamic secret, at the shortest life that Phase
gives. What leaks or is asked for twice is in test_chaos.py; here it counts how soon each has a lease that serves.
"""

import asyncio
import itertools
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.leases.facts import Call
from phase_operator.core.leases.ledger import LeasePlace, LeaseState
from phase_operator.core.leases.proofs import Proofs
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.leases.lists import PATIENCE, Lists
from phase_operator.reconcile.leases.subject import Subject
from support.builders import DIGEST_KEY
from support.examples import seeds
from support.lease_house import KEY, UID, LeaseHouse, dynamic_secret

LOST = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be asked: the connection breaks")
OUTAGE = Transient(Reason.KUBERNETES_UNAVAILABLE, "the API server does not answer")
READS_AND_WRITES = ("read_token", "write_ledger", "make_record", "drop_record", "carry_out", "write_status")
NAMES = ("uploads", "other", "third")
# Each rolls over after 20 of its 60 seconds.
SHORT: dict[str, Any] = {"leaseTTL": 60, "rolloverPercent": 34, "overlap": 5}
LONG: dict[str, Any] = {"leaseTTL": 3600, "rolloverPercent": 67, "overlap": 0}
# Seconds from the last fault to the moment at which all is well: what came of a call is clear after a little more than
# two minutes, and attempts that failed in a row have pauses.
WELL_WITHIN = 300


def key_of(name: str) -> ObjectKey:
    return KEY._replace(name=name)


class BadTime:
    """A few resources that roll over all the time, while calls fail and processes are killed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.house = LeaseHouse(per_minute=600)
        # Lives of a minute have no room for a fingerprint, so leases of all look alike.
        self.house.bits = itertools.count(1 + (seed << 40), 1 + (7 << 32))
        self.generation = 1
        self._stack = AsyncExitStack()

    async def run(self, steps: int) -> None:
        """Let bad things happen, then none; leave the process that runs then open."""
        await self._stack.enter_async_context(self.house)
        await self.show(SHORT)
        for _ in range(steps):
            await self.random.choice(self._disturbances())()
            await self.house.pass_time(self.random.choice((1, 5, 20, 40)), step=1)
        self.mend()

    async def close(self) -> None:
        """End the process."""
        await self._stack.aclose()

    async def show(self, timing: dict[str, Any]) -> None:
        """Show all resources with these times."""
        self.generation += 1
        for name in NAMES:
            await self.house.show_dynamic(
                dynamic_secret(name, uid=f"uid-of-{name}", generation=self.generation, **timing)
            )

    def mend(self) -> None:
        """Let nothing fail any more."""
        self.house.cluster.errors.clear()
        self.house.leases.errors.clear()
        self.house.leases.lost.clear()

    def is_well(self) -> bool:
        """Return whether one lease of each resource serves, and no call is unclear."""
        states = [self.house.states(key_of(name)) for name in NAMES]
        return all(each.count(LeaseState.ACTIVE) == 1 and LeaseState.ASKING not in each for each in states) and all(
            self.house.ready(key_of(name))[0] == "Synced" for name in NAMES
        )

    def _disturbances(self) -> list[Callable[[], Any]]:
        return [self._kill, self._kill, self._lose, self._lose, self._fail, self._outage, self._end_of_outage]

    async def _kill(self) -> None:
        """End this process at one of its next writes, and start another."""
        self.house.cluster.fuse = self.random.randrange(3)
        await self.house.pass_time(5, step=1)
        await self._stack.aclose()
        self.house.cluster.fuse = None
        self._stack = AsyncExitStack()
        bits = self.house.bits
        self.house = await self._stack.enter_async_context(self.house.successor())
        self.house.bits = bits

    async def _lose(self) -> None:
        self.house.leases.lost.append(LOST)

    async def _fail(self) -> None:
        call = self.random.choice(("find", "leases", "lease", "revoke"))
        errors: list[ExpectedError] = self.house.leases.errors.setdefault(call, [])
        errors.append(LOST)

    async def _outage(self) -> None:
        self.house.cluster.errors[self.random.choice(READS_AND_WRITES)] = OUTAGE

    async def _end_of_outage(self) -> None:
        self.house.cluster.errors.clear()


@pytest.mark.parametrize("seed", seeds(4))
async def test_after_the_last_fault_each_resource_soon_has_a_lease_that_serves(seed: int) -> None:
    bad = BadTime(seed)
    try:
        await bad.run(30)
        await bad.show(LONG)
        for _ in range(WELL_WITHIN // 5):
            if bad.is_well():
                break
            await bad.house.pass_time(5, step=1)
        found = {name: (bad.house.states(key_of(name)), bad.house.ready(key_of(name))) for name in NAMES}
        assert bad.is_well(), found
    finally:
        await bad.close()


async def test_an_unclear_attempt_is_clear_in_time_however_often_the_process_changes() -> None:
    """A process a minute for ten minutes: none of them serves long enough to count two minutes by itself."""
    async with AsyncExitStack() as first:
        house = await first.enter_async_context(LeaseHouse(per_minute=600))
        await house.show_dynamic(dynamic_secret(**SHORT))
        # The call does not reach Phase, and only the last look can show that.
        house.leases.errors["lease"] = [LOST]
        await house.pass_time(25, step=1)
        (lost,) = (each for each in house.ledger() if each.state is LeaseState.ASKING)
        unclear, voids = 0, 0
        for _ in range(10):
            await first.aclose()
            house = await first.enter_async_context(house.successor())
            for _ in range(60):
                await house.pass_time(1, step=1)
                unclear += lost in house.ledger()
                voids += "Active" not in house.states()

    assert unclear < 180
    assert not voids


async def test_a_token_that_could_not_be_read_for_a_moment_is_read_again() -> None:
    """Nothing about the token Secret changes, so nobody wakes the resource."""
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret(**SHORT))
    house.cluster.errors["read_token"] = OUTAGE
    async with house.successor() as after:
        # The roll-over is due meanwhile, and the lease lives a little longer.
        await after.pass_time(25, step=1)
        after.cluster.errors.clear()
        await after.pass_time(30, step=1)

        assert after.leases.calls["lease"] == 2
        assert "LeaseEnded" not in [each.reason for each in after.cluster.notices]


class TestAListThatIsWaitedFor:
    """One resource asks for a list, and others of the same dynamic secret wait for it."""

    ACCOUNT = Account("https://phase.example", "one")
    PLACE = LeasePlace("https://phase.example", "app", "production", "secret")

    def lists(self) -> tuple[Lists, list[Subject]]:
        subjects = [Subject(key_of(name), name, 0.0) for name in NAMES]
        lists = Lists()
        for each in subjects:
            lists.join(self.ACCOUNT, self.PLACE, each)
        return lists, subjects

    def asks(self, lists: Lists, subject: Subject, now: float = 0.0) -> bool:
        return lists.asks(self.ACCOUNT, self.PLACE, subject.key, now)

    def test_the_first_that_comes_to_ask_asks_and_nobody_else(self) -> None:
        """The first that has joined may be one whose run has failed since, or takes long."""
        lists, (_, second, third) = self.lists()

        assert self.asks(lists, second)
        assert self.asks(lists, second)
        assert not self.asks(lists, third)

    def test_one_that_has_waited_for_too_long_asks_itself(self) -> None:
        """The call of the other one may wait for a share of its own namespace."""
        lists, (first, second, third) = self.lists()

        assert self.asks(lists, first)
        assert not self.asks(lists, second, PATIENCE - 1)
        assert self.asks(lists, second, PATIENCE)
        assert not self.asks(lists, third, PATIENCE + 1)

    def test_nobody_asks_for_a_list_that_has_come_meanwhile(self) -> None:
        lists, (first, second, _) = self.lists()
        assert self.asks(lists, first)

        assert len(lists.came(self.ACCOUNT, self.PLACE)) == len(NAMES)
        assert not self.asks(lists, second)

    def test_one_that_asks_and_gives_up_wakes_the_others_and_one_that_only_waits_wakes_nobody(self) -> None:
        lists, (first, second, third) = self.lists()
        assert self.asks(lists, second)

        assert lists.withdraw(self.ACCOUNT, first.key) == []
        assert lists.withdraw(self.ACCOUNT, second.key) == [third.key]


async def test_a_resource_that_waits_for_the_list_of_another_one_has_an_end_of_its_own() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret(**SHORT))
        (row,), (subject,) = house.ledger(), house.subjects._subjects.values()
        assert subject.account is not None
        # Somebody has said that he asks, and never does.
        other = Subject(key_of("other"), "uid-of-other", 0.0)
        house.lists.join(subject.account, row.place, other)
        assert house.lists.asks(subject.account, row.place, other.key, house.leases.now)
        house.leases.lost = [LOST]
        await house.pass_time(22, step=1)
        assert "Asking" in house.states()
        before = house.leases.calls["leases"]

        await house.pass_time(PATIENCE + 10, step=1)

        assert house.leases.calls["leases"] > before


async def test_no_row_goes_while_a_call_that_a_worker_has_taken_may_be_about_to_ask_for_its_lease() -> None:
    """A run decides in between: the resource was suspended, for example."""
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret())
        (subject,), proofs = house.subjects._subjects.values(), Proofs(DIGEST_KEY, UID)
        assert subject.account is not None
        ledger = proofs.read(house.cluster.statuses[KEY])
        announced = replace(
            ledger.leases[0], attempt="a" * 8, state=LeaseState.ASKING, id="", ends_at=0.0, asked_at=house.leases.now
        )
        status = dict(house.cluster.statuses[KEY]) | proofs.document(ledger.adding(announced))
        house.cluster.statuses[KEY] = status
        house.stores.set_status(KEY, UID, status)
        subject.calls["a" * 8] = Call()
        has_ended = asyncio.Event()

        async def work(_: Callable[[], None]) -> None:
            await has_ended.wait()

        house.errands.plan(Errand(KEY, subject.account, "lease", work))
        await house.show_dynamic(dynamic_secret(generation=2, suspend=True, status=status))
        states = house.states()
        has_ended.set()
        await house.rest()

        assert states == ["Asking", "Active"]
        assert house.states() == ["Active"]
