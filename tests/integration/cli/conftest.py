"""One control plane with the RBAC that we ship, for commands that are given to it."""

import pytest

from phase_dev.cluster import ControlPlane
from support.cluster_fixture import control_plane, kubectl, namespace
from support.operator_process import install

__all__ = ["control_plane", "kubectl", "namespace"]


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """Give the session's cluster with CRDs and RBAC as users apply them."""
    install(control_plane)
    return control_plane
