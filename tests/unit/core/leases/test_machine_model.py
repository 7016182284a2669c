"""Leases under kills, losses, edits and strangers: none leaks, none in use is revoked, none is asked for twice."""

from dataclasses import replace

import pytest

from phase_operator.core.flow.lost_calls import CLOCKS_APART, SENT_WITHIN
from phase_operator.core.leases.facts import Wanted
from phase_operator.core.leases.ledger import LeaseState, serving
from phase_operator.core.leases.steps import Ask, GiveBack, Look, Resolve, Wait
from phase_operator.core.leases.unclear import SURELY_LISTED
from support.examples import seeds
from support.lease_world import GUNICORN, HOST, Trouble, World

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
    late_call=0.1,
    skew=7.0,
)
_DAY = 86400.0


@pytest.mark.parametrize("seed", seeds(40))
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


@pytest.mark.parametrize("seed", seeds(20))
def test_no_forged_row_or_record_has_a_lease_of_others_revoked(seed: int) -> None:
    """300 steps each. A tenant who forges loses what the ledger knew of his own leases, and nothing of others."""
    world = World(seed, replace(EVERYTHING, forged=0.1, foreign=0.0))

    world.run(300)
    world.trouble = Trouble()
    world.remove_until = world.now + 600
    world.settle(900)

    assert not world.ledger().leases
    assert sum(each.is_of_neighbour for each in world.phase.issued) > 5


@pytest.mark.parametrize("seed", seeds(20))
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


@pytest.mark.parametrize("seed", seeds(10))
def test_a_kill_a_minute_puts_off_no_last_look_and_hides_no_lease(seed: int) -> None:
    """Of 40 calls many are lost; the leases that they made live until they are found, and kills come all the time."""
    trouble = Trouble(lost_answer=0.5, slow_call=0.3, late_call=0.3, no_expiry=1.0, skew=7.0)
    world = World(seed, trouble, Wanted("place-0", HOST, 3600, overlap=0, rollover_percent=10))
    asked: dict[str, float] = {}
    longest = killed_at = 0.0
    began = world.now

    # Without trouble it takes an hour or two.
    while len(world.asked) < 40 and world.now < began + _DAY:
        if world.now - killed_at > 60:
            world.kill()
            killed_at = world.now
        world.step()
        asking = {each.attempt for each in world.ledger().leases if each.state is LeaseState.ASKING}
        asked = {each: asked.get(each, world.now) for each in asking}
        longest = max(longest, *(world.now - since for since in asked.values()), 0.0)
    calls = len(world.asked)
    world.settle(2 * 3600)

    assert longest < SENT_WITHIN + CLOCKS_APART + SURELY_LISTED + 2 * GUNICORN
    assert calls == 40
    assert world.phase.living() == {each.id for each in world.ledger().leases}
