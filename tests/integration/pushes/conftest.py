"""One control plane with the RBAC that we ship; a Phase and an operator that pushes there for a module's tests."""

import json
from collections.abc import Iterator

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support import suspended
from support.canary import Canary
from support.cluster_fixture import control_plane, kubectl, namespace
from support.operator_process import OperatorProcess, install_once, running_operator
from support.push_stage import PushStage

__all__ = ["control_plane", "kubectl", "namespace"]


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


@pytest.fixture(scope="module")
def operator(
    installed: ControlPlane, phase: EmbeddedPhase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Give the module's operator, which pushes to the module's Phase, and can miss time."""
    folder = tmp_path_factory.mktemp("operator")
    flags = ("--push", "true", "--allow-phase-host", phase.url)
    with running_operator(installed, folder, *flags, program=suspended.PROGRAM) as operator:
        yield operator


@pytest.fixture
def stage(installed: ControlPlane, phase: EmbeddedPhase, namespace: str, canary: Canary) -> Iterator[PushStage]:
    """Give a namespace with a token; the test runs the operator. Leaks fail the test."""
    canary.token(phase.token("operator", form="hex"))
    stage = PushStage(installed, namespace, phase, canary)
    canary.watch(lambda: json.dumps(stage.api.items("events", namespace)))
    stage.token()
    phase.reset_calls()
    yield stage
    phase.clear()


@pytest.fixture
def world(stage: PushStage, operator: OperatorProcess) -> Iterator[PushStage]:
    """Give the stage with the module's operator at work."""
    before = len(operator.log)
    stage.canary.watch(lambda: operator.log[before:])
    stage.canary.watch(lambda: operator.get("/metrics", metrics=True).text)
    stage.operator = operator
    yield stage
    stage.none_left()
