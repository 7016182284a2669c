"""What Argo CD makes of a PhaseSecret, by the script that we ship, is what kstatus makes of it."""

import pytest

from manifests.objects import ROOT, load
from phase_operator.api.reasons import Reason
from support.argocd import HEALTH, health
from support.kstatus import KStatus, kstatus
from support.statuses import NOW, reported, untouched, ways

SAME = {
    KStatus.CURRENT: "Healthy",
    KStatus.IN_PROGRESS: "Progressing",
    KStatus.FAILED: "Degraded",
    KStatus.TERMINATING: "Progressing",
}

each_reason = pytest.mark.parametrize("reason", list(Reason))


@each_reason
def test_it_agrees_with_kstatus_and_tells_the_reason(reason: Reason) -> None:
    for outcome in ways(reason):
        found = reported(outcome)

        status, message = health(found)

        # kstatus has no word for a resource that rests because its author wants it to.
        assert status == ("Suspended" if reason is Reason.SUSPENDED else SAME[kstatus(found)]), outcome
        assert message.startswith(f"{reason}: ")
        assert message.removeprefix(f"{reason}: ") == found["status"]["conditions"][0]["message"]


@each_reason
def test_what_was_before_does_not_matter(reason: Reason) -> None:
    for outcome in ways(reason):
        now = health(reported(outcome))

        assert {health(reported(outcome, ways(before)[0])) for before in Reason} == {now}


@each_reason
def test_what_was_said_before_an_edit_is_progressing(reason: Reason) -> None:
    for outcome in ways(reason):
        found = reported(outcome)
        found["metadata"]["generation"] = 2

        assert health(found)[0] == SAME[kstatus(found)] == "Progressing"


@each_reason
def test_what_goes_away_is_progressing(reason: Reason) -> None:
    found = reported(ways(reason)[0])
    found["metadata"]["deletionTimestamp"] = NOW

    assert health(found)[0] == SAME[kstatus(found)] == "Progressing"


def test_what_nobody_has_looked_at_is_progressing() -> None:
    assert health(untouched())[0] == SAME[kstatus(untouched())] == "Progressing"


@pytest.mark.parametrize("more", [{}, {"status": {}}, {"status": {"observedGeneration": 1}}], ids=str)
def test_less_than_the_api_server_hands_out_is_progressing(more: dict[str, object]) -> None:
    """By kstatus these were done; a wave must not go on because of that."""
    assert health({"metadata": {"generation": 1}, **more})[0] == "Progressing"


def test_a_condition_that_is_not_true_is_progressing() -> None:
    ready = {"type": "Ready", "status": "Unknown", "reason": "Synced", "message": "text"}

    status, _ = health({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [ready]}})

    assert status == "Progressing"


def test_the_config_map_carries_the_script() -> None:
    [found] = load((ROOT / "deploy/gitops/argocd/argocd-cm.yaml").read_text())

    assert (found["kind"], found["metadata"]) == ("ConfigMap", {"name": "argocd-cm", "namespace": "argocd"})
    assert found["data"] == {"resource.customizations.health.secrets.phase.dev_PhaseSecret": HEALTH.read_text()}
