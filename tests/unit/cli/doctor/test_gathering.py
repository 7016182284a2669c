"""However large a cluster is, examining it takes a bounded number of requests, and what is left out is said."""

import asyncio

import pytest

from phase_operator.cli.doctor.definitions import CRD_NAMES
from phase_operator.cli.doctor.diagnosis import diagnose, missing_rights
from phase_operator.cli.doctor.facts import Facts
from phase_operator.cli.doctor.findings import Finding, Verdict
from phase_operator.cli.doctor.gathering import MOST_OBJECTS, MOST_PODS, Place, chosen, gather
from phase_operator.kube.listing import CHUNK
from phase_operator.kube.user_resources import DEPLOYMENTS, LEASES, OURS, SECRETS, Request
from support.doctored import operator
from support.large_cluster import LargeCluster, large, resource


def examined(cluster: LargeCluster, namespace: str = "") -> tuple[Facts, dict[str, Finding]]:
    facts = asyncio.run(gather(cluster, Place(namespace, None), lambda: 0.0, None))
    return facts, {each.name: each for each in diagnose(facts)}


def test_a_large_cluster_takes_a_bounded_number_of_requests() -> None:
    cluster = large()

    _, found = examined(cluster)

    assert cluster.asked["list phasesecrets.secrets.phase.dev"] == 10_000 // CHUNK + 1
    assert cluster.asked["ask pod"] == MOST_PODS
    assert cluster.asked["list leases.coordination.k8s.io"] == 2
    assert cluster.asked["review of the operator"] < 500
    assert cluster.asked["get secrets"] == 200
    assert cluster.asked.total() < 1000, cluster.asked
    assert "10000 ready" in found["resources"].sentence
    assert "990 namespaces more not looked at" in found["operator's rights"].sentence
    assert "9800 resources with others not looked at" in found["tokens"].sentence


def test_objects_above_the_limit_of_a_list_are_not_read_and_that_is_told() -> None:
    cluster = LargeCluster({OURS[0]: (MOST_OBJECTS + 10 * CHUNK, resource)})

    _, found = examined(cluster)

    assert cluster.asked["list phasesecrets.secrets.phase.dev"] == MOST_OBJECTS // CHUNK
    assert f"of the first {MOST_OBJECTS} alone" in found["resources"].sentence


def test_kinds_that_the_cluster_does_not_have_are_another_checks_to_say() -> None:
    _, found = examined(LargeCluster({}, missing=frozenset(OURS)))

    assert found["resources"].sentence == "none in all namespaces"
    assert all(f"{name} is missing" in found["CRDs"].sentence for name in CRD_NAMES)
    assert found["operator"].verdict is Verdict.BAD


def test_missing_rights_end_no_examination_and_are_collected_with_those_that_they_hide() -> None:
    cluster = large(refused=frozenset({DEPLOYMENTS, LEASES, SECRETS, *OURS}))

    facts, found = examined(cluster, "shop")

    assert {each.verdict for each in found.values()} <= {Verdict.OK, Verdict.UNKNOWN, Verdict.NOTE, Verdict.BAD}
    assert found["operators"].verdict is Verdict.UNKNOWN
    assert found["operator"].verdict is Verdict.UNKNOWN
    assert found["resources"].verdict is Verdict.UNKNOWN
    lacking = set(missing_rights(facts))
    assert {Request("list", each, "shop") for each in OURS} <= lacking
    assert {Request("list", DEPLOYMENTS, ""), Request("list", LEASES, ""), Request("get", SECRETS, "shop")} <= lacking


def test_a_pod_that_does_not_answer_is_no_cluster_that_does_not() -> None:
    _, found = examined(large(silent_pods=True))

    assert found["readyz"].verdict is Verdict.UNKNOWN
    assert "does not answer through the API server" in found["readyz"].sentence


@pytest.mark.parametrize(
    ("homes", "namespace", "picked"),
    [
        (["aaa", "phase-system"], "aaa", "phase-system"),
        (["aaa", "shop"], "shop", "shop"),
        (["aaa", "bbb"], "shop", "aaa"),
    ],
    ids=["the usual one", "the person's own", "the first"],
)
def test_a_namesake_in_a_tenants_namespace_is_not_taken_for_the_operator(
    homes: list[str], namespace: str, picked: str
) -> None:
    found = chosen([operator(each) for each in homes], Place(namespace, None))

    assert found is not None
    assert found.namespace == picked


def test_the_operator_is_the_one_that_runs_or_the_one_that_is_named() -> None:
    stopped, running = operator("phase-system", replicas=0), operator("ops")

    assert chosen([stopped, running], Place("shop", None)) is running
    assert chosen([stopped, running], Place("shop", "phase-system")) is stopped
    assert chosen([running], Place("shop", "elsewhere")) is None
