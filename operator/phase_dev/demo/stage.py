"""All that the show needs: a cluster, a Phase, the operator under its own RBAC.

Rule: what is put up is taken down in reverse, however the block ends; on a cluster of the user's that means object by
object, and we refuse to begin if another object has the name of one of ours.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from phase_dev.cluster.catalog import KUBECTL, PLAIN
from phase_dev.cluster.client import CommandFailed
from phase_dev.cluster.plane import start_control_plane
from phase_dev.cluster.programs import obtain
from phase_dev.demo.kubectl import Kubectl
from phase_dev.demo.operator import ACCOUNT, HOME, operator_process
from phase_dev.server import EmbeddedPhase
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import Folders, write_private
from phase_dev.shell.guard import Guard
from phase_dev.shell.ports import Ports
from phase_dev.shell.processes import Patience, answers, sane_environment, wait_until
from phase_dev.shell.terminal import Progress
from phase_operator.api.crd import DEFINITIONS

NAMESPACE = "phase-demo"
_CRDS = tuple(f"crd/{each.name}" for each in DEFINITIONS)
CHECKOUT = Path(__file__).parents[3]
# What a user applies, but for the Deployment: the operator runs here as a process, under the pod's ServiceAccount.
MANIFESTS = (
    *(each.file for each in DEFINITIONS),
    "deploy/base/namespace.yaml",
    "deploy/base/serviceaccount.yaml",
    "deploy/base/lease.yaml",
    "deploy/overlays/cluster-wide/rbac.yaml",
)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is; plain data, which can be passed to another process."""

    kubectl: str
    kubeconfig: str
    phase_url: str
    phase_token: str = field(repr=False)
    operator_log: str
    metrics_url: str

    def client(self, env: Mapping[str, str]) -> Kubectl:
        """Return the kubectl of this cluster's admin."""
        return Kubectl(Path(self.kubectl), {**env, "KUBECONFIG": self.kubeconfig})


@contextmanager
def put_up(kubeconfig: Path | None, env: Mapping[str, str], progress: Progress) -> Iterator[Stage]:
    """Put everything up on a cluster of our own, or on the one that the kubeconfig names, and take it down again."""
    with ExitStack() as closing:
        folder = Path(tempfile.mkdtemp(prefix="phase-dev-demo-"))
        guard = Guard(folder)
        closing.callback(guard.close)
        prepare(kubeconfig, env, progress)
        if kubeconfig is None:
            with progress.step("cluster: etcd and kube-apiserver on loopback"):
                plane = closing.enter_context(start_control_plane(env=env, progress=progress))
            own_env = {**sane_environment(env, folder), "KUBECONFIG": str(plane.kubeconfig)}
            kubectl = Kubectl(_kubectl(None, env, progress), own_env)
        else:
            kubectl = Kubectl(_kubectl(kubeconfig, env, progress), {**env, "KUBECONFIG": str(kubeconfig)})
            with progress.step(f"cluster: the one of {kubeconfig}"):
                refuse_neighbours(kubectl)
        with progress.step("Phase: an embedded server with three apps"):
            phase = closing.enter_context(EmbeddedPhase())
        with progress.step("CRDs, ServiceAccount and RBAC"):
            if kubeconfig is not None:
                closing.callback(_remove, kubectl, progress)
            _install(kubectl)
        ports = Ports(2, Folders.of(env).ports)
        closing.callback(ports.release)
        with progress.step("operator: a process under that ServiceAccount"):
            kubeconfig_file = folder / "operator.kubeconfig"
            write_private(kubeconfig_file, _service_account_kubeconfig(kubectl))
            operator = operator_process(ACCOUNT, kubeconfig_file, folder, guard.group, ports.numbers, env)
            closing.callback(operator.stop)
            if kubeconfig is not None:
                # While the operator runs: nobody else gives leases back and takes the finalizer off.
                closing.callback(_remove_leases, kubectl)
            operator.start()
            wait_until(
                lambda: answers(f"http://127.0.0.1:{ports.numbers[0]}/readyz"),
                "the operator is ready",
                [operator],
                Patience(check=progress.check),
            )
        yield Stage(
            kubectl=str(kubectl.program),
            kubeconfig=kubectl.env["KUBECONFIG"],
            phase_url=phase.url,
            phase_token=phase.token("operator", form="pss"),
            operator_log=str(operator.log),
            metrics_url=f"http://127.0.0.1:{ports.numbers[1]}/metrics",
        )


def prepare(kubeconfig: Path | None, env: Mapping[str, str], progress: Progress) -> None:
    """Build what is missing, before anything is put up."""
    if kubeconfig is not None and not kubeconfig.is_file():
        raise ToolError(f"{kubeconfig} is no file; name the kubeconfig of a cluster, or leave it out")
    if kubeconfig is None:
        obtain(PLAIN, env, progress)


def refuse_neighbours(kubectl: Kubectl) -> None:
    """Raise ToolError if the cluster has what the demo would write: a second operator would answer the first."""
    try:
        ours = (*_CRDS, f"ns/{HOME}", f"ns/{NAMESPACE}")
        said = kubectl("get", "--ignore-not-found", "-o", "name", *ours).stdout.split()
    except CommandFailed as e:
        raise ToolError(f"the cluster of {kubectl.env['KUBECONFIG']} does not answer: {e}") from e
    if said:
        raise ToolError(
            f"this cluster has {', '.join(said)} already; the demo removes what it makes, so it only begins where "
            "nothing of that name is"
        )


def _kubectl(kubeconfig: Path | None, env: Mapping[str, str], progress: Progress) -> Path:
    """Return the user's kubectl for the user's cluster, ours for ours."""
    theirs = shutil.which("kubectl", path=env.get("PATH", os.defpath)) if kubeconfig else None
    return Path(theirs) if theirs else obtain([KUBECTL], env, progress)["kubectl"].path


def _install(kubectl: Kubectl) -> None:
    files = [f"--filename={CHECKOUT / name}" for name in MANIFESTS]
    kubectl("apply", "--server-side", *files)
    kubectl("wait", "--for=condition=Established", *_CRDS, "--timeout=30s")
    kubectl("create", "namespace", NAMESPACE)


def _remove_leases(kubectl: Kubectl) -> None:
    kubectl("-n", NAMESPACE, "delete", "phasedynamicsecrets", "--all", "--timeout=60s", timeout=70)


def _remove(kubectl: Kubectl, progress: Progress) -> None:
    with progress.step("taking down what the demo put into the cluster"):
        files = [f"--filename={CHECKOUT / name}" for name in MANIFESTS]
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s", timeout=70)
        kubectl("delete", "--ignore-not-found", "--timeout=60s", *files, timeout=70)


def _service_account_kubeconfig(kubectl: Kubectl) -> str:
    """Return the admin's kubeconfig with a token of the operator's ServiceAccount in the admin's place."""
    token = kubectl("-n", HOME, "create", "token", ACCOUNT, "--duration=24h").stdout.strip()
    content = json.loads(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json").stdout)
    context = content["contexts"][0]["context"]
    context["user"] = ACCOUNT
    content["users"] = [{"name": ACCOUNT, "user": {"token": token}}]
    return json.dumps(content)
