"""A bundle of a large cluster is bounded, and says what could not be read."""

import asyncio
import json

from phase_operator.cli.doctor.diagnosis import diagnose
from phase_operator.cli.doctor.evidence import MOST_OBJECTS, MOST_OF_LOG, evidence_of
from phase_operator.cli.doctor.gathering import Place, gather
from phase_operator.kube.user_resources import LEASES, OURS, SECRETS
from support.doctored import NOW
from support.large_cluster import LargeCluster, large

PLACE = Place("", None)


def files_of(cluster: LargeCluster) -> dict[str, str]:
    async def collected() -> dict[str, str]:
        facts = await gather(cluster, PLACE, lambda: NOW, None)
        cluster.asked.clear()
        return await evidence_of(cluster, PLACE, facts, diagnose(facts))

    return asyncio.run(collected())


def test_a_bundle_of_a_large_cluster_is_bounded() -> None:
    cluster = large(lines_of_log=60_000)

    files = files_of(cluster)

    listed = json.loads(files["resources/phasesecrets.json"])
    assert (listed["complete"], len(listed["items"])) == (False, MOST_OBJECTS)
    assert len(files["operator/log.txt"]) <= MOST_OF_LOG
    assert files["operator/log.txt"].endswith("59999\n")
    assert cluster.asked.total() < 30, cluster.asked


def test_a_list_that_could_not_be_read_is_said_in_its_file() -> None:
    files = files_of(large(refused=frozenset({*OURS, SECRETS, LEASES})))

    assert files["resources/phasesecrets.json"].startswith("not read: you have no right to list phasesecrets")
    assert files["targets/secrets.json"].startswith("not read: you have no right to list secrets")
    assert files["operator/lease.json"].startswith("not read: you have no right to get leases")
    assert files["operator/log.txt"] == "no leader was found\n"


def test_a_pod_that_does_not_answer_ends_no_bundle() -> None:
    files = files_of(large(silent_pods=True, lines_of_log=1))

    assert files["operator/metrics.txt"].startswith("not read: ")
    assert "does not answer" in files["operator/readyz.txt"]


def test_tokens_in_a_log_are_masked() -> None:
    cluster = large(lines_of_log=1)
    cluster.line = "sent pss_service:v2:0123 and " + "ab" * 32

    assert files_of(cluster)["operator/log.txt"] == "sent *** and ***\n"
