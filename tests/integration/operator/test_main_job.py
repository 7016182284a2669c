"""The main job: a PhaseSecret becomes a Secret and a ConfigMap, and stays so."""

import time

import pytest

from support.operator_process import eventually
from support.world import World, secret


def test_a_new_resource_becomes_a_secret(world: World) -> None:
    world.phase.set("shop", "Production", "DATABASE_PASSWORD", value := world.canary.value("password"))

    world.phase_secret()
    found = world.until_ready()

    assert world.data() == {
        "DATABASE_HOST": "postgres.internal",
        "DATABASE_PASSWORD": value,
        "LOG_LEVEL": "warning",
    }
    assert found["status"]["source"]["entries"] == 3
    (target,) = found["status"]["targets"]
    # What it was selected by, for the guard after a restart.
    assert target.pop("selection")
    assert target == {
        "kind": "Secret",
        "namespace": world.namespace,
        "name": "shop",
        "ready": True,
        "reason": "Synced",
        "keys": 3,
    }
    assert [each["type"] for each in found["status"]["conditions"]] == ["Ready"]


def test_config_entries_go_to_the_config_map_and_nowhere_else(world: World) -> None:
    world.phase_secret(managedConfigMapReferences=[{"configMapName": "shop-config"}])
    world.until_ready()

    config = world.get("configmap", "shop-config")
    assert config is not None
    assert config["data"] == {"DATABASE_HOST": "postgres.internal", "LOG_LEVEL": "warning"}
    assert set(world.data() or {}) == {"DATABASE_PASSWORD"}


def test_a_change_in_phase_arrives_within_the_interval(world: World) -> None:
    world.phase_secret()
    world.until_ready()

    world.phase.set("shop", "Production", "LOG_LEVEL", value := world.canary.value("level"))

    eventually(lambda: (world.data() or {}).get("LOG_LEVEL") == value, within=6, what="the change arrives")


def test_a_removed_entry_leaves_the_target(world: World) -> None:
    world.phase_secret()
    world.until_ready()

    world.phase.delete("shop", "Production", "LOG_LEVEL")

    eventually(lambda: "LOG_LEVEL" not in (world.data() or {"LOG_LEVEL": ""}), within=7, what="the key goes")


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"data": {"LOG_LEVEL": "Zm9v"}}, id="a value changed"),
        pytest.param({"data": {"LOG_LEVEL": None}}, id="a key taken out"),
        pytest.param({"data": {"EXTRA": "Zm9v"}}, id="a key added"),
        pytest.param({"metadata": {"labels": {"secrets.phase.dev/target": None}}}, id="our label taken off"),
        pytest.param({"metadata": {"annotations": {"secrets.phase.dev/owner": None}}}, id="our mark taken off"),
    ],
)
def test_a_hand_edit_is_repaired_without_asking_phase(world: World, patch: dict[str, object]) -> None:
    world.phase_secret(pollingInterval=3600)
    world.until_ready()
    before = world.get("secret", "shop")
    world.phase.reset_calls()

    world.patch("secret", "shop", patch)

    assert before is not None
    eventually(lambda: alike(world.get("secret", "shop"), before), within=5, what="the repair")
    assert world.phase.calls() == 0


def test_a_deleted_target_is_made_again_without_asking_phase(world: World) -> None:
    world.phase_secret(pollingInterval=3600, managedConfigMapReferences=[{"configMapName": "shop-config"}])
    world.until_ready()
    before = world.data()
    world.phase.reset_calls()

    world.delete("secret", "shop")
    world.delete("configmap", "shop-config")

    eventually(lambda: world.data() == before, within=5, what="the Secret is back")
    eventually(lambda: world.get("configmap", "shop-config"), within=5, what="the ConfigMap is back")
    assert world.phase.calls() == 0


def test_labels_of_others_stay_and_start_no_write(world: World) -> None:
    world.phase_secret(pollingInterval=3600)
    world.until_ready()
    written = world.operator.metric("phase_operator_targets_written_total")

    world.label("secret", "shop", "argocd.argoproj.io/instance", "shop")
    world.annotate("phasesecret", "shop", "secrets.phase.dev/sync", "1")
    eventually(lambda: (world.get("phasesecret", "shop") or {})["status"].get("lastForcedSync") == "1", what="the run")

    found = world.get("secret", "shop")
    assert found is not None
    assert found["metadata"]["labels"]["argocd.argoproj.io/instance"] == "shop"
    assert world.operator.metric("phase_operator_targets_written_total") == written


