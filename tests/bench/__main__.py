"""How fast and how big: `make bench`.

Starts a control plane, an embedded Phase and the operator under its own RBAC, and prints one table:
from `kubectl apply` to the Secret, from a change in Phase to the Secret, memory and calls at each size.
"""

import argparse
import json
import ssl
import statistics
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from phase_dev.cluster import ControlPlane, start_control_plane
from phase_dev.server import EmbeddedPhase
from support.operator_process import OperatorProcess, eventually, install, running_operator
from support.world import phase_secret, secret

NAMESPACE = "bench"
INTERVAL = 5


def main() -> None:
    """Run the sizes one after another, each with a fresh operator and its own namespace."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 1000], help="numbers of PhaseSecrets")
    parser.add_argument("--repeat", type=int, default=5, help="times that each latency is taken")
    arguments = parser.parse_args()
    rows = []
    with start_control_plane() as plane, EmbeddedPhase() as phase, tempfile.TemporaryDirectory() as folder:
        install(plane)
        for size in arguments.sizes:
            rows.append(measure(plane, phase, Path(folder), size, arguments.repeat))
            print(json.dumps(rows[-1]), flush=True)
    print()
    print_table(rows)


def measure(plane: ControlPlane, phase: EmbeddedPhase, folder: Path, size: int, repeat: int) -> dict[str, float]:
    """Return the figures for one size."""
    namespace = f"{NAMESPACE}-{size}"
    plane.kubectl("create", "namespace", namespace)
    apply(plane, namespace, secret("phase-service-token", {"token": phase.token("operator", form="pss")}))
    with running_operator(plane, folder) as operator:
        phase.reset_calls()
        began = time.monotonic()
        apply(plane, namespace, *(one(f"shop-{number}", phase.url) for number in range(size)), timeout=900)
        eventually(
            lambda: operator.metric("phase_operator_resources", ready="true") >= size, within=900, what="all are ready"
        )
        all_ready = time.monotonic() - began
        figures = {
            "size": float(size),
            "all_ready_s": all_ready,
            "apply_to_secret_s": median([apply_to_secret(plane, phase, namespace, n) for n in range(repeat)]),
            "change_to_secret_s": median([change_to_secret(plane, phase, namespace, n) for n in range(repeat)]),
            "rss_mib": rss(operator),
            "reads_of_phase": float(phase.calls(route="/v1/secrets/")),
            "targets_written": operator.metric("phase_operator_targets_written_total"),
            "status_writes": operator.metric("phase_operator_status_writes_total"),
        }
    plane.kubectl("-n", namespace, "delete", "phasesecrets", "--all", "--wait=false", timeout=300)
    return {name: round(value, 2) for name, value in figures.items()}


def apply_to_secret(plane: ControlPlane, phase: EmbeddedPhase, namespace: str, number: int) -> float:
    """Return seconds from the end of `kubectl apply` of a new PhaseSecret to its Secret."""
    name = f"fresh-{number}"
    apply(plane, namespace, one(name, phase.url))
    began = time.monotonic()
    with admin(plane) as client:
        path = f"/api/v1/namespaces/{namespace}/secrets/{name}"
        eventually(lambda: client.get(path).status_code == httpx.codes.OK, what=f"Secret {name}", pause=0.005)
    return time.monotonic() - began


def change_to_secret(plane: ControlPlane, phase: EmbeddedPhase, namespace: str, number: int) -> float:
    """Return seconds from a change in Phase to the Secret of the first PhaseSecret."""
    path = f"/api/v1/namespaces/{namespace}/secrets/shop-0"
    with admin(plane) as client:
        before = client.get(path).json()["metadata"]["resourceVersion"]
        phase.set("shop", "Production", "LOG_LEVEL", f"level-{namespace}-{number}")
        began = time.monotonic()
        eventually(
            lambda: client.get(path).json()["metadata"]["resourceVersion"] != before, what="the change", pause=0.005
        )
    return time.monotonic() - began


def admin(plane: ControlPlane) -> httpx.Client:
    """Return a client for looking, quick enough to be no part of what it measures."""
    trust = ssl.create_default_context(cafile=str(plane.ca_file))
    return httpx.Client(base_url=plane.url, verify=trust, headers={"Authorization": f"Bearer {plane.admin_token}"})


def one(name: str, url: str) -> dict[str, object]:
    """Return a PhaseSecret of the shop's production environment."""
    return phase_secret(name, url, pollingInterval=INTERVAL)


def apply(plane: ControlPlane, namespace: str, *documents: dict[str, object], timeout: float = 60) -> None:
    """Create documents by kubectl, server-side."""
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
    plane.kubectl("-n", namespace, "apply", "--server-side", "-f", "-", stdin=body, timeout=timeout)


def rss(operator: OperatorProcess) -> float:
    """Return the operator's resident memory in MiB."""
    return float(psutil.Process(operator.process.pid).memory_info().rss) / 2**20


def median(values: list[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def print_table(rows: list[dict[str, float]]) -> None:
    """Print the rows as a Markdown table."""
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    for row in rows:
        print("| " + " | ".join(f"{row[name]:g}" for name in names) + " |")


if __name__ == "__main__":
    main()
