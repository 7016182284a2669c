"""A tenant who means harm, beside one who does not: the cluster, the operator and the stage of the operator's tests."""

import json
from collections.abc import Iterator

import pytest

from integration.operator.conftest import (
    control_plane,
    installed,
    kubectl,
    module_operator,
    namespace,
    no_second_operator,
    operator,
    stage,
    world,
)
from phase_dev.cluster import ControlPlane
from support.attacks import TRUSTED
from support.bad_connections import BadConnections
from support.bad_connections import bad_connections as listening
from support.bad_phase import BadPhase, bad_phase
from support.neighbours import Watching
from support.operator_process import REPOSITORY, OperatorProcess, running_operator
from support.resolving import PROGRAM
from support.world import World

__all__ = [
    "control_plane",
    "installed",
    "kubectl",
    "module_operator",
    "namespace",
    "no_second_operator",
    "operator",
    "stage",
    "world",
]


@pytest.fixture(scope="module")
def bad_connections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BadConnections]:
    """Run hosts whose connections misbehave; their certificates are trusted."""
    with listening(tmp_path_factory.mktemp("connections")) as found:
        yield found


@pytest.fixture(scope="module")
def leader(
    installed: ControlPlane, bad_connections: BadConnections, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Run one operator for a module's tests, as the manifests do: for the whole cluster, with a Lease.

    It trusts the hosts of the tests, whose names its resolver knows, and a namespace with a certain label may write
    anywhere.
    """
    installed.kubectl("apply", "-f", str(REPOSITORY / "deploy/namespace-labels/rbac.yaml"))
    label, value = next(iter(TRUSTED.items()))
    flags = (
        "--phase-ca-file",
        str(bad_connections.authority),
        "--grant",
        f"fromLabel={label}={value},to=*,what=target",
    )
    folder = tmp_path_factory.mktemp("leader")
    with running_operator(installed, folder, *flags, elects=True, program=PROGRAM) as process:
        yield process


@pytest.fixture(scope="module")
def bad(bad_connections: BadConnections) -> Iterator[BadPhase]:
    """Run Phase servers that misbehave."""
    with bad_phase(bad_connections.context) as found:
        yield found


@pytest.fixture
def good(stage: World, leader: OperatorProcess) -> World:
    """Give a tenant with a PhaseSecret that is ready."""
    stage.operator = leader
    stage.phase_secret()
    stage.until_ready()
    return stage


@pytest.fixture
def watching(good: World, leader: OperatorProcess, request: pytest.FixtureRequest) -> Iterator[Watching]:
    """Look at the good tenant and the operator meanwhile, and keep the figures for the table in docs/security.md."""
    with Watching(good, leader) as found:
        yield found
    file = REPOSITORY / "build" / "hostile" / f"{request.node.name.replace('/', '-')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found.figures.row(request.node.name)))
