"""What the chart's values do, one by one, and which are refused with which sentence."""

import re
import shlex
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from manifests.conftest import Notes, Render, Run, template
from manifests.objects import CHART, KUBERNETES, ROOT, Object, kinds, one, validate
from manifests.test_deploy_and_chart import APIS, EVERYTHING, MONITOR, deployment_of, environment, pod_of
from phase_dev import chart, documents
from phase_operator.settings import PREFIX

RULE = {
    "alert": "PhaseOperatorDown",
    "expr": "up == 0",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "{{ $labels.pod }} is down"},
}
ALERTS = {"groups": [{"name": "phase-operator", "rules": [RULE]}]}
ALONE = {"replicas": 1, "leaderElection": {"enabled": False}}


@pytest.fixture(scope="session")
def with_monitoring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the chart with alerts and a dashboard of the tests' own."""
    copy = tmp_path_factory.mktemp("with-monitoring") / "phase-operator"
    shutil.copytree(CHART, copy)
    (copy / "files/alerts.yaml").write_text(yaml.safe_dump(ALERTS))
    (copy / "files/dashboard.json").write_text('{"title": "{{ phase }}",\n "panels": []}\n')
    return copy


def variables(values: dict[str, Any], render_chart: Render) -> dict[str, Any]:
    return environment(render_chart(values))


def policy(values: dict[str, Any], render_chart: Render) -> dict[str, Any]:
    spec: dict[str, Any] = one(render_chart({"networkPolicy": {"enabled": True}} | values), "NetworkPolicy")["spec"]
    return spec


def ports(rule: dict[str, Any]) -> list[Any]:
    return [each["port"] for each in rule["ports"]]


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        pytest.param({}, "phase-operator:0.1.0", id="neither"),
        pytest.param({"registry": "r.example:5000/a"}, "r.example:5000/a/phase-operator:0.1.0", id="a registry"),
        pytest.param({"repository": "r.example/b", "tag": "x"}, "r.example/b:x", id="all in the repository"),
        pytest.param(
            {"registry": "r", "tag": "x", "digest": f"sha256:{'a' * 64}"},
            f"r/phase-operator@sha256:{'a' * 64}",
            id="a digest wins",
        ),
    ],
)
def test_the_image_is_put_together(image: dict[str, str], wanted: str, render_chart: Render) -> None:
    assert pod_of(render_chart({"image": image}))["containers"][0]["image"] == wanted


def test_a_parent_chart_says_where_images_are(render_chart: Render) -> None:
    parent = {"imageRegistry": "mirror.example", "imagePullSecrets": [{"name": "a"}, "b"]}

    pod = pod_of(render_chart({"global": parent, "image": {"registry": "r"}, "imagePullSecrets": [{"name": "a"}]}))

    assert pod["containers"][0]["image"] == "mirror.example/phase-operator:0.1.0"
    assert pod["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        pytest.param(
            {}, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}, id="default"
        ),
        pytest.param(ALONE, {"type": "Recreate"}, id="no Lease"),
        pytest.param({"strategy": {"type": "Recreate"}}, {"type": "Recreate"}, id="as one likes"),
    ],
)
def test_pods_are_replaced_as_leader_election_allows(
    values: dict[str, Any], wanted: dict[str, Any], render_chart: Render
) -> None:
    assert deployment_of(render_chart(values))["strategy"] == wanted


@pytest.mark.parametrize(
    ("values", "made"),
    [
        pytest.param({}, True, id="two replicas"),
        pytest.param({"replicas": 1}, False, id="one replica"),
        pytest.param({"podDisruptionBudget": {"enabled": False}}, False, id="not wanted"),
    ],
)
def test_the_disruption_budget_is_for_replicas(values: dict[str, Any], made: bool, render_chart: Render) -> None:
    assert ("PodDisruptionBudget" in kinds(render_chart(values))) == made


def test_a_constraint_without_a_selector_gets_the_deployments(render_chart: Render) -> None:
    objects = render_chart(EVERYTHING)

    own, given = pod_of(objects)["topologySpreadConstraints"]
    assert own["labelSelector"] == deployment_of(objects)["selector"]
    assert given["labelSelector"] == {}


def test_the_api_server_is_asked_without_the_proxy(render_chart: Render) -> None:
    assert "NO_PROXY" not in variables({}, render_chart)
    found = variables({"proxy": {"https": "http://proxy:3128", "noProxy": "a,.b"}}, render_chart)
    assert found["HTTPS_PROXY"] == "http://proxy:3128"
    assert found["NO_PROXY"] == "$(KUBERNETES_SERVICE_HOST),a,.b"


