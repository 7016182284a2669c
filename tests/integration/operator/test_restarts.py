"""Workloads follow their Secrets on a real API server, with its controllers and simulated nodes."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from phase_dev.cluster import ControlPlane
from phase_operator.api import names
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World

Container = dict[str, Any]
Run = Callable[..., AbstractContextManager[OperatorProcess]]

SETTLE = ("--restart-settle-seconds", "1")
FOLLOWS = {names.ANNOTATION_REDEPLOY: "true"}
ENV_FROM: Container = {"envFrom": [{"secretRef": {"name": "shop"}}]}
ROLLOUTS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "rollouts.argoproj.io"},
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Rollout", "plural": "rollouts"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        ],
    },
}


@pytest.fixture(scope="module")
def operator(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """Run the module's operator with a short settle window."""
    with running_operator(installed, tmp_path_factory.mktemp("operator"), *SETTLE) as process:
        yield process


@pytest.fixture
def run(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a way to run operators of the test's own."""
    return lambda *flags: running_operator(installed, tmp_path_factory.mktemp("operator"), *(flags or SETTLE))


def pod(container: Container | None = None, **more: Any) -> dict[str, Any]:
    """Return a pod's spec; without a container of its own it takes all of the Secret."""
    return {"containers": [{"name": "main", "image": "none", **(ENV_FROM if container is None else container)}], **more}


def workload(
    kind: str = "Deployment", name: str = "web", *, replicas: int = 0, spec: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a workload that follows what its pods read."""
    labels = {"app": name}
    template: dict[str, Any] = {"metadata": {"labels": labels}, "spec": spec or pod()}
    group = {"CronJob": "batch/v1", "Rollout": "argoproj.io/v1alpha1"}.get(kind, "apps/v1")
    body: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template, "replicas": replicas, **more}
    match kind:
        case "DaemonSet":
            del body["replicas"]
        case "StatefulSet":
            body["serviceName"] = name
        case "CronJob":
            template["spec"]["restartPolicy"] = "Never"
            body = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}
    metadata = {"name": name, "annotations": dict(FOLLOWS), "labels": labels}
    return {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": body}


def generation(world: World, name: str = "web", kind: str = "deployment") -> int:
    found = world.get(kind, name)
    assert found is not None
    return int(found["metadata"]["generation"])


def noted(world: World, name: str = "web", kind: str = "deployment") -> str | None:
    """Return what is noted of its pods, in the workload's own metadata."""
    found = world.get(kind, name) or {}
    return (found.get("metadata", {}).get("labels") or {}).get(f"{names.LABEL_RUNNING_PREFIX}0")


def until_noted(world: World, *workloads: tuple[str, str]) -> None:
    for kind, name in workloads or (("deployment", "web"),):
        eventually(lambda k=kind, n=name: noted(world, n, k), what=f"{kind} {name} is noted")  # type: ignore[misc]


def change(world: World, text: str = "level", key: str = "LOG_LEVEL") -> str:
    """Change a value in Phase, wait for the Secret, and return the value."""
    world.phase.set("shop", "Production", key, value := world.canary.value(text))
    eventually(lambda: (world.data() or {}).get(key) == value, what="the Secret has the value")
    return value


def told(world: World, name: str = "shop") -> dict[str, Any]:
    """Return what the status says of the first target."""
    found = world.get("phasesecret", name) or {}
    return dict(((found.get("status") or {}).get("targets") or [{}])[0])


def until_restarted(world: World, name: str = "web", kind: str = "deployment", *, since: int, times: int = 1) -> None:
    eventually(lambda: generation(world, name, kind) >= since + times, what=f"{kind} {name} is restarted")


def stays(world: World, seconds: float, *workloads: tuple[str, str]) -> None:
    """Hold that nothing is restarted for a while, longer than the settle window and a look after it."""
    before = {each: generation(world, each[1], each[0]) for each in workloads}
    lists = world.operator.metric("phase_operator_kubernetes_requests_total", resource="deployments", verb="GET")
    with pytest.raises(AssertionError, match="did not happen"):
        eventually(
            lambda: {each: generation(world, each[1], each[0]) for each in workloads} != before,
            within=seconds,
            pause=0.3,
        )
    assert lists >= 0


def pods(world: World, name: str = "web") -> list[dict[str, Any]]:
    answer = world.plane.kubectl("-n", world.namespace, "get", "pods", "-l", f"app={name}", "-o", "json")
    return list(json.loads(answer.stdout)["items"])


def test_a_value_changes_and_new_pods_run_while_the_old_ones_are_gone(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    world.apply(workload(replicas=2))
    eventually(lambda: [each["status"]["phase"] for each in pods(world)] == ["Running"] * 2, what="two pods run")
    before = {each["metadata"]["uid"] for each in pods(world)}
    # The first look at a workload that was made meanwhile is the one before the next write.
    assert noted(world) is None
    since = generation(world)

    change(world)

    until_restarted(world, since=since)
    eventually(
        lambda: (
            (found := pods(world))
            and before.isdisjoint(each["metadata"]["uid"] for each in found)
            and [each["status"]["phase"] for each in found] == ["Running"] * 2
        ),
        what="two new pods run and the old ones are gone",
    )
    assert generation(world) == since + 1
    eventually(lambda: told(world).get("restarted") == ["Deployment web"], what="the status tells")
    assert world.condition()["status"] == "True"
    events = json.loads(world.plane.kubectl("-n", world.namespace, "get", "events", "-o", "json").stdout)["items"]
    on = {each["involvedObject"]["kind"] for each in events if each["reason"] == "WorkloadRestarted"}
    assert on == {"Deployment", "PhaseSecret"}


def test_every_kind_is_restarted_and_one_that_reads_another_key_is_not(world: World) -> None:
    world.plane.kubectl("apply", "-f", "-", stdin=json.dumps(ROLLOUTS))
    world.plane.kubectl("wait", "--for=condition=Established", "crd/rollouts.argoproj.io", "--timeout=20s")
    world.phase_secret()
    world.until_ready()
    kinds = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Rollout")
    other = {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "DATABASE_HOST"}}}]}
    world.apply(*(workload(kind) for kind in kinds), workload(name="other", spec=pod(other)))
    world.apply({**workload(name="not-annotated"), "metadata": {"name": "not-annotated"}})
    since = {kind: generation(world, kind=kind.lower()) for kind in kinds}

    change(world)

    for kind in kinds:
        until_restarted(world, kind=kind.lower(), since=since[kind])
        assert generation(world, kind=kind.lower()) == since[kind] + 1
    assert generation(world, "other") == generation(world, "not-annotated") == 1
    cron_job = world.get("cronjob", "web") or {}
    template = cron_job["spec"]["jobTemplate"]["spec"]["template"]
    assert names.ANNOTATION_CONTENT in template["metadata"]["annotations"]


