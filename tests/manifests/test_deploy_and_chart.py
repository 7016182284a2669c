"""deploy/ and the chart install the same operator with the same permissions, and no more than it uses."""

import re
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.conftest import Render, Run, template
from manifests.objects import (
    CHART,
    KUBERNETES,
    ROOT,
    Object,
    Permissions,
    kinds,
    load,
    load_rendered,
    not_restricted,
    one,
    permissions,
    validate,
)
from phase_dev import documents
from phase_operator import settings
from phase_operator.core.access.grants import Grant, Labelled, Use, parse_grant
from phase_operator.core.access.hosts import parse_host

KINDS = ("phasesecrets", "phasedynamicsecrets", "phasepushsecrets")
WITHOUT_RESTARTS: Permissions = {
    **{("secrets.phase.dev", kind, ()): frozenset({"get", "list", "watch", "patch"}) for kind in KINDS},
    **{("secrets.phase.dev", f"{kind}/status", ()): frozenset({"patch"}) for kind in KINDS},
    # delete: of what says deletionPolicy: Delete, of old versions, and of Secrets whose type changes.
    ("", "secrets", ()): frozenset({"get", "list", "watch", "create", "patch", "delete"}),
    ("", "configmaps", ()): frozenset({"get", "list", "watch", "create", "patch", "delete"}),
    ("", "events", ()): frozenset({"create"}),
}
# All that it may do with workloads, or nothing of it.
RESTARTS: Permissions = {
    **{
        ("apps", f"{kind}s", ()): frozenset({"get", "list", "patch"})
        for kind in ("deployment", "statefulset", "daemonset")
    },
    ("batch", "cronjobs", ()): frozenset({"get", "list", "patch"}),
    ("argoproj.io", "rollouts", ()): frozenset({"get", "list", "patch"}),
    # Only to see which versions of a target they name.
    ("apps", "replicasets", ()): frozenset({"list"}),
    ("batch", "jobs", ()): frozenset({"list"}),
}
OPERATOR: Permissions = WITHOUT_RESTARTS | RESTARTS
OWN_NAMESPACE: Permissions = {
    ("", "secrets", ("phase-operator-digest-key",)): frozenset({"get"}),
    ("", "secrets", ()): frozenset({"create"}),
}
LEASE: Permissions = {
    ("coordination.k8s.io", "leases", ("phase-operator",)): frozenset({"get", "patch"}),
    ("coordination.k8s.io", "leases", ()): frozenset({"create"}),
}
NAMESPACE_LABELS: Permissions = {("", "namespaces", ()): frozenset({"list", "watch"})}
GRANTS: list[dict[str, Any]] = [
    {"from": "team-a", "to": "shared", "what": ["token"]},
    {"fromLabels": {"tenant": "1", "example.com/tier": "x"}, "to": "*", "what": ["token", "target", "push"]},
]
MONITOR: dict[str, Any] = {
    "enabled": True,
    "namespace": "monitoring",
    "interval": "1m30s",
    "scrapeTimeout": "20s",
    "labels": {"release": "prometheus"},
    "annotations": {"example.com/a": "b"},
    "relabelings": [{"action": "labeldrop", "regex": "pod"}],
    "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*"}],
    "honorLabels": True,
    "jobLabel": "app.kubernetes.io/name",
    "targetLabels": ["team"],
    "scheme": "https",
    "tlsConfig": {"insecureSkipVerify": True},
    "authorization": {"credentials": {"name": "prometheus-token", "key": "token"}},
}
SIDECAR: dict[str, Any] = {
    "name": "beside",
    "image": "registry.example/beside:1",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
EXTRA_MARKS: dict[str, Any] = {
    "namespace": "phase-system",
    "labels": {"team": "platform"},
    "annotations": {"example.com/owner": "platform"},
}
APIS = tuple(f"monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"))
EVERYTHING: dict[str, Any] = {
    "fullnameOverride": "phs",
    "namespaceOverride": "phase-system",
    "commonLabels": {"team": "platform"},
    "commonAnnotations": {"example.com/owner": "platform"},
    "global": {
        "imagePullSecrets": [{"name": "pull-all"}],
        "podLabels": {"example.com/parent": "yes"},
        "nodeSelector": {"example.com/parent": "yes"},
        "handedDown": True,
    },
    "image": {"repository": "registry.example/phase-operator", "digest": f"sha256:{'a' * 64}", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "pull"}],
    "grants": GRANTS,
    "allowImpersonationTypes": True,
    "restarts": {"settleSeconds": 2.5, "atOnce": 10000},
    "leases": {"errandWorkers": 64, "perMinute": 10000, "removalSeconds": 12.5, "drainSeconds": 45.5},
    "push": {"enabled": True, "clusterName": "west-1"},
    "workers": 64,
    "phase": {
        "defaultHost": "https://phase.example.com/base",
        "quota": 1_000_000,
        "workers": 24,
        "referenceSeconds": 120.5,
        "fullReadSeconds": 604800,
        "caFile": {"secret": "phase-ca", "key": "bundle.pem"},
        "allowedHosts": ["https://phase.example.com", "https://*.phase.example.com:8443", "http://[::1]:8000"],
    },
    "proxy": {"http": "http://proxy:3128", "https": "http://proxy:3128", "noProxy": "10.0.0.1,.svc"},
    "log": {"level": "debug", "format": "text"},
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraArgs": ["--answers-mib=160", "--answer-mib=32"],
    "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    "podSpecExtra": {"setHostnameAsFQDN": True},
    "extraEnvFrom": [{"secretRef": {"name": "more", "optional": True}}],
    "crds": {"annotations": {"example.com/a": "b"}, "labels": {"example.com/a": "b"}},
    "replicas": 3,
    "leaderElection": {"leaseSeconds": 30},
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "50%", "maxUnavailable": 1}},
    "revisionHistoryLimit": 5,
    "minReadySeconds": 5,
    "podDisruptionBudget": {"maxUnavailable": "50%", "unhealthyPodEvictionPolicy": "IfHealthyBudget"},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
        "apiServerTo": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
        "apiServerPorts": [6443],
        "dnsTo": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "dnsPorts": [1053],
        "phaseTo": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
        "extraIngress": [{"ports": [{"port": 8081}]}],
        "extraEgress": [{"ports": [{"port": 8000}]}],
    },
    "rbac": {"aggregateTo": {"view": False}},
    "serviceAccount": {
        "automount": True,
        "name": "someone",
        "annotations": {"example.com/a": "b"},
        "labels": {"example.com/a": "b"},
    },
    "fence": {"enabled": True},
    "metrics": {
        "perResource": True,
        "bindAddress": "0.0.0.0",
        "service": {
            "targetPort": 8443,
            "ipFamilyPolicy": "PreferDualStack",
            "ipFamilies": ["IPv6", "IPv4"],
            "annotations": {"prometheus.io/scrape": "true"},
            "labels": {"scrape": "yes"},
        },
        "serviceMonitor": MONITOR,
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}, "annotations": {"example.com/a": "b"}},
        "dashboard": {"enabled": True, "namespace": "grafana", "annotations": {"folder": "Phase"}},
    },
    "resources": {"limits": {"cpu": "1", "memory": "512Mi"}},
    "openshift": {"adaptSecurityContext": "always"},
    "startupProbe": {"failureThreshold": 120},
    "livenessProbe": {"timeoutSeconds": 10},
    "readinessProbe": {"initialDelaySeconds": 1},
    "deploymentLabels": {"example.com/a": "b"},
    "deploymentAnnotations": {"example.com/a": "b"},
    "drainSeconds": 6.5,
    "terminationGracePeriodSeconds": 60,
    "podAnnotations": {"example.com/a": "b"},
    "podLabels": {"example.com/a": "b"},
    "priorityClassName": "system-cluster-critical",
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"},
        {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}},
    ],
    "runtimeClassName": "gvisor",
    "schedulerName": "other-scheduler",
    "hostUsers": False,
    "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["phase.example.com"]}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["192.0.2.53"], "options": [{"name": "ndots", "value": "1"}]},
    "extraInitContainers": [SIDECAR | {"name": "first"}],
    "extraContainers": [SIDECAR],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-notes"} | EXTRA_MARKS},
        yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "text"} | EXTRA_MARKS}),
    ],
    "extraVolumes": [{"name": "more", "configMap": {"name": "more"}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/etc/more", "readOnly": True}],
}
VALUES = [
    pytest.param({}, id="defaults"),
    pytest.param({"watchNamespaces": ["default", "shop"]}, id="two namespaces"),
    pytest.param(EVERYTHING, id="everything set"),
    pytest.param({"phase": {"caFile": {"configMap": "phase-ca"}}}, id="a CA in a ConfigMap"),
    pytest.param(
        {"serviceAccount": {"create": False, "name": "mine"}, "rbac": {"create": False, "aggregate": False}},
        id="accounts and roles of one's own",
    ),
    pytest.param({"restarts": {"enabled": False}}, id="no restarts"),
    pytest.param({"push": {"enabled": True}}, id="push"),
    pytest.param({"replicas": 1, "leaderElection": {"enabled": False}}, id="alone and without a Lease"),
    pytest.param({"replicas": 0}, id="no replica"),
    pytest.param({"metrics": {"podMonitor": MONITOR}}, id="a PodMonitor"),
    pytest.param({"networkPolicy": {"enabled": True}}, id="a NetworkPolicy"),
    pytest.param({"podDisruptionBudget": {"minAvailable": 1}}, id="a budget from the other side"),
    pytest.param({"phase": {"defaultHost": "https://phase.example.com"}}, id="a host for those that name none"),
    pytest.param(
        {"dnsPolicy": "ClusterFirstWithHostNet", "podSpecExtra": {"shareProcessNamespace": False}}, id="more fields"
    ),
    pytest.param(
        {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}}, id="user ids of the platform"
    ),
    pytest.param(
        {"crds": {"install": False}, "metrics": {"service": {"enabled": False}}}, id="no CRD and no metrics Service"
    ),
]


