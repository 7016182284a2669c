"""Workloads follow their Secrets on a real API server, with its controllers and simulated nodes."""

import json
from collections.abc import Iterator
from functools import partial

import pytest

from phase_dev.cluster import ControlPlane
from phase_operator.api import names
from support import suspended
from support.followers import (
    ENV_FROM,
    SETTLE,
    Container,
    change,
    generation,
    pod,
    pods,
    stays,
    told,
    until_restarted,
    workload,
)
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World

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
    folder = tmp_path_factory.mktemp("operator")
    with running_operator(installed, folder, *SETTLE, program=suspended.PROGRAM) as process:
        yield process


def test_a_value_changes_and_new_pods_run_while_the_old_ones_are_gone(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    world.apply(workload(replicas=2))
    eventually(lambda: [each["status"]["phase"] for each in pods(world)] == ["Running"] * 2, what="two pods run")
    before = {each["metadata"]["uid"] for each in pods(world)}
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

    def are_told() -> bool:
        # Events are posted at a pace of their own.
        events = world.api.items("events", world.namespace)
        on = {each["involvedObject"]["kind"] for each in events if each["reason"] == "WorkloadRestarted"}
        return on == {"Deployment", "PhaseSecret"}

    eventually(are_told, what="an Event on the workload and one on the PhaseSecret")


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
    # As its controller says that all is well; nobody has to install that for us.
    healthy = {"observedGeneration": str(since["Rollout"]), "phase": "Healthy"}
    patch = ("patch", "rollout", "web", "--subresource=status", "--type=merge", "-p", json.dumps({"status": healthy}))
    world.plane.kubectl("-n", world.namespace, *patch)

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


def test_an_apply_of_the_manifest_neither_removes_the_mark_nor_restarts(world: World) -> None:
    sides: dict[str, tuple[str, ...]] = {"client-side": (), "server-side": ("--server-side",)}

    def apply() -> None:
        for name, side in sides.items():
            manifest = json.dumps(workload(name=name, replicas=1))
            world.plane.kubectl("-n", world.namespace, "apply", *side, "-f", "-", stdin=manifest)

    world.phase_secret()
    world.until_ready()
    apply()
    for name in sides:
        eventually(partial(pods, world, name), what=f"a pod of {name} is there")
    change(world)
    for name in sides:
        until_restarted(world, name, since=1)

    for _ in range(3):
        apply()

    for name in sides:
        found = world.get("deployment", name) or {}
        assert names.ANNOTATION_CONTENT in found["spec"]["template"]["metadata"]["annotations"], name
        assert found["metadata"]["generation"] == 2, name
    change(world, "another level")
    for name in sides:
        until_restarted(world, name, since=2)


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


def test_all_of_eighty_workloads_on_one_secret_restart_once(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    every = [f"web-{number}" for number in range(80)]
    world.apply(*(workload(name=name) for name in every))

    change(world)

    def generations() -> list[int]:
        return [each["metadata"]["generation"] for each in world.api.items("deployments", world.namespace)]

    eventually(lambda: set(generations()) == {2}, within=120, pause=1, what="all are restarted")
    stays(world, 4, ("deployment", every[0]))
    assert generations() == [2] * 80
    eventually(lambda: "notRestarted" not in told(world), what="nothing waits", within=60)
    restarted = told(world)["restarted"]
    assert len(restarted) == 20
    assert restarted[-1] == "and 61 more"


FENCE = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "no-restarts"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]}
            ]
        },
        "validations": [
            {
                "expression": "!request.userInfo.username.endsWith(':phase-operator')",
                "message": "deployments are fenced",
            }
        ],
    },
}


def test_a_patch_that_is_refused_is_told_and_tried_until_it_is_not(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    world.apply(workload())
    change(world)
    until_restarted(world, since=1)
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "no-restarts"},
        "spec": {
            "policyName": "no-restarts",
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}},
        },
    }
    world.plane.kubectl(
        "apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [FENCE, binding]})
    )
    probe = ("-n", world.namespace, "label", "deployment", "web", "probe=1", "--overwrite", "--dry-run=server")
    account = "--as=system:serviceaccount:phase-system:phase-operator"
    eventually(lambda: world.plane.kubectl(*probe, account, check=False).returncode != 0, what="the policy is in force")

    change(world, "another level")

    eventually(lambda: told(world).get("notRestarted"), what="the status tells")
    assert told(world)["notRestarted"][0].startswith("Deployment web: it cannot be restarted: ")
    assert "ValidatingAdmissionPolicy no-restarts" in told(world)["notRestarted"][0]
    assert world.operator.metric("phase_operator_workload_restart_failures_total") >= 1
    assert generation(world) == 2
    world.plane.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "no-restarts")
    # It is tried ever more slowly, at least once a minute.
    eventually(lambda: generation(world) == 3, within=90, what="it is restarted")
    eventually(lambda: "notRestarted" not in told(world), what="nothing waits")


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