KEY = {"name": "shop", "key": "LOG_LEVEL"}
PLAIN: Container = {}
FORMS = {
    "env-from": pod(),
    "env-from-optional": pod({"envFrom": [{"secretRef": {"name": "shop", "optional": True}}]}),
    "key": pod({"env": [{"name": "A", "valueFrom": {"secretKeyRef": KEY}}]}),
    "key-optional": pod({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {**KEY, "optional": True}}}]}),
    "volume": pod(PLAIN, volumes=[{"name": "v", "secret": {"secretName": "shop"}}]),
    "volume-items": pod(
        PLAIN, volumes=[{"name": "v", "secret": {"secretName": "shop", "items": [{"key": "LOG_LEVEL", "path": "l"}]}}]
    ),
    "projected": pod(PLAIN, volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "shop"}}]}}]),
    "init": pod(PLAIN, initContainers=[{"name": "first", "image": "none", **ENV_FROM}]),
    "sidecar": pod(PLAIN, initContainers=[{"name": "beside", "image": "none", "restartPolicy": "Always", **ENV_FROM}]),
    "config-map": pod({"envFrom": [{"configMapRef": {"name": "shop-config"}}]}),
    "config-map-key": pod(
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "shop-config", "key": "LOG_LEVEL"}}}]}
    ),
    "config-map-volume": pod(PLAIN, volumes=[{"name": "v", "configMap": {"name": "shop-config"}}]),
}
NOT_READ = {
    "pull-secret": pod(PLAIN, imagePullSecrets=[{"name": "shop"}]),
    "another": pod({"envFrom": [{"secretRef": {"name": "somebody-elses", "optional": True}}]}),
}