@pytest.mark.parametrize(
    "name",
    [
        *("affinity", "dnsConfig", "dnsPolicy", "hostAliases", "hostUsers", "imagePullSecrets", "nodeSelector"),
        *("priorityClassName", "runtimeClassName", "schedulerName", "terminationGracePeriodSeconds", "tolerations"),
    ],
)
def test_a_value_that_is_named_like_a_field_of_pods_is_handed_on(name: str, render_chart: Render) -> None:
    values = EVERYTHING | {"global": {}, "nodeSelector": {"kubernetes.io/os": "linux", "disk": "fast"}}

    assert pod_of(render_chart(values))[name] == values[name]


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        pytest.param({}, 30, id="what the operator needs by default"),
        pytest.param({"leases": {"drainSeconds": 120}}, 126, id="more for leases"),
        pytest.param({"leases": {"drainSeconds": 0}, "drainSeconds": 0.5}, 3, id="a part of a second"),
        pytest.param({"leases": {"drainSeconds": 600}, "drainSeconds": 600}, 1202, id="the most"),
        pytest.param({"terminationGracePeriodSeconds": 1_000_000}, 1_000_000, id="the value, where it is enough"),
        pytest.param({"leases": {"drainSeconds": 50}, "terminationGracePeriodSeconds": 56}, 56, id="just enough"),
    ],
)
def test_the_pod_has_the_time_that_both_drains_take(values: dict[str, Any], seconds: int, render_chart: Render) -> None:
    assert pod_of(render_chart(values))["terminationGracePeriodSeconds"] == seconds


def test_volumes_of_ones_own_are_there_and_mounted(render_chart: Render) -> None:
    pod = pod_of(render_chart(EVERYTHING))

    assert pod["volumes"][-1] == EVERYTHING["extraVolumes"][0]
    assert pod["containers"][0]["volumeMounts"][-1] == EVERYTHING["extraVolumeMounts"][0]


def test_containers_of_ones_own_stand_beside_the_operator(render_chart: Render) -> None:
    pod = pod_of(render_chart(EVERYTHING))

    assert [each["name"] for each in pod["containers"]] == ["operator", "beside"]
    assert pod["containers"][1] == EVERYTHING["extraContainers"][0]
    assert pod["initContainers"] == EVERYTHING["extraInitContainers"]
    assert pod["containers"][0]["envFrom"] == EVERYTHING["extraEnvFrom"]


def test_objects_of_ones_own_are_filled_in(render_chart: Render) -> None:
    objects = render_chart(EVERYTHING)

    one(objects, "ConfigMap", "phase-operator-notes")
    one(objects, "ConfigMap", "text")


def test_everything_goes_into_the_namespace_that_is_named(render_chart: Render) -> None:
    values = {"namespaceOverride": "other", "networkPolicy": {"enabled": True}, "fence": {"enabled": True}}
    values["metrics"] = {"podMonitor": {"enabled": True}, "dashboard": {"enabled": True}}

    objects = render_chart(values, *APIS)

    found = {each["kind"]: each["metadata"].get("namespace") for each in objects}
    assert set(found.values()) == {"other", None}
    assert found["Deployment"] == found["ServiceAccount"] == found["PodMonitor"] == "other"
    subjects = [subject for each in objects for subject in each.get("subjects", ())]
    assert {subject["namespace"] for subject in subjects} == {"other"}
    assert one(objects, "PodMonitor")["spec"]["namespaceSelector"] == {"matchNames": ["other"]}
    assert "system:serviceaccount:other:" in yaml.safe_dump(one(objects, "ValidatingAdmissionPolicy"))


