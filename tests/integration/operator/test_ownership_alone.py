"""A PhaseSecret with our finalizer while no operator runs."""

from pathlib import Path
from typing import Any

from phase_dev.cluster import ControlPlane
from support.operator_process import eventually, running_operator
from support.world import World

FINALIZER = "secrets.phase.dev/targets"
# The one command of docs/operating/install.md.
FREE = ("patch", "phasesecret", "shop", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
MERGED: dict[str, Any] = {
    "managedSecretReferences": [
        {"secretName": "shared", "creationPolicy": "Merge", "keys": {"include": ["LOG_LEVEL"]}},
    ],
    "pollingInterval": 3600,
}


def finalizers(world: World) -> list[str]:
    return list((world.get("phasesecret", "shop") or {"metadata": {}})["metadata"].get("finalizers", []))


def test_without_the_operator_one_command_lets_a_resource_go(
    stage: World, installed: ControlPlane, tmp_path: Path
) -> None:
    with running_operator(installed, tmp_path, "--namespace", stage.namespace):
        stage.phase_secret(**MERGED)
        stage.until_ready()
    stage.plane.kubectl("-n", stage.namespace, "delete", "phasesecret", "shop", "--wait=false")
    assert finalizers(stage) == [FINALIZER]

    stage.plane.kubectl("-n", stage.namespace, *FREE)

    assert stage.get("phasesecret", "shop") is None
    assert stage.data("shared") == {"LOG_LEVEL": "warning"}


def test_a_resource_deleted_while_the_operator_was_away_is_finished(
    stage: World, installed: ControlPlane, tmp_path: Path
) -> None:
    with running_operator(installed, tmp_path, "--namespace", stage.namespace):
        stage.phase_secret(**MERGED)
        stage.until_ready()
    stage.plane.kubectl("-n", stage.namespace, "delete", "phasesecret", "shop", "--wait=false")

    with running_operator(installed, tmp_path, "--namespace", stage.namespace):
        eventually(lambda: stage.get("phasesecret", "shop") is None, what="the resource goes")

    assert stage.data("shared") == {}
