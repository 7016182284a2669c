"""The chart from its first installation to its last, by both helms, on an API server; and the operator that it runs.

No image is run: the operator is a process with the account, the arguments and the variables of the Deployment.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.conftest import Run
from manifests.objects import CHART, KUBERNETES, MONITORING, ROOT, Object, load, one
from phase_dev import documents
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from phase_operator.cli.common.failures import ExitCode
from support import copies
from support.api import api_of
from support.bare_plane import bare_plane
from support.canary import Canary
from support.cluster_fixture import may, wrong_rights_on_leases
from support.operator_process import OperatorProcess, eventually, free_port, ready
from support.world import World

pytestmark = pytest.mark.controlplane

HOME = "phase-system"
CRD = ("crd", "phasesecrets.secrets.phase.dev")
# What the chart makes, but for the CRD.
KINDS = (
    *("deployments", "services", "serviceaccounts", "roles", "rolebindings", "networkpolicies", "poddisruptionbudgets"),
    *("servicemonitors", "prometheusrules", "clusterroles", "clusterrolebindings"),
)
RELEASE = ("phase-operator", "--namespace", HOME)
# A proxy that does not answer: the API server has to be asked without it.
VALUES: dict[str, Any] = {
    "image": {"registry": "registry.example"},
    "commonLabels": {"team": "platform"},
    "proxy": {"https": "http://127.0.0.1:9"},
    "networkPolicy": {"enabled": True},
    "metrics": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
}
LATER = VALUES | {"log": {"level": "debug"}}
ALONE = VALUES | {"replicas": 1, "leaderElection": {"enabled": False}}


@pytest.fixture
def plane(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """Give a cluster with controllers and an empty namespace for the operator that enforces `restricted`."""
    with bare_plane(pytestconfig, controllers=True) as plane:
        plane.kubectl("create", "namespace", HOME)
        plane.kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=restricted")
        plane.kubectl("create", "namespace", "shop")
        yield plane


@pytest.fixture
def older_chart(tmp_path: Path) -> Path:
    """Give the chart as an older version could have been: its CRD lacks a column."""
    older = tmp_path / "older" / "phase-operator"
    shutil.copytree(CHART, older)
    [file] = older.glob("files/crds/*_phasesecrets.yaml")
    definition = documents.load(file.read_text())
    definition["spec"]["versions"][0]["additionalPrinterColumns"].pop()
    file.write_text(yaml.safe_dump(definition))
    return older


@pytest.fixture
def world(plane: ControlPlane, canary: Canary) -> Iterator[World]:
    """Give a namespace `shop` and a Phase."""
    with EmbeddedPhase() as phase:
        yield World(plane, "shop", phase, canary)


class Installer:
    """A helm on one cluster."""

    def __init__(self, helm: Run, plane: ControlPlane) -> None:
        """Take both."""
        self.helm, self.plane, self.api = helm, plane, api_of(plane)

    def __call__(self, *arguments: str | Path, values: dict[str, Any] | None = None) -> str:
        """Run helm; it has to succeed."""
        given = () if values is None else ("--values", "-")
        env = {"KUBECONFIG": str(self.plane.kubeconfig)}
        done = self.helm(*arguments, *given, stdin=json.dumps(values or {}), env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def deployment(self) -> Object:
        """Return the Deployment's spec as the API server has it."""
        spec: Object = self._found("deployment", "phase-operator", HOME)["spec"]
        return spec

    def environment(self) -> dict[str, str]:
        """Return the container's variables as the kubelet would fill them in."""
        [container] = self.deployment()["template"]["spec"]["containers"]
        fields = {"metadata.namespace": HOME}
        return {
            each["name"]: each["value"].replace("$(KUBERNETES_SERVICE_HOST)", "127.0.0.1")
            if "value" in each
            else fields[each["valueFrom"]["fieldRef"]["fieldPath"]]
            for each in container["env"]
        }

    @contextmanager
    def operator(self, folder: Path) -> Iterator[None]:
        """Run the operator with the Deployment's account, arguments and variables, until the block ends."""
        pod = self.deployment()["template"]["spec"]
        account = self.plane.service_account_kubeconfig(HOME, pod["serviceAccountName"])
        # Only what a pod has of its own: an address, and a way to the API server.
        own = ["--kubeconfig", str(account), "--host", "127.0.0.1"]
        health, metrics = free_port(), free_port()
        own += ["--health-port", str(health), "--metrics-port", str(metrics)]
        command = [copies.program(), *pod["containers"][0]["args"], *own]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PHASE_OPERATOR_")}
        log = folder / "operator.log"
        with log.open("wb") as file:
            variables = inherited | self.environment()
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=folder, env=variables)
        started = OperatorProcess(process, log, health, metrics)
        try:
            eventually(lambda: ready(started), within=60, what="the operator becomes ready")
            yield
            assert started.stop(within=20) == 0
        finally:
            started.stop(signal.SIGKILL)

    def tried(self, values: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
        """Run what `helm test` runs, as a process with the account of its pod; the API server takes the pod too."""
        shown = ("--kube-version", KUBERNETES[-1], "--show-only", "templates/tests/installation.yaml")
        chart = ("template", *RELEASE, CHART, *shown)
        objects = load(self(*chart, values=values))
        pod = one(objects, "Pod")
        accounts = [each for each in objects if each is not pod]
        for each in accounts:
            self.api.create(each)
        done = self.plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod))
        assert "Warning" not in done.stderr
        account = self.plane.service_account_kubeconfig(HOME, pod["spec"]["serviceAccountName"])
        command = [copies.program(), *pod["spec"]["containers"][0]["args"], *more]
        command += ["--kubeconfig", str(account)]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
        finally:
            # As Helm does it by their annotations.
            for each in accounts:
                self.api.delete(each["kind"], each["metadata"]["name"], HOME)

    def uid(self, kind: str, name: str, namespace: str = "") -> str:
        """Return the uid of an object."""
        return str(self._found(kind, name, namespace)["metadata"]["uid"])

    def holder(self) -> str:
        """Return who holds the Lease."""
        return str(self._found("lease", "phase-operator", HOME)["spec"].get("holderIdentity", ""))

    def columns(self) -> int:
        """Return how many columns the CRD has."""
        return len(self._found(*CRD)["spec"]["versions"][0]["additionalPrinterColumns"])

    def left(self) -> list[str]:
        """Return what the chart's objects have left behind, but for the CRD."""
        label = {"labelSelector": "team=platform"}
        return [f"{kind}/{each['metadata']['name']}" for kind in KINDS for each in self.api.items(kind, **label)]

    def _found(self, kind: str, name: str, namespace: str = "") -> Object:
        found = self.api.get(kind, name, namespace)
        assert found is not None, f"no {kind} {name}"
        return found


