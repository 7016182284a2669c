"""A tenant who means harm, beside one who does not: the cluster, the operator and the stage of the operator's tests."""

import json
from collections.abc import Iterator

import pytest

from integration.operator.conftest import control_plane, installed, kubectl, namespace, operator, stage, world
from phase_dev.cluster import ControlPlane
from support.bad_phase import BadPhase, bad_phase
from support.cluster_fixture import new_namespace
from support.neighbours import Hostile, Watching, hostile_in
from support.operator_process import REPOSITORY, OperatorProcess, running_operator
from support.world import World

__all__ = ["control_plane", "installed", "kubectl", "namespace", "operator", "stage", "world"]


@pytest.fixture(scope="module")
def leader(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """Run one operator for a module's tests, as the manifests do: for the whole cluster, with a Lease."""
    with running_operator(installed, tmp_path_factory.mktemp("leader"), elects=True) as process:
        yield process


@pytest.fixture
def bad() -> Iterator[BadPhase]:
    """Run Phase servers that misbehave."""
    with bad_phase() as found:
        yield found


@pytest.fixture
def good(stage: World, leader: OperatorProcess) -> World:
    """Give a tenant with a PhaseSecret that is ready."""
    stage.operator = leader
    stage.phase_secret()
    stage.until_ready()
    return stage


@pytest.fixture
def hostile(stage: World, bad: BadPhase) -> Iterator[Hostile]:
    """Give a tenant with a namespace of his own and the role `edit` in it."""
    with new_namespace(stage.plane) as own, hostile_in(stage.plane, own, bad) as found:
        yield found
        stage.plane.kubectl("-n", own, "delete", "phasesecrets", "--all", "--wait=false")


@pytest.fixture
def watching(good: World, leader: OperatorProcess, request: pytest.FixtureRequest) -> Iterator[Watching]:
    """Look at the good tenant and the operator meanwhile, and keep the figures for the table in docs/security.md."""
    with Watching(good, leader) as found:
        yield found
    file = REPOSITORY / "build" / "hostile" / f"{request.node.name.replace('/', '-')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found.figures.row(request.node.name)))