def test_every_form_of_reference_is_understood(world: World) -> None:
    world.phase_secret(
        managedSecretReferences=[{"secretName": "shop", "types": ["secret", "config"]}],
        managedConfigMapReferences=[{"configMapName": "shop-config"}],
    )
    world.until_ready()
    world.apply(*(workload(name=name, spec=spec) for name, spec in (FORMS | NOT_READ).items()))

    change(world)

    for name in FORMS:
        until_restarted(world, name, since=1)
    stays(world, 3, *(("deployment", name) for name in FORMS | NOT_READ))
    assert {name: generation(world, name) for name in FORMS} == dict.fromkeys(FORMS, 2)
    assert {name: generation(world, name) for name in NOT_READ} == dict.fromkeys(NOT_READ, 1)


def test_what_never_restarts(stage: World, run: Run) -> None:
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


@pytest.mark.parametrize("side", [(), ("--server-side",)], ids=["client side", "server side"])
def test_an_apply_of_the_manifest_neither_removes_the_mark_nor_restarts(world: World, side: tuple[str, ...]) -> None:
    world.phase_secret()
    world.until_ready()
    manifest = json.dumps(workload(replicas=1))
    apply = ("-n", world.namespace, "apply", *side, "-f", "-")
    world.plane.kubectl(*apply, stdin=manifest)
    eventually(lambda: pods(world), what="a pod is there")
    change(world)
    until_restarted(world, since=1)

    for _ in range(3):
        world.plane.kubectl(*apply, stdin=manifest)

    found = world.get("deployment", "web") or {}
    assert names.ANNOTATION_CONTENT in found["spec"]["template"]["metadata"]["annotations"]
    assert found["metadata"]["generation"] == 2
    change(world, "another level")
    until_restarted(world, since=2)


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


def test_fifty_changes_in_a_row_end_with_pods_that_run_with_the_last_one(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    world.apply(workload(replicas=1))
    eventually(lambda: [each["status"]["phase"] for each in pods(world)] == ["Running"], what="a pod runs")

    for number in range(50):
        world.phase.set("shop", "Production", "LOG_LEVEL", value := world.canary.value(f"level {number}"))
    eventually(lambda: (world.data() or {}).get("LOG_LEVEL") == value, what="the last value is there")

    until_restarted(world, since=1)
    stays(world, 4, ("deployment", "web"))
    # One look for what changed together, one more at most for what changed between two probes.
    assert 2 <= generation(world) <= 3
    eventually(lambda: "notRestarted" not in told(world), what="nothing waits")


def test_two_hundred_workloads_on_one_secret(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    every = [f"web-{number}" for number in range(200)]
    world.apply(*(workload(name=name) for name in every))

    change(world)

    def generations() -> list[int]:
        answer = world.plane.kubectl("-n", world.namespace, "get", "deployments", "-o", "json")
        return [each["metadata"]["generation"] for each in json.loads(answer.stdout)["items"]]

    eventually(lambda: set(generations()) == {2}, within=120, pause=1, what="all are restarted")
    stays(world, 4, ("deployment", every[0]))
    assert generations() == [2] * 200
    eventually(lambda: "notRestarted" not in told(world), what="nothing waits", within=60)
    restarted = told(world)["restarted"]
    assert len(restarted) == 20
    assert restarted[-1] == "and 181 more"


def test_a_pause_and_on_delete_are_respected_and_told(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    world.apply(
        workload(name="paused", paused=True), workload("StatefulSet", replicas=1, updateStrategy={"type": "OnDelete"})
    )
    eventually(lambda: pods(world), what="the StatefulSet has its pod")
    eventually(
        lambda: ((world.get("statefulset", "web") or {}).get("status") or {}).get("updatedReplicas") == 1,
        what="its controller has seen it",
    )
    before = {each["metadata"]["uid"] for each in pods(world)}

    change(world)

    eventually(lambda: len(told(world).get("notRestarted") or []) == 2, what="both are told")
    waiting = sorted(told(world)["notRestarted"])
    assert waiting[0].startswith("Deployment paused: it is paused")
    assert waiting[1].startswith("StatefulSet web: its update strategy is OnDelete")
    assert world.condition()["status"] == "True"
    assert generation(world, "paused") == 1
    assert {each["metadata"]["uid"] for each in pods(world)} == before

    world.plane.kubectl("-n", world.namespace, "rollout", "resume", "deployment/paused")
    world.plane.kubectl("-n", world.namespace, "delete", "pods", "-l", "app=web")
    until_restarted(world, "paused", since=2)
    eventually(lambda: "notRestarted" not in told(world), within=90, what="nothing waits any more")


def test_where_restarts_are_forbidden_no_workload_is_read_or_written(stage: World, run: Run) -> None:
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
