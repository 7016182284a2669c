"""What the chart's values do, one by one, and which are refused with which sentence."""

import json
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
from manifests.objects import CHART, KUBERNETES, ROOT, Object, kinds, load, one, validate
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
        pytest.param(
            {"registry": "r.example:5000/a", "allowLocal": False},
            "r.example:5000/a/phase-operator:0.1.0",
            id="a registry",
        ),
        pytest.param({"repository": "r.example/b", "tag": "x"}, "r.example/b:x", id="all in the repository"),
        pytest.param(
            {"registry": "localhost", "allowLocal": False, "tag": "x", "digest": f"sha256:{'a' * 64}"},
            f"localhost/phase-operator@sha256:{'a' * 64}",
            id="a digest wins",
        ),
    ],
)
def test_the_image_is_put_together(image: dict[str, str], wanted: str, render_chart: Render) -> None:
    assert pod_of(render_chart({"image": image}))["containers"][0]["image"] == wanted


def test_a_parent_chart_may_turn_it_on_and_off(tmp_path: Path, each_helm: Run) -> None:
    """Helm advises to make a chart optional by `condition:`; the value is the chart's too, and its schema knows it."""
    parent = tmp_path / "parent"
    shutil.copytree(CHART, parent / "charts/phase-operator")
    dependency = {"name": "phase-operator", "version": "0.1.0", "condition": "phase-operator.enabled"}
    about = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [dependency]}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(about))

    made = {}
    for is_on in (True, False):
        values = {"phase-operator": {"enabled": is_on, "image": {"registry": "registry.example"}}}
        done = each_helm("template", "x", parent, "--values", "-", stdin=json.dumps(values))
        assert done.returncode == 0, done.stderr
        made[is_on] = load(done.stdout)

    assert one(made[True], "Deployment")
    assert made[False] == []


