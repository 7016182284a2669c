"""One control plane and one operator for the module's tests; an embedded Phase for each test."""

import json
from collections.abc import Iterator

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support import suspended
from support.canary import Canary
from support.cluster_fixture import control_plane, kubectl, namespace
from support.operator_process import PROGRAM, OperatorProcess, install_once
from support.quoting import install_quoting, quoting_webhook
from support.shared_operator import SharedOperator, no_second_operator, operator
from support.world import World

__all__ = ["control_plane", "kubectl", "namespace", "no_second_operator", "operator"]


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Give the session's cluster with CRDs and RBAC as users apply them, and admission that quotes what is written."""
    install_once(control_plane)
    with quoting_webhook() as (url, authority):
        install_quoting(control_plane, url, authority)
        yield control_plane


@pytest.fixture(scope="module")
def module_operator(
    installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[SharedOperator]:
    """Give the operator of a module's tests; if the module says MISSES_TIME, they do not wait for its intervals."""
    program = suspended.PROGRAM if getattr(request.module, "MISSES_TIME", False) else PROGRAM
    found = SharedOperator(installed, tmp_path_factory.mktemp("operator"), program)
    yield found
    found.stop()


@pytest.fixture
def stage(installed: ControlPlane, no_second_operator: None, namespace: str, canary: Canary) -> Iterator[World]:
    """Give a namespace with a token and a Phase of its own; the test runs the operator. Leaks fail the test."""
    with EmbeddedPhase() as phase:
        for form in ("hex", "pss"):
            canary.token(phase.token("operator", form=form))
        world = World(installed, namespace, phase, canary)
        canary.watch(lambda: json.dumps(world.events()))
        world.token()
        yield world
        world.no_phase_secrets()


@pytest.fixture
def world(stage: World, operator: OperatorProcess, canary: Canary) -> World:
    """Give the stage with the module's operator at work."""
    before = len(operator.log)
    canary.watch(lambda: operator.log[before:])
    canary.watch(lambda: operator.get("/metrics", metrics=True).text)
    stage.operator = operator
    return stage
