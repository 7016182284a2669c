"""`doctor` on a real API server: an operator at work, as people with and without rights see it, and what is wrong."""

import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from phase_operator.cli import cli
from support.accounts import role_binding
from support.api import api_of
from support.canary import Canary
from support.cluster_fixture import new_namespace
from support.kubelet import own_address
from support.operator_process import REPOSITORY, OperatorProcess, eventually, running_operator
from support.roles import roles_in
from support.world import World, phase_secret, secret

HOME = "phase-doctor"


@dataclass(frozen=True)
class Clinic:
    """An operator at work in a namespace of its own, with a Deployment and pods that stand for it."""

    plane: ControlPlane
    # The namespace that it watches.
    watched: str
    phase: EmbeddedPhase
    operator: OperatorProcess

    def doctor(self, *arguments: str, kubeconfig: Path | None = None, **variables: str) -> Result:
        """Run the command."""
        flags = ["--kubeconfig", str(kubeconfig or self.plane.kubeconfig), "-n", self.watched]
        return CliRunner().invoke(cli, ["doctor", *flags, *arguments], env=variables, prog_name="kubectl phase")

    def checks(self, *arguments: str, kubeconfig: Path | None = None) -> dict[str, dict[str, Any]]:
        """Return the findings by their names."""
        result = self.doctor("--operator-namespace", HOME, "-o", "json", *arguments, kubeconfig=kubeconfig)
        assert result.exit_code in (0, 1), result.output
        return {each["name"]: each for each in json.loads(result.stdout)["checks"]}


def deployment(watched: str, operator: OperatorProcess) -> dict[str, Any]:
    """Return the Deployment that we ship, for pods that nothing schedules."""
    [shipped] = yaml.safe_load_all((REPOSITORY / "deploy/base/deployment.yaml").read_text())
    shipped["metadata"]["namespace"] = HOME
    template = shipped["spec"]["template"]["spec"]
    template["schedulerName"] = "nobody"
    ports = {"HEALTH_PORT": operator.health_port, "METRICS_PORT": operator.metrics_port}
    env = template["containers"][0]["env"]
    env += [{"name": f"PHASE_OPERATOR_{name}", "value": str(port)} for name, port in ports.items()]
    env.append({"name": "PHASE_OPERATOR_NAMESPACE", "value": watched})
    return shipped  # type: ignore[no-any-return]