def test_the_chart_lives_through_install_upgrade_rollback_and_uninstall(
    each_helm: Run, plane: ControlPlane, world: World, older_chart: Path, tmp_path: Path
) -> None:
    run = Installer(each_helm, plane)
    plane.kubectl("create", "-f", MONITORING)
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")

    assert "kubectl get phs" in run("install", *RELEASE, older_chart, values=VALUES)
    plane.kubectl("wait", "--for=condition=Established", "/".join(CRD), "--timeout=30s")
    before = run.columns()
    assert run.api.items("servicemonitors", HOME)
    of_the_chart = {"labelSelector": "app.kubernetes.io/name=phase-operator"}
    eventually(lambda: len(run.api.items("pods", HOME, **of_the_chart)) == 2, what="Pod Security admits two pods")

    run("upgrade", *RELEASE, CHART, values=LATER)
    assert run.columns() == before + 1, "the upgrade brought the newer CRD"
    environment = run.environment()
    assert environment["PHASE_OPERATOR_LOG_LEVEL"] == "debug"
    strategy = run.deployment()["strategy"]

    world.token()
    with run.operator(tmp_path):
        world.phase_secret()
        world.until_ready()
        assert run.holder() != "", "it works by the Lease, with the chart's rights on it"
        tried = run.tried(LATER)
        assert tried.returncode == 0, tried.stdout + tried.stderr
    assert world.data()
    assert run.holder() == ""
    tried = run.tried(LATER, "--timeout", "1")
    assert tried.returncode == ExitCode.TIMED_OUT, tried.stdout + tried.stderr
    assert "nobody holds it" in tried.stdout

    run("upgrade", *RELEASE, CHART, values=ALONE)
    assert run.deployment()["replicas"] == 1
    assert run.deployment()["strategy"] == {"type": "Recreate"}
    assert run.environment()["PHASE_OPERATOR_LEADER_ELECT"] == "false"

    run("rollback", *RELEASE, "2")
    assert run.environment() == environment
    assert run.deployment()["replicas"] == 2
    assert run.deployment()["strategy"] == strategy

    kept = [("phs", "shop", "shop"), ("secret", "shop", "shop"), CRD]
    uids = [run.uid(*each) for each in kept]
    data = world.data()
    assert run.left()
    run("uninstall", *RELEASE)
    eventually(lambda: not run.left(), what="the chart's objects go")
    assert [run.uid(*each) for each in kept] == uids
    assert world.data() == data

    run("install", *RELEASE, CHART, values=VALUES)
    assert [run.uid(*each) for each in kept] == uids, "the CRD that was kept is taken up again"
    assert wrong_rights_on_leases(plane) == []


