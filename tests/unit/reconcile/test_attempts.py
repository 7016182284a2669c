"""What changes under our hands is looked at again, a few times and no more."""

import pytest

from phase_operator.reconcile.attempts import attempts


@pytest.mark.parametrize(
    ("ends", "made", "result"),
    [
        pytest.param(["done"], [0], "done", id="at once"),
        pytest.param([None, "done", "later"], [0, 1], "done", id="at the second"),
        pytest.param([None, None, "done"], [0, 1, 2], "done", id="at the last"),
        pytest.param([None, None, None, "late"], [0, 1, 2], None, id="never"),
        pytest.param([None, False], [0, 1], False, id="a no is a result"),
    ],
)
async def test_the_first_attempt_that_met_what_it_judged_is_the_last(
    ends: list[object], made: list[int], result: object
) -> None:
    numbers: list[int] = []

    async def attempt(number: int) -> object:
        numbers.append(number)
        return ends[number]

    assert await attempts(attempt) == result
    assert numbers == made
