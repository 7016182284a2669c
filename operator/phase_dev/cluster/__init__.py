"""A real Kubernetes control plane on loopback, for tests, the demo and the benchmarks."""

from phase_dev.cluster.access import Completed
from phase_dev.cluster.client import CommandFailed
from phase_dev.cluster.plane import ControlPlane, start_control_plane
from phase_dev.cluster.programs import locate

__all__ = ["CommandFailed", "Completed", "ControlPlane", "locate", "start_control_plane"]
