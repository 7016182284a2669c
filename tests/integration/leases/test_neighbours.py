"""A slow cloud provider delays nobody's reads, and what tenancy refuses reaches no Phase."""

import time
from pathlib import Path

from support.lease_stage import LeaseStage
from support.operator_process import eventually, running_operator
from support.world import phase_secret


def test_leases_that_take_20_seconds_delay_no_read(world: LeaseStage) -> None:
    # Three calls to the cloud make a lease.
    world.phase.leases.fail("delay", delay=7)
    for number in range(6):
        world.dynamic_secret(f"slow-{number}")
    eventually(lambda: sum(len(world.ledger(f"slow-{number}")) for number in range(6)) >= 2, what="some are asked for")

    began = time.monotonic()
    world.apply(phase_secret("shop", world.phase.url))
    world.until_ready()
    world.phase.set("shop", "Production", "LOG_LEVEL", "seen")
    eventually(lambda: (world.data("shop") or {}).get("LOG_LEVEL") == "seen", within=12, what="the change arrives")

    assert time.monotonic() - began < 15
    assert world.ledger("slow-0")[0]["state"] == "Asking"
    world.phase.clear()
    world.no_phase_secrets()


def test_a_resource_that_tenancy_refuses_reaches_no_phase(stage: LeaseStage, tmp_path: Path) -> None:
    with running_operator(stage.plane, tmp_path, "--allow-phase-host", "https://phase.example"):
        stage.dynamic_secret()
        refused = stage.until_said("HostRefused")
        assert "--allow-phase-host" in refused["message"] or "phase.example" in refused["message"]
    assert stage.phase.calls() == 0
    assert stage.ledger() == []


def test_the_token_of_another_namespace_is_not_used_without_a_grant(stage: LeaseStage, tmp_path: Path) -> None:
    reference = {"secretName": "phase-service-token", "secretNamespace": "default"}
    with running_operator(stage.plane, tmp_path):
        stage.dynamic_secret(authentication={"serviceToken": {"serviceTokenSecretReference": reference}})
        stage.until_said("CrossNamespaceRefused")
    assert stage.phase.calls() == 0


def test_a_phase_secret_that_names_a_record_as_its_target_does_not_get_it(world: LeaseStage) -> None:
    world.dynamic_secret()
    world.until_serving()
    (record,) = world.records()
    before = world.get("secret", record)

    fields = {"secretName": record, "onTypeChange": "Replace", "adopt": True}
    world.apply(phase_secret("thief", world.phase.url, managedSecretReferences=[fields]))
    eventually(lambda: world.condition("thief").get("status") == "False", what="it is refused")
    time.sleep(3)

    after = world.get("secret", record)
    assert before is not None
    assert after is not None
    assert after["data"] == before["data"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    world.no_phase_secrets()


def test_a_secret_that_somebody_labels_as_a_record_is_neither_read_nor_deleted(world: LeaseStage) -> None:
    world.dynamic_secret()
    found = world.until_serving()
    forged = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "secrets.phase.dev/lease",
        "metadata": {
            "name": "uploads-lease-00000000",
            "labels": {"secrets.phase.dev/target": "lease"},
            "annotations": {
                "secrets.phase.dev/owner": f"PhaseDynamicSecret:{world.namespace}/uploads",
                "secrets.phase.dev/on-removal": "Delete",
                "secrets.phase.dev/lease-id": "somebody's",
                "secrets.phase.dev/lease-end": "2099-01-01T00:00:00Z",
            },
            "ownerReferences": [
                {
                    "apiVersion": "secrets.phase.dev/v1alpha1",
                    "kind": "PhaseDynamicSecret",
                    "name": "uploads",
                    "uid": found["metadata"]["uid"],
                }
            ],
        },
        "stringData": {"credentials": "[]"},
    }
    world.apply(forged)
    time.sleep(4)

    assert "uploads-lease-00000000" in world.records()
    assert len(world.ledger()) == 1