def test_a_parent_chart_says_where_images_are(render_chart: Render) -> None:
    parent = {"imageRegistry": "mirror.example", "imagePullSecrets": [{"name": "a"}, "b"]}

    pod = pod_of(render_chart({"global": parent, "image": {"registry": "r"}, "imagePullSecrets": [{"name": "a"}]}))

    assert pod["containers"][0]["image"] == "mirror.example/phase-operator:0.1.0"
    assert pod["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


def test_a_parent_chart_says_where_pods_run(render_chart: Render) -> None:
    parent = {
        "podLabels": {"a": "parent", "b": "parent"},
        "nodeSelector": {"kubernetes.io/os": "windows", "pool": "system"},
        "tolerations": [{"key": "system"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
    }
    own = {"tolerations": [{"key": "own"}], "affinity": {"podAffinity": {}}, "priorityClassName": "own"}

    spec = deployment_of(render_chart({"global": parent, "podLabels": {"a": "own"}}))["template"]
    pod = spec["spec"]

    assert spec["metadata"]["labels"].items() >= {("a", "own"), ("b", "parent")}
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "system"}
    assert {name: pod[name] for name in own} == {name: parent[name] for name in own}
    pod = pod_of(render_chart({"global": parent, **own}))
    assert {name: pod[name] for name in own} == own


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


@pytest.mark.parametrize(
    ("budget", "wanted"),
    [
        pytest.param({}, {"maxUnavailable": 1}, id="one at once"),
        pytest.param({"maxUnavailable": "50%"}, {"maxUnavailable": "50%"}, id="a part at once"),
        pytest.param({"minAvailable": 1}, {"minAvailable": 1}, id="one stays"),
        pytest.param({"minAvailable": 0}, {"minAvailable": 0}, id="none has to stay"),
        pytest.param({"minAvailable": "50%"}, {"minAvailable": "50%"}, id="a part stays"),
    ],
)
def test_the_disruption_budget_is_told_from_one_side(
    budget: dict[str, Any], wanted: dict[str, Any], render_chart: Render
) -> None:
    spec = one(render_chart({"podDisruptionBudget": budget}), "PodDisruptionBudget")["spec"]

    assert {name: value for name, value in spec.items() if "vailable" in name} == wanted


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
        pytest.param({"lifecycle": {"preStop": {"sleep": {"seconds": 7}}}}, 37, id="more for a sleep before the end"),
        pytest.param({"lifecycle": {"preStop": {"httpGet": {"port": 8081}}}}, 30, id="another hook"),
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


def test_flags_hooks_and_fields_of_ones_own_are_handed_on(render_chart: Render) -> None:
    pod = pod_of(render_chart(EVERYTHING))
    container = pod["containers"][0]

    assert container["args"] == ["run", *EVERYTHING["extraArgs"]]
    assert container["lifecycle"] == EVERYTHING["lifecycle"]
    assert pod["setHostnameAsFQDN"] is True
    assert pod_of(render_chart({}))["containers"][0]["args"] == ["run"]


def test_every_field_of_the_pod_that_the_chart_sets_is_refused_in_extra_fields(
    helm_batch: Run, render_chart: Render
) -> None:
    """The lists in _checks.tpl forget none."""
    fields = pod_of(render_chart(EVERYTHING)).keys() - EVERYTHING["podSpecExtra"].keys()
    assert len(fields) > 15

    for field in fields:
        done = template(helm_batch, {"podSpecExtra": {field: {}}})
        assert re.search(f"podSpecExtra: ({field} is a value|{field} comes from|.* needs {field} )", done.stderr), field


def test_the_crds_come_alone_if_nothing_else_is_wanted(render_chart: Render) -> None:
    objects = render_chart(EVERYTHING | {"crds": {"only": True}, "extraObjects": []}, *APIS, tests=True)

    assert kinds(objects) == {"CustomResourceDefinition"}
    crds = [each for each in render_chart({}) if each["kind"] == "CustomResourceDefinition"]
    assert render_chart({"crds": {"only": True}, "image": {"allowLocal": False}}, tests=True) == crds
    assert len(crds) == 3


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
    name_servers, *others = [ports(rule) for rule in spec["egress"]]
    # OpenShift's name servers listen on 5353, minikube's API server on 8443, that of MicroK8s on 16443.
    assert name_servers == [53, 53, 5353, 5353]
    assert others == [[443, 6443, 8443, 16443], [443]]


def test_the_network_policy_follows_phase_and_the_proxy(render_chart: Render) -> None:
    values = {
        "phase": {"allowedHosts": ["https://a.example", "https://*.b.example:8443/", "http://[::1]:8000", "HTTP://c"]},
        "proxy": {"http": "http://proxy.example", "https": "http://proxy.example:3128"},
    }

    egress = policy(values, render_chart)["egress"]

    assert [ports(rule) for rule in egress[2:]] == [[443, 8443, 8000, 80], [80, 3128]]


@pytest.mark.parametrize(
    ("given", "port"), [({}, "metrics"), ({"targetPort": 8443}, 8443), ({"targetPort": "tls"}, "tls")]
)
def test_the_service_and_the_network_policy_lead_to_the_port_that_serves_metrics(
    given: dict[str, Any], port: int | str, render_chart: Render
) -> None:
    values = {"metrics": {"service": given}, "networkPolicy": {"enabled": True}}

    [served] = one(render_chart(values), "Service")["spec"]["ports"]
    assert served["targetPort"] == port
    assert policy(values, render_chart)["ingress"][1]["ports"] == [{"port": port, "protocol": "TCP"}]


def test_without_a_service_the_network_policy_lets_the_operators_own_metrics_through(render_chart: Render) -> None:
    values = {"metrics": {"service": {"enabled": False, "targetPort": 8443}}}

    assert policy(values, render_chart)["ingress"][1]["ports"] == [{"port": "metrics", "protocol": "TCP"}]


def test_the_network_policy_lets_the_default_host_through(render_chart: Render) -> None:
    alone = policy({"phase": {"defaultHost": "https://phase.example:8443/base"}}, render_chart)
    listed = {"defaultHost": "https://a.example:81", "allowedHosts": ["https://a.example:81"]}

    assert ports(alone["egress"][2]) == [443, 8443], "a resource may still name another host"
    assert ports(policy({"phase": listed}, render_chart)["egress"][2]) == [81]


def test_the_network_policy_takes_peers_and_more_rules(render_chart: Render) -> None:
    given = EVERYTHING["networkPolicy"]

    spec = policy(EVERYTHING, render_chart)

    assert spec["ingress"][1]["from"] == given["metricsFrom"]
    assert spec["ingress"][-1] == given["extraIngress"][0]
    name_servers, api_server, phase = spec["egress"][:3]
    assert (ports(name_servers), name_servers["to"]) == ([1053, 1053], given["dnsTo"])
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
    assert (endpoint["honorLabels"], endpoint["scheme"], endpoint["tlsConfig"]) == (True, "https", MONITOR["tlsConfig"])
    assert found["spec"]["jobLabel"] == MONITOR["jobLabel"]
    assert found["spec"]["targetLabels" if kind == "ServiceMonitor" else "podTargetLabels"] == MONITOR["targetLabels"]


@pytest.mark.parametrize(
    ("value", "kind"), [("serviceMonitor", "ServiceMonitor"), ("prometheusRule", "PrometheusRule")]
)
def test_a_kind_that_the_cluster_does_not_know_is_made_or_refused_as_told(
    value: str, kind: str, helm_batch: Run, render_chart: Render
) -> None:
    def metrics(mode: str) -> dict[str, Any]:
        return {"metrics": {"renderMode": mode, value: {"enabled": True}}}

    assert one(render_chart(metrics("alwaysRender")), kind)
    assert one(render_chart(metrics("failIfMissing"), *APIS), kind)
    refused = template(helm_batch, metrics("failIfMissing"))
    assert refused.returncode != 0
    assert f"renderMode is failIfMissing, and the cluster does not know the kind {kind}" in refused.stderr


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
        anchor = before[name]["annotations"]["runbook"].partition("#")[2]
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
    Refused(
        {"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}},
        "podDisruptionBudget: minAvailable and maxUnavailable are both set",
        what="a budget from both sides",
    ),
    Refused(
        {"podDisruptionBudget": {"minAvailable": 2}},
        "podDisruptionBudget.minAvailable is 2 of 2 replicas: no node",
        what="as many as there are have to stay",
    ),
    Refused(
        {"podDisruptionBudget": {"minAvailable": "51%"}},
        "podDisruptionBudget.minAvailable is 51% of 2 replicas: no node",
        what="the same in percent, rounded up",
    ),
    Refused(
        {"metrics": {"bindAddress": "127.0.0.1"}},
        "the Service leads to the operator; set metrics.service.targetPort",
        what="a Service that leads to an address of the pod alone",
    ),
    Refused(
        {"metrics": {"bindAddress": "::1", "service": {"enabled": False}, "podMonitor": {"enabled": True}}},
        "metrics.podMonitor reads from the operator",
        what="a PodMonitor that reads from such an address",
    ),
    Refused({"metrics": {"bindAddress": "localhost"}}, "/metrics/bindAddress", what="a name for an address"),
    Refused({"metrics": {"service": {"targetPort": 0}}}, "/metrics/service/targetPort", what="no port"),
    Refused({"podDisruptionBudget": {"minAvailable": "100%"}}, "minAvailable", what="all of them have to stay"),
    Refused(
        {"image": {"allowLocal": False}},
        "image: phase-operator:0.1.0 names no registry",
        what="an image that engines look for elsewhere",
    ),
    Refused(
        {"image": {"allowLocal": False, "repository": "team/phase-operator"}},
        "set image.registry",
        what="a folder of Docker Hub",
    ),
    Refused(
        {"image": {"allowLocal": False}, "global": {"imageRegistry": "mirror"}},
        "image: mirror/phase-operator:0.1.0 names no registry",
        what="a registry that is none",
    ),
    Refused(
        {"crds": {"only": True, "install": False}}, "crds.only is true and crds.install is false", what="nothing at all"
    ),
    Refused(
        {"rbac": {"aggregateTo": {"admin": False}}},
        "rbac.aggregateTo.edit is true and rbac.aggregateTo.admin is false",
        what="an administrator who may do less",
    ),
    Refused({"rbac": {"aggregateTo": {"cluster-admin": True}}}, "cluster-admin", what="a role that gets all anyway"),
    Refused(
        {"phase": {"defaultHost": "https://a.example", "allowedHosts": ["https://b.example"]}},
        "phase.defaultHost is https://a.example, which phase.allowedHosts leaves out",
        what="a default host that may not be asked",
    ),
    Refused(
        {"phase": {"defaultHost": "https://a.b.example", "allowedHosts": ["https://*.example"]}},
        "which phase.allowedHosts leaves out",
        what="a default host two labels further",
    ),
    Refused(
        {"phase": {"defaultHost": "https://a.example:8443", "allowedHosts": ["https://*.example"]}},
        "which phase.allowedHosts leaves out",
        what="a default host on another port",
    ),
    Refused({"phase": {"defaultHost": "phase.example"}}, "/phase/defaultHost", what="a default host without scheme"),
    Refused({"phase": {"defaultHost": "https://u:p@a.example"}}, "/phase/defaultHost", what="a password in a host"),
    Refused({"phase": {"quota": -1}}, "/phase/quota", what="fewer calls than none"),
    Refused({"phase": {"workers": 65}}, "/phase/workers", what="more calls than workers may make"),
    Refused({"phase": {"fullReadSeconds": 59}}, "/phase/fullReadSeconds", what="everything all the time"),
    Refused({"phase": {"referenceSeconds": -1}}, "/phase/referenceSeconds", what="less than no age"),
    Refused({"workers": 0}, "/workers", what="nobody who works"),
    Refused({"extraArgs": ["run"]}, "/extraArgs/0", what="a word that is no flag"),
    Refused(
        {"extraArgs": ["--grant=from=a,to=b,what=token"]},
        "extraArgs: --grant comes from the value grants",
        what="a flag that is a value",
    ),
    Refused(
        {"extraArgs": ["--phase-quota=3"]},
        "extraArgs: --phase-quota comes from the value phase.quota",
        what="a flag that is a value, while the value is not set",
    ),
    Refused({"extraArgs": ["--health-port=1"]}, "rely on its own --health-port", what="another port by a flag"),
    Refused({"podSpecExtra": {"tolerations": []}}, "podSpecExtra: tolerations is a value", what="a field twice"),
    Refused(
        {"podSpecExtra": {"volumes": []}},
        "podSpecExtra: volumes comes from the value extraVolumes",
        what="a field with a value of another name",
    ),
    Refused({"podSpecExtra": {"restartPolicy": "Never"}}, "needs restartPolicy", what="a pod that is not restarted"),
    Refused({"lifecycle": {"preStart": {}}}, "preStart", what="a hook that there is not"),
    Refused(
        {"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}, "terminationGracePeriodSeconds": 30},
        "with 2 for the rest and 5 for the sleep of lifecycle.preStop, take 35",
        what="a sleep that leaves no time for the rest",
    ),
    Refused(
        {"metrics": {"serviceMonitor": {"tlsConfig": {"insecureSkipVerify": True}}}},
        "metrics.serviceMonitor.tlsConfig needs metrics.serviceMonitor.scheme https",
        what="a certificate over http",
    ),
    Refused({"metrics": {"renderMode": "always"}}, "/metrics/renderMode", what="a mode of four"),
    Refused(
        {"metrics": {"service": {"ipFamilies": ["IPv4", "IPv6"]}}},
        "set metrics.service.ipFamilyPolicy",
        what="two families for one stack",
    ),
    Refused({"metrics": {"service": {"ipFamilies": ["IPv5"]}}}, "/ipFamilies/0", what="a family that there is not"),
    Refused({"networkPolicy": {"dnsPorts": []}}, "dnsPorts", what="no way to the name servers"),
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
    *("a variable that is a value", "an alert that there is not", "a budget from both sides"),
    *("a flag that is a value", "the same in percent, rounded up", "a default host that may not be asked"),
}


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.what)
def test_values_that_mean_nothing_are_refused_with_a_sentence(refused: Refused, helm_batch: Run) -> None:
    check_refusal(helm_batch, refused)


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
        pytest.param({"crds": {"only": True}}, "and nothing else of it", id="CRDs alone"),
        pytest.param({"crds": {"only": True, "keep": False}}, "deletes the CRDs", id="CRDs alone that go"),
        pytest.param({"networkPolicy": {"enabled": True}}, "with another port is blocked", id="a port that is closed"),
        pytest.param({"metrics": {"podMonitor": {"enabled": True}}}, "podMonitor.labels is empty", id="no label"),
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
        pytest.param(
            {"push": {"enabled": True}, "phase": {"defaultHost": "https://phase.example"}},
            "at https://phase.example",
            id="push to the default host",
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
    assert "helm test phase-operator --namespace phase-system" in text
    example = text.split("<<EOF\n")[1].split("  EOF")[0]
    assert documents.load(example)["kind"] == "PhaseSecret"
    assert "WARNING" not in notes({"image": {"registry": "registry.example"}})


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_examples_of_the_page_are_values(number: int, render_chart: Render) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (CHART / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3

    validate(render_chart(documents.load(blocks[number]), *APIS), KUBERNETES[-1])


VALUES = [each.path for each in chart.values((CHART / "values.yaml").read_text())]
# These say what is refused; what is made is the same.
REFUSING = {"image.allowLocal", "metrics.renderMode"}
# What EVERYTHING leaves as it is, so that all of it stands; each changes something by itself.
OTHERS: dict[str, Any] = {
    "global.imageRegistry": "mirror.example",
    "nameOverride": "other",
    "namespaceOverride": "other",
    "image.registry": "registry.example",
    "image.tag": "2",
    "watchNamespaces": ["default"],
    "restarts.enabled": False,
    "global.tolerations": [{"operator": "Exists"}],
    "global.affinity": {"nodeAffinity": {}},
    "global.priorityClassName": "system-cluster-critical",
    "rbac.create": False,
    "rbac.aggregate": False,
    "rbac.aggregateTo.edit": False,
    "rbac.aggregateTo.admin": False,
    "podDisruptionBudget.minAvailable": 1,
    "crds.only": True,
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
    "metrics.service.ipFamilyPolicy": {"metrics.service.ipFamilies": ["IPv4"]},
    "metrics.serviceMonitor.scheme": {"metrics.serviceMonitor.tlsConfig": {}},
    "metrics.podMonitor.scheme": {"metrics.podMonitor.tlsConfig": {}},
    "global.tolerations": {"tolerations": []},
    "global.affinity": {"affinity": {}},
    "global.priorityClassName": {"priorityClassName": ""},
    "rbac.aggregateTo.admin": {"rbac.aggregateTo.edit": False},
    "podDisruptionBudget.minAvailable": {"podDisruptionBudget.maxUnavailable": None},
}
POD_MONITOR = {"metrics.serviceMonitor.enabled": False, "metrics.podMonitor": MONITOR}


@pytest.mark.parametrize("path", [each for each in VALUES if each not in REFUSING])
def test_every_value_changes_something(path: str, render_chart: Render, with_monitoring: Path) -> None:
    base = deepcopy(EVERYTHING)
    for beside, value in ((POD_MONITOR if "podMonitor" in path else {}) | WITH.get(path, {})).items():
        put(base, beside, deepcopy(value))
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

    # A parent chart's condition alone reads `enabled`: it has no default, so that nobody believes it to do more.
    assert sorted(known(schema, schema)) == sorted([*VALUES, "enabled"])


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
LEAVES = {"dnsConfig", "lifecycle", "livenessProbe", "readinessProbe", "resources", "startupProbe", "strategy"}


def test_every_variable_of_the_chart_is_refused_in_extra_env(helm_batch: Run, render_chart: Render) -> None:
    """The table in _checks.tpl forgets none."""
    without = render_chart({"restarts": {"enabled": False}})
    names = environment(render_chart(EVERYTHING)).keys() | environment(without).keys() | {f"{PREFIX}NAMESPACE"}
    own = names - {each["name"] for each in EVERYTHING["extraEnv"]}
    assert len(own) > 15

    for name in own:
        done = template(helm_batch, {"extraEnv": [{"name": name}]})
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
