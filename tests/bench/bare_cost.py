"""What the bare program takes on a cluster where the operator is installed."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench import fleet
from bench.hands import every
from bench.processes import cpu_of_server
from phase_dev.cluster import ControlPlane

_NAMESPACE = "bench-bare"
_RESOURCES = f"/apis/secrets.phase.dev/v1alpha1/namespaces/{_NAMESPACE}/phasesecrets"
_SECRETS = f"/api/v1/namespaces/{_NAMESPACE}/secrets"


@dataclass(frozen=True)
class BareCost:
    """Seconds, and seconds of the API server's and etcd's CPU."""

    seconds: float
    server: float


def bare_cost(plane: ControlPlane, url: str, interval: int, size: int, *, as_admin: bool = False) -> BareCost:
    """Let it write so many objects in a namespace of its own, and take everything away, so that no operator sees it.

    It runs as the operator's ServiceAccount, by a token of its own: the API server looks up for each request what the
    account may do, as for any operator; for an administrator it does not.
    """
    kubeconfig = plane.kubeconfig if as_admin else plane.service_account_kubeconfig("phase-system", "phase-operator")
    fleet.make_namespace(plane, _NAMESPACE)
    asyncio.run(_make(plane, url, interval, size))
    before = cpu_of_server(plane)
    command = [sys.executable, "-m", "bench.bare", "--kubeconfig", str(kubeconfig)]
    command += ["--size", str(size), "--namespaces", _NAMESPACE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    cost = BareCost(float(done.stdout), cpu_of_server(plane) - before)
    asyncio.run(_clear(plane))
    return cost


async def _make(plane: ControlPlane, url: str, interval: int, size: int) -> None:
    async with fleet.hands(plane) as admin:
        await every(range(size), lambda number: admin.create(_RESOURCES, fleet.resource(number, url, interval)))


async def _clear(plane: ControlPlane) -> None:
    async with fleet.hands(plane) as admin:
        await admin.clear(_RESOURCES)
        await admin.clear(_SECRETS)
