"""What a status says about restarts."""

from typing import Any

import pytest

from phase_operator.core.refs import TargetRef
from phase_operator.core.status.restarts import (
    MAX_WAITING,
    NO_RESTARTS,
    RestartReport,
    listed,
    recorded_restarts,
    with_restarts,
)
from support.builders import secret_ref

SHOP = secret_ref()
TOLD = RestartReport(("Deployment web",), ("StatefulSet db: it waits",))


def document(**fields: Any) -> dict[str, Any]:
    target = {"kind": "Secret", "namespace": "team", "name": "shop", "ready": True, "reason": "Synced", "keys": 1}
    return {"observedGeneration": 1, "targets": [target | fields]}


def of(told: RestartReport) -> Any:
    def told_of(target: TargetRef) -> RestartReport:
        return told if target == SHOP else NO_RESTARTS

    return told_of


def test_restarts_are_written_to_their_target_and_read_back_from_there() -> None:
    found = with_restarts(document(), of(TOLD))

    assert found["targets"][0]["restarted"] == ["Deployment web"]
    assert found["targets"][0]["notRestarted"] == ["StatefulSet db: it waits"]
    assert recorded_restarts(found) == {SHOP: TOLD}


def test_restarts_that_are_over_leave_the_status() -> None:
    before = document(restarted=["Deployment web"], notRestarted=["x"])

    assert with_restarts(before, of(NO_RESTARTS)) == document()
    assert recorded_restarts(document()) == {}


def test_a_status_without_targets_stays_as_it_is() -> None:
    assert with_restarts({"observedGeneration": 1}, of(TOLD)) == {"observedGeneration": 1}


@pytest.mark.parametrize("count", [0, 1, MAX_WAITING, MAX_WAITING + 1, 500])
def test_lists_are_bounded_and_say_what_they_leave_out(count: int) -> None:
    found = listed([f"w{number}" for number in range(count)], MAX_WAITING)

    assert len(found) == min(count, MAX_WAITING)
    if count > MAX_WAITING:
        assert found[-1] == f"and {count - MAX_WAITING + 1} more"


def test_long_sentences_are_cut() -> None:
    found = with_restarts(document(), of(RestartReport((), ("x" * 5000,))))

    assert len(found["targets"][0]["notRestarted"][0]) == 500
