"""The operator as its users run it: a process, under the RBAC that we ship, on a real API server."""

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx

from phase_dev.cluster import ControlPlane
from phase_dev.shell.folders import Folders
from phase_dev.shell.ports import Ports
from phase_operator.api.crd import DEFINITIONS
from support import impatient, suspended
from support.api import api_of
from support.forked import Forked, Process

PROGRAM = ("-m", "phase_operator", "run")
# For tests of its memory, its time or its start: see `running_operator`.
OWN_INTERPRETER = Path(sys.executable)
REPOSITORY = Path(__file__).resolve().parents[2]
# Programs that may begin as a copy: the module whose `main` runs, and what comes before the flags.
_FORKED: dict[Sequence[str], tuple[str, ...]] = {
    PROGRAM: ("phase_operator.cli", "run"),
    suspended.PROGRAM: ("support.suspended",),
    impatient.PROGRAM: ("support.impatient",),
}
_CRDS = [f"crd/{each.name}" for each in DEFINITIONS]
# How many that elect run on a control plane, in a namespace.
_ELECTING: Counter[tuple[str, str]] = Counter()
Found = TypeVar("Found")


def eventually(
    look: Callable[[], Found | None], *, within: float = 20.0, what: str = "it", pause: float = 0.05
) -> Found:
    """Look again and again until there is something; fail with `what` when time is up.

    The pauses grow with the time that has passed, to a quarter of a second: looks cost the machine more than what they
    look at, and what took seconds may be seen a tenth later.
    """
    began = time.monotonic()
    while True:
        found = look()
        if found:
            return found
        passed = time.monotonic() - began
        if passed > within:
            raise AssertionError(f"{what} did not happen within {within:g} s")
        time.sleep(max(pause, min(passed / 10, 0.25)))


@contextmanager
def meanwhile(work: Callable[[], object], *, every: float) -> Iterator[None]:
    """Do something again and again, in a thread of its own, until the block ends; `every` is in seconds."""
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(every):
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def install(plane: ControlPlane) -> None:
    """Apply what a user applies: CRDs, ServiceAccount, RBAC."""
    plane.kubectl("apply", "--server-side", "-k", str(REPOSITORY / "deploy/overlays/cluster-wide"))
    plane.kubectl("wait", "--for=condition=Established", *_CRDS, "--timeout=20s")
    # Nothing runs the pod here: the operator runs as a process under the pod's ServiceAccount.
    plane.kubectl("-n", "phase-system", "scale", "deployment/phase-operator", "--replicas=0")


@cache
def install_once(plane: ControlPlane) -> None:
    """Install on a control plane, unless somebody has done it by this; for the session's, which many packages use."""
    install(plane)


@dataclass(frozen=True)
class Scrape:
    """An answer of the metrics server, in Prometheus' text format."""

    text: str

    def sum(self, name: str, /, **labels: str) -> float:
        """Return the sum of a metric's samples that carry these labels."""
        total = 0.0
        for line in self.text.splitlines():
            head, _, value = line.rpartition(" ")
            found, _, rest = head.partition("{")
            if found == name and all(f'{key}="{wanted}"' in rest for key, wanted in labels.items()):
                total += float(value)
        return total


@dataclass
class OperatorProcess:
    """A running `phase-operator run`."""

    process: Process
    log_file: Path
    health_port: int
    metrics_port: int
    # Whether it runs as `suspended.PROGRAM`.
    can_miss: bool = field(default=False, kw_only=True)

    @property
    def log(self) -> str:
        """All that it logged so far."""
        return self.log_file.read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Return the log as parsed JSON lines."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def get(self, path: str, *, metrics: bool = False) -> httpx.Response:
        """Ask its health or metrics server."""
        port = self.metrics_port if metrics else self.health_port
        return _http().get(f"http://127.0.0.1:{port}{path}")

    def metric(self, name: str, /, **labels: str) -> float:
        """Return the sum of a metric's samples that carry these labels, as they are now."""
        return self.scrape().sum(name, **labels)

    def scrape(self) -> Scrape:
        """Return all metrics of one moment: numbers that are compared have to come from one scrape."""
        return Scrape(self.get("/metrics", metrics=True).text)

    def waited_for_a_core(self) -> float:
        """Return for how many seconds its main thread could run while all cores did other work; 0 where unknown."""
        try:
            _, waited, _ = Path(f"/proc/{self.process.pid}/schedstat").read_text().split()
        except OSError:
            return 0.0
        return int(waited) / 1e9

    def stop(self, number: int = signal.SIGTERM, within: float = 10.0) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(within)


