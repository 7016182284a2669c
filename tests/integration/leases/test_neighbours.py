"""A slow cloud provider delays nobody's reads, and what tenancy refuses reaches no Phase."""

import json
import time
from pathlib import Path
from typing import Any

from support.lease_stage import NAME, LeaseStage
from support.operator_process import eventually, running_operator
from support.world import phase_secret


def test_leases_that_take_20_seconds_delay_no_read(world: LeaseStage) -> None:
    # Three calls to the cloud make a lease.
    world.phase.leases.fail("delay", delay=7)
    for number in range(6):
        world.dynamic_secret(f"slow-{number}")

    def asked() -> list[str]:
        return [lease["state"] for number in range(6) for lease in world.ledger(f"slow-{number}")]

    eventually(lambda: len(asked()) >= 2, what="some are asked for")

    began = time.monotonic()
    world.apply(phase_secret("shop", world.phase.url))
    world.until_ready()
    world.phase.set("shop", "Production", "LOG_LEVEL", "seen")
    eventually(lambda: (world.data("shop") or {}).get("LOG_LEVEL") == "seen", within=12, what="the change arrives")

    assert time.monotonic() - began < 15
    # Which of them come first is not said.
    assert {*asked()} == {"Asking"}
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


def test_a_tenant_who_forges_a_record_and_a_status_has_no_lease_of_others_revoked(world: LeaseStage) -> None:
    world.dynamic_secret("theirs")
    (victim,) = world.until_serving("theirs")["status"]["leases"]
    # Three calls to the cloud make a lease.
    world.phase.leases.fail("delay", delay=3)
    world.dynamic_secret()
    (row,) = world.until_rows("Asking")
    forged = _record(world, f"uploads-lease-{row['attempt']}", world.resource()["metadata"]["uid"], victim["id"])
    world.api.apply(forged, world.namespace, "phase-operator")
    time.sleep(3)
    assert world.ledger()[0]["state"] == "Asking"

    rows = [row, victim | {"attempt": "00000000", "state": "Revoking"}, victim | {"state": "Retiring"}]
    patch = json.dumps({"status": {"leases": rows}})
    forge = ("-n", world.namespace, "patch", "phasedynamicsecret", NAME, "--subresource=status", "--type=merge")
    world.plane.kubectl(*forge, "-p", patch)
    world.until_said("TargetConflict", within=60)

    world.api.delete("phasedynamicsecrets", NAME, world.namespace)
    eventually(lambda: not world.resource(), within=60, what="it goes")
    assert [each.id for each in world.live()] == [victim["id"]]
    assert world.held("theirs-aws") == victim["id"]
    told = {each["message"].split(",")[0] for each in world.events_of() if each["reason"] == "LeaseNotRevoked"}
    assert told == {f"the ledger names lease {victim['id']}"}


def _record(world: LeaseStage, name: str, uid: str, lease_id: str) -> dict[str, Any]:
    """Return a Secret with all that whoever may write Secrets can copy from a record."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "secrets.phase.dev/lease",
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "phase-operator", "secrets.phase.dev/target": "lease"},
            "annotations": {
                "secrets.phase.dev/owner": f"PhaseDynamicSecret:{world.namespace}/uploads",
                "secrets.phase.dev/on-removal": "Delete",
                "secrets.phase.dev/lease-id": lease_id,
                "secrets.phase.dev/lease-end": "2099-01-01T00:00:00Z",
            },
            "ownerReferences": [
                {
                    "apiVersion": "secrets.phase.dev/v1alpha1",
                    "kind": "PhaseDynamicSecret",
                    "name": "uploads",
                    "uid": uid,
                }
            ],
        },
        "data": {"credentials": "W10="},
    }


def test_a_secret_that_somebody_labels_as_a_record_is_neither_read_nor_deleted(world: LeaseStage) -> None:
    world.dynamic_secret()
    found = world.until_serving()
    forged = _record(world, "uploads-lease-00000000", found["metadata"]["uid"], "somebody's")
    world.apply(forged)
    time.sleep(4)

    assert "uploads-lease-00000000" in world.records()
    assert len(world.ledger()) == 1
