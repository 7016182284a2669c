"""The shell around the lease machine in a bad world: kills, lost answers, outages, edits; then all is quiet.

What tests/unit/core/leases/test_machine_model.py shows of the machine holds for what drives it: when nothing disturbs
any more, the leases that live are those in the ledger, and the target has the one that serves.
"""

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.leases.ledger import LeaseState
from support.examples import seeds
from support.lease_house import KEY, TARGET, UID, LeaseHouse, dynamic_secret

LOST = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be asked: the connection breaks")
AWAY = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be reached", had_no_effect=True)
REFUSED = Waiting(Reason.REQUEST_REFUSED, "Phase answers 400: no", had_no_effect=True)
OUTAGE = Transient(Reason.KUBERNETES_UNAVAILABLE, "the API server does not answer")
WRITES = ("write_ledger", "make_record", "drop_record", "carry_out", "write_status", "read_record")


class Chaos:
    """One resource in a bad world."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.house = LeaseHouse()
        # A lease lives longer than all this takes, so one that is left behind is seen.
        self.spec: dict[str, Any] = {"leaseTTL": 40_000, "rolloverPercent": 10, "overlap": 30, "pollingInterval": 60}
        self.generation = 1
        self._stack = AsyncExitStack()

    async def run(self, steps: int) -> None:
        """Let bad things happen, and then none for an hour."""
        try:
            await self._stack.enter_async_context(self.house)
            await self._show()
            for _ in range(steps):
                await self.random.choice(self._disturbances())()
                await self.house.pass_time(self.random.choice((5, 20, 60, 300)))
                self._check()
            self._mend()
            await self._show()
            await self._quiet()
        finally:
            await self._stack.aclose()

    async def _quiet(self) -> None:
        """Let time pass until all is well, and a little longer."""
        for _ in range(200):
            await self.house.pass_time(60, step=15)
            if self.is_well():
                break
        await self.house.pass_time(300, step=15)

    def is_well(self) -> bool:
        """Return whether the leases that live are those in the ledger, and one serves."""
        phase, rows = self.house.leases.phase, self.house.ledger()
        phase.advance(self.house.leases.now)
        at_rest = {each.state for each in rows} <= {LeaseState.ACTIVE, LeaseState.RETIRING}
        return at_rest and self.house.ready()[0] == "Synced" and phase.living() == {each.id for each in rows}

    def _disturbances(self) -> list[Callable[[], Any]]:
        return [self._kill, self._lose, self._fail, self._outage, self._edit, self._revoke, self._mend_all, self._touch]

    async def _kill(self) -> None:
        """End this process without a word, and start another."""
        self.house.cluster.fuse = 0
        await self.house.pass_time(5)
        await self._stack.aclose()
        self.house.cluster.fuse = None
        self.house.leases.may_answer.set()
        self._stack = AsyncExitStack()
        self.house = await self._stack.enter_async_context(self.house.successor())

    async def _lose(self) -> None:
        self.house.leases.lost.append(LOST)

    async def _fail(self) -> None:
        call = self.random.choice(("find", "leases", "lease", "revoke"))
        errors: list[ExpectedError] = self.house.leases.errors.setdefault(call, [])
        errors.extend([self.random.choice((AWAY, REFUSED, LOST))] * self.random.randint(1, 4))

    async def _outage(self) -> None:
        self.house.cluster.errors[self.random.choice(WRITES)] = OUTAGE

    async def _edit(self) -> None:
        self.spec |= self.random.choice(
            (
                {"leaseTTL": self.random.choice((40_000, 41_000))},
                {"phaseAppEnvPath": self.random.choice(("/", "/other"))},
                {"overlap": self.random.choice((0, 60))},
                {"suspend": self.random.random() < 0.5},
                {"managedSecretReferences": [{"secretName": "uploads-aws", "prefix": self.random.choice("XY")}]},
            )
        )
        await self._show()

    async def _revoke(self) -> None:
        living = sorted(self.house.leases.phase.living())
        if living:
            self.house.leases.phase.find(self.random.choice(living)).is_revoked = True

    async def _mend_all(self) -> None:
        self._mend()

    async def _touch(self) -> None:
        self.house.triggers.record_changed(KEY)

    def _mend(self) -> None:
        self.spec["suspend"] = False
        self.house.cluster.errors.clear()
        self.house.leases.errors.clear()
        self.house.leases.lost.clear()

    async def _show(self) -> None:
        self.generation += 1
        await self.house.show_dynamic(dynamic_secret(generation=self.generation, **self.spec))

    def _check(self) -> None:
        rows = self.house.ledger()
        # One more than one is asked for only if the target is void until it is clear what became of the first.
        is_void = not any(each.state is LeaseState.ACTIVE for each in rows)
        is_void = is_void and any(each.state is LeaseState.ENDED for each in rows)
        assert sum(each.state is LeaseState.ASKING for each in rows) <= 1 + is_void
        assert sum(each.state is LeaseState.ACTIVE for each in rows) <= 1
        assert not self.house.faulty


@pytest.mark.parametrize("seed", seeds(20))
async def test_after_a_bad_time_what_lives_is_in_the_ledger_and_the_target_has_what_serves(seed: int) -> None:
    chaos = Chaos(seed)
    await chaos.run(25)

    house = chaos.house
    assert chaos.is_well(), (house.ledger(), house.leases.phase.living(), house.ready())
    rows = house.ledger()
    (serving,) = (each for each in rows if each.state is LeaseState.ACTIVE)
    data = house.cluster.secret(TARGET)
    assert f"key of {serving.id}" in data.values()
    assert len(house.cluster.kept[UID]) == len(rows)
