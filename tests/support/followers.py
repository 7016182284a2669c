"""Workloads that follow their Secrets on a real API server, and what a test says about them in one line each."""

from typing import Any

import pytest

from phase_operator.api import names
from support.operator_process import eventually
from support.world import World

Container = dict[str, Any]

# The settle window of operators under test: short.
SETTLE = ("--restart-settle-seconds", "1")
FOLLOWS = {names.ANNOTATION_REDEPLOY: "true"}
ENV_FROM: Container = {"envFrom": [{"secretRef": {"name": "shop"}}]}


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
    """Return a workload's generation: it counts what starts a roll-out."""
    found = world.get(kind, name)
    assert found is not None
    return int(found["metadata"]["generation"])


def noted(world: World, name: str = "web", kind: str = "deployment") -> str | None:
    """Return what is noted of its pods, in the workload's own metadata."""
    found = world.get(kind, name) or {}
    return (found.get("metadata", {}).get("labels") or {}).get(f"{names.LABEL_RUNNING_PREFIX}0")


def until_noted(world: World, *workloads: tuple[str, str]) -> None:
    """Wait until it is noted what the pods of these workloads run with.

    They were there when a target of theirs was written: of one that comes later, nothing is noted until the next write.
    """
    for kind, name in workloads or (("deployment", "web"),):
        eventually(lambda k=kind, n=name: noted(world, n, k), what=f"{kind} {name} is noted")  # type: ignore[misc]


def change(world: World, text: str = "level", key: str = "LOG_LEVEL") -> str:
    """Change a value in Phase, wait for the Secret, and return the value."""
    world.phase.set("shop", "Production", key, value := world.canary.value(text))
    world.until(lambda: (world.data() or {}).get(key) == value, what="the Secret has the value")
    return value


def told(world: World, name: str = "shop") -> dict[str, Any]:
    """Return what the status says of the first target."""
    found = world.get("phasesecret", name) or {}
    return dict(((found.get("status") or {}).get("targets") or [{}])[0])


def until_restarted(world: World, name: str = "web", kind: str = "deployment", *, since: int) -> None:
    """Wait until a workload is restarted."""
    eventually(lambda: generation(world, name, kind) > since, what=f"{kind} {name} is restarted")


def stays(world: World, seconds: float, *workloads: tuple[str, str]) -> None:
    """Hold that nothing is restarted for a while, longer than the settle window and a look after it."""
    before = {each: generation(world, each[1], each[0]) for each in workloads}
    with pytest.raises(AssertionError, match="did not happen"):
        eventually(
            lambda: {each: generation(world, each[1], each[0]) for each in workloads} != before,
            within=seconds,
            pause=0.3,
        )


def pods(world: World, name: str = "web") -> list[dict[str, Any]]:
    """Return a workload's pods."""
    return world.api.items("pods", world.namespace, labelSelector=f"app={name}")
