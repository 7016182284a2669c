"""The commands of the pages for those who run the operator, all but those that are named here with the reason.

What differs from a reader's cluster: the operator runs as a process, and one more pod stands for it, through which the
API server reaches its ports and its log; Phase is the embedded one; and what is about helm has a cluster of its own.
"""

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from phase_dev import documents
from phase_dev.cluster import ControlPlane, start_control_plane
from phase_dev.cluster.catalog import HELM, KUBECTL
from phase_dev.cluster.programs import obtain
from phase_dev.server import EmbeddedPhase
from phase_dev.shell.terminal import Progress
from phase_operator.cli.common.standing import is_suspended
from support.api import api_of
from support.bare_plane import bare_plane
from support.canary import Canary
from support.kubelet import own_address, pod_outside
from support.operator_process import OperatorProcess, eventually, running_operator
from support.pages import ROOT, Reader, every_block, every_command
from support.world import World, phase_secret

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(240)]

HOME = "phase-system"
OPERATOR = "docs/operating/the-operator.md"
BACKUP = "docs/operating/backup.md"
HARDENING = "docs/operating/hardening.md"
NAMES = (
    *("the-operator", "production-checklist", "capacity", "backup", "air-gapped", "openshift", "clouds"),
    *("self-hosted-phase", "several-clusters", "hardening", "upgrade"),
)
PAGES = [f"docs/operating/{name}.md" for name in NAMES]
# The addresses of Phase on the pages.
HOSTS = re.compile(r"https://(phase\.example\.com|console\.phase\.dev)(?=[\s/']|$)")
PORTS = re.compile(r"(?<=:)(8081|8080)(?=/proxy)")
# How commands begin that are not run here, and why.
NOT_HERE = {
    "docker ": "there is no container daemon",
    "skopeo ": "it copies the image, which is not built here",
    "make image": "tests/integration/image builds it",
    "tar -C build ": "it packs the image",
    "tar -xf ": "it unpacks the image",
    "pip ": "it asks a package index",
    "python3 -m venv ": "it is for the packages that pip has fetched",
    "~/.local/phase/bin/pip ": "it installs the packages that pip has fetched",
    "ln -s ~/.local/phase": "it is for what pip has installed",
    'kubectl -n phase-system port-forward "pod/$LEADER"': "it goes on until Ctrl-C",
    "curl -s http://127.0.0.1:8081/": "it goes through the port-forward",
    'kubectl -n phase-system delete pod "$LEADER"': "the pod stands for the process, which would go on",
    "kubectl -n phase-system logs -l ": "the pods of the Deployment are simulated, and have no log",
    "helm test ": "no container runs on a simulated node",
    "kubectl get proxy cluster ": "only OpenShift has this kind",
    "kubectl phase doctor --pre": "it is for a cluster without an operator, as in tests/integration/cli/test_doctor.py",
}
# Sections that have a test of their own.
APART = {(BACKUP, "Restore")}
# An answer that is no, or a difference that is shown, ends these with 1.
ANSWERS = ("kubectl auth can-i ", "kubectl diff ")
# The fence refuses this one.
REFUSED = "kubectl create configmap proof "


class Helms:
    """The reader of a cluster with a release of the chart, which is there from the first command until `end`."""

    def __init__(self, start: Callable[[], AbstractContextManager[Reader]]) -> None:
        """Take what gives the reader, again and again."""
        self._start = start
        self._open = ExitStack()
        self._reader: Reader | None = None

    def run(self, command: str) -> str:
        """Run a command and return what it said."""
        if self._reader is None:
            self._reader = self._open.enter_context(self._start())
        return self._reader.run(command).stdout

    def end(self) -> None:
        """Hand the cluster on to others."""
        self._reader = None
        self._open.close()


