"""How long a resource that is being deleted waits for Phase: never for ever, and never not at all."""

import pytest

from phase_operator.core.timestamps import moment_of, timestamp
from phase_operator.reconcile.errands.removal import Removal
from support.builders import KEY
from support.clock import HandClock
from support.fakes import FakeCluster


@pytest.mark.parametrize(
    ("deleted_ago", "served_for", "seconds", "is_left"),
    [
        pytest.param(0, 1000, 600, 600, id="deleted now"),
        pytest.param(400, 1000, 600, 200, id="deleted a while ago"),
        pytest.param(900, 1000, 600, -300, id="over"),
        pytest.param(900, 10, 600, 20, id="deleted while nobody was there: half a minute"),
        pytest.param(900, 4, 10, 6, id="half a minute, but not more than it waits at all"),
        pytest.param(None, 1000, 600, 600, id="no longer in the cluster"),
    ],
)
async def test_the_deadline_counts_from_the_deletion_and_leaves_time_to_a_new_process(
    deleted_ago: int | None, served_for: int, seconds: float, is_left: float
) -> None:
    clock, cluster = HandClock(), FakeCluster()
    now = moment_of(clock.now()) or 0.0
    if deleted_ago is not None:
        cluster.bodies[KEY] = {"metadata": {"deletionTimestamp": timestamp(now - deleted_ago)}}

    until = await Removal(cluster, clock, seconds).deadline(KEY, now - served_for)

    assert until - now == is_left
