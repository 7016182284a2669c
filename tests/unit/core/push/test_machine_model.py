"""Two clusters and a person at one Phase, with kills, losses and late calls: nothing of others is touched."""

from dataclasses import replace

import pytest

from support.examples import seeds
from support.push_world import Trouble, World, unsettled

EVERYTHING = Trouble(
    kill=0.03,
    lost=0.2,
    late=0.5,
    refused=0.03,
    half_done=0.05,
    failed_write=0.03,
    lost_status=0.002,
    person=0.08,
    source=0.15,
    policy=0.03,
    moved=0.002,
)


@pytest.mark.parametrize("seed", seeds(32))
def test_no_trouble_touches_entries_of_others_and_all_converges(seed: int) -> None:
    """2,600 steps each, 109,200 with those below. The world itself fails when a call names what is not ours."""
    world = World(seed, EVERYTHING)

    world.run(2600)
    world.settle(600)

    assert list(unsettled(world)) == []


@pytest.mark.parametrize("seed", seeds(10))
def test_nothing_is_made_twice_by_one_cluster(seed: int) -> None:
    """2,600 steps each. A status that is lost with a call under way is the exception, and its twin is removed."""
    world = World(seed, replace(EVERYTHING, lost_status=0.0, person=0.02))

    world.run(2600)

    assert world.phase.twins == 0
