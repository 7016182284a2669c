"""The commands of the pages, as a reader runs them one after another, on a cluster of his own.

What differs from his cluster: nothing pulls an image onto simulated nodes, so the operator runs as a process under the
account that was installed, and PhaseSecrets are led from Phase's cloud to the embedded Phase.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import yaml

from phase_dev.cluster import ControlPlane
from phase_dev.cluster.catalog import HELM, KUBECTL
from phase_dev.cluster.programs import obtain
from phase_dev.server import EmbeddedPhase
from phase_dev.shell.terminal import Progress
from support.bare_plane import bare_plane
from support.canary import Canary
from support.cluster_fixture import may
from support.operator_process import OperatorProcess, eventually, leased_ports, running_operator
from support.pages import REGISTRY, ROOT, Reader, SavedFile, commands, fenced, not_run, section, steps_of
from support.world import World

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]

INSTALL = "docs/operating/install.md"
HOME = "phase-system"
IMAGE = ("-n", HOME, "get", "deployment", "phase-operator", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
# Seconds in which no pod starts and reads a Secret.
STARTS = 1.2
CRD = "crd/phasesecrets.secrets.phase.dev"


@pytest.fixture
def plane(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """Give an empty cluster with controllers and a simulated node."""
    with bare_plane(pytestconfig, controllers=True, nodes=1) as plane:
        yield plane


@pytest.fixture
def programs() -> tuple[Path, Path]:
    """Give kubectl and helm."""
    found = obtain([KUBECTL, HELM], os.environ, Progress(sys.stderr))
    return found[KUBECTL.name].path, found[HELM.name].path


@pytest.fixture
def reader(plane: ControlPlane, programs: tuple[Path, Path], tmp_path: Path) -> Reader:
    """Give a reader who is the cluster's admin."""
    return Reader(tmp_path, *programs, plane.kubeconfig)


@pytest.fixture
def phase() -> Iterator[EmbeddedPhase]:
    """Give a Phase."""
    with EmbeddedPhase() as phase:
        yield phase


class Steps:
    """What a reader does between the commands, or what the cluster would do for him."""

    def __init__(self, plane: ControlPlane, phase: EmbeddedPhase, reader: Reader, canary: Canary, folder: Path) -> None:
        """Take all that they need."""
        self.plane, self.phase, self.reader, self.canary, self.folder = plane, phase, reader, canary, folder
        reader.write("token.txt", phase.token("operator", form="pss"))

    def operator(self, *flags: str) -> AbstractContextManager[OperatorProcess]:
        """Run the operator under the account that was installed."""
        return running_operator(self.plane, self.folder, *flags, elects=True)

    def installed(self, registry: str) -> AbstractContextManager[OperatorProcess]:
        """Run the operator that was installed, once its image is found to be one of this registry."""
        assert self.plane.kubectl(*IMAGE).stdout.startswith(f"{registry}/phase-operator:")
        self.plane.kubectl("wait", "--for=condition=Established", CRD, "--timeout=30s")
        return self.operator()

    def world(self, namespace: str) -> World:
        """Look at a namespace."""
        return World(self.plane, namespace, self.phase, self.canary)

    def led_here(self, namespace: str, name: str) -> None:
        """Lead a PhaseSecret from Phase's cloud to the embedded Phase."""
        spec = json.dumps({"spec": {"phaseHost": self.phase.url, "pollingInterval": 5}})
        self.plane.kubectl("-n", namespace, "patch", "phs", name, "--type=merge", "-p", spec)


@pytest.fixture
def steps(plane: ControlPlane, phase: EmbeddedPhase, reader: Reader, canary: Canary, tmp_path: Path) -> Steps:
    """Give the steps."""
    return Steps(plane, phase, reader, canary, tmp_path)


Hooks = Mapping[str, Callable[[], object]]
TUTORIAL = "docs/tutorial.md"
# Programs that run until Ctrl-C, by the words with which they are called; and what they say when they are ready.
TERMINALS = {
    "phase-dev cluster run": "the cluster is at",
    "phase-dev server": "Phase is at",
    "phase-operator run": "leads",
}


def walk(text: str, reader: Reader, *, before: Hooks, after: Hooks, without: str | None = None) -> dict[str, str]:
    """Do what a page says, from top to bottom, but for what no test runs; return what each command said.

    A hook is called at the first command that begins with its words. Commands of another way, `without`, are left out.
    """
    said: dict[str, str] = {}
    called: set[str] = set()

    def call(hooks: Hooks, command: str) -> None:
        for words, hook in hooks.items():
            if command.startswith(words) and words not in called:
                called.add(words)
                hook()

    with ExitStack() as terminals:
        for step in steps_of(text):
            if isinstance(step, SavedFile):
                reader.write(step.name, step.text)
                continue
            if not_run(step) is not None or (without is not None and step.startswith(without)):
                continue
            call(before, step)
            ready = next((ready for words, ready in TERMINALS.items() if step.startswith(words)), None)
            if ready is not None:
                terminals.enter_context(reader.running(step, ready))
            else:
                done = reader.run(step)
                said[step] = done.stdout + done.stderr
            call(after, step)
    assert called == {*before, *after}
    return said


