"""Versioned targets on a real API server: immutable objects, kept as long as a workload needs them."""

from typing import Any

from support.operator_process import eventually
from support.world import World, deployment

VERSIONED = [{"secretName": "shop", "versioned": {"keep": 1}}]


def target(world: World) -> dict[str, Any]:
    found = (world.get("phasesecret", "shop") or {}).get("status", {}).get("targets") or [{}]
    return dict(found[0])


def test_a_change_makes_a_new_object_and_the_old_one_stays_while_a_deployment_names_it(world: World) -> None:
    world.phase_secret(managedSecretReferences=VERSIONED)
    world.until_ready()
    first = target(world)["version"]
    world.apply(deployment("reader", first))
    before = world.data(first)

    world.phase.set("shop", "Production", "LOG_LEVEL", value := world.canary.value("level"))
    second = eventually(lambda: (name := target(world).get("version")) != first and name, what="a new version")

    assert (world.get("secret", first) or {})["immutable"] is True
    assert world.data(first) == before
    assert (world.data(second) or {})["LOG_LEVEL"] == value
    assert world.get("secret", "shop") is None

    world.plane.kubectl("-n", world.namespace, "delete", "deployment", "reader", "--cascade=foreground")
    world.phase.set("shop", "Production", "LOG_LEVEL", world.canary.value("another level"))

    eventually(lambda: world.get("secret", first) is None and world.get("secret", second) is None, what="old ones go")
    eventually(lambda: world.data(target(world)["version"]) is not None, what="the newest stays")
