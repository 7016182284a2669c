from typing import Any

import pytest

from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.api.v1alpha1.resource_status import Condition
from phase_operator.core.outcome import Verdict
from phase_operator.core.status.document import conditions

GOOD = Verdict(True, Reason.SYNCED, "fine")
STALLED = Verdict(False, Reason.ACCESS_DENIED, "no")
PASSING = Verdict(False, Reason.PHASE_UNAVAILABLE, "down")
BEFORE, NOW = "2030-01-01T00:00:00Z", "2030-01-01T00:01:00Z"


def judged(verdict: Verdict, *, before: Verdict | None = None, generation: int = 1) -> dict[str, dict[str, Any]]:
    previous = [] if before is None else conditions(before, [], 1, BEFORE)
    return {each["type"]: each for each in conditions(verdict, previous, generation, NOW)}


@pytest.mark.parametrize(
    ("verdict", "standing"),
    [
        pytest.param(GOOD, {"Ready": "True"}, id="good"),
        pytest.param(STALLED, {"Ready": "False", "Stalled": "True"}, id="waits for a person"),
        pytest.param(PASSING, {"Ready": "False", "Reconciling": "True"}, id="passes by itself"),
    ],
)
@pytest.mark.parametrize("before", [None, GOOD, STALLED, PASSING], ids=["nothing", "good", "stalled", "passing"])
def test_stalled_and_reconciling_stand_only_while_true(
    verdict: Verdict, standing: dict[str, str], before: Verdict | None
) -> None:
    found = judged(verdict, before=before)

    assert {kind: each["status"] for kind, each in found.items()} == standing


def test_the_catalogue_says_which_of_the_two_stands() -> None:
    found = {reason: set(judged(Verdict(False, reason, "text"))) for reason in Reason}

    assert found == {reason: {"Ready", "Stalled" if CATALOGUE[reason].stalled else "Reconciling"} for reason in Reason}


def test_each_condition_has_reason_message_and_generation() -> None:
    for each in judged(STALLED, generation=7).values():
        assert (each["reason"], each["message"], each["observedGeneration"]) == ("AccessDenied", "no", 7)


@pytest.mark.parametrize(
    ("before", "verdict", "since"),
    [
        pytest.param(None, GOOD, {"Ready": NOW}, id="the first time"),
        pytest.param(GOOD, GOOD, {"Ready": BEFORE}, id="nothing new"),
        pytest.param(GOOD, Verdict(True, Reason.SUSPENDED, "x"), {"Ready": BEFORE}, id="another reason, same status"),
        pytest.param(GOOD, STALLED, {"Ready": NOW, "Stalled": NOW}, id="good to bad"),
        pytest.param(STALLED, PASSING, {"Ready": BEFORE, "Reconciling": NOW}, id="bad in another way"),
        pytest.param(PASSING, GOOD, {"Ready": NOW}, id="bad to good"),
    ],
)
def test_a_transition_time_moves_only_when_the_status_does(
    before: Verdict | None, verdict: Verdict, since: dict[str, str]
) -> None:
    found = judged(verdict, before=before)

    assert {kind: each["lastTransitionTime"] for kind, each in found.items()} == since


@pytest.mark.parametrize(
    "strange",
    [
        pytest.param({"type": "Ready", "status": "True"}, id="no time"),
        pytest.param({"type": "Ready", "status": "True", "lastTransitionTime": None}, id="null for a time"),
        pytest.param({"type": "Ready", "status": "Unknown", "lastTransitionTime": BEFORE}, id="unknown"),
        pytest.param({"type": "Other", "status": "True", "lastTransitionTime": BEFORE}, id="another type"),
        pytest.param({}, id="nothing"),
    ],
)
def test_a_strange_condition_from_before_is_replaced(strange: dict[str, Any]) -> None:
    [found] = conditions(GOOD, [strange], 1, NOW)

    assert found["lastTransitionTime"] == NOW
    assert Condition.model_validate(found).type == "Ready"


def test_conditions_are_sorted_by_type() -> None:
    assert list(judged(STALLED)) == ["Ready", "Stalled"]
    assert list(judged(PASSING)) == ["Ready", "Reconciling"]
