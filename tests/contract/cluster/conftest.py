"""Each test runs twice: on the fake, and on a real API server under the rights that we ship."""

import itertools
import os
from collections.abc import AsyncIterator

import pytest

from contract.cluster.sides import FakeSide, RealSide, Side
from phase_operator.kube.client import KubeClient, load_configuration
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.events import Recorder
from phase_operator.kube.target_cache import TargetCache
from phase_operator.reconcile.internal_errors import InternalErrors
from support.api import api_of
from support.clock import HandClock
from support.cluster_fixture import control_plane
from support.namespaces import remove_namespaces
from support.operator_process import install_once

__all__ = ["control_plane"]

_numbers = itertools.count(1)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.controlplane)])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    """Give a cluster with a namespace of the test's own."""
    if request.param == "fake":
        yield FakeSide()
        return
    plane = request.getfixturevalue("control_plane")
    install_once(plane)
    namespace = f"contract-{os.getpid()}-{next(_numbers)}"
    api = api_of(plane)
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    configuration = await load_configuration(plane.service_account_kubeconfig("phase-system", "phase-operator"))
    client = KubeClient(configuration, lambda *_: None)
    known = TargetCache()
    try:
        recorder = Recorder(client, HandClock(), "contract", lambda _: None, InternalErrors())
        yield RealSide(plane, namespace, KubeCluster(client, known, recorder, lambda _: None), known, client)
    finally:
        await client.close()
        remove_namespaces(plane, namespace)
