"""What anybody may write into objects of his own namespace ends no task of the operator."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phase_dev.cluster import ControlPlane
from phase_operator.api import names
from phase_operator.core.targets.merge import merge_annotation
from support.bad_connections import BadConnections
from support.bad_phase import BadPhase
from support.cluster_fixture import new_namespace
from support.mallory import Mallory, mallory_in
from support.neighbours import MEMORY, Watching, hostile_in
from support.operator_process import OWN_INTERPRETER, OperatorProcess, eventually, ready, running_operator
from support.vast_objects import leave, worst
from support.world import World

MANAGER = f"{names.MERGE_MANAGER_PREFIX}x"
MARKS = {
    "deep": "[" * 2000,
    "deeper": '{"keys":' * 20_000 + "1" + "}" * 20_000,
    "strange": json.dumps({"keys": [[], {}, 1, None], "of": ["x"], "digest": {}, "seal": 7, "type": [], "content": 1}),
    "numbers": '{"keys":[' + "9" * 5000 + "]}",
    "no-json": "\ufeff{'",
}


@pytest.fixture
def mallory(stage: World) -> Iterator[Mallory]:
    """Give a ServiceAccount that may write ConfigMaps in a namespace of its own, and nothing else."""
    with new_namespace(stage.plane) as own, mallory_in(stage.plane, own, may_write="configmaps") as found:
        yield found


def strange(name: str, mark: str) -> dict[str, Any]:
    metadata = {
        "name": name,
        "labels": {names.LABEL_TARGET: names.LABEL_TARGET_VALUE},
        "annotations": {
            merge_annotation(MANAGER): mark,
            names.ANNOTATION_OWNER: mark[:1000],
            names.ANNOTATION_KEYS: mark[:1000],
            names.ANNOTATION_SEAL: mark[:1000],
        },
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"K": "v"}}


def goes_on(world: World, name: str, value: str) -> None:
    """Fail unless a change arrives and a new resource becomes ready, each within 10 s."""
    began = time.monotonic()
    world.phase.set("shop", "Production", "LOG_LEVEL", value)
    world.phase_secret(name, managedSecretReferences=[{"secretName": name}])
    world.until_ready(name)
    world.until_data(["shop", name], LOG_LEVEL=value)
    assert time.monotonic() - began < 10 + 5


def test_config_maps_of_a_stranger_cost_nobody_anything(
    stage: World, mallory: Mallory, installed: ControlPlane, tmp_path: Any
) -> None:
    stage.phase_secret()
    with running_operator(installed, tmp_path) as running:
        stage.operator = running
        stage.until_ready()
        before = stage.get("phasesecret", "shop")
        assert before is not None

        for name, mark in MARKS.items():
            mallory.apply_as(MANAGER, strange(name, mark))
        goes_on(stage, "while-running", "one")
        after = stage.get("phasesecret", "shop")

        assert running.process.poll() is None
        assert running.metric("phase_operator_internal_errors_total") == 0
        assert after is not None
        assert after["status"]["conditions"] == before["status"]["conditions"]

    # They are in the first list of the next leader.
    with running_operator(installed, tmp_path) as running:
        stage.operator = running
        goes_on(stage, "after-a-restart", "two")
        eventually(lambda: running.get("/healthz").status_code == 200, what="liveness")
        assert "RecursionError" not in running.log


@pytest.fixture
def left(stage: World, bad: BadPhase, bad_connections: BadConnections) -> Iterator[int]:
    """Let a tenant leave the worst objects that the API server takes; give their size in bytes."""
    with (
        new_namespace(stage.plane) as own,
        hostile_in(stage.plane, own, bad, bad_connections) as hostile,
    ):
        yield leave(hostile.account, worst(f"{stage.namespace}/shop", bad.url("good")))


def test_an_operator_starts_among_vast_and_deep_objects(
    left: int, stage: World, installed: ControlPlane, tmp_path: Path
) -> None:
    """They are in its first lists. It is ready as soon as ever and serves their neighbour, also after a kill."""
    assert left > 8_000_000, "they take parts of a list of their own"
    stage.phase_secret()

    for number in range(2):
        starting = running_operator(installed, tmp_path, waits=False, elects=number == 1, python=OWN_INTERPRETER)
        with starting as running:
            stage.operator = running
            with Watching(stage, running) as watching:
                becomes_ready(running)
                stage.until_ready()
                watching.round(number)

            assert watching.figures.broken() == []
            assert peak(running) < MEMORY
            assert running.metric("phase_operator_internal_errors_total") == 0
            assert "RecursionError" not in running.log
            running.stop(signal.SIGKILL)


def becomes_ready(running: OperatorProcess) -> None:
    """Wait until an operator is ready, as long as any test waits for it."""
    eventually(lambda: ready(running), within=30, what="the operator becomes ready")


def peak(running: OperatorProcess) -> float:
    """Return the most memory that an operator has taken, in MiB."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    [line] = [each for each in status.splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
