"""A loss is not believed at first sight."""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.guard import Guard
from support.builders import entry, snapshot

FOUR = snapshot(*(entry(key) for key in "ABCD"))


@pytest.mark.parametrize(
    ("guard", "left", "doubted"),
    [
        pytest.param(Guard(), "", True, id="everything gone"),
        pytest.param(Guard(), "A", False, id="by default one is enough"),
        pytest.param(Guard(shrink=50), "AB", False, id="exactly the share"),
        pytest.param(Guard(shrink=50), "A", True, id="more than the share"),
        pytest.param(Guard(shrink=1), "ABC", True, id="one key is more than a hundredth"),
        pytest.param(Guard(shrink=1), "ABCDE", False, id="more keys are no loss"),
        pytest.param(Guard(shrink=25), "BCDEFG", False, id="what came does not make up, but a quarter may go"),
        pytest.param(Guard(shrink=24), "BCDEFG", True, id="what came does not make up for what went"),
        pytest.param(Guard(include=("A",)), "BCD", True, id="all that this resource takes"),
        pytest.param(Guard(exclude=("A",)), "BCD", False, id="none that this resource takes"),
    ],
)
def test_a_loss_beyond_the_share_is_doubted(guard: Guard, left: str, doubted: bool) -> None:
    after = snapshot(*(entry(key) for key in left))

    assert (guard.doubt(FOUR, after) is not None) is doubted


def test_the_doubt_names_the_keys_that_are_missing() -> None:
    doubt = Guard(shrink=10).doubt(FOUR, snapshot(entry("B"), entry("C"), entry("D")))

    assert doubt is not None
    assert doubt.reason is Reason.ANSWER_DOUBTED
    assert '"/A"' in doubt.message
    assert '"/B"' not in doubt.message


def test_without_a_remembered_answer_the_status_says_how_many_there_were() -> None:
    assert Guard(known=4).doubt(None, snapshot()) is not None
    assert Guard(known=4, shrink=50).doubt(None, snapshot(entry("A"))) is not None
    assert Guard(known=4).doubt(None, snapshot(entry("A"))) is None
    assert Guard().doubt(None, snapshot()) is None