def is_ready(resource: dict[str, Any] | None) -> bool:
    conditions = ((resource or {}).get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def make_ready(plane: ControlPlane, pod: dict[str, Any]) -> None:
    """Say of a pod what a kubelet would."""
    [container] = pod["spec"]["containers"]
    running = {"name": container["name"], "ready": True, "restartCount": 0, "image": container["image"], "imageID": ""}
    conditions = [
        {"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    address = own_address()
    assert address is not None, "the API server asks no pod on loopback, and this machine has no other address"
    status = {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": conditions,
        "containerStatuses": [{**running, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}],
    }
    patch = json.dumps({"status": status})
    name = pod["metadata"]["name"]
    plane.kubectl("-n", HOME, "patch", "pod", name, "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture(scope="module")
def clinic(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """Run an operator by Roles, with what stands around it in a cluster."""
    roles = roles_in(installed, HOME)
    api = api_of(installed)
    folder = tmp_path_factory.mktemp("operator")
    with new_namespace(installed) as watched, EmbeddedPhase() as phase:
        roles.let_into([watched])
        flags = ("--namespace", watched, "--host", "0.0.0.0")
        with running_operator(installed, folder, *flags, home=HOME, elects=True) as operator:
            made = deployment(watched, operator)
            api.create(made, HOME)
            template = made["spec"]["template"]
            leader = {"name": socket.gethostname().lower(), "labels": template["metadata"]["labels"]}
            api.create({"apiVersion": "v1", "kind": "Pod", "metadata": leader, "spec": template["spec"]}, HOME)
            pods = eventually(lambda: found if len(found := api.items("pods", HOME)) == 3 else None, what="three pods")
            for pod in pods:
                make_ready(installed, pod)
            api.make(secret("phase-service-token", {"token": phase.token("operator", form="pss")}), watched)
            api.make(phase_secret("shop", phase.url), watched)
            eventually(lambda: is_ready(api.get("phasesecret", "shop", watched)), what="the PhaseSecret is in step")
            yield Clinic(installed, watched, phase, operator)
            api.delete("phasesecret", "shop", watched)
        api.delete("deployment", "phase-operator", HOME)


@pytest.fixture
def world(clinic: Clinic, canary: Canary) -> World:
    """Give the watched namespace, in which one PhaseSecret is in step."""
    for form in ("hex", "pss"):
        canary.token(clinic.phase.token("operator", form=form))
    world = World(clinic.plane, clinic.watched, clinic.phase, canary)
    world.operator = clinic.operator
    return world


def person(clinic: Clinic, name: str, role: str | None) -> Path:
    """Return the kubeconfig of an account with a role of Kubernetes in both namespaces, or with none."""
    api = api_of(clinic.plane)
    api.make({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}, clinic.watched)
    if role is not None:
        for namespace in (clinic.watched, HOME):
            api.make(role_binding(name, role, name, clinic.watched), namespace)
    return clinic.plane.service_account_kubeconfig(clinic.watched, name)


def verdicts(found: dict[str, dict[str, Any]], verdict: str) -> set[str]:
    return {name for name, each in found.items() if each["verdict"] == verdict}


def test_a_sound_installation_passes_every_check(clinic: Clinic, world: World) -> None:
    result = clinic.doctor("--operator-namespace", HOME)

    lines = [line.split()[0] for line in result.stdout.splitlines()]
    assert (result.exit_code, lines) == (0, ["ok"] * 12 + ["12"])
    world.canary.watch(result.output)


def test_the_operator_is_found_without_being_told_where_it_is(clinic: Clinic, world: World) -> None:
    assert "3 pods of phase-doctor/phase-operator ready" in clinic.doctor().stdout


def test_phase_is_asked_with_a_token_and_says_how_each_app_is_encrypted(
    clinic: Clinic, world: World, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(clinic.phase.token("operator", form="hex"))

    found = clinic.checks("--phase", clinic.phase.url, "--token-file", str(token))

    assert found["Phase"]["verdict"] == "ok"
    assert (found["TLS"]["verdict"], "plain HTTP" in found["TLS"]["sentence"]) == ("note", True)
    assert "server-side encryption: shared, shop, end-to-end encryption: billing" in found["apps"]["sentence"]
    assert "environments listed" in found["probe"]["sentence"]
    assert found["account"]["verdict"] == "ok"
    assert found["expiry"]["sentence"]


def test_a_token_that_phase_refuses_fails(clinic: Clinic, world: World, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0" * 64)

    found = clinic.checks("--phase", clinic.phase.url, "--token-file", str(token))

    assert found["Phase"]["verdict"] == "bad"
    assert "AccessDenied" in found["Phase"]["sentence"]


def test_each_fault_is_named_with_its_cure(clinic: Clinic, world: World) -> None:
    role = world.api.get("role", "phase-operator", clinic.watched) or {}
    less = {**role, "rules": [each for each in role["rules"] if each["resources"] != ["events"]]}
    world.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "torn"},
            "stringData": {"token": "pss_service:v2:x"},
        },
        phase_secret("of-torn", clinic.phase.url, authentication=names_token("torn")),
        phase_secret("of-none", clinic.phase.url, authentication=names_token("nowhere")),
    )
    clinic.plane.kubectl("-n", clinic.watched, "replace", "-f", "-", stdin=json.dumps(less))
    world.api.create({"apiVersion": "apps/v1", "kind": "Deployment", **official()}, clinic.watched)
    try:
        eventually(lambda: world.condition("of-torn").get("reason") == "TokenInvalid", what="the token is refused")
        eventually(lambda: world.condition("of-none").get("reason"), what="the missing token is reported")

        found = clinic.checks()
        result = clinic.doctor("--operator-namespace", HOME)
    finally:
        clinic.plane.kubectl("-n", clinic.watched, "replace", "-f", "-", stdin=json.dumps(fresh(role)))
        world.api.delete("deployment", "phase-kubernetes-operator", clinic.watched)
        for name in ("of-torn", "of-none"):
            world.api.delete("phasesecret", name, clinic.watched)

    assert result.exit_code == 1
    assert verdicts(found, "bad") == {"operators", "operator's rights", "resources", "tokens"}
    assert f"runs in {clinic.watched}/phase-kubernetes-operator" in found["operators"]["sentence"]
    assert f"may not create events in namespace {clinic.watched}" in found["operator's rights"]["sentence"]
    assert "1 ready, 2 not ready in" in found["resources"]["sentence"]
    assert "TokenSecretNotFound: Create it" in found["resources"]["cure"]
    assert f"{clinic.watched}/nowhere does not exist" in found["tokens"]["sentence"]
    assert f"{clinic.watched}/torn is not usable" in found["tokens"]["sentence"]


def test_a_role_that_was_taken_away_is_seen_in_the_rights_and_in_what_the_pods_say(
    clinic: Clinic, world: World
) -> None:
    binding = world.api.get("rolebinding", "phase-operator", clinic.watched) or {}
    world.api.delete("rolebinding", "phase-operator", clinic.watched)
    try:
        found = clinic.checks()
    finally:
        world.api.create(fresh(binding), clinic.watched)

    assert found["operator's rights"]["verdict"] == "bad"
    assert found["operator's rights"]["cure"] == (
        f"Give namespace {clinic.watched} its Role: deploy/watched-namespace, or watchNamespaces in the chart."
    )


@pytest.mark.parametrize("role", ["view", "edit", None])
def test_missing_rights_are_named_and_the_roles_that_are_printed_give_them(
    clinic: Clinic, world: World, role: str | None
) -> None:
    name = f"person-{role or 'none'}"
    kubeconfig = person(clinic, name, role)
    before = clinic.doctor("--operator-namespace", HOME, kubeconfig=kubeconfig)

    assert before.exit_code == 0, before.output
    assert "unknown  operators" in before.stdout
    assert ("unknown  resources" in before.stdout) is (role is None)
    lines, _, roles = before.stdout.partition("To check what is not known you need these rights")
    assert "apiVersion" not in lines
    assert roles.count("kind: ClusterRole\nmetadata") == 1
    world.canary.watch(before.output)

    given = roles.partition("\n")[2].replace("kind: User", "kind: ServiceAccount").replace("YOUR-NAME", name)
    subjects = "kind: ServiceAccount\n  name: " + name
    given = given.replace(
        "- apiGroup: rbac.authorization.k8s.io\n  " + subjects, f"- {subjects}\n  namespace: {clinic.watched}"
    )
    given = given.replace("phase-command-line", f"{clinic.watched}-{name}")
    clinic.plane.kubectl("apply", "-f", "-", stdin=given)
    after = clinic.checks(kubeconfig=kubeconfig)

    assert verdicts(after, "unknown") == set()


def test_before_an_installation_what_is_there_is_told(clinic: Clinic, world: World) -> None:
    result = clinic.doctor("--pre")

    assert result.exit_code == 0, result.output
    assert [line.split()[:2] for line in result.stdout.splitlines()[:3]] == [
        ["ok", "cluster"],
        ["ok", "CRDs"],
        ["ok", "operators"],
    ]
    assert "you may not create" in clinic.doctor("--pre", kubeconfig=person(clinic, "pre", None)).stdout


def test_no_value_is_in_any_file_of_a_bundle_wherever_tenants_have_put_one(
    clinic: Clinic, world: World, tmp_path: Path, canary: Canary
) -> None:
    value = canary.value("password")
    pasted = {"note": value, "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"x": value}})}
    label = canary.token(f"canary-{clinic.watched}-label")
    shop = {"template": {"data": {"app.conf": f"password={value}"}, "metadata": {"annotations": {"a": value}}}}
    hostile = phase_secret("hostile", clinic.phase.url, managedSecretReferences=[{"secretName": "hostile", **shop}])
    hostile["metadata"] |= {"labels": {"password": label}, "annotations": pasted}
    world.apply(hostile)
    world.until_ready("hostile")
    target = {"metadata": {"annotations": pasted, "labels": {"password": label}}}
    clinic.plane.kubectl("-n", clinic.watched, "patch", "secret", "hostile", "--type=merge", "-p", json.dumps(target))
    for namespace in (clinic.watched, HOME):
        world.api.create(event(namespace, value), namespace)
    environment = [{"name": "PASSWORD", "value": value}]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "operator", "env": environment}]}}}}
    clinic.plane.kubectl("-n", HOME, "annotate", "deployment/phase-operator", f"note={value}")
    clinic.plane.kubectl("-n", HOME, "patch", "deployment/phase-operator", "-p", json.dumps({**patch, "metadata": {}}))
    clinic.phase.set("shop", "Production", "CANARY", value)
    path = tmp_path / "support.tgz"

    result = clinic.doctor("--operator-namespace", HOME, "--bundle", str(path))
    world.api.delete("phasesecret", "hostile", clinic.watched)

    assert path.exists(), result.output
    with tarfile.open(path) as found:
        found.extractall(tmp_path / "bundle", filter="data")
    canary.watch(tmp_path / "bundle")
    canary.watch(result.output)
    files = {
        str(each.relative_to(tmp_path / "bundle/phase-support")): each for each in (tmp_path / "bundle").rglob("*.*")
    }
    assert {
        "README.txt",
        "findings.json",
        "operator/deployment.json",
        "operator/events.json",
        "operator/log.txt",
    } <= files.keys()
    assert "hostile" in files["resources/phasesecrets.json"].read_text()
    assert "hostile" in files["targets/secrets.json"].read_text()
    assert '"reason": "Pasted"' in files["operator/events.json"].read_text()
    assert '"PASSWORD"' in files["operator/deployment.json"].read_text()
    assert "phase_operator_reconcile_total" in files["operator/metrics.txt"].read_text()


