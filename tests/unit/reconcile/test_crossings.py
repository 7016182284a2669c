"""A job of the loop goes from room to room a bounded number of times: otherwise nobody can follow it."""

import pytest

from phase_operator.core.values import ObjectKey
from support.builders import KEY, entry, phase_secret
from support.crossings import Crossings, crossings_of
from support.fakes import Loop

# `PYTHONPATH=tests python -m support.crossings` prints the doors. A job that needs more should first have fewer, bigger
# calls at the doors with most.
LIMITS = {"new PhaseSecret": 232, "changed value": 182, "hand edit": 126}

OTHER = ObjectKey(KEY.namespace, "other")


@pytest.mark.parametrize("job", LIMITS)
async def test_a_job_takes_a_bounded_number_of_calls_from_room_to_room(job: str) -> None:
    counted = await crossings_of(job)

    assert LIMITS[job] / 2 < counted.total() <= LIMITS[job], counted.doors.most_common(10)


async def test_the_same_job_takes_the_same_calls() -> None:
    first, second = await crossings_of("hand edit"), await crossings_of("hand edit")

    assert first.functions == second.functions


async def test_a_subscription_that_needs_no_call_has_none_looked_for(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    counted = Crossings()

    with counted.counting():
        await loop.show(phase_secret(OTHER, managedSecretReferences=[{"secretName": "other"}]))

    assert len(loop.cluster.applied) == 2
    assert not counted.doors["reconcile/queue", "reconcile/polling"]
