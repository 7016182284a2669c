"""What is deleted and what stays, on a real API server: copies, rivals, clones, grants that end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phase_operator.api import names
from support.cluster_fixture import new_namespace
from support.operator_process import eventually, running_operator
from support.world import World, deployment

VERSIONED: dict[str, Any] = {"versioned": {"keep": 1}}


def to(name: str = "shop", **target: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": name, **target}]}


def targets(world: World, name: str = "shop") -> list[dict[str, Any]]:
    return list(((world.get("phasesecret", name) or {}).get("status") or {}).get("targets") or [])


def copied(world: World, name: str, to_name: str, into: World | None = None) -> None:
    """Copy a Secret as people do: all of it but what the API server gave it."""
    found = world.get("secret", name) or {}
    for field in ("uid", "resourceVersion", "managedFields", "ownerReferences", "creationTimestamp", "namespace"):
        found["metadata"].pop(field, None)
    found["metadata"]["name"] = to_name
    place = into or world
    place.api.create(found, place.namespace)


def written(world: World, *secrets: str) -> dict[str, str]:
    """Return uid and version of Secrets: they change with every write."""
    found = {name: (world.get("secret", name) or {"metadata": {}})["metadata"] for name in secrets}
    return {name: f"{each.get('uid')}/{each.get('resourceVersion')}" for name, each in found.items()}


@pytest.fixture
def neighbour(stage: World) -> Iterator[World]:
    """Give a second namespace with a token of its own."""
    found = World(stage.plane, f"{stage.namespace}-too", stage.phase, stage.canary)
    with new_namespace(stage.plane, found.namespace):
        found.token()
        yield found


def test_a_secret_with_a_copied_label_is_not_deleted_as_an_old_version(world: World) -> None:
    world.phase_secret(**to(**VERSIONED))
    world.until_ready()
    first = targets(world)[0]["version"]
    for name in ("backup-of-shop", "shop-0123456789"):
        copied(world, first, name)

    for number in range(2):
        before = targets(world)[0]["version"]
        world.phase.set("shop", "Production", "LOG_LEVEL", f"level-{number}")

        def is_new(before: str = before) -> bool:
            return targets(world)[0].get("version") != before

        eventually(is_new, what="a new version")

    eventually(lambda: world.get("secret", first) is None, what="our own old version goes")
    assert all(world.data(name) for name in ("backup-of-shop", "shop-0123456789"))


def test_of_two_that_want_one_versioned_name_the_second_is_told_and_nobody_writes(world: World) -> None:
    world.phase_secret("first", **to(**VERSIONED), keys={"include": ["LOG_LEVEL"]})
    world.until_ready("first")
    world.phase_secret("second", **to(**VERSIONED), keys={"include": ["DATABASE_*"]})

    assert "first" in world.until_reason("TargetConflict", "second")["message"]

    name = targets(world, "first")[0]["version"]
    stands = written(world, name)
    world.phase.set("shop", "Production", "DATABASE_HOST", "moved")
    world.phase_secret("third", **to("third"))
    eventually(lambda: (world.data("third") or {}).get("DATABASE_HOST") == "moved", what="the change arrives")
    assert written(world, name) == stands
    world.delete_phase_secret("first")
    world.until_ready("second")


def test_a_cloned_namespace_is_told_what_to_do_and_can_do_it(world: World, neighbour: World) -> None:
    world.phase_secret(**to())
    world.until_ready()
    copied(world, "shop", "shop", into=neighbour)
    world.phase.set("shop", "Production", "LOG_LEVEL", "since")
    neighbour.phase_secret(**to())
    assert "adopt" in neighbour.until_reason("TargetConflict")["message"]

    neighbour.phase_secret(**to(adopt=True))

    neighbour.until_ready()
    neighbour.until_data(["shop"], LOG_LEVEL="since")
    world.until_ready()


def test_no_removal_is_announced_that_never_comes(world: World) -> None:
    world.phase_secret(**to("one"))
    world.until_ready()
    for name in ("two", "three", "four"):
        world.phase_secret(**to(name, template={"data": {"f": "{{ NOPE }}"}}))

        def told(name: str = name) -> bool:
            return [each["name"] for each in targets(world)] == [name]

        eventually(told, what=f"the status tells of {name} alone")

    assert world.data("one") is not None


def test_a_target_that_the_status_does_not_know_is_found_by_its_marks(stage: World, tmp_path: Path) -> None:
    with running_operator(stage.plane, tmp_path) as stage.operator:
        stage.phase_secret(**to("old", deletionPolicy="Delete"))
        stage.until_ready()
    # As if the process had died between the write and the status.
    patch = json.dumps([{"op": "remove", "path": "/status"}])
    stage.plane.kubectl(
        "-n", stage.namespace, "patch", "phasesecret", "shop", "--subresource=status", "--type=json", "-p", patch
    )
    stage.phase_secret(**to("new", deletionPolicy="Delete"))
    with running_operator(stage.plane, tmp_path) as stage.operator:
        stage.until_ready()

        eventually(lambda: stage.data("old") is None, what="the old one goes")
        assert stage.data("new") is not None


def test_a_copy_that_a_crash_left_goes_whatever_is_wanted_by_then(stage: World, tmp_path: Path) -> None:
    with running_operator(stage.plane, tmp_path) as stage.operator:
        stage.phase_secret(**to(onTypeChange="Replace"))
        stage.until_ready()
    # As if the process had died while it made the Secret anew: the copy stands, and the Secret does not.
    found = stage.get("secret", "shop") or {}
    kept = found["metadata"]
    marks = {"labels": kept["labels"] | {names.LABEL_TARGET: names.LABEL_COPY_VALUE}}
    marks |= {"annotations": kept["annotations"] | {names.ANNOTATION_OWNER: f"{stage.namespace}/shop#copy"}}
    copy = {"apiVersion": "v1", "kind": "Secret", "type": found["type"], "data": found["data"]}
    copy["metadata"] = {"name": "shop-replacing", **marks}
    apply = ("apply", "--server-side", f"--field-manager={names.FIELD_MANAGER}", "-f", "-")
    stage.plane.kubectl("-n", stage.namespace, *apply, stdin=json.dumps(copy))
    stage.api.delete("secrets", "shop", namespace=stage.namespace)
    stage.phase_secret(**to("new"))
    with running_operator(stage.plane, tmp_path) as stage.operator:
        stage.until_ready()

        eventually(lambda: stage.data("shop-replacing") is None, what="the copy goes")
        assert stage.data("shop") == stage.data("new") is not None


def test_keys_that_are_merged_into_what_another_one_let_go_stay(world: World) -> None:
    only = {"keys": {"include": ["LOG_LEVEL"]}}
    broken = to("new", template={"data": {"f": "{{ NOPE }}"}})
    world.phase_secret("first", **to(deletionPolicy="Delete"), **only)
    world.until_ready("first")
    world.phase_secret("first", **broken, **only)
    eventually(lambda: {each["reason"] for each in targets(world, "first")} > {"RemovalPending"}, what="it waits")
    world.phase_secret("second", **to(creationPolicy="Merge"), keys={"include": ["DATABASE_HOST"]})
    world.until_ready("second")
    assert set(world.data() or {}) == {"LOG_LEVEL", "DATABASE_HOST"}
    uid = (world.get("secret", "shop") or {})["metadata"]["uid"]

    world.phase_secret("first", **to("new"), **only)
    world.until_ready("first")

    eventually(lambda: set(world.data() or {}) == {"DATABASE_HOST"}, what="the first one's key goes")
    left = (world.get("secret", "shop") or {})["metadata"]
    assert left["uid"] == uid
    assert "ownerReferences" not in left
    assert names.ANNOTATION_OWNER not in left["annotations"]

    world.phase_secret("first", **to("shop"), **only)
    assert "second" in world.until_reason("TargetConflict", "first")["message"]
    assert set(world.data() or {}) == {"DATABASE_HOST"}


def test_versions_go_when_a_target_is_versioned_no_more(world: World) -> None:
    world.phase_secret(**to(**VERSIONED, deletionPolicy="Delete"))
    world.until_ready()
    needed = targets(world)[0]["version"]
    world.apply(deployment("reader", needed))
    world.phase.set("shop", "Production", "LOG_LEVEL", "next")
    eventually(lambda: targets(world)[0].get("version") != needed, what="a new version")
    other = targets(world)[0]["version"]

    world.phase_secret(**to(deletionPolicy="Delete"))

    eventually(lambda: world.get("secret", other) is None, what="what no pod needs goes")
    assert world.data(needed) is not None
    assert world.data() is not None


def test_a_secret_whose_new_type_a_policy_refuses_stands_as_it_was(world: World) -> None:
    world.phase_secret(**to("typed"))
    world.until_ready()
    before = world.data("typed")
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": f"{world.namespace}-types"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}},
            },
            "validations": [
                {"expression": "object.metadata.name != 'typed' || object.type != 'kubernetes.io/basic-auth'"}
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": f"{world.namespace}-types"},
        "spec": {"policyName": f"{world.namespace}-types", "validationActions": ["Deny"]},
    }
    kinds = ("validatingadmissionpolicy", "validatingadmissionpolicybinding")
    try:
        world.apply(policy, binding)
        probe = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "typed"},
            "type": "kubernetes.io/basic-auth",
        }
        probe["stringData"] = {"username": "x"}

        def is_enforced() -> bool:
            world.plane.kubectl("-n", world.namespace, "delete", "configmap", "none", "--ignore-not-found")
            renamed = json.dumps(probe)
            said = world.plane.kubectl(
                "-n", world.namespace, "create", "--dry-run=server", "-f", "-", stdin=renamed, check=False
            )
            return "types" in said.stderr

        eventually(is_enforced, what="the policy is enforced")
        named = {"DATABASE_PASSWORD": {"asName": "password"}, "DATABASE_HOST": {"asName": "username"}}
        world.phase_secret(
            **to("typed", secretType="kubernetes.io/basic-auth", processors=named, onTypeChange="Replace")
        )

        world.until_reason("TargetRefused")

        eventually(lambda: world.data("typed") == before, what="the old one is back")
        eventually(lambda: world.get("secret", "typed-replacing") is None, what="no copy is left")
    finally:
        for kind in kinds:
            world.plane.kubectl("delete", kind, f"{world.namespace}-types", "--ignore-not-found")


def test_after_a_grant_ended_its_tenant_deletes_nothing_there(stage: World, neighbour: World, tmp_path: Path) -> None:
    there = neighbour
    grant = f"from={stage.namespace},to={there.namespace},what=target"
    with running_operator(stage.plane, tmp_path, "--grant", grant) as stage.operator:
        for name, policy in (("deletes", "Delete"), ("retains", "Retain")):
            stage.phase_secret(name, **to(name, secretNamespace=there.namespace, deletionPolicy=policy))
            stage.until_ready(name)

    with running_operator(stage.plane, tmp_path) as stage.operator:
        finalizers = {"metadata": {"finalizers": [names.FINALIZER]}}
        for name in ("deletes", "retains"):
            stage.phase_secret(name, **to(name, secretNamespace=there.namespace, deletionPolicy="Delete"))
            stage.patch("phasesecret", name, finalizers)
            stage.delete_phase_secret(name)

        assert there.data("deletes") is not None
        assert there.data("retains") is not None

        def is_told() -> bool:
            return any("stays" in event["message"] and "deletes" in event["message"] for event in stage.events())

        eventually(is_told, what="an Event says what stays")