@pytest.fixture(scope="session")
def overlays(kustomize: Render) -> dict[str, list[Object]]:
    return {name: kustomize(f"deploy/overlays/{name}") for name in ("cluster-wide", "namespaced")}


@pytest.fixture
def overlay_with(kustomize: Render, tmp_path: Path) -> Render:
    """Give what an overlay of one's own renders that stands beside ours."""

    def render(overlay: dict[str, Any]) -> list[Object]:
        shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
        shutil.copytree(ROOT / "crds", tmp_path / "crds")
        mine = tmp_path / "deploy/overlays/mine"
        mine.mkdir()
        (mine / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
        return kustomize(str(mine))

    return render


def pod_of(objects: list[Object]) -> dict[str, Any]:
    pod: dict[str, Any] = one(objects, "Deployment")["spec"]["template"]["spec"]
    return pod


def deployment_of(objects: list[Object]) -> dict[str, Any]:
    spec: dict[str, Any] = one(objects, "Deployment")["spec"]
    return spec


def roles_of(objects: list[Object]) -> dict[tuple[str, str, str | None], Permissions]:
    return {
        (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")): permissions(each)
        for each in objects
        if each["kind"] in {"Role", "ClusterRole"}
    }


def environment(objects: list[Object]) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in pod_of(objects)["containers"][0]["env"]}


def test_the_cluster_wide_permissions_are_exactly_these(
    overlays: dict[str, list[Object]], render_chart: Render
) -> None:
    for objects in (overlays["cluster-wide"], render_chart()):
        assert permissions(one(objects, "ClusterRole", "phase-operator")) == OPERATOR
        lease = one(objects, "Role")
        assert lease["metadata"]["namespace"] == "phase-system"
        assert permissions(lease) == LEASE


def test_the_namespaced_permissions_are_exactly_these(overlays: dict[str, list[Object]], render_chart: Render) -> None:
    chart = render_chart({"watchNamespaces": ["default"], "rbac": {"aggregate": False}, "crds": {"install": False}})
    for objects in (overlays["namespaced"], chart):
        assert permissions(one(objects, "Role", namespace="default")) == OPERATOR
        of_its_own = {
            role["metadata"]["name"]: permissions(role)
            for role in objects
            if role["kind"] == "Role" and role["metadata"]["namespace"] == "phase-system"
        }
        assert of_its_own == {
            "phase-operator-own-namespace": OWN_NAMESPACE,
            "phase-operator-leader": LEASE,
        }
        assert not kinds(objects) & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
        assert environment(objects)["PHASE_OPERATOR_NAMESPACE"] == "default"


@pytest.mark.parametrize(
    ("mode", "values", "role", "namespace"),
    [
        pytest.param("cluster-wide", {}, "ClusterRole", None, id="cluster-wide"),
        pytest.param("namespaced", {"watchNamespaces": ["default"]}, "Role", "default", id="namespaced"),
    ],
)
def test_without_restarts_there_is_no_right_on_workloads(
    mode: str, values: dict[str, Any], role: str, namespace: str | None, overlay_with: Render, render_chart: Render
) -> None:
    ours = overlay_with({"resources": [f"../{mode}"], "components": ["../../no-restarts"]})
    chart = render_chart(values | {"restarts": {"enabled": False}})

    for objects in (ours, chart):
        assert permissions(one(objects, role, "phase-operator", namespace)) == WITHOUT_RESTARTS
        groups = {group for each in objects for rule in each.get("rules", ()) for group in rule["apiGroups"]}
        assert not groups & {"apps", "batch", "argoproj.io"}
        variables = {name: value for name, value in environment(objects).items() if "RESTART" in name}
        assert variables == {"PHASE_OPERATOR_RESTARTS": "false"}
    assert settings.load({"restarts": "false"}).restarts is False


def test_the_component_against_restarts_changes_nothing_else(
    overlay_with: Render, overlays: dict[str, list[Object]]
) -> None:
    ours = overlay_with({"resources": ["../cluster-wide"], "components": ["../../no-restarts"]})

    changed = [(each["kind"], each["metadata"]["name"]) for each in ours if each not in overlays["cluster-wide"]]
    assert sorted(changed) == [("ClusterRole", "phase-operator"), ("Deployment", "phase-operator")]
    assert len(ours) == len(overlays["cluster-wide"])


@pytest.mark.parametrize("mode", ["cluster-wide", "namespaced"])
def test_the_component_for_push_sets_the_variable_and_changes_nothing_else(
    mode: str, overlay_with: Render, overlays: dict[str, list[Object]]
) -> None:
    ours = overlay_with({"resources": [f"../{mode}"], "components": ["../../push"]})

    assert environment(ours) == environment(overlays[mode]) | {"PHASE_OPERATOR_PUSH": "true"}
    assert settings.load({"push": "true"}).push is True
    changed = [(each["kind"], each["metadata"]["name"]) for each in ours if each not in overlays[mode]]
    assert changed == [("Deployment", "phase-operator")]
    assert len(ours) == len(overlays[mode])


def test_push_is_off_by_default_and_has_no_rights_of_its_own(
    overlays: dict[str, list[Object]], render_chart: Render
) -> None:
    off, on = render_chart(), render_chart({"push": {"enabled": True}})
    named_only = render_chart({"push": {"clusterName": "west-1"}})

    for objects in (*overlays.values(), off, named_only):
        assert not environment(objects).keys() & {"PHASE_OPERATOR_PUSH", "PHASE_OPERATOR_CLUSTER_NAME"}
    assert environment(on) == environment(off) | {"PHASE_OPERATOR_PUSH": "true"}
    assert roles_of(on) == roles_of(off)


def test_the_sample_of_push_in_deploy_works(overlay_with: Render) -> None:
    """The overlay of the page, which stands beside deploy/ there."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "deploy/README.md").read_text(), re.DOTALL | re.MULTILINE)
    [sample] = [block for block in blocks if "deploy/push" in block]

    objects = overlay_with(documents.load(sample.replace("../deploy/overlays/", "../").replace("../deploy/", "../../")))

    variables = environment(objects)
    assert variables["PHASE_OPERATOR_PUSH"] == "true"
    found = settings.load(
        {
            "cluster_name": variables["PHASE_OPERATOR_CLUSTER_NAME"],
            "allow_phase_host": (variables["PHASE_OPERATOR_ALLOW_PHASE_HOST"],),
        }
    )
    assert found.cluster_name
    assert found.allow_phase_host
    assert "'generated'" in str(one(objects, "ValidatingAdmissionPolicy"))


def test_namespaces_are_seen_only_if_a_grant_goes_by_their_labels(render_chart: Render) -> None:
    role = "phase-operator-namespace-labels"
    component = load((ROOT / "deploy/namespace-labels/rbac.yaml").read_text())
    by_name, by_label = ({"grants": [each]} for each in GRANTS)

    assert permissions(one(component, "ClusterRole", role)) == NAMESPACE_LABELS
    for values in ({}, {"watchNamespaces": ["shared"]}):
        chart = render_chart(values | by_label)
        assert permissions(one(chart, "ClusterRole", role)) == NAMESPACE_LABELS
        assert one(chart, "ClusterRoleBinding", role)["subjects"] == one(component, "ClusterRoleBinding")["subjects"]
        assert role not in {each["metadata"]["name"] for each in render_chart(values | by_name)}


def test_the_operator_reads_the_settings_of_the_chart(render_chart: Render) -> None:
    variables = environment(render_chart(EVERYTHING))

    found = settings.load(
        {
            "grant": tuple(variables["PHASE_OPERATOR_GRANT"].split(";")),
            "allow_phase_host": tuple(variables["PHASE_OPERATOR_ALLOW_PHASE_HOST"].split(",")),
            "default_host": variables["PHASE_OPERATOR_DEFAULT_HOST"],
            "workers": variables["PHASE_OPERATOR_WORKERS"],
            "phase_workers": variables["PHASE_OPERATOR_PHASE_WORKERS"],
            "phase_quota": variables["PHASE_OPERATOR_PHASE_QUOTA"],
            "reference_seconds": variables["PHASE_OPERATOR_REFERENCE_SECONDS"],
            "full_read_seconds": variables["PHASE_OPERATOR_FULL_READ_SECONDS"],
            "allow_impersonation_types": variables["PHASE_OPERATOR_ALLOW_IMPERSONATION_TYPES"],
            "resource_metrics": variables["PHASE_OPERATOR_RESOURCE_METRICS"],
            "metrics_host": variables["PHASE_OPERATOR_METRICS_HOST"],
            "restart_settle_seconds": variables["PHASE_OPERATOR_RESTART_SETTLE_SECONDS"],
            "restarts_at_once": variables["PHASE_OPERATOR_RESTARTS_AT_ONCE"],
            "errand_workers": variables["PHASE_OPERATOR_ERRAND_WORKERS"],
            "leases_per_minute": variables["PHASE_OPERATOR_LEASES_PER_MINUTE"],
            "removal_seconds": variables["PHASE_OPERATOR_REMOVAL_SECONDS"],
            "lease_drain_seconds": variables["PHASE_OPERATOR_LEASE_DRAIN_SECONDS"],
            "drain_seconds": variables["PHASE_OPERATOR_DRAIN_SECONDS"],
            "push": variables["PHASE_OPERATOR_PUSH"],
            "cluster_name": variables["PHASE_OPERATOR_CLUSTER_NAME"],
            "leader_elect": variables["PHASE_OPERATOR_LEADER_ELECT"],
            "lease_name": variables["PHASE_OPERATOR_LEASE_NAME"],
            "lease_seconds": variables["PHASE_OPERATOR_LEASE_SECONDS"],
        }
    )

    assert found.grant == (
        Grant("team-a", "shared", frozenset({Use.TOKEN})),
        Grant(
            Labelled((("example.com/tier", "x"), ("tenant", "1"))), "*", frozenset({Use.TOKEN, Use.TARGET, Use.PUSH})
        ),
    )
    assert [str(host) for host in found.allow_phase_host] == EVERYTHING["phase"]["allowedHosts"]
    assert found.default_host == EVERYTHING["phase"]["defaultHost"]
    assert (found.workers, found.phase_workers, found.phase_quota) == (64, 24, 1_000_000)
    assert (found.reference_seconds, found.full_read_seconds) == (120.5, 604800)
    assert found.allow_impersonation_types is True
    assert found.resource_metrics is True
    assert found.metrics_host == EVERYTHING["metrics"]["bindAddress"]
    assert (found.restarts, found.restart_settle_seconds, found.restarts_at_once) == (True, 2.5, 10000)
    assert (found.errand_workers, found.leases_per_minute, found.removal_seconds) == (64, 10000, 12.5)
    assert (found.lease_drain_seconds, found.drain_seconds) == (45.5, 6.5)
    assert (found.push, found.cluster_name) == (True, "west-1")
    assert (found.leader_elect, found.lease_name, found.lease_seconds) == (True, "phs", 30)


def test_every_variable_of_the_chart_is_a_setting(render_chart: Render) -> None:
    names = environment(render_chart(EVERYTHING)).keys()

    ours = {name for name in names if name.startswith(settings.PREFIX)}
    assert {
        name.removeprefix(settings.PREFIX).lower() for name in ours
    } - settings.Settings.model_fields.keys() == set()
    assert len(ours) > 10


def test_the_chart_has_the_settings_own_defaults(render_chart: Render) -> None:
    variables, defaults = environment(render_chart()), settings.load({})

    assert variables["PHASE_OPERATOR_LEADER_ELECT"] == str(defaults.leader_elect).lower()
    assert variables["PHASE_OPERATOR_LEASE_NAME"] == defaults.lease_name
    assert float(variables["PHASE_OPERATOR_LEASE_SECONDS"]) == defaults.lease_seconds

    assert "PHASE_OPERATOR_RESTARTS" not in variables
    assert float(variables["PHASE_OPERATOR_RESTART_SETTLE_SECONDS"]) == defaults.restart_settle_seconds
    assert int(variables["PHASE_OPERATOR_RESTARTS_AT_ONCE"]) == defaults.restarts_at_once

    assert int(variables["PHASE_OPERATOR_ERRAND_WORKERS"]) == defaults.errand_workers
    assert int(variables["PHASE_OPERATOR_LEASES_PER_MINUTE"]) == defaults.leases_per_minute
    assert float(variables["PHASE_OPERATOR_REMOVAL_SECONDS"]) == defaults.removal_seconds
    assert float(variables["PHASE_OPERATOR_LEASE_DRAIN_SECONDS"]) == defaults.lease_drain_seconds
    assert float(variables["PHASE_OPERATOR_DRAIN_SECONDS"]) == defaults.drain_seconds

    assert int(variables["PHASE_OPERATOR_WORKERS"]) == defaults.workers
    assert int(variables["PHASE_OPERATOR_PHASE_WORKERS"]) == defaults.phase_workers
    assert float(variables["PHASE_OPERATOR_REFERENCE_SECONDS"]) == defaults.reference_seconds
    assert float(variables["PHASE_OPERATOR_FULL_READ_SECONDS"]) == defaults.full_read_seconds
    assert not variables.keys() & {"PHASE_OPERATOR_DEFAULT_HOST", "PHASE_OPERATOR_PHASE_QUOTA"}

    assert not variables.keys() & {"PHASE_OPERATOR_PUSH", "PHASE_OPERATOR_CLUSTER_NAME"}
    assert (defaults.push, defaults.cluster_name) == (False, "")


def test_the_sample_of_grants_in_deploy_works(overlay_with: Render) -> None:
    """The commented part, taken in as its reader would."""
    file = ROOT / "deploy/overlays/cluster-wide/kustomization.yaml"
    _, _, sample = file.read_text().partition("#\n")
    lines = re.sub("^# ?", "", sample, flags=re.MULTILINE)

    objects = overlay_with(documents.load(lines) | {"resources": ["../cluster-wide"]})

    one(objects, "ClusterRole", "phase-operator-namespace-labels")
    variables = environment(objects)
    grants = [parse_grant(text) for text in variables["PHASE_OPERATOR_GRANT"].split(";")]
    assert [isinstance(grant.source, Labelled) for grant in grants] == [False, True]
    assert str(parse_host(variables["PHASE_OPERATOR_ALLOW_PHASE_HOST"])) == "https://phase.example.com"


def test_without_leader_election_there_is_no_right_on_leases(render_chart: Render) -> None:
    chart = render_chart({"replicas": 1, "leaderElection": {"enabled": False}})

    assert "Role" not in kinds(chart)
    variables = {name: value for name, value in environment(chart).items() if "LEA" in name}
    for name in ("PHASE_OPERATOR_LEASES_PER_MINUTE", "PHASE_OPERATOR_LEASE_DRAIN_SECONDS"):
        assert variables.pop(name), "those of dynamic secrets are others"
    assert variables == {"PHASE_OPERATOR_LEADER_ELECT": "false"}
    assert one(chart, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_releases_have_leases_of_their_own(render_chart: Render) -> None:
    chart = render_chart({"fullnameOverride": "phs"})

    named = {names for _, _, names in permissions(one(chart, "Role", "phs-leader")) if names}
    assert named == {("phs",)}
    assert environment(chart)["PHASE_OPERATOR_LEASE_NAME"] == "phs"


@pytest.mark.parametrize("name", ["phase-operator-view", "phase-operator-edit"])
def test_the_aggregated_roles_are_the_same(name: str, overlays: dict[str, list[Object]], render_chart: Render) -> None:
    ours, chart = one(overlays["cluster-wide"], "ClusterRole", name), one(render_chart(), "ClusterRole", name)

    assert permissions(ours) == permissions(chart)
    aggregates = {label for label in ours["metadata"]["labels"] if label.startswith("rbac.")}
    assert aggregates
    assert aggregates == {label for label in chart["metadata"]["labels"] if label.startswith("rbac.")}


@pytest.mark.parametrize(
    ("mode", "values"),
    [
        pytest.param("cluster-wide", {}, id="cluster-wide"),
        pytest.param("namespaced", {"watchNamespaces": ["default"], "rbac": {"aggregate": False}}, id="namespaced"),
    ],
)
def test_overlay_and_chart_make_the_same_roles_and_no_other(
    mode: str, values: dict[str, Any], overlays: dict[str, list[Object]], render_chart: Render
) -> None:
    ours, chart = (roles_of(objects) for objects in (overlays[mode], render_chart(values)))

    assert ours == chart
    assert len(ours) == {"cluster-wide": 4, "namespaced": 3}[mode]


@pytest.mark.parametrize("mode", ["cluster-wide", "namespaced"])
def test_every_binding_binds_its_role_to_the_operator(
    mode: str, overlays: dict[str, list[Object]], render_chart: Render
) -> None:
    chart = render_chart({} if mode == "cluster-wide" else {"watchNamespaces": ["default"]})
    for objects in (overlays[mode], chart):
        bindings = [each for each in objects if each["kind"].endswith("Binding")]
        assert bindings
        for binding in bindings:
            one(objects, binding["roleRef"]["kind"], binding["roleRef"]["name"], binding["metadata"].get("namespace"))
            assert binding["subjects"] == [
                {"kind": "ServiceAccount", "name": "phase-operator", "namespace": "phase-system"}
            ]


def test_overlay_and_chart_run_the_same_pod(overlays: dict[str, list[Object]], render_chart: Render) -> None:
    """But for the instance's label in the chart's selectors, and for variables that say what is the default anyway."""
    ours, chart = (deepcopy(deployment_of(each)) for each in (overlays["cluster-wide"], render_chart()))

    env = [
        each.pop("env") for each in (ours["template"]["spec"]["containers"] + chart["template"]["spec"]["containers"])
    ]
    for spec in (ours, chart):
        selector, template = spec.pop("selector"), spec.pop("template")
        assert selector["matchLabels"].items() <= template["metadata"]["labels"].items()
        for constraint in template["spec"]["topologySpreadConstraints"]:
            assert constraint.pop("labelSelector") == selector
        spec["pod"] = template["spec"]
    assert ours == chart
    mine, theirs = ({each["name"]: each for each in variables} for variables in env)
    assert mine.items() <= theirs.items()
    assert theirs.keys() - mine.keys() == {
        "PHASE_OPERATOR_LEASE_NAME",
        "PHASE_OPERATOR_LEASE_SECONDS",
        "PHASE_OPERATOR_LOG_LEVEL",
        "PHASE_OPERATOR_LOG_FORMAT",
        "PHASE_OPERATOR_RESTART_SETTLE_SECONDS",
        "PHASE_OPERATOR_RESTARTS_AT_ONCE",
        "PHASE_OPERATOR_ERRAND_WORKERS",
        "PHASE_OPERATOR_LEASES_PER_MINUTE",
        "PHASE_OPERATOR_REMOVAL_SECONDS",
        "PHASE_OPERATOR_LEASE_DRAIN_SECONDS",
        "PHASE_OPERATOR_DRAIN_SECONDS",
        "PHASE_OPERATOR_WORKERS",
        "PHASE_OPERATOR_PHASE_WORKERS",
        "PHASE_OPERATOR_REFERENCE_SECONDS",
        "PHASE_OPERATOR_FULL_READ_SECONDS",
    }


@pytest.mark.parametrize("mode", ["cluster-wide", "namespaced"])
def test_overlay_and_chart_have_the_same_disruption_budget(
    mode: str, overlays: dict[str, list[Object]], render_chart: Render
) -> None:
    found = []
    for objects in (overlays[mode], render_chart()):
        spec = dict(one(objects, "PodDisruptionBudget")["spec"])
        assert spec.pop("selector") == deployment_of(objects)["selector"]
        found.append(spec)

    assert found[0] == found[1]


def test_no_service_link_is_mistaken_for_a_setting(overlays: dict[str, list[Object]]) -> None:
    assert pod_of(overlays["cluster-wide"])["enableServiceLinks"] is False


@pytest.mark.parametrize("mode", ["cluster-wide", "namespaced"])
@pytest.mark.parametrize("version", KUBERNETES)
def test_deploy_is_valid(mode: str, version: str, overlays: dict[str, list[Object]]) -> None:
    validate(overlays[mode], version)

    assert not_restricted(pod_of(overlays[mode])) == []


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("version", KUBERNETES)
def test_the_chart_renders_valid_objects(values: dict[str, Any], version: str, render_chart: Render) -> None:
    objects = render_chart(values, *APIS, kubernetes=version)

    validate(objects, version)
    assert not_restricted(pod_of(objects)) == []
    names = [environment["name"] for environment in pod_of(objects)["containers"][0]["env"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("values", VALUES)
def test_both_helms_render_the_same(values: dict[str, Any], helm_batch: Run, helm3: Run) -> None:
    found = [template(each, values, *APIS) for each in (helm_batch, helm3)]

    assert [each.stderr for each in found] == ["", ""]
    assert load_rendered(found[0].stdout) == load_rendered(found[1].stdout) != []


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_chart_passes_helm_lint(version: str, each_helm: Run) -> None:
    done = each_helm("lint", "--strict", "--kube-version", version, CHART)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_kubernetes_that_is_too_old_is_refused(helm_batch: Run) -> None:
    done = helm_batch("template", "x", CHART, "--kube-version", "1.30")

    assert done.returncode != 0


def test_a_digest_wins_over_the_tag(render_chart: Render) -> None:
    image = pod_of(render_chart(EVERYTHING))["containers"][0]["image"]

    assert image == f"registry.example/phase-operator@sha256:{'a' * 64}"


def test_the_ca_is_mounted_where_the_setting_says(render_chart: Render) -> None:
    objects = render_chart(EVERYTHING)

    container, volumes = pod_of(objects)["containers"][0], pod_of(objects)["volumes"]
    mount = next(each for each in container["volumeMounts"] if each["name"] == "phase-ca")
    volume = next(each for each in volumes if each["name"] == "phase-ca")
    path = f"{mount['mountPath']}/{volume['secret']['items'][0]['path']}"
    assert environment(objects)["PHASE_OPERATOR_PHASE_CA_FILE"] == path


@pytest.mark.parametrize(("keep", "found"), [(True, {"helm.sh/resource-policy": "keep"}), (False, None)])
def test_the_chart_keeps_the_crds_unless_told_otherwise(
    keep: bool, found: dict[str, str] | None, render_chart: Render, overlays: dict[str, list[Object]]
) -> None:
    objects = render_chart({"crds": {"keep": keep}})

    for kind in KINDS:
        crd = one(objects, "CustomResourceDefinition", f"{kind}.secrets.phase.dev")
        assert crd["metadata"].get("annotations") == found
        assert crd["spec"] == one(overlays["cluster-wide"], "CustomResourceDefinition", crd["metadata"]["name"])["spec"]
