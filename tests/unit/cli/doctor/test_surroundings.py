"""The cluster's version, network policies and disruption budgets around the operator."""

from typing import Any

import pytest

from phase_operator.cli.doctor.findings import Unread, Verdict
from phase_operator.cli.doctor.surroundings import check_budget, check_cluster, check_network, selects
from support.doctored import operator

DNS, HTTPS = {"port": 53, "protocol": "UDP"}, {"port": 443}


def policy(
    *rules: dict[str, Any], types: list[str] | None = None, selector: dict[str, Any] | None = None
) -> dict[str, Any]:
    spec = {"podSelector": selector or {}, "policyTypes": types or ["Ingress", "Egress"], "egress": list(rules)}
    return {"metadata": {"name": "wall"}, "spec": spec}


def budget(**status: int) -> dict[str, Any]:
    selector = {"matchLabels": {"app.kubernetes.io/name": "phase-operator"}}
    return {"metadata": {"name": "keep"}, "spec": {"selector": selector}, "status": status}


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ({"major": "1", "minor": "36", "gitVersion": "v1.36.3"}, Verdict.OK),
        ({"major": "1", "minor": "31+", "gitVersion": "v1.31.1-eks"}, Verdict.OK),
        ({"major": "1", "minor": "30"}, Verdict.BAD),
        (Unread("no"), Verdict.UNKNOWN),
    ],
    ids=["new", "a vendor's", "too old", "unread"],
)
def test_the_cluster_has_to_be_new_enough(version: Any, verdict: Verdict) -> None:
    assert check_cluster(version).verdict is verdict


@pytest.mark.parametrize(
    "policies",
    [
        [],
        [policy(types=["Ingress"])],
        [policy(selector={"matchLabels": {"app": "another"}})],
        [policy({"ports": [DNS, HTTPS]})],
        [policy({"ports": [DNS]}), policy({"ports": [{"port": 6443}]})],
        [policy({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]})],
        [policy({"ports": [{"port": 1, "endPort": 65535}]})],
        [policy({"ports": [{"port": "dns"}, {"port": "https"}]})],
    ],
    ids=["none", "ingress alone", "of other pods", "both", "in two", "every port", "a range", "named ports"],
)
def test_policies_that_leave_dns_and_https_open_are_fine(policies: list[dict[str, Any]]) -> None:
    assert check_network(operator(), policies).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("policies", "closed"),
    [
        ([policy()], "DNS (53), the API server and Phase (443 or 6443)"),
        ([policy({"ports": [HTTPS]})], "DNS (53)"),
        ([policy({"ports": [DNS]})], "the API server and Phase (443 or 6443)"),
    ],
    ids=["nothing open", "no DNS", "no HTTPS"],
)
def test_policies_that_seem_to_close_something_are_a_note(policies: list[dict[str, Any]], closed: str) -> None:
    finding = check_network(operator(), policies)

    assert finding.verdict is Verdict.NOTE
    assert finding.sentence == f"NetworkPolicy wall seems to keep the pods from {closed}"


def test_a_budget_that_keeps_a_replica_is_fine() -> None:
    whole = budget(expectedPods=2, currentHealthy=2, disruptionsAllowed=1)

    assert check_budget(operator(), [whole]).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("replicas", "budgets", "said"),
    [
        (1, [budget()], "has one replica"),
        (2, [], "no PodDisruptionBudget"),
        (2, [budget(expectedPods=2, currentHealthy=2, disruptionsAllowed=0)], "allows no eviction"),
    ],
    ids=["one replica", "no budget", "no eviction"],
)
def test_replicas_that_are_not_kept_are_a_note(replicas: int, budgets: list[dict[str, Any]], said: str) -> None:
    finding = check_budget(operator(replicas=replicas), budgets)

    assert finding.verdict is Verdict.NOTE
    assert said in finding.sentence


def test_an_operator_without_replicas_needs_no_budget() -> None:
    assert check_budget(operator(replicas=0), []).verdict is Verdict.OK


def test_a_budget_is_not_blamed_while_a_pod_is_not_ready() -> None:
    broken = budget(expectedPods=2, currentHealthy=1, disruptionsAllowed=0)

    assert check_budget(operator(), [broken]).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("expression", "matches"),
    [
        ({"key": "a", "operator": "In", "values": ["1", "2"]}, True),
        ({"key": "a", "operator": "NotIn", "values": ["1"]}, False),
        ({"key": "b", "operator": "NotIn", "values": ["1"]}, True),
        ({"key": "a", "operator": "Exists"}, True),
        ({"key": "a", "operator": "DoesNotExist"}, False),
    ],
    ids=["In", "NotIn", "NotIn without the label", "Exists", "DoesNotExist"],
)
def test_expressions_of_selectors_match_as_in_kubernetes(expression: dict[str, Any], matches: bool) -> None:
    assert selects({"matchExpressions": [expression]}, {"a": "1"}) is matches