def test_a_rotated_token_is_used_without_touching_the_resource(world: World) -> None:
    world.phase_secret()
    world.until_ready()

    world.canary.token(new := world.phase.rotate_token("operator"))
    world.until_reason("AccessDenied")
    world.apply(secret("phase-service-token", {"token": new}))

    began = time.monotonic()
    world.until_ready()
    assert time.monotonic() - began < 10


def test_the_sync_annotation_forces_a_read(world: World) -> None:
    world.phase_secret(pollingInterval=3600)
    world.until_ready()
    world.phase.set("shop", "Production", "LOG_LEVEL", "error")

    world.annotate("phasesecret", "shop", "secrets.phase.dev/sync", "now")

    eventually(lambda: (world.data() or {})["LOG_LEVEL"] == "error", within=5, what="the forced read")
    eventually(lambda: (world.get("phasesecret", "shop") or {})["status"].get("lastForcedSync") == "now", what="told")


def test_an_edit_of_the_resource_counts_at_once(world: World) -> None:
    world.phase_secret(pollingInterval=3600)
    world.until_ready()

    world.phase_secret(pollingInterval=3600, phaseAppEnv="Staging", keys={"exclude": ["DATABASE_*"]})

    eventually(lambda: set(world.data() or {}) == {"CDN_HOST", "LOG_LEVEL"}, within=5, what="the edit counts")


@pytest.mark.parametrize(("policy", "stays"), [(None, True), ("Retain", True), ("Delete", False)])
def test_a_deleted_resource_leaves_its_target_as_the_policy_says(world: World, policy: str | None, stays: bool) -> None:
    target = {"secretName": "shop"} | ({"deletionPolicy": policy} if policy else {})
    world.phase_secret(managedSecretReferences=[target])
    world.until_ready()

    world.delete_phase_secret()

    if stays:
        world.phase.reset_calls()
        world.phase.set("shop", "Production", "LOG_LEVEL", "error")
        world.phase_secret("marker", pollingInterval=3600)
        world.until_ready("marker")
        assert (world.data() or {})["LOG_LEVEL"] == "warning"
    else:
        # It learns of a new kind, as PhaseSecret is on a fresh cluster, within 30 s.
        eventually(
            lambda: world.get("secret", "shop") is None, within=60, what="the garbage collector takes the Secret"
        )


def test_suspend_stops_writing_and_says_so(world: World) -> None:
    world.phase_secret()
    world.until_ready()

    world.phase_secret(suspend=True)
    world.until_reason("Suspended")
    world.delete("secret", "shop")
    world.phase_secret("other")
    world.until_ready("other")

    assert world.get("secret", "shop") is None


def test_nothing_is_written_when_nothing_differs(world: World) -> None:
    world.phase_secret()
    found = world.until_ready()
    target = world.get("secret", "shop")
    looks = world.phase.calls(route="/v1/environments/")

    eventually(lambda: world.phase.calls(route="/v1/environments/") >= looks + 2, within=15, what="two more looks")

    assert world.phase.calls(route="/v1/secrets/") == 1
    assert world.get("secret", "shop") == target
    assert world.get("phasesecret", "shop") == found


def test_an_event_marks_a_change_and_only_a_change(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    looks = world.phase.calls(route="/v1/environments/")
    eventually(lambda: world.phase.calls(route="/v1/environments/") >= looks + 2, within=15, what="two more looks")

    told = sorted((each["type"], each["reason"]) for each in world.events())

    assert told == [("Normal", "Synced"), ("Normal", "TargetWritten")]


def test_resources_with_one_question_share_its_reads(world: World) -> None:
    for number in range(10):
        world.phase_secret(f"shop-{number}", pollingInterval=3600)
    for number in range(10):
        world.until_ready(f"shop-{number}")

    assert world.phase.calls(route="/v1/secrets/") == 1
    assert world.phase.calls(route="/v1/apps/") == 1


def alike(found: dict[str, object] | None, wanted: dict[str, object]) -> bool:
    """Compare what we are answerable for: data, labels, annotations, type."""

    def mine(item: dict[str, object]) -> tuple[object, ...]:
        metadata = item["metadata"]
        assert isinstance(metadata, dict)
        return (item.get("data"), item.get("type"), metadata.get("labels"), metadata.get("annotations"))

    return found is not None and mine(found) == mine(wanted)