@dataclass
class Site:
    """Two clusters in which a reader follows the pages, and what runs in the first."""

    plane: ControlPlane
    phase: EmbeddedPhase
    operator: OperatorProcess
    reader: Reader
    helms: Helms
    # The Deployment, as the overlay has it, and its generation as long as it is so.
    deployment: str
    generation: int

    def run(self, block: list[str]) -> str:
        """Run the commands of a block that can be run, those for one cluster as one script; return what they said."""
        here = [each for each in block if not each.startswith(tuple(NOT_HERE))]
        parts = groupby(here, lambda each: each.startswith("helm "))
        return "".join(self._run_helms(list(each)) if is_helms else self._run(list(each)) for is_helms, each in parts)

    def _run(self, block: list[str]) -> str:
        script = "\n".join(map(self._led_here, block))
        done = self.reader.run(script, {0, 1} if block[-1].startswith(ANSWERS) else {0})
        return done.stdout + done.stderr

    def _run_helms(self, block: list[str]) -> str:
        said = []
        for each in block:
            if each.startswith("helm install "):
                self.helms.run(f"helm uninstall phase-operator --namespace {HOME} --ignore-not-found")
            said.append(self.helms.run(each))
        return "".join(said)

    def _led_here(self, command: str) -> str:
        """Lead a command to the embedded Phase, and to the ports that the operator has here."""
        ports = {"8081": self.operator.health_port, "8080": self.operator.metrics_port}
        here = HOSTS.sub(self.phase.url, PORTS.sub(lambda found: str(ports[found[1]]), command))
        if here.startswith("kubectl phase doctor "):
            # One of its checks fails: the pods of the Deployment are simulated, and answer nothing.
            return f"{here} || test $? -eq 1"
        # In a shell of its own, a command that should have been refused ends the script.
        return f"(! {here})" if here.startswith(REFUSED) else here

    def as_it_was(self) -> None:
        """Undo what a page has done to the installation and to the files."""
        (self.reader.checkout / "support.tgz").unlink(missing_ok=True)
        api = api_of(self.plane)
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            # It would refuse the PhaseSecret here, whose Phase has no certificate.
            api.delete(kind, "phasesecrets-of-tenants")
        if generation(self.plane) != self.generation:
            self.plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=self.deployment)
            self.reader.run(f"kubectl -n {HOME} rollout status deployment/phase-operator")
            self.generation = generation(self.plane)
        if any(is_suspended(each) for each in api.items("phasesecret", "shop")):
            self.reader.run("kubectl phase resume -n shop --all --wait")


def generation(plane: ControlPlane) -> int:
    """Return a number that grows with each change of what the Deployment should be."""
    deployment = api_of(plane).get("deployment", "phase-operator", HOME)
    assert deployment is not None
    return int(deployment["metadata"]["generation"])


def deployment_of(reader: Reader) -> str:
    """Return the Deployment of the reader's overlay."""
    objects = documents.load_all(reader.run("kubectl kustomize my-overlay").stdout)
    [found] = [each for each in objects if each["kind"] == "Deployment"]
    return json.dumps(found)


def only_block(page: str, word: str) -> str:
    """Return the only YAML of a page with this word."""
    [found] = [block for _, block in every_block(page, "yaml") if word in block]
    return found


def with_contexts(kubeconfig: Path, folder: Path) -> Path:
    """Return a kubeconfig with a context for each cluster of the pages; all of them lead to the same one."""
    document = yaml.safe_load(kubeconfig.read_text())
    [only] = document["contexts"]
    document["contexts"] += [{**only, "name": name} for name in ("staging", "east-1", "west-1")]
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


def put_files(reader: Reader, phase: EmbeddedPhase) -> None:
    """Write the files that the pages name."""
    for name in ("token.txt", "east-1.txt", "west-1.txt"):
        reader.write(name, phase.token("operator", form="pss"))
    reader.write("ca.pem", trustme.CA().cert_pem.bytes().decode())
    reader.write("my-overlay/kustomization.yaml", only_block(HARDENING, "kind: Kustomization"))
    reader.write("phasesecrets-of-tenants.yaml", only_block(HARDENING, "kind: ValidatingAdmissionPolicy\n"))
    [*_, values] = [block for heading, block in every_block(HARDENING, "yaml") if heading == "All of it as values"]
    reader.write("hardened.yaml", values)