@pytest.mark.parametrize(
    ("mode", "apis", "ids"),
    [
        pytest.param("auto", (), True, id="no OpenShift"),
        pytest.param("auto", ("security.openshift.io/v1",), False, id="OpenShift"),
        pytest.param("never", ("security.openshift.io/v1",), True, id="OpenShift, ids of one's own"),
        pytest.param("always", (), False, id="another platform"),
    ],
)
def test_ids_are_left_to_a_platform_that_gives_them_out(
    mode: str, apis: tuple[str, ...], ids: bool, render_chart: Render
) -> None:
    context = pod_of(render_chart({"openshift": {"adaptSecurityContext": mode}}, *apis))["securityContext"]

    assert {name in context for name in ("runAsUser", "runAsGroup", "fsGroup")} == {ids}
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_probes_change_in_their_numbers_only(render_chart: Render) -> None:
    values = {"startupProbe": {"failureThreshold": 9}, "livenessProbe": {"initialDelaySeconds": 3}}

    container = pod_of(render_chart(values))["containers"][0]

    assert container["startupProbe"] == {
        "httpGet": {"path": "/healthz", "port": "health"},
        "periodSeconds": 2,
        "failureThreshold": 9,
    }
    assert container["livenessProbe"]["initialDelaySeconds"] == 3
    assert container["livenessProbe"]["failureThreshold"] == 3


def test_labels_and_annotations_are_on_every_object(render_chart: Render, with_monitoring: Path) -> None:
    objects = render_chart(EVERYTHING, *APIS, chart=with_monitoring)

    assert {"Deployment", "ConfigMap", "PrometheusRule", "CustomResourceDefinition"} <= kinds(objects)
    for metadata in [*(each["metadata"] for each in objects), deployment_of(objects)["template"]["metadata"]]:
        assert metadata["labels"]["team"] == "platform"
        assert metadata["annotations"]["example.com/owner"] == "platform"


@pytest.mark.parametrize("value", ["commonLabels", "podLabels"])
def test_labels_of_ones_own_do_not_touch_the_selector(value: str, render_chart: Render) -> None:
    spec = deployment_of(render_chart({value: {"app.kubernetes.io/name": "other", "x": "y"}}))

    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    assert spec["selector"]["matchLabels"]["app.kubernetes.io/name"] == "phase-operator"
    assert spec["template"]["metadata"]["labels"]["x"] == "y"


