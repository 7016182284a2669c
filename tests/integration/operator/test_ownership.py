"""Whose object it is, as users see it: several PhaseSecrets in one Secret, removal, finalizers, foreign objects."""

from typing import Any

from support.operator_process import eventually
from support.world import World, secret

FINALIZER = "secrets.phase.dev/targets"
PHASE_KEYS = {"DATABASE_HOST", "DATABASE_PASSWORD", "LOG_LEVEL"}


def to(name: str = "shared", **target: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": name, **target}], "pollingInterval": 3600}


def merging(*keys: str) -> dict[str, Any]:
    return to(creationPolicy="Merge", keys={"include": list(keys)})


def finalizers(world: World, name: str = "shop") -> list[str]:
    return list((world.get("phasesecret", name) or {"metadata": {}})["metadata"].get("finalizers", []))


def test_two_resources_merge_into_one_secret_and_leave_it(world: World) -> None:
    world.apply(secret("shared", {"OWN": "kept"}))
    world.label("secret", "shared", "argocd.argoproj.io/instance", "shop")
    world.phase_secret("one", **merging("DATABASE_*"))
    world.phase_secret("two", **merging("LOG_LEVEL"))
    world.until_ready("one")
    world.until_ready("two")
    assert set(world.data("shared") or {}) == PHASE_KEYS | {"OWN"}

    world.patch("secret", "shared", {"data": {"LOG_LEVEL": None, "DATABASE_HOST": "Zm9v", "OWN": "bmV3"}})
    world.until_data(["shared"], DATABASE_HOST="postgres.internal", LOG_LEVEL="warning", OWN="new")

    world.delete_phase_secret("one")
    assert set(world.data("shared") or {}) == {"LOG_LEVEL", "OWN"}
    world.delete_phase_secret("two")
    assert world.data("shared") == {"OWN": "new"}
    left = (world.get("secret", "shared") or {})["metadata"]
    assert left["labels"] == {"argocd.argoproj.io/instance": "shop"}
    assert not [name for name in left.get("annotations", {}) if "secrets.phase.dev" in name]


def test_a_renamed_target_is_replaced_and_the_old_one_deleted(world: World) -> None:
    world.phase_secret(**to("old", deletionPolicy="Delete"))
    world.until_ready()

    world.phase_secret(**to("new", deletionPolicy="Delete"))
    world.until_ready()

    assert set(world.data("new") or {}) == PHASE_KEYS
    eventually(lambda: world.data("old") is None, what="the old one goes")
    assert finalizers(world) == []


def test_a_foreign_secret_is_refused_and_adopted_on_purpose(world: World) -> None:
    world.apply(secret("shared", {"OWN": "theirs"}))
    world.phase_secret(**to())
    assert "kubectl" in world.until_reason("TargetConflict")["message"]
    assert world.data("shared") == {"OWN": "theirs"}

    world.phase_secret(**to(adopt=True))
    world.until_ready()

    assert set(world.data("shared") or {}) == PHASE_KEYS


def test_a_key_of_somebody_else_is_refused_by_name(world: World) -> None:
    world.apply(secret("shared", {"LOG_LEVEL": "theirs"}))

    world.phase_secret(**merging("*"))

    assert "LOG_LEVEL" in world.until_reason("TargetConflict")["message"]
    assert world.data("shared") == {"LOG_LEVEL": "theirs"}


def test_another_type_is_refused_or_replaced(world: World) -> None:
    world.phase.set("shop", "Production", "DATABASE_PASSWORD", world.canary.value("password"))
    world.phase_secret(**to())
    world.until_ready()

    named = {"DATABASE_PASSWORD": {"asName": "password"}, "DATABASE_HOST": {"asName": "username"}}
    typed: dict[str, Any] = {"secretType": "kubernetes.io/basic-auth", "processors": named}
    world.phase_secret(**to(**typed))
    world.until_reason("TypeImmutable")
    world.phase_secret(**to(onTypeChange="Replace", **typed))
    world.until_ready()

    assert (world.get("secret", "shared") or {})["type"] == "kubernetes.io/basic-auth"
    assert world.get("secret", "shared-replacing") is None


def test_both_finalizers_do_not_hold_up_a_deletion(world: World) -> None:
    world.phase_secret(**merging("LOG_LEVEL"))
    world.until_ready()
    world.patch(
        "phasesecret", "shop", {"metadata": {"finalizers": [FINALIZER, "kopf.zalando.org/KopfFinalizerMarker"]}}
    )

    world.delete_phase_secret("shop")

    assert world.data("shared") == {}


def test_a_deletion_needs_no_phase(world: World) -> None:
    world.phase_secret(**merging("LOG_LEVEL"))
    world.until_ready()
    assert finalizers(world) == [FINALIZER]
    world.delete("secret", "phase-service-token")

    world.delete_phase_secret("shop")

    assert world.data("shared") == {}


def test_a_namespace_is_deleted_with_all_that_is_in_it(world: World) -> None:
    name = f"{world.namespace}-gone"
    world.plane.kubectl("create", "namespace", name)
    inside = World(world.plane, name, world.phase, world.canary)
    inside.token()
    inside.phase_secret(**merging("LOG_LEVEL"))
    inside.until_ready()

    world.plane.kubectl("delete", "namespace", name, "--timeout=60s")
