"""What anybody may write into objects of his own namespace ends no task of the operator."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phase_dev.cluster import ControlPlane
from phase_operator.api import names
from phase_operator.core.targets.merge import merge_annotation
from support.cluster_fixture import new_namespace
from support.mallory import Mallory, mallory_in
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World, phase_secret

MANAGER = f"{names.MERGE_MANAGER_PREFIX}x"
# MiB, as the manifests have it.
MOST = 256
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


def vast(number: int) -> dict[str, Any]:
    """Return a ConfigMap of more than a megabyte, most of which is in its metadata: managedFields name each key."""
    metadata = {"name": f"vast-{number}", "labels": {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {f"k{key:05x}": "" for key in range(45_000)},
    }


def peak(running: OperatorProcess) -> float:
    """Return the most memory that the operator has taken, in MiB."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    [size] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(size) / 1024


def test_objects_of_a_megabyte_take_no_more_memory_than_there_is(
    stage: World, mallory: Mallory, installed: ControlPlane, tmp_path: Path
) -> None:
    stage.phase_secret()
    with running_operator(installed, tmp_path) as running:
        stage.operator = running
        stage.until_ready()

        for number in range(40):
            mallory.make(vast(number))
        goes_on(stage, "beside-large-objects", "three")

        assert peak(running) < MOST

    # They are in the first list of the next leader.
    with running_operator(installed, tmp_path) as running:
        stage.operator = running
        goes_on(stage, "after-large-objects", "four")

        assert running.metric("phase_operator_internal_errors_total") == 0
        assert peak(running) < MOST


def managed(depth: int) -> str:
    """Return a patch by which an object's fields have a manager whose fields are nested so deeply."""
    fields = '{"f:x": ' * depth + "{}" + "}" * depth
    entry = '{"manager": "x", "operation": "Update", "apiVersion": "%s", "fieldsType": "FieldsV1", "fieldsV1": %s}'
    return '[{"op": "replace", "path": "/metadata/managedFields", "value": [%s]}]' % (entry % ("v1", fields))


@pytest.mark.parametrize("depth", [300, 5_000])
def test_managed_fields_of_any_depth_cost_nobody_anything(
    depth: int, stage: World, mallory: Mallory, installed: ControlPlane, tmp_path: Path
) -> None:
    stage.phase_secret()
    with running_operator(installed, tmp_path) as running:
        stage.operator = running
        stage.until_ready()

        mallory.make(strange("deep", "{}"))
        mallory.patch("configmap", "deep", managed(depth))
        with mallory_in(stage.plane, mallory.namespace) as author:
            author.make(phase_secret("deep", "https://phase.example.com"))
            author.patch("phasesecret", "deep", managed(depth).replace('"v1"', '"secrets.phase.dev/v1alpha1"'))
        goes_on(stage, f"beside-{depth}", "five")

    with running_operator(installed, tmp_path) as running:
        stage.operator = running
        goes_on(stage, f"after-{depth}", "six")
        assert running.metric("phase_operator_internal_errors_total") == 0
