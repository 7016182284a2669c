"""Leases under kills, losses, edits and strangers: none leaks, none in use is revoked, none is asked for twice."""

from dataclasses import replace

import pytest

from phase_operator.core.leases.facts import Wanted
from phase_operator.core.leases.ledger import serving
from phase_operator.core.leases.steps import Ask, GiveBack, Look, Resolve, Wait
from support.lease_world import HOST, Trouble, World

EVERYTHING = Trouble(
    kill=0.02,
    lost_answer=0.1,
    failed_call=0.1,
    slow_call=0.2,
    failed_write=0.05,
    lost_write=0.02,
    revoked_elsewhere=0.01,
    edit=0.02,
    foreign=0.02,
    no_expiry=0.1,
    slow_targets=0.7,
)
_DAY = 86400.0


@pytest.mark.parametrize("seed", range(40))
def test_no_trouble_leaks_a_lease(seed: int) -> None:
    """2,500 steps each; afterwards the leases that live are those of the ledger, and there is one to serve."""
    world = World(seed, EVERYTHING)

    world.run(2500)
    world.wanted, world.is_suspended, world.restarts = Wanted("place-0", HOST, 3600), False, True
    world.settle(_DAY / 3)

    ledger = world.ledger()
    assert world.phase.living() <= {each.id for each in ledger.leases}
    assert set(world.cluster.records) == {each.attempt for each in ledger.leases}
    serves = serving(ledger)
    assert serves is not None
    assert world.cluster.target == serves.attempt


@pytest.mark.parametrize("seed", range(20))
def test_no_forged_row_or_record_has_a_lease_of_others_revoked(seed: int) -> None:
    """300 steps each. A tenant who forges loses what the ledger knew of his own leases, and nothing of others."""
    world = World(seed, replace(EVERYTHING, forged=0.1, foreign=0.0))

    world.run(300)
    world.trouble = Trouble()
    world.remove_until = world.now + 600
    world.settle(900)

    assert not world.ledger().leases
    assert sum(each.is_of_neighbour for each in world.phase.issued) > 5


@pytest.mark.parametrize("seed", range(20))
def test_a_deleted_resource_leaves_no_lease(seed: int) -> None:
    """Whatever happened before: all is given back."""
    world = World(seed, EVERYTHING)

    world.run(200)
    world.trouble = Trouble()
    world.remove_until = world.now + 600
    world.settle(900)

    assert not world.ledger().leases
    assert not world.phase.living()


def test_a_quiet_day_asks_for_a_lease_each_roll_over_and_for_nothing_else() -> None:
    """A life of an hour rolls over after 40 minutes: 36 leases a day, four calls each, and a look every ten minutes."""
    world = World(1, Trouble(), Wanted("place-0", HOST, 3600, overlap=300, interval=600))

    world.settle(_DAY)

    counts = {kind: sum(isinstance(each, kind) for each in world.steps) for kind in (Ask, Resolve, GiveBack, Look)}
    assert 35 <= counts[Ask] <= 38
    assert counts[Resolve] == counts[Ask]
    assert counts[Ask] - 2 <= counts[GiveBack] <= counts[Ask]
    assert counts[Look] <= _DAY / 600


def test_restarts_ask_for_no_lease() -> None:
    """A process that starts with an active lease only waits."""
    world = World(1, Trouble(), Wanted("place-0", HOST, 86400))
    world.settle(60)
    before = len(world.steps)

    for _ in range(50):
        world.kill()
        world.step()

    assert len(world.asked) == 1
    assert all(isinstance(each, Wait) for each in world.steps[before:])
