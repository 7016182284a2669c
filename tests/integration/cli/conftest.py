"""One control plane with the RBAC that we ship, for commands that are given to it."""

from collections.abc import Iterator

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.authorities import one_authority
from support.cluster_fixture import control_plane, kubectl, namespace
from support.operator_process import install_once

__all__ = ["control_plane", "kubectl", "namespace", "one_authority"]


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """Give the session's cluster with CRDs and RBAC as users apply them."""
    install_once(control_plane)
    return control_plane


@pytest.fixture(scope="module")
def phase() -> Iterator[EmbeddedPhase]:
    """Give the module's Phase; each test has a folder of its own there."""
    with EmbeddedPhase() as phase:
        yield phase
