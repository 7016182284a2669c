"""One control plane with the RBAC that we ship, and one operator for a module's tests; a Phase for each test."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.canary import Canary
from support.cluster_fixture import control_plane, kubectl, namespace
from support.lease_stage import LeaseStage
from support.operator_process import OperatorProcess, install, running_operator

__all__ = ["control_plane", "kubectl", "namespace"]


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """Give the session's cluster with CRDs and RBAC as users apply them."""
    install(control_plane)
    return control_plane


class Shared:
    """The operator of a module's tests, which stands still while one of them runs its own."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane, self._folder = plane, folder
        self._running = ExitStack()
        self._operator: OperatorProcess | None = None

    def operator(self) -> OperatorProcess:
        """Return the running operator."""
        if self._operator is None:
            self._operator = self._running.enter_context(running_operator(self._plane, self._folder))
        return self._operator

    def stop(self) -> None:
        """End it, if it runs."""
        self._running.close()
        self._operator = None


@pytest.fixture(scope="module")
def shared(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Give the module's operator."""
    found = Shared(installed, tmp_path_factory.mktemp("operator"))
    yield found
    found.stop()


@pytest.fixture
def stage(
    installed: ControlPlane, shared: Shared, namespace: str, canary: Canary, request: pytest.FixtureRequest
) -> Iterator[LeaseStage]:
    """Give a namespace with a token and a Phase of its own; the test runs the operator. Leaks fail the test."""
    if "world" not in request.fixturenames:
        shared.stop()
    with EmbeddedPhase() as phase:
        canary.token(phase.token("operator", form="hex"))
        stage = LeaseStage(installed, namespace, phase, canary)
        canary.watch(lambda: json.dumps(stage.events()))
        stage.token()
        yield stage


@pytest.fixture
def world(stage: LeaseStage, shared: Shared) -> Iterator[LeaseStage]:
    """Give the stage with the module's operator at work, which gives back what is left."""
    operator = shared.operator()
    before = len(operator.log)
    stage.canary.watch(lambda: operator.log[before:])
    stage.canary.watch(lambda: operator.get("/metrics", metrics=True).text)
    stage.operator = operator
    yield stage
    stage.no_leases()