def put_shop(plane: ControlPlane, phase: EmbeddedPhase) -> World:
    """Make a namespace with a token, a PhaseSecret with a version among its targets, and a generated value."""
    plane.kubectl("create", "namespace", "shop")
    world = World(plane, "shop", phase, Canary())
    world.token()
    targets = [{"secretName": "shop"}, {"secretName": "fixed", "versioned": {"keep": 1}}]
    world.phase_secret(managedSecretReferences=targets)
    generated = {"name": "shop-session", "labels": {"secrets.phase.dev/target": "generated"}}
    world.apply({"apiVersion": "v1", "kind": "Secret", "metadata": generated, "stringData": {"KEY": "x"}})
    return world


@pytest.fixture(scope="module")
def programs() -> tuple[Path, Path]:
    """Give kubectl and helm."""
    found = obtain([KUBECTL, HELM], os.environ, Progress(sys.stderr))
    return found[KUBECTL.name].path, found[HELM.name].path


@contextmanager
def fenced_plane(config: pytest.Config, *, controllers: bool = False) -> Iterator[ControlPlane]:
    """Give a cluster in which nothing is installed, and see that no fence stands in it when the block has ended."""
    account = "system:serviceaccount:phase-system:phase-operator"
    trial = ("create", "configmap", "proof", "-n", "kube-system", "--dry-run=server", f"--as={account}")
    with bare_plane(config, controllers=controllers) as plane:
        yield plane
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            api_of(plane).delete(kind, "phase-operator-fence")
        eventually(lambda: "denied request" not in plane.kubectl(*trial, check=False).stderr, what="no fence is there")


@contextmanager
def with_release(config: pytest.Config, reader_of: Callable[[ControlPlane], Reader]) -> Iterator[Reader]:
    """Give the reader of a cluster with a release of the chart."""
    # helm asks the API server only, and waits for no pod.
    with fenced_plane(config) as plane:
        reader = reader_of(plane)
        release = f"phase-operator helm/phase-operator --namespace {HOME} --create-namespace"
        reader.run(f"helm install {release} --set image.registry=REGISTRY")
        yield reader


@pytest.fixture(scope="module")
def site(
    programs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Site]:
    """Give the cluster with the operator at work, and the one with a release of the chart when a page asks for it."""
    with ExitStack() as stack:
        plane = stack.enter_context(start_control_plane(controllers=True, nodes=1))
        phase = stack.enter_context(EmbeddedPhase())

        def reader_of(plane: ControlPlane) -> Reader:
            folder = tmp_path_factory.mktemp("reader")
            found = Reader(folder, *programs, with_contexts(plane.kubeconfig, folder))
            put_files(found, phase)
            return found

        helms = Helms(lambda: with_release(pytestconfig, reader_of))
        stack.callback(helms.end)
        reader = reader_of(plane)
        plane.kubectl("apply", "--server-side", "-f", ROOT / "tests/manifests/monitoring.coreos.com")
        reader.run("kubectl apply --server-side -k my-overlay")
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        world = put_shop(plane, phase)
        logs = tmp_path_factory.mktemp("operator")
        operator = stack.enter_context(running_operator(plane, logs, "--host", "0.0.0.0", elects=True))
        address = own_address()
        assert address is not None, "the API server asks no pod on loopback, and this machine has no other address"
        stack.enter_context(pod_outside(plane, HOME, socket.gethostname(), address, operator.log_file))
        world.operator = operator
        world.until_ready("shop")
        yield Site(plane, phase, operator, reader, helms, deployment_of(reader), generation(plane))


@pytest.mark.parametrize("page", [pytest.param(page, id=name) for page, name in zip(PAGES, NAMES, strict=True)])
def test_the_commands_of_a_page_work(page: str, site: Site) -> None:
    site.as_it_was()

    for heading, block in every_command(page):
        if (page, heading) not in APART:
            site.run(block)


def test_every_exception_is_a_command_of_a_page() -> None:
    every = [each for page in PAGES for _, block in every_command(page) for each in block]

    assert len(every) > 100
    assert [begin for begin in (*NOT_HERE, REFUSED) if not any(each.startswith(begin) for each in every)] == []
    assert {(page, heading) for page in PAGES for heading, _ in every_command(page)} >= APART


