"""What the operator says of a resource, judged as Flux, Argo CD and kubectl judge it."""

import re
from itertools import permutations
from pathlib import Path

import pytest

import phase_operator
from phase_operator.api.reasons import CATALOGUE, Reason
from support.builders import in_step, out_of_step, synced
from support.kstatus import KStatus, kstatus, wait_ends
from support.statuses import NOW, reported, untouched, ways

GOOD = {Reason.SYNCED, Reason.SUSPENDED}
BAD = sorted(set(Reason) - GOOD)


def wanted(reason: Reason) -> KStatus:
    if reason in GOOD:
        return KStatus.CURRENT
    return KStatus.FAILED if CATALOGUE[reason].stalled else KStatus.IN_PROGRESS


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_judged_right(reason: Reason) -> None:
    for outcome in ways(reason):
        found = reported(outcome)

        assert kstatus(found) is wanted(reason), outcome
        assert found["status"]["conditions"][0]["reason"] == reason


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_judged_right_after_any_other(reason: Reason) -> None:
    for outcome in ways(reason):
        for before in Reason:
            found = reported(outcome, ways(before)[0])

            assert kstatus(found) is wanted(reason), (before, outcome)


@pytest.mark.parametrize("reason", list(Reason))
def test_ready_is_true_exactly_when_it_is_current(reason: Reason) -> None:
    for outcome in ways(reason):
        found = reported(outcome)

        assert wait_ends(found) is (kstatus(found) is KStatus.CURRENT)
        assert wait_ends(found, "Stalled") is (kstatus(found) is KStatus.FAILED)
        assert wait_ends(found, "Reconciling") is (kstatus(found) is KStatus.IN_PROGRESS)


@pytest.mark.parametrize("reason", list(Reason))
def test_what_was_said_before_an_edit_counts_no_more(reason: Reason) -> None:
    for outcome in ways(reason):
        found = reported(outcome)
        found["metadata"]["generation"] = 2

        assert kstatus(found) is KStatus.IN_PROGRESS
        assert not wait_ends(found)


@pytest.mark.parametrize("reason", list(Reason))
def test_what_goes_away_is_terminating(reason: Reason) -> None:
    found = reported(ways(reason)[0])
    found["metadata"]["deletionTimestamp"] = NOW

    assert kstatus(found) is KStatus.TERMINATING


def test_what_nobody_has_looked_at_is_in_progress() -> None:
    found = untouched()

    assert kstatus(found) is KStatus.IN_PROGRESS
    assert not wait_ends(found)


@pytest.mark.parametrize("order", list(permutations(["good", "passing", "stalled"])), ids=" ".join)
def test_a_target_that_waits_for_a_person_counts_more_than_one_that_waits_for_time(order: tuple[str, ...]) -> None:
    targets = {
        "good": in_step("good"),
        "passing": out_of_step("passing", reason=Reason.KUBERNETES_UNAVAILABLE, transient=True),
        "stalled": out_of_step("stalled", reason=Reason.TARGET_CONFLICT),
    }

    found = reported(synced(*(targets[name] for name in order)))

    assert kstatus(found) is KStatus.FAILED
    assert {each["name"]: each["ready"] for each in found["status"]["targets"]} == {
        "good": True,
        "passing": False,
        "stalled": False,
    }


def test_no_error_that_passes_by_itself_has_a_reason_that_waits_for_a_person() -> None:
    files = sorted(Path(phase_operator.__file__).parent.rglob("*.py"))
    named = {name for file in files for name in re.findall(r"Transient\(\s*Reason\.(\w+)", file.read_text())}

    assert named
    assert {name for name in named if CATALOGUE[Reason[name]].stalled} == set()


def test_the_rules_themselves_need_no_condition() -> None:
    assert kstatus({"metadata": {"generation": 1}}) is KStatus.CURRENT
    assert kstatus({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}) is KStatus.IN_PROGRESS