def pods_have_read() -> None:
    """Wait until a reader's pods could have read the values from before.

    They take longer than a second to start, and the operator counts on that; simulated ones are there at once.
    """
    since = time.monotonic()
    eventually(lambda: time.monotonic() > since + STARTS, what="a pod could have started", pause=0.2)


def new_password(steps: Steps) -> Callable[[], object]:
    """Return what changes a value in Phase, when a reader's pods could have read the one before."""
    password = steps.canary.value("new password")

    def change() -> None:
        pods_have_read()
        steps.phase.set("shop", "Production", "DATABASE_PASSWORD", password)

    return change


@pytest.mark.parametrize(
    ("way", "other"), [("helm install", "sed "), ("sed ", "helm install")], ids=["helm", "install.yaml"]
)
def test_the_readme_leads_to_a_pod_that_follows_a_change(way: str, other: str, reader: Reader, steps: Steps) -> None:
    reader.own |= {"MY_APP": "shop", "MY_ENVIRONMENT": "production"}
    reader.variables["PHASE_HOST"] = steps.phase.url
    with ExitStack() as closing:
        said = walk(
            (ROOT / "README.md").read_text(),
            reader,
            before={"kubectl phase sync": new_password(steps)},
            after={
                way: lambda: closing.enter_context(steps.installed(REGISTRY)),
                "kubectl apply -f my-app.yaml": lambda: steps.led_here("default", "my-app"),
            },
            without=other,
        )

    data = steps.world("default").data("my-app") or {}
    assert data["DATABASE_PASSWORD"] == steps.canary.value("new password")
    assert "LOG_LEVEL" in data
    assert "WorkloadRestarted" in said["kubectl phase events my-app"]
    steps.canary.watch("".join(said.values()))


def test_the_tutorial_leads_offline_to_a_deployment_that_follows_a_change(
    programs: tuple[Path, Path], tmp_path: Path
) -> None:
    reader = Reader(tmp_path, *programs, tmp_path / "none", installed=True)
    ports = leased_ports(1)
    reader.own["8000"] = str(ports.numbers[0])

    try:
        # By then each program has run as it is installed.
        after: Hooks = {"kubectl phase auth create": reader.take_copies}
        before: Hooks = {"curl -s http://127.0.0.1:8000/_control/secret": pods_have_read}
        said = walk(section(TUTORIAL, "Offline"), reader, before=before, after=after)
    finally:
        ports.release()

    assert "3 keys" in said["kubectl phase tree shop"]
    assert "~ DATABASE_PASSWORD" in said["kubectl phase sync shop"]
    assert "WorkloadRestarted" in said["kubectl phase events shop"]
    assert "EnvironmentNotFound" in said["kubectl phase explain shop"]
    assert not (reader.checkout / "tutorial.kubeconfig").exists()


def test_the_tutorial_leads_on_a_cluster_to_a_deployment_that_follows_a_change(reader: Reader, steps: Steps) -> None:
    reader.variables["PHASE_HOST"] = steps.phase.url
    for step in steps_of(section(TUTORIAL, "Offline")):
        if isinstance(step, SavedFile):
            reader.write(step.name, step.text)
    with ExitStack() as closing:
        walk(
            section(TUTORIAL, "With kind and an account at Phase"),
            reader,
            before={"kubectl phase sync": new_password(steps)},
            after={"helm install": lambda: closing.enter_context(steps.installed("localhost"))},
        )

    data = steps.world("default").data("shop") or {}
    assert data["DATABASE_PASSWORD"] == steps.canary.value("new password")


def test_an_example_becomes_ready_for_an_app_without_config_entries(world: World) -> None:
    example = yaml.safe_load((ROOT / "deploy/samples/secret-and-configmap.yaml").read_text())
    for key in ("DATABASE_HOST", "LOG_LEVEL"):
        world.phase.set("shop", "Production", key, world.canary.value(key), type="secret")

    example["metadata"]["namespace"] = world.namespace
    example["spec"] |= {"phaseHost": world.phase.url, "pollingInterval": 5}
    world.apply(example)

    found = world.until_ready(example["metadata"]["name"])
    [secret], [config_map] = (example["spec"][f"managed{kind}References"] for kind in ("Secret", "ConfigMap"))
    assert set(world.data(secret["secretName"]) or {}) == {"DATABASE_HOST", "DATABASE_PASSWORD", "LOG_LEVEL"}
    assert "data" not in (world.get("configmap", config_map["configMapName"]) or {"data": None})
    [told] = [each for each in found["status"]["targets"] if each["kind"] == "ConfigMap"]
    assert (told["ready"], told["keys"]) == (True, 0)
    assert "it is empty" in told["message"]


