"""What stands around the operator's pods: the cluster's version, network policies, and what lets nodes be drained."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.resources import place_of
from phase_operator.cli.doctor.deployed import Operator
from phase_operator.cli.doctor.findings import Finding, Unread, Verdict, shown
from phase_operator.core.json_access import at, mapping, mappings, number, text, texts
from phase_operator.core.text import clean
from phase_operator.kube.version import too_old

CLUSTER, NETWORK, BUDGET = "cluster", "network", "disruption"
_OLDEST = ".".join(map(str, names.OLDEST_KUBERNETES))
# What the pods have to reach, and by which ports: one of them is enough.
_NEEDED = (("DNS (53)", (53,)), ("the API server and Phase (443 or 6443)", (443, 6443)))
_ALL_PORTS = range(1, 65536)


def check_cluster(version: Mapping[str, Any] | Unread) -> Finding:
    """Return whether the cluster is new enough."""
    if isinstance(version, Unread):
        return version.finding(CLUSTER)
    if why := too_old(version):
        return Finding(CLUSTER, Verdict.BAD, why, f"Upgrade the cluster to Kubernetes {_OLDEST} or newer.")
    said = clean(text(version.get("gitVersion"))) or "of an unknown version"
    return Finding(CLUSTER, Verdict.OK, f"Kubernetes {said.removeprefix('v')} answers; {_OLDEST} or newer is needed")


def check_network(operator: Operator, policies: Sequence[Mapping[str, Any]] | Unread) -> Finding:
    """Return whether network policies seem to let the pods reach DNS, the API server and Phase; never more than a note.

    Only ports are looked at: what an address or a label stands for cannot be told from here.
    """
    if isinstance(policies, Unread):
        return policies.finding(NETWORK)
    limiting = [each for each in policies if _limits_egress(each, operator.pod_labels)]
    if not limiting:
        return Finding(NETWORK, Verdict.OK, "no NetworkPolicy limits what the pods may reach")
    if closed := _closed(limiting):
        cure = "Allow these in spec.egress; in the chart networkPolicy has rules for them."
        said = f"NetworkPolicy {_names(limiting)} seems to keep the pods from {', '.join(closed)}"
        return Finding(NETWORK, Verdict.NOTE, said, cure)
    return Finding(NETWORK, Verdict.OK, f"NetworkPolicy {_names(limiting)} leaves DNS and HTTPS open")


def check_budget(operator: Operator, budgets: Sequence[Mapping[str, Any]] | Unread) -> Finding:
    """Return whether nodes can be drained without stopping all replicas, and can be drained at all."""
    if isinstance(budgets, Unread):
        return budgets.finding(BUDGET)
    if operator.replicas < 2:
        return _of_few(operator)
    ours = [each for each in budgets if selects(at(each, ("spec", "selector")), operator.pod_labels)]
    if not ours:
        cure = "Apply the PodDisruptionBudget of deploy/base, so that a drain does not stop both replicas."
        return Finding(BUDGET, Verdict.NOTE, "no PodDisruptionBudget protects the replicas", cure)
    stuck = [each for each in ours if _never_allows(mapping(each.get("status")))]
    if stuck:
        cure = "Allow one pod to go (maxUnavailable: 1), or drains of its nodes wait for ever."
        said = f"PodDisruptionBudget {_names(stuck)} allows no eviction although all is well"
        return Finding(BUDGET, Verdict.NOTE, said, cure)
    return Finding(BUDGET, Verdict.OK, f"PodDisruptionBudget {_names(ours)} keeps a replica")


def _of_few(operator: Operator) -> Finding:
    """Return what to know of an operator that has not two replicas, of which one could stay."""
    if not operator.replicas:
        return Finding(BUDGET, Verdict.OK, f"{clean(str(operator))} has no replica to keep")
    cure = "Run two replicas, so that one takes over when a node goes: kubectl scale, in the chart `replicas: 2`."
    return Finding(BUDGET, Verdict.NOTE, f"{clean(str(operator))} has one replica", cure)


def _names(objects: Iterable[Mapping[str, Any]]) -> str:
    return shown(place_of(each).name for each in objects)


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a selector of Kubernetes matches labels."""
    wanted = texts(selector.get("matchLabels"))
    return wanted.items() <= labels.items() and all(
        _matches(each, labels) for each in mappings(selector.get("matchExpressions"))
    )


def _matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = text(expression.get("key")), expression.get("values") or []
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _limits_egress(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    spec = mapping(policy.get("spec"))
    types = spec.get("policyTypes") or (["Egress"] if spec.get("egress") else [])
    return "Egress" in types and selects(mapping(spec.get("podSelector")), labels)


def _closed(policies: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the operator needs to reach, and no rule of these policies lets through."""
    spans = [each for policy in policies for each in _open_ports(policy)]
    return [what for what, ports in _NEEDED if not any(port in span for span in spans for port in ports)]


def _open_ports(policy: Mapping[str, Any]) -> Iterator[range]:
    for rule in mappings(at(policy, ("spec",)).get("egress")):
        ports = list(mappings(rule.get("ports")))
        if not ports:
            yield _ALL_PORTS
        for each in ports:
            first = each.get("port")
            # A port with a name may be any.
            yield range(first, (number(each.get("endPort")) or first) + 1) if isinstance(first, int) else _ALL_PORTS


def _never_allows(status: Mapping[str, Any]) -> bool:
    expected = number(status.get("expectedPods"))
    is_whole = expected > 0 and number(status.get("currentHealthy")) >= expected
    return is_whole and not number(status.get("disruptionsAllowed"))
