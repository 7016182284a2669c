"""A real control plane for tests: one for the whole session, started when the first test asks for it.

Name it in a conftest.py: `pytest_plugins = ["support.cluster_fixture"]`, or import the fixtures. The fixtures are
plain, not asynchronous, and belong to no event loop; so a test with a loop of its own may use them.
Keep to a namespace of your own (`namespace`), and do no harm to the shared cluster: a test that stops or pauses a
program starts a cluster for itself with `Cluster.start()`.
"""

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from phase_dev.cluster import Cluster, Completed, ControlPlane, start_control_plane

Kubectl = Callable[..., Completed]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """Give the session's control plane, with the controllers and one simulated node; calls block."""
    with start_control_plane(controllers=True, nodes=1) as plane:
        yield plane


@pytest.fixture(scope="session")
def cluster(control_plane: ControlPlane) -> Cluster:
    """Give the session's control plane to asynchronous tests."""
    return Cluster(control_plane)


@pytest.fixture(scope="session")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """Give a kubectl that is the session's admin: `kubectl("get", "ns").stdout`."""
    return control_plane.kubectl


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """Give a namespace of the test's own; its removal is asked for and not waited for."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    control_plane.kubectl("create", "namespace", name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false")
