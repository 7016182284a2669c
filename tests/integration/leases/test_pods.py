"""A roll-over as the pods of a Deployment see it: none of them ever holds credentials that open nothing."""

from pathlib import Path
from typing import Any

from support.lease_pods import Kubelet, one_by_one
from support.lease_stage import TARGET, LeaseStage
from support.operator_process import OperatorProcess

NAME = "uploader"
LIFE, DUE = 3600, 2450
# No overlap: nothing but what is known of the pods keeps the lease before.
FIELDS: dict[str, Any] = {
    "leaseTTL": LIFE,
    "overlap": 0,
    "managedSecretReferences": [{"secretName": TARGET, "restart": {"workloads": "All"}}],
}
# Seconds after which the operator has looked at a workload again, however often it has looked in vain.
LOOKED = 90


def begun(stage: LeaseStage, kubelet: Kubelet) -> str:
    """Let three pods begin with a lease, and return it."""
    stage.dynamic_secret(**FIELDS)
    stage.until_serving()
    first = stage.held()
    stage.apply(one_by_one(NAME))
    kubelet.until(lambda leases: leases == {first} and len(kubelet.running()) == 3, within=30, what="three pods begin")
    return first


def rolled_over(stage: LeaseStage, kubelet: Kubelet, operator: OperatorProcess) -> str:
    """Let three pods begin with a lease, let it roll over, and return the lease before."""
    first = begun(stage, kubelet)
    stage.later(DUE, operator)
    kubelet.until(lambda _: stage.held() not in ("", first), within=30, what="the target has the next lease")
    return first


def test_no_pod_of_a_deployment_is_without_valid_credentials_at_any_moment(stage: LeaseStage, tmp_path: Path) -> None:
    kubelet, find = Kubelet(stage, NAME), stage.phase.leases.find
    kubelet.finishes = False
    with stage.running(tmp_path) as operator:
        first = rolled_over(stage, kubelet, operator)
        before = set(kubelet.last_seen)
        kubelet.until(lambda _: kubelet.told_to_end == before, within=40, what="all are replaced")

        # The roll-out has ended, and the old pods finish what they do.
        stage.later(LOOKED, operator)
        kubelet.for_a_while(2)
        assert kubelet.look() == {first, stage.held()}
        kubelet.finishes = True
        kubelet.until(lambda leases: first not in leases, within=20, what="the last old pod is gone")
        stage.later(LOOKED, operator)
        kubelet.until(lambda _: find(first).revoked_at is not None, within=20, what="the lease is given back")
        kubelet.for_a_while(1)

        assert not kubelet.void
        given_back = find(first)
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
    with stage.running(tmp_path) as operator:
        first = begun(stage, kubelet)
        kubelet.begins = False
        stage.later(DUE, operator)
        kubelet.until(lambda _: is_restarted(stage), within=30, what="the Deployment is told to restart")

        stage.later(LOOKED, operator)
        kubelet.for_a_while(1)
        kubelet.until(lambda _: is_overdue(stage), within=30, what="its controller gives the roll-out up")
        # Up to a minute before its end; a life is asked for a little shorter than wanted, never longer.
        lease = stage.phase.leases.find(first)
        stage.later((lease.expires_at - stage.phase.now()).total_seconds() - 60, operator)
        kubelet.for_a_while(2)
        assert not kubelet.void
        assert (kubelet.look(), len(kubelet.running())) == ({first}, 3)
        assert [row["state"] for row in stage.ledger()] == ["Active", "Retiring"]
        # Phase ends it by itself, and the operator looks after it a minute later.
        stage.later(240, operator)
        stage.until_rows("Active")

        assert stage.phase.leases.find(first).status == "expired"
        stage.no_leases()


def is_overdue(stage: LeaseStage) -> bool:
    """Return whether a roll-out has made no progress for too long."""
    found = (stage.get("deployment", NAME) or {}).get("status", {}).get("conditions", [])
    return any(each.get("reason") == "ProgressDeadlineExceeded" for each in found)


def is_restarted(stage: LeaseStage) -> bool:
    """Return whether the Deployment has another pod template than it was made with."""
    found = stage.get("deployment", NAME)
    return found is not None and found["metadata"]["generation"] > 1
