"""While the API server is away few are tried, and when it is back all run."""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.flow.outage import Fault, Outage, fault
from phase_operator.core.outcome import Confirmed, Failed, Gone, Outcome
from support.builders import in_step, out_of_step, synced

SILENT, REFUSED = Fault.SILENT, Fault.REFUSED


@pytest.mark.parametrize(
    ("outcome", "found"),
    [
        pytest.param(Gone(), None, id="gone"),
        pytest.param(Confirmed(), None, id="confirmed"),
        pytest.param(synced(in_step("a")), None, id="in step"),
        pytest.param(Failed(Reason.PHASE_UNAVAILABLE, "down"), None, id="for Phase's sake"),
        pytest.param(Failed(Reason.KUBERNETES_UNAVAILABLE, "down"), SILENT, id="no answer"),
        pytest.param(Failed(Reason.TARGET_REFUSED, "no"), REFUSED, id="a no"),
        pytest.param(
            synced(in_step("a"), out_of_step("b", reason=Reason.KUBERNETES_UNAVAILABLE)),
            SILENT,
            id="one of its targets",
        ),
        pytest.param(
            synced(
                out_of_step("a", reason=Reason.TARGET_REFUSED), out_of_step("b", reason=Reason.KUBERNETES_UNAVAILABLE)
            ),
            SILENT,
            id="silence is more than a no",
        ),
    ],
)
def test_an_outcome_that_failed_because_of_the_api_server_is_recognized(outcome: Outcome, found: Fault | None) -> None:
    assert fault(outcome) is found


def test_one_key_is_tried_every_two_seconds_whatever_their_number() -> None:
    outage: Outage[int] = Outage()

    waits = [outage.failed(number, SILENT, 40.0, 100.0) for number in range(1000)]

    assert waits[:3] == [2.0, 4.0, 6.0]
    assert sorted(waits)[19:] == [40.0] * 981


def test_a_key_that_is_tried_sooner_takes_no_turn() -> None:
    outage: Outage[str] = Outage()

    assert outage.failed("a", SILENT, 0.9, 100.0) == 0.9
    assert outage.failed("b", SILENT, 40.0, 100.0) == 2.0


def test_a_turn_that_is_long_past_is_not_made_up_for() -> None:
    outage: Outage[str] = Outage()
    outage.failed("a", SILENT, 40.0, 100.0)

    assert outage.failed("a", SILENT, 40.0, 500.0) == 2.0


def test_a_refusal_keeps_its_own_pause() -> None:
    assert Outage[str]().failed("a", REFUSED, 40.0, 100.0) == 40.0


def test_only_a_key_that_had_no_answer_shows_that_an_outage_is_over() -> None:
    outage: Outage[str] = Outage()
    outage.failed("silent", SILENT, 40.0, 100.0)
    outage.failed("refused", REFUSED, 40.0, 100.0)

    assert outage.ended("another", Confirmed()) == (None, False)
    assert outage.ended("refused", Confirmed()) == (None, False)
    assert outage.ended("silent", Confirmed()) == (None, True)
    assert outage.ended("silent", Confirmed()) == (None, False)


def test_a_key_that_is_gone_or_fails_again_does_not_show_the_end_of_an_outage() -> None:
    outage: Outage[str] = Outage()
    for name in ("gone", "silent"):
        outage.failed(name, SILENT, 40.0, 100.0)

    assert outage.ended("gone", Gone()) == (None, False)
    assert outage.ended("silent", Failed(Reason.KUBERNETES_UNAVAILABLE, "down")) == (SILENT, False)
    assert outage.drain() == ["silent"]


def test_the_end_of_an_outage_names_each_key_once() -> None:
    outage: Outage[str] = Outage()
    for name in ("silent", "refused", "gone"):
        outage.failed(name, REFUSED if name == "refused" else SILENT, 40.0, 100.0)
    outage.ended("gone", Gone())

    assert outage.drain() == ["silent", "refused"]
    assert outage.drain() == []


def test_an_api_server_that_comes_and_goes_wakes_them_ever_more_slowly() -> None:
    outage: Outage[str] = Outage()

    assert [outage.pause(100.0 + 3 * n) for n in range(8)] == [0.0] * 5 + [1.0, 2.0, 4.0]


def test_watches_that_come_back_together_tell_of_one_outage() -> None:
    outage: Outage[str] = Outage()

    assert {outage.pause(100.0 + n / 100) for n in range(100)} == {0.0}
    assert outage.pause(110.0) == 0.0


def test_a_key_that_fails_once_more_right_after_an_outage_is_tried_soon() -> None:
    # The watches are back, and we do not lead yet.
    outage: Outage[int] = Outage()
    for number in range(20):
        outage.failed(number, SILENT, 45.0, 100.0)
    outage.drain()

    assert outage.failed(7, SILENT, 45.0, 101.0) == 2.0


def test_a_key_that_was_tried_before_its_turn_leaves_it_to_another() -> None:
    outage: Outage[str] = Outage()
    for name in ("a", "b", "c"):
        outage.failed(name, SILENT, 45.0, 100.0)

    outage.ended("a", Gone())

    assert outage.failed("d", SILENT, 45.0, 100.0) == 2.0
    assert outage.failed("e", SILENT, 45.0, 100.0) == 8.0
