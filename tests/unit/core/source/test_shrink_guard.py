"""A loss is not believed at first sight."""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.source.shrink_guard import Guard, kept, moved
from phase_operator.core.values import Entry
from support.builders import config_entry, entry, snapshot

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


def test_an_answer_of_another_app_is_doubted_whatever_it_holds() -> None:
    after = snapshot(*(entry(key) for key in "ABCDE"), app_id="app-2")

    doubt = Guard().doubt(FOUR, after)

    assert doubt is not None
    assert '"app-2"' in doubt.message


@pytest.mark.parametrize(
    ("now", "is_move"),
    [
        pytest.param(entry("A", path="/b", ident="/|A"), True, id="another folder"),
        pytest.param(entry("A", tags=["t"]), True, id="another tag"),
        pytest.param(entry("A", kind="sealed"), True, id="another type"),
        pytest.param(config_entry("A"), True, id="the type of ConfigMaps"),
        pytest.param(entry("A", "other value"), False, id="another value"),
        pytest.param(entry("A", path="/b"), False, id="a namesake"),
        pytest.param(entry("B", ident="/|A"), False, id="another key"),
    ],
)
def test_an_entry_has_moved_if_phase_has_it_under_its_key(now: Entry, is_move: bool) -> None:
    before = snapshot(entry("A"))

    found = moved(before, {now.id: now})

    assert [each.was.key for each in found] == (["A"] if is_move else [])
    assert Guard().doubt(before, snapshot(), found) is None or not is_move


def test_an_entry_that_moved_is_kept_without_its_value() -> None:
    found = moved(snapshot(entry("A", "hidden")), {"/|A": config_entry("A", "hidden")})

    assert [each.was.value.reveal() for each in found] == [""]


def test_a_doubted_answer_is_taken_up_but_for_what_it_lacks() -> None:
    before = snapshot(entry("A", "old"), entry("B", "old"), entry("C", "old"))
    after = snapshot(entry("A", "new"), entry("D", "new"))

    found = kept(before, after, moved(before, {"/|C": config_entry("C")}))

    assert [(each.key, each.value.reveal()) for each in found.entries] == [("A", "new"), ("B", "old"), ("D", "new")]
