"""The operator as a cluster runs it: our image, restricted like the pod, with what a pod finds in its file system."""

import base64
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import yaml

from phase_dev.cluster import ControlPlane
from phase_dev.image import running
from phase_dev.image.storage import ask, podman, tell
from support.operator_process import OperatorProcess, eventually, leased_ports, ready

_HOME = "phase-system"
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass
class ImageProcess(OperatorProcess):
    """A container of the image; its `process` is podman in front, which passes signals on."""

    name: str

    def pid(self) -> int:
        """Return the operator's process id as the host sees it."""
        return int(tell(podman("inspect", "--format", "{{.State.Pid}}", self.name)))

    def status(self) -> dict[str, str]:
        """Return what the host's kernel says about the operator's process."""
        lines = Path(f"/proc/{self.pid()}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def memory_limit(self) -> int:
        """Return the bytes that the host's kernel gives it, by either version of cgroups."""
        for line in Path(f"/proc/{self.pid()}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                return int(Path(f"/sys/fs/cgroup/memory{path}/memory.limit_in_bytes").read_text())
            unified = Path(f"/sys/fs/cgroup{path}/memory.max")
            if not controllers and unified.exists():
                return int(unified.read_text())
        raise AssertionError("the operator is in no cgroup with a limit of memory")


@contextmanager
def running_image(plane: ControlPlane, image: str, folder: Path, *more_flags: str) -> Iterator[ImageProcess]:
    """Run the image under the ServiceAccount that we ship until the block ends; it finds the API server as in a pod."""
    ports = leased_ports(2)
    health, metrics = ports.numbers
    name, log_file = f"phase-operator-{health}", folder / f"image-{health}.log"
    account, server = as_in_a_pod(plane, folder)
    variables = {
        "PHASE_OPERATOR_POD_NAMESPACE": _HOME,
        "KUBERNETES_SERVICE_HOST": str(server.hostname),
        "KUBERNETES_SERVICE_PORT": str(server.port),
    }
    more = ["--name", name, "--volume", f"{account}:{_ACCOUNT}:ro"]
    for key, value in variables.items():
        more += ["--env", f"{key}={value}"]
    flags = ["run", "--host", "127.0.0.1", "--log-format", "json"]
    flags += ["--health-port", str(health), "--metrics-port", str(metrics), *more_flags]
    command = running.command(image, *flags, more=tuple(more))
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ))
    operator = ImageProcess(process, log_file, health, metrics, name)
    try:
        eventually(lambda: ready(operator), within=60, what="the image becomes ready")
        yield operator
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            ask(podman("rm", "--force", name))
            process.wait(30)
        ports.release()


def as_in_a_pod(plane: ControlPlane, folder: Path) -> tuple[Path, SplitResult]:
    """Write the folder that Kubernetes puts into a pod of the operator's account; return it with the server's URL."""
    config = yaml.safe_load(plane.service_account_kubeconfig(_HOME, "phase-operator").read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    account = folder / "serviceaccount"
    account.mkdir(exist_ok=True)
    (account / "token").write_text(user["token"])
    (account / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    (account / "namespace").write_text(_HOME)
    for path in account.iterdir():
        path.chmod(0o644)
    account.chmod(0o755)
    return account, urlsplit(cluster["server"])


def inside(image: str, script: str) -> object:
    """Run Python in the image, restricted like the pod, and return what it prints as JSON."""
    command = running.command(image, "-c", script, more=("--entrypoint", "python3"))
    found: object = json.loads(tell(command))
    return found
