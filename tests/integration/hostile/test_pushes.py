"""A tenant of PhasePushSecrets does his worst, and his neighbour is served as without him.

The neighbour has a PhaseSecret and a PhasePushSecret. His rounds are those of test_neighbours.py, in which a source of
his push changes as well: it is in Phase as soon as a change of Phase would be in his cluster.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

from integration.pushes.conftest import phase, stage
from phase_dev.cluster import CommandFailed, ControlPlane
from phase_dev.cluster.client import Client
from phase_dev.server import EmbeddedPhase
from phase_operator.api import names
from support.bad_connections import BadConnections
from support.bad_phase import BadPhase
from support.cluster_fixture import new_namespace
from support.neighbours import Hostile, Watching, hostile_in
from support.operator_process import OWN_INTERPRETER, OperatorProcess, eventually, meanwhile, running_operator
from support.push_stage import PushStage, push_secret
from support.world import secret

__all__ = ["phase", "stage"]

ROUNDS = 2
# Seconds in which a source that changes is in Phase.
PUSHED = 10.0
_SOURCES, _RESOURCES = 60, 40
_LABELS = {"push": "all"}
# A letter of it takes four bytes in memory.
_WIDE = "x" * 500_000 + "😀"


@pytest.fixture(scope="module")
def pusher(
    installed: ControlPlane, phase: EmbeddedPhase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """Run one operator that pushes to the module's Phase."""
    flags = ("--push", "true", "--allow-phase-host", phase.url)
    folder = tmp_path_factory.mktemp("pusher")
    with running_operator(installed, folder, *flags, elects=True, python=OWN_INTERPRETER) as process:
        yield process


@pytest.fixture
def good(stage: PushStage, pusher: OperatorProcess) -> Iterator[PushStage]:
    """Give a tenant with a PhaseSecret and a PhasePushSecret that are in step."""
    stage.operator = pusher
    stage.source("db", {"PASSWORD": "before"})
    stage.push_secret()
    stage.until_in_step(1)
    stage.phase_secret()
    stage.until_ready()
    yield stage
    stage.none_left()


def test_a_neighbour_is_served_beside_a_tenant_of_pushes(
    good: PushStage, pusher: OperatorProcess, bad: BadPhase, bad_connections: BadConnections
) -> None:
    with Watching(good, pusher) as watching, ExitStack() as stack:
        own = stack.enter_context(new_namespace(good.plane))
        hostile = stack.enter_context(hostile_in(good.plane, own, bad, bad_connections))
        stack.enter_context(_attacking(hostile, good))
        for number in range(ROUNDS):
            watching.round(number)
            good.source("db", {"PASSWORD": f"round-{number}"})
            good.until_pushed({"PASSWORD": f"round-{number}"}, within=PUSHED)

    assert watching.figures.broken() == []
    assert pusher.metric("phase_operator_internal_errors_total") == 0
    assert good.ready()["reason"] == "Synced"


@contextmanager
def _attacking(hostile: Hostile, good: PushStage) -> Iterator[None]:
    """Push everything he has, from Secrets of any size that he edits without a pause, by forged statuses."""
    rule = {"apiGroups": ["secrets.phase.dev"], "resources": ["*"], "verbs": ["*"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "hostile"}}
    good.api.apply(role | {"rules": [rule]}, hostile.namespace, "admin")
    hostile.apply(secret(names.DEFAULT_TOKEN_SECRET, {"token": good.phase.token("operator", form="pss")}))
    secrets = f"/api/v1/namespaces/{hostile.namespace}/secrets"
    pushes = f"/apis/secrets.phase.dev/v1alpha1/namespaces/{hostile.namespace}/phasepushsecrets"
    with hostile.client() as client:
        for number in range(_SOURCES):
            source = secret(f"s{number}", {f"K{number}": _WIDE if number % 2 else "small"})
            many = {f"label-{each}": "x" * 60 for each in range(4_000)} if number % 6 == 0 else {}
            source["metadata"]["labels"] = _LABELS | many
            client.create(secrets, source)
        for body in _resources(hostile, good):
            client.create(pushes, body)
    numbers = itertools.count(1)

    def edit(client: Client, path: str, change: dict[str, Any]) -> None:
        with suppress(CommandFailed):
            client.patch(path, change)

    def storm(client: Client) -> None:
        number = next(numbers)
        edit(client, f"{secrets}/s{number % 10 * 6}", {"stringData": {"more": str(number)}})
        annotation = {names.ANNOTATION_SYNC: str(number)}
        edit(client, f"{pushes}/p{number % _RESOURCES}", {"metadata": {"annotations": annotation}})
        edit(client, f"{pushes}/p{number % _RESOURCES}/status", {"status": _forged(good, number)})

    with hostile.client() as client, meanwhile(lambda: storm(client), every=1 / 50):
        eventually(lambda: next(numbers) > 20, within=60, what="there are edits")
        begun = next(numbers)
        yield
        eventually(lambda: next(numbers) > begun + 10, within=60, what="there are edits in the rounds")
    hostile.api.delete("phasepushsecrets", namespace=hostile.namespace)


def _resources(hostile: Hostile, good: PushStage) -> Iterator[dict[str, Any]]:
    """Yield many that take all his Secrets, one that wants his neighbour's entries, and one whose keys take long."""
    root, url = f"/{hostile.namespace}", good.phase.url
    selecting = [{"secretSelector": "push=all"}, {"secretSelector": "push,!none"}]
    for number in range(_RESOURCES):
        yield push_secret(f"p{number}", url, f"{root}/{number % 4}", sources=selecting)
    taking = {"sources": [{"secretName": "s0", "processors": {"K0": {"asName": "PASSWORD"}}}]}
    yield push_secret("takes", url, good.root, updatePolicy="Replace", **taking)
    keys = [{"key": f"RSA_{number}", "kind": "RSAKey"} for number in range(32)]
    yield push_secret("keys", url, f"{root}/keys", sources=None, generate=keys, generateInto="made")


def _forged(good: PushStage, number: int) -> dict[str, Any]:
    at = {"host": good.phase.url, "appId": good.phase.app_id("shop"), "environment": "production"}
    row = {"path": good.root, "key": "PASSWORD", "source": "Secret/s0", "resourceVersion": "1", "id": "x", "version": 1}
    more = ({**row, "key": f"K{each}", "unclearUntil": "9999-01-01T00:00:00Z"} for each in range(number % 500))
    return {"pushedTo": at, "entries": [row, *more]}