def test_the_network_policy_selects_the_pods_and_lets_little_through(render_chart: Render) -> None:
    objects = render_chart({"networkPolicy": {"enabled": True}})
    spec = one(objects, "NetworkPolicy")["spec"]
    names = {each["name"] for each in pod_of(objects)["containers"][0]["ports"]}

    assert spec["podSelector"] == deployment_of(objects)["selector"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert [ports(rule) for rule in spec["ingress"]] == [["health"], ["metrics"]]
    assert names == {"health", "metrics"}
    assert [ports(rule) for rule in spec["egress"]] == [[53, 53], [443, 6443], [443]]


def test_the_network_policy_follows_phase_and_the_proxy(render_chart: Render) -> None:
    values = {
        "phase": {"allowedHosts": ["https://a.example", "https://*.b.example:8443/", "http://[::1]:8000", "HTTP://c"]},
        "proxy": {"http": "http://proxy.example", "https": "http://proxy.example:3128"},
    }

    egress = policy(values, render_chart)["egress"]

    assert [ports(rule) for rule in egress[2:]] == [[443, 8443, 8000, 80], [80, 3128]]


def test_the_network_policy_takes_peers_and_more_rules(render_chart: Render) -> None:
    given = EVERYTHING["networkPolicy"]

    spec = policy(EVERYTHING, render_chart)

    assert spec["ingress"][1]["from"] == given["metricsFrom"]
    assert spec["ingress"][-1] == given["extraIngress"][0]
    api_server, phase = spec["egress"][1:3]
    assert (ports(api_server), api_server["to"]) == ([6443], given["apiServerTo"])
    assert phase["to"] == given["phaseTo"]
    assert spec["egress"][-1] == given["extraEgress"][0]


@pytest.mark.parametrize(
    ("value", "kind", "endpoints"),
    [("serviceMonitor", "ServiceMonitor", "endpoints"), ("podMonitor", "PodMonitor", "podMetricsEndpoints")],
)
def test_a_monitor_finds_the_metrics_from_another_namespace(
    value: str, kind: str, endpoints: str, render_chart: Render
) -> None:
    objects = render_chart({"metrics": {value: MONITOR}}, *APIS)

    found = one(objects, kind, namespace="monitoring")
    labels = one(objects, "Service")["metadata"]["labels"]
    template_labels = deployment_of(objects)["template"]["metadata"]["labels"]
    selected = labels if kind == "ServiceMonitor" else template_labels
    assert found["spec"]["selector"]["matchLabels"].items() <= selected.items()
    assert found["spec"]["namespaceSelector"] == {"matchNames": ["phase-system"]}
    [endpoint] = found["spec"][endpoints]
    assert (endpoint["port"], endpoint["path"], endpoint["interval"]) == ("metrics", "/metrics", "1m30s")
    assert found["metadata"]["labels"]["release"] == "prometheus"


def test_a_kind_that_the_cluster_does_not_know_is_left_out(render_chart: Render, with_monitoring: Path) -> None:
    known = {"ServiceMonitor", "PrometheusRule"}

    assert not kinds(render_chart(EVERYTHING, chart=with_monitoring)) & known
    assert kinds(render_chart(EVERYTHING, *APIS, chart=with_monitoring)) >= known
    assert kinds(render_chart(EVERYTHING, APIS[0], chart=with_monitoring)) & known == {"ServiceMonitor"}


def test_alerts_and_dashboard_are_the_files_as_they_are(render_chart: Render, with_monitoring: Path) -> None:
    objects = render_chart(EVERYTHING, *APIS, chart=with_monitoring)

    assert one(objects, "PrometheusRule")["spec"] == ALERTS
    dashboard = one(objects, "ConfigMap", namespace="grafana")
    assert dashboard["data"]["phase-operator.json"] == '{"title": "{{ phase }}",\n "panels": []}\n'
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    validate(objects, KUBERNETES[-1])


def test_alerts_are_left_out_labelled_and_linked(render_chart: Render) -> None:
    url = "https://docs.example.com/alerts"
    rule = {"enabled": True, "disabled": ["PhaseOperatorThrottled"], "alertLabels": {"team": "a"}, "runbookUrl": url}

    plain, changed = (
        one(render_chart({"metrics": {"prometheusRule": each}}, *APIS), "PrometheusRule")["spec"]["groups"]
        for each in ({"enabled": True}, rule)
    )

    found = {each["alert"]: each for group in changed for each in group["rules"]}
    before = {each["alert"]: each for group in plain for each in group["rules"]}
    assert before.keys() - found.keys() == {"PhaseOperatorThrottled"}
    for name, alert in found.items():
        assert alert["labels"] == before[name]["labels"] | {"team": "a"}
        anchor = before[name]["annotations"].pop("runbook").partition("#")[2]
        assert alert["annotations"] == before[name]["annotations"] | {"runbook_url": f"{url}#{anchor}"}
        assert alert["expr"] == before[name]["expr"]


class Refused(NamedTuple):
    """Values that mean nothing, and the sentence that says so."""

    values: dict[str, Any]
    sentence: str
    what: str


REFUSED = [
    Refused(
        {"replicas": 2} | ALONE | {"replicas": 3},
        "replicas is 3 and leaderElection.enabled is false",
        what="two writers",
    ),
    Refused(
        ALONE | {"strategy": {"type": "RollingUpdate"}},
        "strategy.type is RollingUpdate and leaderElection.enabled is false",
        what="two writers for a moment",
    ),
    Refused(
        {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
        "strategy.rollingUpdate needs strategy.type RollingUpdate",
        what="half a strategy",
    ),
    Refused({"replicas": -1}, "replicas", what="fewer replicas than none"),
    Refused({"leaderElection": {"leaseSeconds": 1}}, "leaseSeconds", what="a Lease that ends at once"),
    Refused({"podDisruptionBudget": {"maxUnavailable": 0}}, "maxUnavailable", what="a budget against every drain"),
    Refused({"podDisruptionBudget": {"maxUnavailable": "0%"}}, "maxUnavailable", what="the same in percent"),
    Refused({"podDisruptionBudget": {"minAvailable": 1}}, "minAvailable", what="a budget from the other side"),
    Refused({"image": {"tagg": "1"}}, "tagg", what="a typing error"),
    Refused(
        {"image": {"digest": "latest"}}, "image.digest is latest; it has to be sha256:", what="a digest that is none"
    ),
    Refused(
        {"image": {"digest": "sha256:abc"}},
        "image.digest is sha256:abc; it has to be",
        what="a digest that is too short",
    ),
    Refused({"image": {"repository": "r/a:1"}}, "its tag belongs in image.tag", what="a tag in the repository"),
    Refused({"image": {"repository": ""}}, "/image/repository", what="no repository"),
    Refused({"image": {"registry": "r/"}}, "/image/registry", what="a registry with a slash at its end"),
    Refused({"log": {"level": "loud"}}, "/log/level", what="an unknown level"),
    Refused({"watchNamespaces": "default"}, "/watchNamespaces", what="one namespace that is not a list"),
    Refused({"watchNamespaces": ["a,b"]}, "/watchNamespaces/0", what="two namespaces in one"),
    Refused({"clusterWide": True, "watchNamespaces": ["a"]}, "clusterWide", what="all namespaces and some"),
    Refused(
        {"phase": {"caFile": {"secret": "a", "configMap": "b"}}},
        "phase.caFile names a Secret and a ConfigMap",
        what="two places for one CA",
    ),
    Refused({"serviceAccount": {"create": False}}, "serviceAccount.name is needed", what="no account at all"),
    Refused({"grants": [{"from": "a", "to": "b"}]}, "what", what="a grant of nothing"),
    Refused({"grants": [{"from": "a", "to": "b", "what": ["all"]}]}, "/what/0", what="a grant of what is not known"),
    Refused({"grants": [{"from": "a", "to": "b", "what": ["adopt"]}]}, "/grants/0/what", what="adopt alone"),
    Refused({"grants": [{"from": "a", "to": "b", "what": ["push", "adopt"]}]}, "/grants/0/what", what="adopt and push"),
    Refused({"grants": [{"from": "a", "to": "b", "what": ["replace"]}]}, "/grants/0/what", what="replace alone"),
    Refused({"grants": [{"to": "b", "what": ["token"]}]}, "/grants/0", what="a grant to nobody"),
    Refused(
        {"grants": [{"from": "a", "fromLabels": {"x": "y"}, "to": "b", "what": ["token"]}]},
        "/grants/0",
        what="a grant by name and label",
    ),
    Refused({"grants": [{"fromLabels": {}, "to": "b", "what": ["token"]}]}, "fromLabels", what="a grant by no label"),
    Refused({"grants": [{"from": "a;b", "to": "b", "what": ["token"]}]}, "/grants/0/from", what="two grants in one"),
    Refused(
        {"grants": [{"fromLabels": {"x": "y,to=kube-system"}, "to": "b", "what": ["token"]}]},
        "/grants/0/fromLabels/x",
        what="a label that says more than a label",
    ),
    Refused(
        {"watchNamespaces": ["a"], "grants": [{"from": "a", "to": "b", "what": ["token"]}]},
        "grants: b is not among watchNamespaces",
        what="a grant into a namespace that is not watched",
    ),
    Refused({"metrics": {"perResource": "yes"}}, "/metrics/perResource", what="metrics of some resources"),
    Refused({"restarts": False}, "/restarts", what="restarts that are no section"),
    Refused({"restarts": {"atOnce": 0}}, "/restarts/atOnce", what="no roll-out at once"),
    Refused({"leases": {"errandWorkers": 65}}, "/leases/errandWorkers", what="more errands than workers may do"),
    Refused({"leases": {"perMinute": 0}}, "/leases/perMinute", what="no lease at all"),
    Refused({"leases": {"removalSeconds": 9}}, "/leases/removalSeconds", what="no time to give leases back"),
    Refused({"push": True}, "/push", what="push that is no section"),
    Refused({"push": {"clusterName": "West 1"}}, "/push/clusterName", what="a name of a cluster that is no name"),
    Refused({"push": {"clusterName": "a" * 64}}, "/push/clusterName", what="a name of a cluster that is too long"),
    Refused({"restarts": {"settleSeconds": -1}}, "settleSeconds", what="a wait that is over before it begins"),
    Refused({"phase": {"allowedHosts": ["phase.example"]}}, "/allowedHosts/0", what="a host without scheme"),
    Refused(
        {"phase": {"allowedHosts": ["https://a.example,https://b.example"]}},
        "/allowedHosts/0",
        what="two hosts in one",
    ),
    Refused({"proxy": {"https": "proxy:3128"}}, "/proxy/https", what="a proxy without scheme"),
    Refused({"terminationGracePeriodSeconds": 2}, "terminationGracePeriodSeconds", what="no time to end"),
    Refused(
        {"terminationGracePeriodSeconds": 29},
        "terminationGracePeriodSeconds is 29, and leases.drainSeconds (24) and drainSeconds (4)",
        what="drains that each end before the pod, and together do not",
    ),
    Refused(
        {"drainSeconds": 5.5, "terminationGracePeriodSeconds": 31},
        "leases.drainSeconds (24) and drainSeconds (5.5), with 2 for the rest, take 32",
        what="a drain that lasts half a second too long",
    ),
    Refused({"drainSeconds": 601}, "/drainSeconds", what="runs that never end"),
    Refused({"leases": {"drainSeconds": -1}}, "/leases/drainSeconds", what="less than no time for leases to be made"),
    Refused(
        {"extraEnv": [{"name": "PHASE_OPERATOR_GRANT", "value": "x"}]},
        "extraEnv: PHASE_OPERATOR_GRANT comes from the value grants",
        what="a variable that is a value",
    ),
    Refused(
        {"extraEnv": [{"name": "PHASE_OPERATOR_PUSH", "value": "true"}]},
        "extraEnv: PHASE_OPERATOR_PUSH comes from the value push.enabled",
        what="a variable that is a value, while the value is not set",
    ),
    Refused(
        {"extraEnv": [{"name": "PHASE_OPERATOR_HEALTH_PORT", "value": "1"}]},
        "rely on its own PHASE_OPERATOR_HEALTH_PORT",
        what="a port that the probes do not ask",
    ),
    Refused({"extraEnv": [{"name": "A"}, {"name": "A"}]}, "extraEnv: A is there twice", what="a variable twice"),
    Refused(
        {"extraVolumes": [{"name": "tmp", "emptyDir": {}}]},
        "extraVolumes: tmp is there already",
        what="a volume twice",
    ),
    Refused(
        {"extraVolumeMounts": [{"name": "more", "mountPath": "/x"}]},
        "extraVolumeMounts: there is no volume more",
        what="a mount of nothing",
    ),
    Refused(
        {
            "extraVolumes": [{"name": "more", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "more", "mountPath": "/tmp/"}],
        },
        "extraVolumeMounts: /tmp/ is taken",
        what="a mount on another",
    ),
    Refused(
        {"metrics": {"serviceMonitor": MONITOR, "podMonitor": MONITOR}},
        "would read everything twice",
        what="two monitors",
    ),
    Refused(
        {"metrics": {"serviceMonitor": MONITOR, "service": {"enabled": False}}},
        "metrics.serviceMonitor needs metrics.service.enabled",
        what="a ServiceMonitor without Service",
    ),
    Refused({"metrics": {"podMonitor": {"interval": "often"}}}, "interval", what="an interval that is none"),
    Refused(
        {"metrics": {"prometheusRule": {"disabled": ["PhaseOperatorIsDown"]}}},
        "metrics.prometheusRule.disabled: there is no alert PhaseOperatorIsDown; there are PhaseOperatorDown, ",
        what="an alert that there is not",
    ),
    Refused(
        {"extraContainers": [{"name": "operator", "image": "x"}]},
        "operator is the name of the chart's own container",
        what="a second operator",
    ),
    Refused({"extraContainers": [{"name": "x"}]}, "/extraContainers/0", what="a container without image"),
    Refused({"extraEnvFrom": [{"prefix": "x"}]}, "/extraEnvFrom/0", what="variables from nowhere"),
    Refused({"startupProbe": {"httpGet": {}}}, "/startupProbe", what="a probe of something else"),
    Refused({"hostAliases": [{"ip": "192.0.2.7"}]}, "/hostAliases/0", what="an address without a name"),
    Refused({"dnsPolicy": "None"}, "dnsPolicy None needs dnsConfig.nameservers", what="no name server"),
    Refused({"openshift": {"adaptSecurityContext": True}}, "adaptSecurityContext", what="a switch of three"),
    Refused({"networkPolicy": {"apiServerPorts": []}}, "apiServerPorts", what="no way to the API server"),
    Refused(
        {"topologySpreadConstraints": [{"topologyKey": "zone"}]},
        "/topologySpreadConstraints/0",
        what="half a constraint",
    ),
    Refused({"fullnameOverride": "1st.name"}, "fullnameOverride", what="a name that no Service can have"),
]
# One of each way to refuse, for a helm whose schema validator and templates are other code: a keyword of JSON Schema
# each, and sentences of our own.
REFUSED_BY_HELM3_TOO = {
    *("fewer replicas than none", "a typing error", "an unknown level", "one namespace that is not a list"),
    *("a host without scheme", "a grant by name and label", "no name server", "two writers", "two monitors"),
    *("a variable that is a value", "an alert that there is not"),
}


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.what)
def test_values_that_mean_nothing_are_refused_with_a_sentence(refused: Refused, helm: Run) -> None:
    check_refusal(helm, refused)


@pytest.mark.parametrize("what", sorted(REFUSED_BY_HELM3_TOO))
def test_helm_3_refuses_in_the_same_ways(what: str, helm3: Run) -> None:
    [refused] = [each for each in REFUSED if each.what == what]

    check_refusal(helm3, refused)


def check_refusal(run: Run, refused: Refused) -> None:
    """Fail unless a helm refuses the values with their sentence."""
    done = template(run, refused.values)

    assert done.returncode != 0
    assert refused.sentence.replace("/", ".").lstrip(".") in done.stderr.replace("/", ".")


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        pytest.param({}, "names no registry", id="an image from nowhere"),
        pytest.param({"crds": {"keep": False}}, "deletes the CRDs", id="a CRD that goes"),
        pytest.param({"crds": {"install": False}}, "The CRDs are not part of this release", id="no CRD"),
        pytest.param({"rbac": {"create": False}}, "No roles were made", id="no roles"),
        pytest.param({"replicas": 1}, "There is one replica", id="one replica"),
        pytest.param({"replicas": 0}, "there is no replica", id="no replica"),
        pytest.param(
            {"serviceAccount": {"create": False, "name": "a", "annotations": {"a": "b"}}},
            "were not used",
            id="annotations for nobody",
        ),
        pytest.param(
            {"metrics": {"podMonitor": {"enabled": True}}}, "no PodMonitor was made", id="a kind that is not known"
        ),
        pytest.param({"push": {"enabled": True}}, "at Phase's cloud", id="push to Phase's cloud"),
        pytest.param(
            {"push": {"enabled": True}, "phase": {"allowedHosts": ["https://phase.example"]}},
            "at https://phase.example",
            id="push to a Phase of one's own",
        ),
        pytest.param({"push": {"enabled": True}}, "push.clusterName is not set", id="a cluster without a name"),
    ],
)
def test_the_notes_warn(values: dict[str, Any], warning: str, notes: Notes) -> None:
    quiet = {"image": {"registry": "registry.example"}}

    assert warning in " ".join(notes(values).split())
    assert warning not in " ".join(notes(quiet).split())


