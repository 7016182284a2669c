"""The life of a lease on a real API server: made once, used from its record, replaced with an overlap, given back."""

import time
from pathlib import Path
from typing import Any

import pytest

from support.lease_stage import KEYS, NAME, TARGET, LeaseStage
from support.operator_process import eventually, running_operator


def test_a_lease_is_made_once_and_its_credentials_are_in_the_target(world: LeaseStage) -> None:
    world.dynamic_secret()

    found = world.until_serving()

    data = world.data(TARGET)
    assert data is not None
    assert data.keys() >= KEYS
    (row,) = world.ledger()
    (lease,) = world.live()
    assert (row["state"], row["id"]) == ("Active", lease.id)
    assert world.held() == lease.id
    assert world.records() == [f"{NAME}-lease-{row['attempt']}"]
    assert f"the lease ends {row['endsAt']}" in world.ready()["message"]
    assert "secrets.phase.dev/outside" in found["metadata"]["finalizers"]
    assert world.phase.calls(lease=True) == 1
    status = found["status"]
    assert status["source"]["dynamicSecretId"] == row["dynamicSecretId"]
    assert status["account"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"managedSecretReferences": [{"secretName": TARGET, "prefix": "S3_"}]}, id="how a target is made"),
        pytest.param({"managedSecretReferences": [{"secretName": "second"}]}, id="another target"),
        pytest.param({"leaseTTL": 1800, "rolloverPercent": 50, "overlap": 60, "pollingInterval": 120}, id="timing"),
        pytest.param({"phaseAppEnv": "PRODUCTION", "phaseAppEnvPath": "aws/"}, id="the same place in other words"),
        pytest.param({"phaseApp": None, "phaseAppId": ""}, id="the app by its id"),
    ],
)
def test_an_edit_that_leads_to_the_same_secret_asks_for_no_lease(world: LeaseStage, fields: dict[str, Any]) -> None:
    if "phaseAppId" in fields:
        fields = fields | {"phaseAppId": world.phase.app_id("shop")}
    world.dynamic_secret()
    world.until_serving()
    before = [each.id for each in world.live()]

    world.dynamic_secret(**fields)
    world.until_serving()
    time.sleep(2)

    assert [each.id for each in world.live()] == before
    assert [row["id"] for row in world.ledger()] == before
    assert world.phase.calls(lease=True) == 1
    targets = fields.get("managedSecretReferences", [{"secretName": TARGET}])
    assert all(world.data(each["secretName"]) for each in targets)


def test_a_deleted_target_is_written_again_from_the_record(world: LeaseStage) -> None:
    world.dynamic_secret()
    world.until_serving()
    held = world.data(TARGET)

    world.api.delete("secret", TARGET, world.namespace)

    eventually(lambda: world.data(TARGET) == held, what="the target is back")
    assert world.phase.calls(lease=True) == 1
    assert len(world.live()) == 1


def test_a_restart_of_the_operator_asks_for_nothing_and_writes_nothing(stage: LeaseStage, tmp_path: Path) -> None:
    with running_operator(stage.plane, tmp_path):
        stage.dynamic_secret()
        stage.until_serving()
        target = stage.get("secret", TARGET)
        resource = stage.resource()
    stage.phase.reset_calls()

    with running_operator(stage.plane, tmp_path) as operator:
        eventually(lambda: operator.metric("phase_operator_reconcile_total") >= 1, what="it runs")
        time.sleep(3)

        assert stage.phase.calls() == 0
        assert operator.metric("phase_operator_status_writes_total") == 0
        assert operator.metric("phase_operator_targets_written_total") == 0
        assert stage.get("secret", TARGET) == target
        assert stage.resource() == resource
        stage.no_leases()
    assert stage.live() == []


def test_a_lease_that_is_revoked_behind_our_back_gets_a_successor_within_the_interval(
    stage: LeaseStage, tmp_path: Path
) -> None:
    with stage.running(tmp_path) as operator:
        stage.dynamic_secret(pollingInterval=60)
        stage.until_serving()
        (first,) = stage.live()

        stage.phase.leases.revoke(first.id)
        stage.later(60, operator)

        eventually(lambda: stage.held() not in ("", first.id), what="the target has new credentials")
        stage.until_quiet()
        assert len(stage.live()) == 1
        assert any(each["reason"] == "LeaseRevoked" for each in stage.events_of(NAME))
        stage.no_leases()


def test_a_deleted_resource_gives_its_lease_back_and_its_record_goes(world: LeaseStage) -> None:
    world.dynamic_secret()
    world.until_serving()
    assert len(world.live()) == 1

    world.api.delete("phasedynamicsecret", NAME, world.namespace)

    eventually(lambda: not world.resource(), what="it is gone")
    assert world.live() == []
    eventually(lambda: world.records() == [], what="its record is gone")


def test_a_deleted_namespace_is_gone_within_seconds_though_its_token_goes_first(world: LeaseStage) -> None:
    world.dynamic_secret()
    world.until_serving()

    world.api.delete("secret", "phase-service-token", world.namespace)
    world.until_said("TokenSecretNotFound") if world.ready()["reason"] != "Synced" else None
    world.api.delete("namespace", world.namespace)

    eventually(lambda: world.live() == [], within=30, what="the lease is given back")
    eventually(lambda: world.api.get("namespace", world.namespace) is None, within=30, what="the namespace is gone")


def test_a_target_stays_when_phase_is_away_at_the_end_and_the_status_says_so(stage: LeaseStage, tmp_path: Path) -> None:
    with stage.running(tmp_path) as operator:
        stage.dynamic_secret(leaseTTL=60)
        stage.until_serving()
        held = stage.data(TARGET)
        stage.phase.stop()
        stage.later(60, operator)

        said = stage.until_said("LeaseEnded")

        assert "targets keep its credentials" in said["message"]
        assert stage.data(TARGET) == held
        stage.phase.start()
        stage.no_leases()


def test_a_suspended_resource_repairs_its_targets_and_calls_nobody(world: LeaseStage) -> None:
    world.dynamic_secret()
    world.until_serving()
    held = world.data(TARGET)
    world.dynamic_secret(suspend=True)
    world.until_said("Suspended")
    world.phase.reset_calls()

    world.api.delete("secret", TARGET, world.namespace)

    eventually(lambda: world.data(TARGET) == held, what="the target is back")
    assert world.phase.calls() == 0
