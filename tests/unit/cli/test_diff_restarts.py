"""Which workloads a diff says would restart: as the operator's own table decides."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import Followers
from phase_operator.cli.diffing.changes import TargetDiff, Verdict
from phase_operator.cli.diffing.contents import Content
from phase_operator.cli.diffing.restarts import ComingRestart, coming_restart, followed
from phase_operator.core.rollout.followers import Policy
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import Workload, read_workload
from support.workloads import manifest, reads_all, reads_key, secret

RANDOM = b"r" * 32
DB = secret()
_REPLICAS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def workload(*containers: dict[str, Any], refuses: bool = False, paused: bool = False) -> Workload:
    body = manifest(WorkloadKind.DEPLOYMENT, *containers)
    body["metadata"] |= {"namespace": "team", "name": "web", "uid": "uid-1", "generation": 1}
    body["spec"]["replicas"] = 1
    body["status"] = {"observedGeneration": 1} | dict.fromkeys(_REPLICAS, 1)
    if refuses:
        body["metadata"]["annotations"][names.ANNOTATION_REDEPLOY] = "false"
    if paused:
        body["spec"]["paused"] = True
    found = read_workload(WorkloadKind.DEPLOYMENT, body)
    assert found is not None
    return found


def content(**data: str) -> Content:
    return Content.of({key: value.encode() for key, value in data.items()}, RANDOM)


def change(before: Content, after: Content, verdict: Verdict = Verdict.CHANGE) -> TargetDiff:
    return TargetDiff(DB, verdict, before=before, after=after)


def judged(found: Workload, diff: TargetDiff, policy: Policy | None = None) -> ComingRestart | None:
    return coming_restart(found, followed([diff], {DB: policy or Policy()}, RANDOM), RANDOM)


def test_a_follower_restarts_when_what_it_reads_changes() -> None:
    found = judged(workload(reads_all()), change(content(A="1"), content(A="2")))

    assert found == ComingRestart("Deployment team/web", (DB,))


def test_a_follower_of_one_key_does_not_restart_for_another() -> None:
    diff = change(content(A="1", B="1"), content(A="1", B="2"))

    assert judged(workload(reads_key("A")), diff) is None
    assert judged(workload(reads_key("B")), diff) is not None


@pytest.mark.parametrize(
    ("found", "policy"),
    [
        pytest.param(workload(reads_all("other")), Policy(), id="reads another Secret"),
        pytest.param(workload(reads_all(), refuses=True), Policy(), id="refuses"),
        pytest.param(workload(reads_all()), Policy(Followers.NONE), id="nobody follows"),
    ],
)
def test_a_workload_that_does_not_follow_does_not_restart(found: Workload, policy: Policy) -> None:
    assert judged(found, change(content(A="1"), content(A="2")), policy) is None


def test_a_paused_workload_waits_and_says_why() -> None:
    found = judged(workload(reads_all(), paused=True), change(content(A="1"), content(A="2")))

    assert found is not None
    assert "paused" in found.why


def test_pods_that_waited_for_a_new_secret_do_not_restart() -> None:
    diff = change(content(), content(A="1"), Verdict.CREATE)

    assert judged(workload(reads_all()), diff) is None


def test_a_target_whose_content_stays_is_not_followed() -> None:
    kept = TargetDiff(DB, Verdict.REFUSED, "it is not ours")

    assert followed([kept], {DB: Policy()}, RANDOM) == {}
