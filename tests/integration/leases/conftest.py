"""One control plane for the tests of leases, with the RBAC that we ship; an embedded Phase for each test."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.canary import Canary
from support.cluster_fixture import control_plane, kubectl, namespace
from support.lease_stage import LeaseStage
from support.operator_process import install, running_operator

__all__ = ["control_plane", "kubectl", "namespace"]


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """Give the session's cluster with CRDs and RBAC as users apply them."""
    install(control_plane)
    return control_plane


@pytest.fixture
def stage(installed: ControlPlane, namespace: str, canary: Canary) -> Iterator[LeaseStage]:
    """Give a namespace with a token and a Phase of its own; the test runs the operator. Leaks fail the test."""
    with EmbeddedPhase() as phase:
        canary.token(phase.token("operator", form="hex"))
        stage = LeaseStage(installed, namespace, phase, canary)
        canary.watch(lambda: json.dumps(stage.events()))
        stage.token()
        yield stage


@pytest.fixture
def world(stage: LeaseStage, tmp_path: Path) -> Iterator[LeaseStage]:
    """Give the stage with an operator at work, which gives back what is left."""
    with running_operator(stage.plane, tmp_path) as operator:
        stage.operator = operator
        stage.canary.watch(lambda: operator.log)
        stage.canary.watch(lambda: operator.get("/metrics", metrics=True).text)
        yield stage
        stage.no_leases()
