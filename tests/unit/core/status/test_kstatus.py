"""What the operator says of a resource, judged as Flux, Argo CD and kubectl judge it."""

import re
from itertools import permutations
from pathlib import Path

import pytest

import phase_operator
from phase_operator.api.reasons import CATALOGUE, Reason
from support.builders import in_step, out_of_step, synced
from support.kstatus import KStatus, kstatus, wait_ends
from support.statuses import NOW, every_way, reported, untouched, ways

GOOD = {Reason.SYNCED, Reason.SUSPENDED}
BAD = sorted(set(Reason) - GOOD)


def wanted(reason: Reason) -> KStatus:
    if reason in GOOD:
        return KStatus.CURRENT
    return KStatus.FAILED if CATALOGUE[reason].stalled else KStatus.IN_PROGRESS


def test_every_reason_is_judged_right() -> None:
    wrong = [
        f"{reason}: {kstatus(found)} for {outcome}"
        for reason, outcome in every_way()
        if kstatus(found := reported(outcome)) is not wanted(reason)
        or found["status"]["conditions"][0]["reason"] != reason
    ]

    assert not wrong, "\n".join(wrong)


def test_every_reason_is_judged_right_after_any_other() -> None:
    wrong = [
        f"{reason} after {before}: {found} for {outcome}"
        for reason, outcome in every_way()
        for before in Reason
        if (found := kstatus(reported(outcome, ways(before)[0]))) is not wanted(reason)
    ]

    assert not wrong, "\n".join(wrong)


def test_the_wait_for_a_condition_ends_exactly_when_kstatus_has_its_word() -> None:
    words = {"Ready": KStatus.CURRENT, "Stalled": KStatus.FAILED, "Reconciling": KStatus.IN_PROGRESS}
    wrong = [
        f"{reason}: the wait for {condition}, while it is {kstatus(found)}, for {outcome}"
        for reason, outcome in every_way()
        for condition, word in words.items()
        if wait_ends(found := reported(outcome), condition) is not (kstatus(found) is word)
    ]

    assert not wrong, "\n".join(wrong)


def test_a_status_from_before_an_edit_is_in_progress() -> None:
    wrong = []
    for reason, outcome in every_way():
        found = reported(outcome)
        found["metadata"]["generation"] = 2
        if kstatus(found) is not KStatus.IN_PROGRESS or wait_ends(found):
            wrong.append(f"{reason}: {kstatus(found)} for {outcome}")

    assert not wrong, "\n".join(wrong)


def test_a_phase_secret_in_deletion_is_terminating() -> None:
    wrong = []
    for reason, outcome in every_way():
        found = reported(outcome)
        found["metadata"]["deletionTimestamp"] = NOW
        if kstatus(found) is not KStatus.TERMINATING:
            wrong.append(f"{reason}: {kstatus(found)} for {outcome}")

    assert not wrong, "\n".join(wrong)


def test_a_phase_secret_without_a_status_is_in_progress() -> None:
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
