"""A real Kubernetes control plane on loopback, for tests, the demo and the benchmarks."""

from phase_dev.cluster.access import Completed
from phase_dev.cluster.cluster import AsyncProcess, Cluster
from phase_dev.cluster.errors import BuildFailed, ClusterError, CommandFailed, StartFailed
from phase_dev.cluster.plane import ControlPlane
from phase_dev.cluster.programs import locate
from phase_dev.cluster.starting import start_control_plane

__all__ = [
    "AsyncProcess",
    "BuildFailed",
    "Cluster",
    "ClusterError",
    "CommandFailed",
    "Completed",
    "ControlPlane",
    "StartFailed",
    "locate",
    "start_control_plane",
]
