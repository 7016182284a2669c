"""A wait ends when the resource has done what was asked, and never because of a status that is about something else."""

from collections.abc import Mapping
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.cli.acting.awaited import Ending, Judge, gone, suspended, synced
from unit.cli.things import condition, resource

ASKED = synced("u-1", "now", "before")
READY, FAILED = condition("Ready", "True"), condition("Ready", "False", "TokenNotFound", "no token")
STALLED = condition("Stalled", "True", "TokenNotFound", "no token")


def found(
    answered: str | None = None,
    *,
    sync: str | None = "now",
    conditions: list[dict[str, Any]] | None = None,
    **status: Any,
) -> dict[str, Any]:
    said = {"conditions": [READY] if conditions is None else conditions, **status}
    if answered is not None:
        said["lastForcedSync"] = answered
    annotations = {} if sync is None else {names.ANNOTATION_SYNC: sync}
    return resource(metadata={"annotations": annotations}, status=said)


@pytest.mark.parametrize(
    ("read", "waited", "ending"),
    [
        pytest.param(found("now"), 0, Ending.DONE, id="answered"),
        pytest.param(found("before"), 50, None, id="not answered"),
        pytest.param(found(), 50, None, id="never answered"),
        pytest.param(found("later", sync="later"), 0, Ending.DONE, id="somebody asked after us"),
        pytest.param(found("before", sync="before"), 50, None, id="a tool set the old value again"),
        pytest.param(found("now", sync=None), 0, Ending.DONE, id="the annotation was taken off"),
        pytest.param(found("now", observedGeneration=1), 0, None, id="about an older spec"),
        pytest.param(found("now", conditions=[]), 0, None, id="no verdict"),
        pytest.param(found("now", conditions=[FAILED, STALLED]), 0, Ending.NOT_DONE, id="answered, not ready"),
        pytest.param(found("before", conditions=[FAILED, STALLED]), 1, None, id="stalled before it has looked"),
        pytest.param(found("before", conditions=[FAILED, STALLED]), 5, Ending.NOT_DONE, id="stalled, and looked at"),
        pytest.param(found("before", conditions=[FAILED]), 50, None, id="failed, and goes on by itself"),
        pytest.param(None, 0, Ending.NOT_DONE, id="gone"),
        pytest.param(resource(metadata={"uid": "u-2"}), 0, Ending.NOT_DONE, id="another one"),
        pytest.param(resource(spec={"suspend": True}), 0, Ending.NOT_DONE, id="suspended meanwhile"),
        pytest.param({"metadata": {"uid": "u-1"}, "status": 7, "spec": []}, 50, None, id="no status"),
    ],
)
def test_a_sync_ends_by_its_own_answer(read: Mapping[str, Any] | None, waited: float, ending: Ending | None) -> None:
    verdict = ASKED(read, waited)

    assert (verdict.ending if verdict else None) is ending


def test_a_sync_that_fails_says_why() -> None:
    verdict = ASKED(found("now", conditions=[FAILED, STALLED]), 0)

    assert verdict is not None
    assert verdict.says == "not ready: TokenNotFound: no token"


SUSPENDED = condition("Ready", "False", "Suspended", "spec.suspend is true")


def paused(*conditions: dict[str, Any], generation: int = 2, suspend: bool = True) -> dict[str, Any]:
    return resource(
        spec={"suspend": suspend}, status={"conditions": list(conditions), "observedGeneration": generation}
    )


@pytest.mark.parametrize(
    ("read", "ending"),
    [
        pytest.param(paused(SUSPENDED), Ending.DONE, id="taken in"),
        pytest.param(paused(READY), None, id="not yet"),
        pytest.param(paused(SUSPENDED, generation=1), None, id="an earlier suspension"),
        pytest.param(paused(FAILED, STALLED), Ending.DONE, id="refused, suspended or not"),
        pytest.param(paused(READY, suspend=False), Ending.NOT_DONE, id="undone"),
        pytest.param(None, Ending.NOT_DONE, id="gone"),
    ],
)
def test_a_suspension_ends_when_it_is_taken_in(read: Mapping[str, Any] | None, ending: Ending | None) -> None:
    verdict = suspended("u-1")(read, 0)

    assert (verdict.ending if verdict else None) is ending


@pytest.mark.parametrize(
    ("read", "is_gone"), [(resource(), False), (None, True), (resource(metadata={"uid": "u-2"}), True)]
)
def test_a_resource_is_gone_when_its_uid_is(read: Mapping[str, Any] | None, is_gone: bool) -> None:
    judge: Judge = gone("u-1")

    assert (judge(read, 0) is not None) is is_gone
