"""Roll-outs that cannot end, on real controllers: they hold up neither their cure nor anybody else."""

from collections.abc import Iterator
from typing import Any

import pytest

from phase_dev.cluster import ControlPlane
from support.followers import SETTLE, change, generation, pod, pods, told, until_noted, until_restarted, workload
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World

# The usual way to say that a roll-out may take for ever.
NEVER = 2**31 - 1
# Settle window, two probes, and the seconds for which a roll-out may stand still; and a machine that is busy.
CURED = 45
NOWHERE = {"nodeSelector": {"no": "node"}}


@pytest.fixture(scope="module")
def operator(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """Run the module's operator with a short settle window."""
    with running_operator(installed, tmp_path_factory.mktemp("operator"), *SETTLE) as process:
        yield process


def until_running(world: World, number: int, name: str = "web") -> None:
    eventually(
        lambda: [each["status"]["phase"] for each in pods(world, name)] == ["Running"] * number,
        what=f"{number} pods of {name} run",
    )


def until_stuck(world: World, name: str = "web") -> None:
    """Wait until a new pod waits for a node that there is none of."""
    eventually(
        lambda: "Pending" in [each["status"]["phase"] for each in pods(world, name)], what=f"a pod of {name} is stuck"
    )


def until_cured(world: World, kind: str, since: int) -> None:
    eventually(lambda: generation(world, kind=kind) > since, within=CURED, what=f"{kind} web is rolled over")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_content_rolls_over_a_roll_out_that_cannot_end(world: World, kind: str) -> None:
    more: dict[str, Any] = {"progressDeadlineSeconds": NEVER} if kind == "Deployment" else {}
    if kind == "StatefulSet":
        more["podManagementPolicy"] = "Parallel"
    world.phase_secret()
    world.until_ready()
    world.apply(workload(kind, replicas=2, **more))
    eventually(lambda: pods(world), what="pods are there")
    change(world)
    until_restarted(world, kind=kind.lower(), since=1)
    since = generation(world, kind=kind.lower())
    # A DaemonSet wants no pod where the selector fits no node: one that no container can begin of, then.
    broken = {"schedulingGates": [{"name": "example.com/never"}]} if kind == "DaemonSet" else NOWHERE
    world.apply(workload(kind, replicas=2, spec=pod(**broken), **more))
    eventually(lambda: generation(world, kind=kind.lower()) > since, what="the template is edited")
    until_stuck(world)

    change(world, "cure")

    until_cured(world, kind.lower(), since + 1)
    eventually(lambda: f"{kind} web" in (told(world).get("restarted") or []), what="the status tells")


def test_a_stateful_set_that_waits_for_its_broken_pod_is_marked_and_told(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    world.apply(workload("StatefulSet", replicas=2))
    until_running(world, 2)
    until_noted(world, ("statefulset", "web"))
    world.apply(workload("StatefulSet", replicas=2, spec=pod(**NOWHERE)))
    until_stuck(world)
    since = generation(world, kind="statefulset")

    change(world, "cure")

    until_cured(world, "statefulset", since)
    eventually(lambda: "OrderedReady" in str(told(world).get("notRestarted")), what="the status tells", within=30)
    assert world.condition()["status"] == "True"


def test_stuck_roll_outs_of_one_namespace_hold_up_no_other(world: World) -> None:
    neighbour = World(world.plane, f"{world.namespace}-stuck", world.phase, world.canary)
    neighbour.operator = world.operator
    world.plane.kubectl("create", "namespace", neighbour.namespace)
    neighbour.token()
    neighbour.phase_secret()
    neighbour.until_ready()
    every = [f"stuck-{number}" for number in range(12)]
    for name in every:
        neighbour.apply(workload(name=name, replicas=1, spec=pod(**NOWHERE), progressDeadlineSeconds=NEVER))
    until_noted(neighbour, *(("deployment", name) for name in every))
    world.phase_secret()
    world.until_ready()
    world.apply(workload(replicas=1))
    until_running(world, 1)
    until_noted(world)

    change(world)

    until_restarted(world, since=1)
    until_running(world, 1)
    neighbour.no_phase_secrets()
