"""A tenant who edits without a pause keeps nobody else from being served, and liveness knows it for no standstill."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from phase_dev.cluster import CommandFailed
from phase_dev.cluster.client import Client
from phase_operator.api import names
from support.cluster_fixture import new_namespace
from support.mallory import Mallory, mallory_in
from support.operator_process import eventually, meanwhile
from support.world import World

MANY = 40
LASTING = 12.0
INTERVAL = 5.0


@pytest.fixture
def mallory(world: World) -> Iterator[Mallory]:
    """Give a ServiceAccount that may write PhaseSecrets in a namespace of its own."""
    with new_namespace(world.plane) as own, mallory_in(world.plane, own) as found:
        yield found


def storm(client: Client, namespace: str, number: int) -> None:
    """Edit all of his PhaseSecrets."""
    change = {"metadata": {"annotations": {names.ANNOTATION_SYNC: str(number)}}}
    for each in range(MANY):
        with suppress(CommandFailed):
            client.patch(f"/apis/{names.API_VERSION}/namespaces/{namespace}/phasesecrets/s{each}", change)


def test_a_storm_of_edits_costs_the_neighbour_nothing(world: World, mallory: Mallory) -> None:
    world.phase_secret()
    world.until_ready()
    before = world.condition()
    token: dict[str, Any] = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "mine"}}}
    for number in range(MANY):
        spec: dict[str, Any] = {"phaseApp": "none", "phaseHost": mallory.url, "authentication": token}
        spec |= {"managedSecretReferences": [{"secretName": f"s{number}"}]}
        document = {"apiVersion": "secrets.phase.dev/v1alpha1", "kind": "PhaseSecret", "spec": spec}
        mallory.create(document | {"metadata": {"name": f"s{number}"}})
    storms = 0

    def once(client: Client) -> None:
        nonlocal storms
        storms += 1
        storm(client, mallory.namespace, storms)

    with mallory.account.client() as client, meanwhile(lambda: once(client), every=0.25):
        ends, changes = time.monotonic() + LASTING, 0
        # A busy machine takes longer for so many.
        while time.monotonic() < ends or storms <= 10:
            changes += 1
            world.phase.set("shop", "Production", "LOG_LEVEL", value := f"during-{changes}")
            eventually(
                lambda value=value: (world.data() or {}).get("LOG_LEVEL") == value,  # type: ignore[misc]  # bound now
                within=INTERVAL + 5,
                what="a change arrives",
            )
            began = time.monotonic()
            assert world.operator.get("/healthz").status_code == 200
            assert time.monotonic() - began < 1
        world.phase_secret("new", managedSecretReferences=[{"secretName": "new"}])
        eventually(lambda: world.data("new"), within=5, what="a new resource is served")

    assert world.condition()["lastTransitionTime"] == before["lastTransitionTime"]
