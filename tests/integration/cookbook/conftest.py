"""One control plane with the RBAC that we ship, one Phase and one operator for all recipes."""

import json
from collections.abc import Iterator

import pytest

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.canary import Canary
from support.cluster_fixture import control_plane, kubectl, namespace
from support.cookbook import SEED, Kitchen, grants
from support.followers import SETTLE
from support.operator_process import OperatorProcess, install_once, running_operator

__all__ = ["control_plane", "kubectl", "namespace"]


@pytest.fixture(scope="session")
def installed(control_plane: ControlPlane) -> ControlPlane:
    """Give the session's cluster with CRDs and RBAC as users apply them."""
    install_once(control_plane)
    return control_plane


@pytest.fixture(scope="module")
def phase() -> Iterator[EmbeddedPhase]:
    """Give the module's Phase; each recipe has a folder of its own there."""
    with EmbeddedPhase(SEED) as phase:
        yield phase


@pytest.fixture(scope="module")
def operator(
    installed: ControlPlane, phase: EmbeddedPhase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Give the operator as an administrator runs it who has read the cookbook. No token goes to Phase's cloud."""
    flags = (*SETTLE, "--push", "true", "--allow-phase-host", phase.url, "--grant", grants())
    with running_operator(installed, tmp_path_factory.mktemp("operator"), *flags) as operator:
        yield operator


@pytest.fixture
def kitchen(
    installed: ControlPlane, phase: EmbeddedPhase, namespace: str, canary: Canary, operator: OperatorProcess
) -> Iterator[Kitchen]:
    """Give a namespace with a token, and the operator at work. Leaks fail the test."""
    for form in ("hex", "pss"):
        canary.token(phase.token("operator", form=form))
    kitchen = Kitchen(installed, namespace, phase, canary)
    kitchen.operator = operator
    before = len(operator.log)
    canary.watch(lambda: operator.log[before:])
    canary.watch(lambda: json.dumps(kitchen.api.items("events", namespace)))
    kitchen.token()
    yield kitchen
    kitchen.none_left()
