"""Restarts where operators come and go: starts, kills, two at once, and one that may not restart anything."""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from phase_dev.cluster import ControlPlane
from support.followers import SETTLE, change, generation, noted, stays, until_noted, until_restarted, workload
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World

Run = Callable[..., AbstractContextManager[OperatorProcess]]


@pytest.fixture
def run(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a way to run operators of the test's own."""
    return lambda *flags: running_operator(installed, tmp_path_factory.mktemp("operator"), *(flags or SETTLE))


def test_starts_adoptions_and_repairs_restart_nothing(stage: World, run: Run) -> None:
    world = stage
    everyone = [("deployment", "web"), ("statefulset", "web"), ("daemonset", "web")]
    world.apply(workload(), workload("StatefulSet"), workload("DaemonSet"))

    with run() as operator:
        world.operator = operator
        # Pods that wait for their Secret, and a first adoption.
        world.phase_secret()
        world.until_ready()
        until_noted(world, *everyone)
        # Only metadata.
        labelled = {"secretName": "shop", "template": {"metadata": {"labels": {"tier": "api"}}}}
        world.phase_secret(managedSecretReferences=[labelled])
        world.until_ready()
        assert (world.get("secret", "shop") or {})["metadata"]["labels"]["tier"] == "api"
        # Drift.
        before = world.data()
        world.plane.kubectl("-n", world.namespace, "patch", "secret", "shop", "-p", '{"data":{"LOG_LEVEL":"eA=="}}')
        eventually(lambda: world.data() == before, what="the Secret is repaired")
        world.plane.kubectl("-n", world.namespace, "delete", "secret", "shop")
        eventually(lambda: world.data() == before, what="the Secret is made again")
        stays(world, 4, *everyone)
    # A start, a failover, an upgrade: another process takes over what stands there.
    with run() as operator:
        world.operator = operator
        stays(world, 4, *everyone)

    assert {each: generation(world, each[1], each[0]) for each in everyone} == dict.fromkeys(everyone, 1)


def test_a_kill_between_the_secret_and_the_template_loses_no_restart(stage: World, run: Run) -> None:
    world = stage
    with run("--restart-settle-seconds", "5") as operator:
        world.operator = operator
        world.phase_secret()
        world.until_ready()
        world.apply(workload())
        change(world)
        operator.stop(signal.SIGKILL)
    assert noted(world) is not None
    assert generation(world) == 1

    with run() as operator:
        world.operator = operator
        until_restarted(world, since=1)
        stays(world, 4, ("deployment", "web"))
    assert generation(world) == 2


def test_two_leaders_for_a_moment_restart_once(stage: World, run: Run) -> None:
    world = stage
    with run() as first, run():
        world.operator = first
        world.phase_secret()
        world.until_ready()
        world.apply(*(workload(name=f"web-{number}") for number in range(10)))

        change(world)

        for number in range(10):
            until_restarted(world, f"web-{number}", since=1)
        stays(world, 4, *(("deployment", f"web-{number}") for number in range(10)))
    assert {generation(world, f"web-{number}") for number in range(10)} == {2}


def test_an_operator_without_restarts_reads_and_writes_no_workload(stage: World, run: Run) -> None:
    world = stage
    world.apply(workload())
    with run("--restarts", "false") as operator:
        world.operator = operator
        world.phase_secret()
        world.until_ready()
        change(world)
        for resource in ("deployments", "statefulsets", "daemonsets", "cronjobs", "rollouts"):
            assert operator.metric("phase_operator_kubernetes_requests_total", resource=resource) == 0

    assert (generation(world), noted(world)) == (1, None)
