"""A failure ends a block quietly only if it means what the block says."""

import pytest

from phase_operator.kube.user_errors import Suppressed, Trouble, UserError


@pytest.mark.parametrize("trouble", [Trouble.NOT_FOUND, Trouble.NO_RIGHT])
def test_a_failure_of_these_meanings_ends_the_block(trouble: Trouble) -> None:
    done = []
    with Suppressed(Trouble.NOT_FOUND, Trouble.NO_RIGHT):
        done.append("before")
        raise UserError(trouble, "no")

    assert done == ["before"]


def test_a_failure_of_another_meaning_is_raised() -> None:
    with pytest.raises(UserError), Suppressed(Trouble.NOT_FOUND):
        raise UserError(Trouble.UNREACHABLE, "no")
