"""What deploy/monitoring adds to a cluster, and that it fits the operator that it is about."""

import json
import re
import shutil
from pathlib import Path

import pytest

from manifests.conftest import Render
from manifests.objects import KUBERNETES, ROOT, Object, kinds, one, validate
from manifests.test_deploy_and_chart import APIS
from phase_dev import documents


@pytest.fixture(scope="session")
def monitoring(kustomize: Render) -> list[Object]:
    return kustomize("deploy/monitoring")


@pytest.mark.parametrize("overlay", ["cluster-wide", "namespaced"])
def test_the_monitor_finds_the_pod_and_its_port(overlay: str, monitoring: list[Object], kustomize: Render) -> None:
    monitor = one(monitoring, "PodMonitor")
    deployment = one(kustomize(f"deploy/overlays/{overlay}"), "Deployment")
    template = deployment["spec"]["template"]

    assert monitor["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    assert {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]} == {"metrics"} < ports


def test_grafana_finds_the_dashboard(monitoring: list[Object]) -> None:
    config_map = one(monitoring, "ConfigMap", "phase-operator-dashboard", "phase-system")

    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(config_map["data"]["dashboard.json"])["uid"] == "phase-operator"


def test_the_chart_brings_the_same_rules_and_the_same_dashboard(monitoring: list[Object], render_chart: Render) -> None:
    chart = render_chart({"metrics": {"prometheusRule": {"enabled": True}, "dashboard": {"enabled": True}}}, *APIS)

    assert one(chart, "PrometheusRule")["spec"] == one(monitoring, "PrometheusRule")["spec"]
    (ours,) = one(monitoring, "ConfigMap")["data"].values()
    (theirs,) = one(chart, "ConfigMap")["data"].values()
    assert json.loads(theirs) == json.loads(ours)


def test_the_component_has_three_objects(monitoring: list[Object]) -> None:
    assert kinds(monitoring) == {"PodMonitor", "PrometheusRule", "ConfigMap"}
    assert len(monitoring) == 3


@pytest.mark.parametrize("version", KUBERNETES)
def test_all_monitoring_manifests_are_valid(version: str, monitoring: list[Object]) -> None:
    validate(monitoring, version)


def test_the_overlay_in_the_readme_labels_what_a_prometheus_selects(kustomize: Render, tmp_path: Path) -> None:
    readme = (ROOT / "deploy/README.md").read_text()
    example = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)[-1]
    for folder in ("deploy", "crds"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    overlay = tmp_path / "my-overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(example)

    rendered = kustomize(str(overlay))

    label = documents.load(example)["labels"][0]["pairs"]
    for kind in ("PodMonitor", "PrometheusRule"):
        assert one(rendered, kind)["metadata"]["labels"].items() >= label.items()
    assert one(rendered, "Deployment")