@contextmanager
def running_operator(
    plane: ControlPlane,
    folder: Path,
    *flags: str,
    home: str = "phase-system",
    environment: Mapping[str, str] | None = None,
    python: Path | None = None,
    patience: float = 30.0,
    elects: bool = False,
    port: int | None = None,
    url: str | None = None,
    waits: bool = True,
    program: Sequence[str] = PROGRAM,
) -> Iterator[OperatorProcess]:
    """Run the operator under the ServiceAccount that we ship, in its namespace `home`, until the block ends.

    Unless it `elects`, it works at once and beside any other. `port`, `url`: another way to the API server.
    A Lease that a killed one has left is taken away first, unless another that elects runs there: the next one would
    wait 15 s for it.
    It begins as a copy of a process that has imported it, unless `python` names the interpreter that it begins with
    and whose packages it has (the operator is this checkout's); what measures it says `OWN_INTERPRETER`.
    Without `python`, it trusts this cluster's authority in the place of the machine's, besides what flags name.
    `program` is what it runs. `patience` is how many seconds it may take to be ready; with `waits=False` it only has to
    serve.
    """
    kubeconfig = plane.service_account_kubeconfig(home, "phase-operator")
    url = f"https://127.0.0.1:{port}" if port is not None else url
    if url is not None:
        way = folder / f"way-{url.rpartition(':')[2]}.kubeconfig"
        way.write_text(kubeconfig.read_text().replace(plane.url, url))
        kubeconfig = way
    ports = leased_ports(2)
    health, metrics = ports.numbers
    log_file = folder / f"operator-{health}.log"
    arguments = ["--kubeconfig", str(kubeconfig)]
    arguments += ["--pod-namespace", home, "--host", "127.0.0.1", "--log-format", "json"]
    arguments += ["--leader-elect", str(elects).lower()]
    arguments += ["--health-port", str(health), "--metrics-port", str(metrics), *flags]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PHASE_OPERATOR_")}
    source = {"PYTHONPATH": str(REPOSITORY / "operator")}
    if python is None:
        # To read whom this machine trusts takes 27 ms of a core.
        source["SSL_CERT_FILE"] = str(plane.ca_file)
    variables = inherited | source | dict(environment or {})
    place = (plane.url, home)
    if elects and not _ELECTING[place]:
        api_of(plane).delete("lease", "phase-operator", home)
    _ELECTING[place] += elects
    process = _started(python, program, arguments, log_file, variables)
    operator = OperatorProcess(process, log_file, health, metrics, can_miss=program == suspended.PROGRAM)
    try:
        answers = ready if waits else serves
        eventually(lambda: answers(operator), within=patience, what="the operator becomes ready")
        yield operator
    finally:
        end(process, 10)
        _ELECTING[place] -= elects
        ports.release()


def end(process: Process, within: float) -> None:
    """Ask a process to end, if it has not, and kill it if it takes longer than so many seconds."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _started(
    python: Path | None, program: Sequence[str], arguments: Sequence[str], log_file: Path, variables: Mapping[str, str]
) -> Process:
    forked = _FORKED.get(tuple(program))
    if forked is not None and python is None:
        module, *words = forked
        return Forked(module, [*words, *arguments], output=log_file, folder=log_file.parent, variables=variables)
    command = [str(python or OWN_INTERPRETER), *program, *arguments]
    with log_file.open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=log_file.parent, env=variables)


@cache
def _http() -> httpx.Client:
    # One for all looks: each client of its own would read the machine's certificates first, 20 ms of CPU a look. No
    # connection is kept, because operators end, and pause, between two looks.
    return httpx.Client(timeout=5, verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def ready(operator: OperatorProcess) -> bool:
    """Say whether it answers that it is ready; fail at once if it has ended."""
    if operator.process.poll() is not None:
        raise AssertionError(f"the operator ended with {operator.process.returncode}:\n{operator.log[-3000:]}")
    try:
        return operator.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def serves(operator: OperatorProcess) -> bool:
    """Say whether it answers at all."""
    try:
        return operator.get("/healthz").status_code in (200, 503)
    except httpx.TransportError:
        return False


def leased_ports(count: int) -> Ports:
    """Lease ports that no other run of tests takes, for as long as the block that uses them lasts."""
    return Ports(count, Folders.of(os.environ).ports)


def free_port() -> int:
    """Return a port that nobody listens on; it is ours until the tests end."""
    leased = leased_ports(1)
    atexit.register(leased.release)
    return leased.numbers[0]