def test_the_program_ends_well_when_its_reader_goes(clinic: Clinic, world: World) -> None:
    environment = {**os.environ, "KUBECONFIG": str(clinic.plane.kubeconfig), "PYTHONPATH": str(REPOSITORY / "operator")}
    command = f"{sys.executable} -m phase_operator doctor -n {clinic.watched} | head -1"

    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok       cluster ")


def names_token(name: str) -> dict[str, Any]:
    return {"serviceToken": {"serviceTokenSecretReference": {"secretName": name}}}


def official() -> dict[str, Any]:
    """Return the official operator's Deployment, as its chart makes it."""
    labels = {"app": "phase-kubernetes-operator"}
    container = {"name": "phase-kubernetes-operator", "image": "phasehq/kubernetes-operator:1.4.1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "schedulerName": "nobody"}}
    return {
        "metadata": {"name": "phase-kubernetes-operator"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def event(namespace: str, value: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "pasted", "annotations": {"note": value}},
        "type": "Warning",
        "reason": "Pasted",
        "message": f"cannot log in with {value}",
        "involvedObject": {"kind": "PhaseSecret", "namespace": namespace, "name": "hostile"},
    }


def fresh(body: dict[str, Any]) -> dict[str, Any]:
    """Return an object as it can be made anew."""
    kept = {name: each for name, each in body["metadata"].items() if name in ("name", "namespace", "labels")}
    return {**body, "metadata": kept}