def under(page: str, heading: str) -> list[list[str]]:
    """Return the blocks of commands under a heading, those in lists too."""
    return [block for found, block in every_command(page) if found == heading]


def test_the_leader_is_found_and_says_that_it_is_ready(site: Site) -> None:
    said = site.run(under(OPERATOR, "Find the leader")[0])
    assert re.fullmatch(rf"{socket.gethostname()}_[0-9a-f]{{16}}\n", said)

    asked = [block for heading in ("Read /readyz", "Read /healthz") for block in under(OPERATOR, heading)]
    answers = [site.run(block) for block in asked if "/proxy/" in block[-1]]
    assert answers == ["ok\n", "ok\n"]


def test_the_fence_of_the_page_refuses_what_it_says(site: Site) -> None:
    [checks] = [block for block in under(HARDENING, "5. The fence") if block[-1].startswith(REFUSED)]
    [shown] = [text for heading, text in every_block(HARDENING, "console") if REFUSED in text]

    said = site.run([checks[-1]])

    assert said.strip() == shown.splitlines()[-1]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param({"managedSecretReferences": [{"secretName": "a", "adopt": True}]}, "(adopt)", id="adopt"),
        pytest.param(
            {"managedConfigMapReferences": [{"configMapName": "a", "restart": {"workloads": "All"}}]},
            "(restart.workloads)",
            id="restarts of all",
        ),
        pytest.param({"phaseHost": "HTTP://phase.example.com"}, "has to be https", id="plain http"),
    ],
)
def test_the_policy_of_the_page_refuses_what_it_says(spec: dict[str, Any], words: str, site: Site) -> None:
    site.reader.run(under(HARDENING, "9. Policies of your own")[0][0])
    good = {"phaseHost": "https://phase.example.com"}

    def refusal(spec: dict[str, Any]) -> str:
        document = json.dumps(phase_secret("judged", "", **spec))
        create = ("-n", "shop", "create", "--dry-run=server", "-f", "-")
        return site.plane.kubectl(*create, stdin=document, check=False).stderr

    eventually(lambda: words in refusal(good | spec), what="the policy is in force")
    assert refusal(good) == ""


@pytest.mark.parametrize("with_key", [True, False], ids=["with the digest key", "without the digest key"])
def test_a_backup_comes_back_on_an_empty_cluster(
    with_key: bool,
    site: Site,
    programs: tuple[Path, Path],
    tmp_path: Path,
    canary: Canary,
    pytestconfig: pytest.Config,
) -> None:
    for block in under(BACKUP, "Take a backup with kubectl"):
        site.run(block)
    before = World(site.plane, "shop", site.phase, canary)
    key, operator, secrets, resources, wait = under(BACKUP, "Restore")
    if not with_key:
        key = key[:1]

    # The one cluster can be the other's, which no command here is for.
    site.helms.end()
    # With the controllers, for they collect what has lost its owner; the restored cluster needs no pod.
    with fenced_plane(pytestconfig, controllers=True) as plane:
        reader = Reader(tmp_path, *programs, plane.kubeconfig)
        reader.write("my-overlay/kustomization.yaml", only_block(HARDENING, "kind: Kustomization"))
        for file in site.reader.checkout.glob("phase-*.yaml"):
            reader.write(file.name, file.read_text())
        for block in (key, operator, secrets):
            reader.run("\n".join(block))
        with running_operator(plane, tmp_path):
            for block in (resources, wait):
                reader.run("\n".join(block))
        after = World(plane, "shop", site.phase, canary)

        assert after.data("shop") == before.data("shop") != {}
        assert after.data("shop-session") == {"KEY": "x"}
        # The name of a version is a keyed hash of its content.
        assert (version(after) == version(before)) is with_key


def version(world: World) -> str:
    """Return the name of the versioned target's newest version."""
    targets = (world.get("phasesecret", "shop") or {})["status"]["targets"]
    [found] = [each["version"] for each in targets if "version" in each]
    return str(found)
