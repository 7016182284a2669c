"""What Argo CD makes of a PhaseSecret, by the script that we ship, is what kstatus makes of it."""

from typing import Any

import pytest

from manifests.objects import ROOT, load
from phase_operator.api.reasons import Reason
from support.argocd import health
from support.kstatus import KStatus, kstatus
from support.statuses import NOW, every_way, reported, untouched, ways

SAME = {
    KStatus.CURRENT: "Healthy",
    KStatus.IN_PROGRESS: "Progressing",
    KStatus.FAILED: "Degraded",
    KStatus.TERMINATING: "Progressing",
}


def wanted(reason: Reason, found: dict[str, Any]) -> tuple[str, str]:
    """Return health and message for a reason; kstatus has no word for what rests because its author wants it to."""
    status = "Suspended" if reason is Reason.SUSPENDED else SAME[kstatus(found)]
    return status, f"{reason}: {found['status']['conditions'][0]['message']}"


def test_health_agrees_with_kstatus_and_names_the_reason() -> None:
    wrong = [
        f"{reason}: {judged}, not {wanted(reason, found)}, for {outcome}"
        for reason, outcome in every_way()
        if (judged := health(found := reported(outcome))) != wanted(reason, found)
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.thorough
def test_health_does_not_depend_on_the_reason_before() -> None:
    wrong = [
        f"{reason} after {before} for {outcome}"
        for reason, outcome in every_way()
        for now in [health(reported(outcome))]
        for before in Reason
        if health(reported(outcome, ways(before)[0])) != now
    ]

    assert not wrong, "\n".join(wrong)


def test_a_status_from_before_an_edit_is_progressing() -> None:
    wrong = []
    for reason, outcome in every_way():
        found = reported(outcome)
        found["metadata"]["generation"] = 2
        if not health(found)[0] == SAME[kstatus(found)] == "Progressing":
            wrong.append(f"{reason}: {health(found)} for {outcome}")

    assert not wrong, "\n".join(wrong)


def test_a_phase_secret_in_deletion_is_progressing() -> None:
    wrong = []
    for reason, outcome in every_way():
        found = reported(outcome)
        found["metadata"]["deletionTimestamp"] = NOW
        if not health(found)[0] == SAME[kstatus(found)] == "Progressing":
            wrong.append(f"{reason}: {health(found)} for {outcome}")

    assert not wrong, "\n".join(wrong)


def test_a_phase_secret_without_a_status_is_progressing() -> None:
    assert health(untouched())[0] == SAME[kstatus(untouched())] == "Progressing"


@pytest.mark.parametrize("more", [{}, {"status": {}}, {"status": {"observedGeneration": 1}}], ids=str)
def test_less_than_the_api_server_hands_out_is_progressing(more: dict[str, object]) -> None:
    """By kstatus these were done; a wave must not go on because of that."""
    assert health({"metadata": {"generation": 1}, **more})[0] == "Progressing"


def test_a_condition_that_is_not_true_is_progressing() -> None:
    ready = {"type": "Ready", "status": "Unknown", "reason": "Synced", "message": "text"}

    status, _ = health({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [ready]}})

    assert status == "Progressing"


def test_the_config_map_is_that_of_argo_cd() -> None:
    [found] = load((ROOT / "deploy/gitops/argocd/argocd-cm.yaml").read_text())

    assert (found["kind"], found["metadata"]) == ("ConfigMap", {"name": "argocd-cm", "namespace": "argocd"})