def test_the_notes_tell_the_next_step(notes: Notes) -> None:
    text = notes({})

    assert "kubectl create secret generic phase-service-token" in text
    example = text.split("<<EOF\n")[1].split("  EOF")[0]
    assert documents.load(example)["kind"] == "PhaseSecret"
    assert "WARNING" not in notes({"image": {"registry": "registry.example"}})


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_of_the_page_are_values(number: int, render_chart: Render) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (CHART / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2

    validate(render_chart(documents.load(blocks[number]), *APIS), KUBERNETES[-1])


VALUES = [each.path for each in chart.values((CHART / "values.yaml").read_text())]
# What EVERYTHING leaves as it is, so that all of it stands; each changes something by itself.
OTHERS: dict[str, Any] = {
    "global.imageRegistry": "mirror.example",
    "nameOverride": "other",
    "namespaceOverride": "other",
    "image.registry": "registry.example",
    "image.tag": "2",
    "watchNamespaces": ["default"],
    "restarts.enabled": False,
    "rbac.create": False,
    "rbac.aggregate": False,
    "serviceAccount.create": False,
    "phase.caFile.configMap": "company-ca",
    "leaderElection.enabled": False,
    "podDisruptionBudget.enabled": False,
    "podSecurityContext": {"runAsUser": 1000},
    "securityContext": {"privileged": False},
    "nodeSelector": {"a": "b"},
    "crds.install": False,
    "crds.keep": False,
    "metrics.service.enabled": False,
    "metrics.serviceMonitor.enabled": False,
    "metrics.prometheusRule.namespace": "monitoring",
    "metrics.prometheusRule.disabled": ["PhaseOperatorDown"],
    "metrics.prometheusRule.alertLabels": {"a": "b"},
    "metrics.prometheusRule.runbookUrl": "https://docs.example.com/alerts",
    "metrics.dashboard.labels": {"a": "b"},
}
# What has to stand beside one of them.
WITH: dict[str, dict[str, Any]] = {
    "image.tag": {"image.digest": ""},
    "watchNamespaces": {"grants": []},
    "serviceAccount.create": {"serviceAccount.name": "mine"},
    "phase.caFile.configMap": {"phase.caFile.secret": ""},
    "leaderElection.enabled": {"replicas": 1, "strategy": {"type": "Recreate"}, "podDisruptionBudget.enabled": False},
    "extraVolumes": {"extraVolumeMounts": []},
    "dnsConfig": {"dnsPolicy": ""},
    "podSecurityContext": {"openshift.adaptSecurityContext": "never"},
    "metrics.service.enabled": {"metrics.serviceMonitor.enabled": False},
}
POD_MONITOR = {"metrics.serviceMonitor.enabled": False, "metrics.podMonitor": MONITOR}


@pytest.mark.parametrize("path", VALUES)
def test_every_value_changes_something(path: str, render_chart: Render, with_monitoring: Path) -> None:
    base = deepcopy(EVERYTHING)
    for beside, value in (POD_MONITOR if "podMonitor" in path else WITH.get(path, {})).items():
        put(base, beside, value)
    changed = deepcopy(base)
    if path in OTHERS:
        put(changed, path, OTHERS[path])
    else:
        take(changed, path)

    before, after = (render_chart(values, *APIS, chart=with_monitoring) for values in (base, changed))

    assert before != after


def put(values: dict[str, Any], path: str, value: Any) -> None:
    *sections, name = path.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[name] = value


def take(values: dict[str, Any], path: str) -> None:
    *sections, name = path.split(".")
    for section in sections:
        values = values[section]
    del values[name]


def test_every_value_is_in_the_schema_and_no_other() -> None:
    schema = documents.load((CHART / "values.schema.json").read_text())

    assert sorted(known(schema, schema)) == sorted(VALUES)


def known(schema: Object, root: Object, path: str = "") -> list[str]:
    """Return the paths of the leaves; what a user fills in freely is a leaf."""
    if "$ref" in schema:
        schema = root["definitions"][schema["$ref"].rpartition("/")[2]]
    if path in LEAVES or "properties" not in schema:
        return [path]
    assert schema.get("additionalProperties") is False or path == "global", path
    return [
        leaf for name, child in schema["properties"].items() for leaf in known(child, root, f"{path}.{name}".strip("."))
    ]


# Described as one, since Kubernetes describes the rest.
LEAVES = {"dnsConfig", "livenessProbe", "readinessProbe", "resources", "startupProbe", "strategy"}


def test_every_variable_of_the_chart_is_refused_in_extra_env(helm: Run, render_chart: Render) -> None:
    """The table in _checks.tpl forgets none."""
    without = render_chart({"restarts": {"enabled": False}})
    names = environment(render_chart(EVERYTHING)).keys() | environment(without).keys() | {f"{PREFIX}NAMESPACE"}
    own = names - {each["name"] for each in EVERYTHING["extraEnv"]}
    assert len(own) > 15

    for name in own:
        done = template(helm, {"extraEnv": [{"name": name}]})
        assert re.search(f"extraEnv: ({name} comes from|.* its own {name};)", done.stderr), name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("## A\nx: 1\n", "x has no description", id="a value"),
        pytest.param("## A\nx:\n  # Good.\n  y: 1\n  z: 2\n", "x.z has no description", id="a member"),
        pytest.param("# Good.\nx: 1\n", "belongs to no group", id="a group"),
    ],
)
def test_a_value_without_description_is_refused(text: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        chart.tables(text)


def test_the_table_shows_values_for_people() -> None:
    text = "## A\n# One | two.\n#\n# - an example\nx: []\ny:\n  # Text.\n  z: ca.crt\n  # Map.\n  m:\n    a: [1]\n"

    assert chart.tables(text).splitlines() == [
        "### A",
        "",
        "| value | default | meaning |",
        "|---|---|---|",
        r"| `x` | `[]` | One \| two. |",
        "| `y.z` | `ca.crt` | Text. |",
        '| `y.m` | `{"a": [1]}` | Map. |',
    ]


def test_the_command_of_the_docs_changes_the_image_and_nothing_else() -> None:
    page = (ROOT / "docs/operating/install.md").read_text()
    [command] = re.findall(r"^\$ (sed .* deploy/install\.yaml) \|", page, re.MULTILINE)

    done = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=True)

    before = (ROOT / "deploy/install.yaml").read_text().splitlines()
    changed = [new.strip() for old, new in zip(before, done.stdout.splitlines(), strict=True) if old != new]
    assert changed == ["image: REGISTRY/phase-operator:0.1.0"]


def test_the_installation_in_one_file_is_the_overlay(kustomize: Render) -> None:
    found = list(documents.load_all((ROOT / "deploy/install.yaml").read_text()))

    assert found == kustomize("deploy/overlays/cluster-wide")