def test_with_roles_only_the_operator_works_where_it_may(
    helm: Run, plane: ControlPlane, world: World, tmp_path: Path
) -> None:
    run = Installer(helm, plane)
    plane.kubectl("apply", "--server-side", "-k", ROOT / "crds")
    plane.kubectl("wait", "--for=condition=Established", "/".join(CRD), "--timeout=30s")
    narrow: dict[str, Any] = {
        "image": VALUES["image"],
        "watchNamespaces": ["shop"],
        "crds": {"install": False},
        "rbac": {"aggregate": False},
    }

    run("install", *RELEASE, CHART, values=narrow)

    world.token()
    world.phase_secret()
    with run.operator(tmp_path):
        world.until_ready()
    assert world.data()
    assert not may(plane, "list", "secrets", "default")


def test_several_releases_stand_side_by_side_and_one_has_the_crds(each_helm: Run, plane: ControlPlane) -> None:
    run = Installer(each_helm, plane)
    # It is about who owns what; helm compares the same objects with the API server's schema in the tests above.
    home = ("--namespace", HOME, "--disable-openapi-validation")

    def watching(namespace: str, **more: Any) -> dict[str, Any]:
        return {"image": VALUES["image"], "watchNamespaces": [namespace], **more}

    plane.kubectl("create", "namespace", "web")
    without = {"crds": {"install": False}}
    run("install", "definitions", *home, CHART, values={"crds": {"only": True}})
    run("install", "first", *home, CHART, values=watching("shop", **without))
    run("install", "second", *home, CHART, values=watching("web", **without))
    found = [each["metadata"]["name"] for each in run.api.items("deployments", HOME)]
    assert found == ["first-phase-operator", "second-phase-operator"]
    wide = run.api.items("clusterroles", labelSelector="app.kubernetes.io/instance=definitions")
    assert wide == [], "a release of CRDs alone has no role"

    env = {"KUBECONFIG": str(plane.kubeconfig)}
    values = json.dumps(watching("shop"))
    refused = each_helm("upgrade", "first", *home, CHART, "--values", "-", stdin=values, env=env)
    assert refused.returncode != 0
    assert "invalid ownership metadata" in refused.stderr

    before = run.uid(*CRD)
    run("upgrade", "first", *home, CHART, "--take-ownership", values=watching("shop"))
    run("uninstall", "first", "--namespace", HOME)
    assert run.uid(*CRD) == before, "who takes them over keeps them, too"
    run("upgrade", "second", *home, CHART, "--take-ownership", values=watching("web"))
    assert run.uid(*CRD) == before
