"""Roll-outs that cannot end, on real controllers: they hold up neither their cure nor anybody else."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest

from phase_dev.cluster import ControlPlane
from support import suspended
from support.cluster_fixture import new_namespace
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
    folder = tmp_path_factory.mktemp("operator")
    with running_operator(installed, folder, *SETTLE, program=suspended.PROGRAM) as process:
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


def until_cured(world: World, kind: str, since: int, name: str = "web") -> None:
    eventually(lambda: generation(world, name, kind) > since, within=CURED, what=f"{kind} {name} is rolled over")


MORE: dict[str, dict[str, Any]] = {
    "Deployment": {"progressDeadlineSeconds": NEVER},
    "StatefulSet": {"podManagementPolicy": "Parallel"},
    "DaemonSet": {},
}
# A DaemonSet wants no pod where the selector fits no node: one that no container can begin of, then.
NO_START = {"schedulingGates": [{"name": "example.com/never"}]}
BROKEN: dict[str, dict[str, Any]] = {"Deployment": NOWHERE, "StatefulSet": NOWHERE, "DaemonSet": NO_START}


def test_content_rolls_over_roll_outs_of_every_kind_that_cannot_end(world: World) -> None:
    every = [(kind, kind.lower()) for kind in MORE]
    world.phase_secret()
    world.until_ready()
    world.apply(*(workload(kind, name, replicas=2, **MORE[kind]) for kind, name in every))
    for _, name in every:
        eventually(partial(pods, world, name), what=f"pods of {name} are there")
    change(world)
    for _, name in every:
        until_restarted(world, name, name, since=1)
    since = {name: generation(world, name, name) for _, name in every}
    world.apply(*(workload(kind, name, replicas=2, spec=pod(**BROKEN[kind]), **MORE[kind]) for kind, name in every))
    assert {name: generation(world, name, name) > since[name] for _, name in every} == dict.fromkeys(since, True)
    for _, name in every:
        until_stuck(world, name)

    change(world, "cure")

    for _, name in every:
        until_cured(world, name, since[name] + 1, name)
    cured = {f"{kind} {name}" for kind, name in every}
    eventually(lambda: cured <= {*(told(world).get("restarted") or [])}, what="the status tells of each")


def test_a_stateful_set_that_waits_for_its_broken_pod_is_marked_and_told(world: World) -> None:
    world.apply(workload("StatefulSet", replicas=2))
    world.phase_secret()
    world.until_ready()
    until_running(world, 2)
    eventually(
        lambda: ((world.get("statefulset", "web") or {}).get("status") or {}).get("availableReplicas") == 2,
        what="its controller has seen that they run",
    )
    until_noted(world, ("statefulset", "web"))
    world.apply(workload("StatefulSet", replicas=2, spec=pod(**NOWHERE)))
    until_stuck(world)
    since = generation(world, kind="statefulset")

    change(world, "cure")

    until_cured(world, "statefulset", since)
    eventually(lambda: "OrderedReady" in str(told(world).get("notRestarted")), what="the status tells", within=30)
    assert world.condition()["status"] == "True"


def until_all_places_are_taken(world: World, names: Sequence[str]) -> None:
    """Change what stuck workloads read, and wait until their restarts have every place that one namespace may have."""
    change(world, "no cure")
    world.until(
        lambda: "its turn has not come" in str(told(world).get("notRestarted")), what="the others wait for places"
    )
    restarted = [name for name in names if generation(world, name) > 1]
    assert 0 < len(restarted) < len(names)


def test_stuck_roll_outs_of_one_namespace_hold_up_no_other(world: World) -> None:
    with new_namespace(world.plane, f"{world.namespace}-stuck") as other:
        neighbour = World(world.plane, other, world.phase, world.canary)
        neighbour.operator = world.operator
        neighbour.token()
        every = [f"stuck-{number}" for number in range(12)]
        for name in every:
            neighbour.apply(workload(name=name, replicas=1, spec=pod(**NOWHERE), progressDeadlineSeconds=NEVER))
        neighbour.phase_secret()
        neighbour.until_ready()
        until_noted(neighbour, *(("deployment", name) for name in every))
        until_all_places_are_taken(neighbour, every)
        world.apply(workload(replicas=1))
        world.phase_secret()
        world.until_ready()
        until_running(world, 1)
        until_noted(world)

        change(world)

        until_restarted(world, since=1)
        until_running(world, 1)
        neighbour.no_phase_secrets()
