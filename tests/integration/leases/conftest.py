"""One control plane with the RBAC that we ship, and one operator for a module's tests; a Phase for each test."""

import json
from collections.abc import Iterator

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.canary import Canary
from support.cluster_fixture import control_plane, kubectl, namespace
from support.lease_stage import LeaseStage
from support.operator_process import OperatorProcess, install_once
from support.shared_operator import SharedOperator, no_second_operator, operator

__all__ = ["control_plane", "kubectl", "namespace", "no_second_operator", "operator"]


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """Give the session's cluster with CRDs and RBAC as users apply them."""
    install_once(control_plane)
    return control_plane


@pytest.fixture(scope="module")
def module_operator(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedOperator]:
    """Give the module's operator."""
    found = SharedOperator(installed, tmp_path_factory.mktemp("operator"))
    yield found
    found.stop()


@pytest.fixture
def stage(installed: ControlPlane, no_second_operator: None, namespace: str, canary: Canary) -> Iterator[LeaseStage]:
    """Give a namespace with a token and a Phase of its own; the test runs the operator. Leaks fail the test."""
    with EmbeddedPhase() as phase:
        canary.token(phase.token("operator", form="hex"))
        stage = LeaseStage(installed, namespace, phase, canary)
        canary.watch(lambda: json.dumps(stage.events()))
        stage.token()
        yield stage


@pytest.fixture
def world(stage: LeaseStage, operator: OperatorProcess) -> Iterator[LeaseStage]:
    """Give the stage with the module's operator at work, which gives back what is left."""
    before = len(operator.log)
    stage.canary.watch(lambda: operator.log[before:])
    stage.canary.watch(lambda: operator.get("/metrics", metrics=True).text)
    stage.operator = operator
    yield stage
    stage.no_leases()
