"""A roll-over as the pods of a Deployment see it: none of them ever holds credentials that open nothing."""

from pathlib import Path
from typing import Any

from support.followers import SETTLE
from support.lease_pods import Kubelet, one_by_one
from support.lease_stage import TARGET, LeaseStage
from support.operator_process import running_operator

NAME = "uploader"
# A roll-over is due as soon as a tenth of the life is over; nothing but what is known of the pods keeps the old lease.
FIELDS: dict[str, Any] = {
    "leaseTTL": 90,
    "overlap": 0,
    "managedSecretReferences": [{"secretName": TARGET, "restart": {"workloads": "All"}}],
}


def begun(stage: LeaseStage, kubelet: Kubelet) -> str:
    """Let three pods begin with a lease, and return it."""
    stage.dynamic_secret(**FIELDS, rolloverPercent=90)
    stage.until_serving()
    first = stage.held()
    stage.apply(one_by_one(NAME))
    kubelet.until(lambda leases: leases == {first} and len(kubelet.running()) == 3, within=30, what="three pods begin")
    return first


def roll_over(stage: LeaseStage, kubelet: Kubelet, first: str) -> None:
    """Let a lease roll over, once."""
    stage.dynamic_secret(**FIELDS, rolloverPercent=10)
    kubelet.until(lambda _: stage.held() not in ("", first), within=30, what="the target has the next lease")
    stage.dynamic_secret(**FIELDS, rolloverPercent=90)


def test_no_pod_of_a_deployment_is_without_valid_credentials_at_any_moment(stage: LeaseStage, tmp_path: Path) -> None:
    kubelet = Kubelet(stage, NAME)
    # Pods that were told to end work on for as long as the look at the workloads takes that follows a restart, twice.
    kubelet.finish_in = 5
    with running_operator(stage.plane, tmp_path, *SETTLE):
        first = begun(stage, kubelet)
        before = kubelet.running()
        roll_over(stage, kubelet, first)

        kubelet.until(lambda leases: first not in leases, within=40, what="no pod has the lease before")
        find = stage.phase.leases.find
        kubelet.until(lambda _: find(first).revoked_at is not None, within=30, what="it is given back")
        kubelet.for_a_while(1)

        given_back = find(first)
        assert not kubelet.void
        assert given_back.status == "revoked"
        assert given_back.revoked_at is not None
        assert max(kubelet.last_seen[each] for each in before) < given_back.revoked_at < given_back.expires_at
        assert kubelet.look() == {stage.held()}
        assert len(kubelet.running() - before) == 3
        assert kubelet.mixed > 10, "old and new pods were hardly seen beside each other"
        assert any(each["reason"] == "LeaseGivenBack" for each in stage.events_of())
        stage.no_leases()


def test_a_roll_out_that_hangs_leaves_the_old_pods_their_lease_to_its_end(stage: LeaseStage, tmp_path: Path) -> None:
    kubelet = Kubelet(stage, NAME)
    with running_operator(stage.plane, tmp_path, *SETTLE):
        first = begun(stage, kubelet)
        before = kubelet.running()
        kubelet.begins = False
        roll_over(stage, kubelet, first)
        kubelet.until(lambda _: is_restarted(stage), within=20, what="the Deployment is told to restart")

        kubelet.for_a_while(3)
        lease = stage.phase.leases.find(first)
        assert not kubelet.void
        assert (kubelet.look(), kubelet.running()) == ({first}, before)
        assert [row["state"] for row in stage.ledger()] == ["Active", "Retiring"]
        # Its end comes early for Phase alone: for the operator it is far, and so is the end of the next lease.
        stage.phase.advance((lease.expires_at - stage.phase.now()).total_seconds() + 3)

        assert [each.status for each in stage.phase.leases.all() if each.id == first] == ["expired"]
        stage.no_leases()


def is_restarted(stage: LeaseStage) -> bool:
    """Return whether the Deployment has another pod template than it was made with."""
    found = stage.get("deployment", NAME)
    return found is not None and found["metadata"]["generation"] > 1