def test_the_page_installs_with_kubectl_upgrades_and_uninstalls(
    reader: Reader, plane: ControlPlane, steps: Steps
) -> None:
    [overlay] = fenced("deploy/README.md", "An overlay of your own", "yaml")
    (apply, rollout), _ = commands(INSTALL, "With kubectl")
    [[token, resource, wait]] = commands(INSTALL, "A token and a first resource")
    [shop] = fenced(INSTALL, "A token and a first resource", "yaml")
    [[upgrade]] = commands(INSTALL, "Upgrade")
    leases_go, operator_goes, all_goes, one_goes, every_goes = commands(INSTALL, "Uninstall and keep the Secrets")

    reader.write("my-overlay/kustomization.yaml", overlay)
    reader.run(apply)
    reader.run(rollout)
    assert plane.kubectl(*IMAGE).stdout.startswith(f"{REGISTRY}/phase-operator:")
    plane.kubectl("create", "namespace", "shop")
    reader.write("shop.yaml", shop)
    world = steps.world("shop")
    with steps.operator():
        reader.follow([token, resource])
        steps.led_here("shop", "shop")
        reader.run(wait)
        reader.run(upgrade)
        data = world.data()
        assert data
        world.phase_secret("merged", managedSecretReferences=[{"secretName": "merged", "creationPolicy": "Merge"}])
        world.until_ready("merged")
        reader.follow(leases_go)

    reader.follow(operator_goes)
    eventually(lambda: not plane.kubectl("get", "ns", HOME, check=False).stdout, within=60, what="the namespace goes")
    assert world.get("phs", "shop") is not None
    assert world.data() == data

    # Nobody is there to take the finalizer off.
    plane.kubectl("-n", "shop", "delete", "phs", "merged", "--wait=false")
    assert world.get("phs", "merged") is not None
    reader.follow([each.replace("phasesecret shop", "phasesecret merged") for each in one_goes])
    eventually(lambda: world.get("phs", "merged") is None, what="it goes")
    reader.follow(every_goes)
    reader.follow(all_goes)
    eventually(lambda: plane.kubectl("get", CRD, check=False).returncode != 0, what="the CRD goes")
    secret = world.get("secret", "shop")
    assert secret is not None
    assert "ownerReferences" not in secret["metadata"]
    assert world.data() == data


def test_the_page_installs_for_some_namespaces_with_roles(reader: Reader, plane: ControlPlane, steps: Steps) -> None:
    with_kubectl, *_ = commands(INSTALL, "For some namespaces only, with Roles")

    reader.follow(with_kubectl)
    plane.kubectl("wait", "--for=condition=Established", CRD, "--timeout=30s")
    world = steps.world("default")
    world.token()
    with steps.operator("--namespace", "default"):
        world.phase_secret()
        world.until_ready()
    assert not may(plane, "list", "secrets", HOME)


def test_a_user_without_rights_on_the_cluster_installs_for_his_namespaces(
    plane: ControlPlane, reader: Reader, steps: Steps, programs: tuple[Path, Path], tmp_path: Path
) -> None:
    _, [with_helm], (roles, more, binding) = commands(INSTALL, "For some namespaces only, with Roles")
    plane.kubectl("apply", "--server-side", "-k", ROOT / "crds")
    for name in ("team", HOME, "shop", "checkout"):
        plane.kubectl("create", "namespace", name)
    plane.kubectl("-n", "team", "create", "serviceaccount", "lead")
    reader.follow([roles, more])
    for name in (HOME, "shop", "checkout"):
        plane.kubectl("-n", name, "create", "rolebinding", "lead", "--clusterrole=admin", "--serviceaccount=team:lead")
        reader.run(binding.replace("-n shop", f"-n {name}").replace("NAME", "system:serviceaccount:team:lead"))
    phase_secrets = "phasesecrets.secrets.phase.dev"
    eventually(lambda: may(plane, "get", phase_secrets, HOME, "team:lead"), what="roles are aggregated")
    lead = Reader(tmp_path / "lead", *programs, plane.service_account_kubeconfig("team", "lead"))

    lead.run(with_helm)

    world = steps.world("checkout")
    world.token()
    with steps.operator("--namespace", "shop", "--namespace", "checkout"):
        world.phase_secret()
        world.until_ready()
    assert not may(plane, "list", "secrets", "default")
