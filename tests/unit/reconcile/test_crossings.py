"""A job of the loop goes from room to room a bounded number of times: otherwise nobody can follow it."""

import pytest

from support.crossings import crossings_of

# `PYTHONPATH=tests python -m support.crossings` prints the doors. A job that needs more should first have fewer, bigger
# calls at the doors with most.
LIMITS = {"new PhaseSecret": 425, "changed value": 300, "hand edit": 150}


@pytest.mark.parametrize("job", LIMITS)
async def test_a_job_takes_a_bounded_number_of_calls_from_room_to_room(job: str) -> None:
    counted = await crossings_of(job)

    assert LIMITS[job] / 2 < counted.total() <= LIMITS[job], counted.doors.most_common(10)


async def test_the_same_job_takes_the_same_calls() -> None:
    first, second = await crossings_of("hand edit"), await crossings_of("hand edit")

    assert first.functions == second.functions
