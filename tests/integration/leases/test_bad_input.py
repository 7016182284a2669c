"""Bad input for leases: a reason with the field or the server's words, no lease too many, and a target that stays."""

from collections.abc import Callable
from typing import Any

import pytest

from phase_dev.server import EmbeddedPhase
from support.lease_stage import NAME, TARGET, LeaseStage
from support.operator_process import eventually

LONGEST = 86400
Prepare = Callable[[EmbeddedPhase], object]


def nothing(_: EmbeddedPhase) -> None:
    """Leave Phase as it is."""


def keys_that_no_secret_takes(phase: EmbeddedPhase) -> None:
    keys = {"access_key_id": "AWS KEY", "secret_access_key": "SECRET"}
    phase.add_dynamic("shop", "Production", "odd", path="/odd", key_map=keys)


@pytest.mark.parametrize(
    ("prepare", "spec", "reason", "told"),
    [
        pytest.param(nothing, {"dynamicSecret": "media"}, "DynamicSecretNotFound", ['"media"', "/aws"], id="no such"),
        pytest.param(nothing, {"phaseAppEnvPath": "/"}, "DynamicSecretNotFound", ['"media-bucket"'], id="elsewhere"),
        pytest.param(
            lambda phase: phase.change_dynamic("shop", "Production", "media-bucket", old_path="/aws", name="renamed"),
            {},
            "DynamicSecretNotFound",
            ['"media-bucket"'],
            id="renamed",
        ),
        pytest.param(nothing, {"phaseApp": "shpo"}, "AppNotFound", ["shop"], id="app misspelt"),
        pytest.param(
            lambda phase: phase.withdraw("operator", "shop", "Production"),
            {},
            "AccessDenied",
            ["cannot access this environment"],
            id="no access to the environment",
        ),
        pytest.param(
            nothing,
            {"leaseTTL": LONGEST + 1},
            "LeaseRefused",
            ["spec.leaseTTL", str(LONGEST + 1), str(LONGEST)],
            id="a life above the maximum",
        ),
        pytest.param(
            nothing,
            {"authentication": {"serviceToken": {"serviceTokenSecretReference": {"secretName": "nope"}}}},
            "TokenSecretNotFound",
            ["nope"],
            id="token Secret missing",
        ),
        pytest.param(
            nothing,
            {"managedSecretReferences": [{"secretName": TARGET, "secretNamespace": "kube-system"}]},
            "CrossNamespaceRefused",
            ["kube-system"],
            id="target in another namespace",
        ),
    ],
)
def test_bad_input_gets_a_reason_and_no_lease(
    world: LeaseStage, prepare: Prepare, spec: dict[str, Any], reason: str, told: list[str]
) -> None:
    prepare(world.phase)

    world.dynamic_secret(**spec)

    condition = world.until_said(reason)
    assert condition["status"] == "False"
    assert [each for each in told if each not in condition["message"]] == []
    assert world.phase.calls(lease=True) == 0
    assert world.live() == []
    assert world.records() == []


def test_credentials_that_no_target_can_hold_cost_one_lease_and_an_edit_heals_them(world: LeaseStage) -> None:
    keys_that_no_secret_takes(world.phase)
    place = {"phaseAppEnvPath": "/odd", "dynamicSecret": "odd"}
    world.dynamic_secret(**place)
    assert "AWS KEY" in world.until_said("KeyInvalid")["message"]

    names = {"AWS KEY": {"asName": "AWS_ACCESS_KEY_ID"}, "SECRET": {"asName": "AWS_SECRET_ACCESS_KEY"}}
    world.dynamic_secret(**place, managedSecretReferences=[{"secretName": TARGET, "processors": names}])

    world.until_serving()
    assert world.held()
    assert world.phase.calls(lease=True) == 1


def test_an_edit_that_cannot_be_keeps_the_lease_and_the_target(world: LeaseStage) -> None:
    world.dynamic_secret()
    world.until_serving()
    held = world.held()

    world.dynamic_secret(managedSecretReferences=[{"secretName": TARGET, "template": {"data": {"a": "{{ NOPE }}"}}}])
    world.until_said("TemplateFailed")
    assert world.held() == held

    world.dynamic_secret()
    world.until_serving()
    assert world.held() == held
    assert world.phase.calls(lease=True) == 1


def test_a_dynamic_secret_that_is_renamed_keeps_its_lease_under_the_new_name(world: LeaseStage) -> None:
    world.dynamic_secret()
    world.until_serving()
    held = world.held()
    world.phase.change_dynamic("shop", "Production", "media-bucket", old_path="/aws", name="renamed")

    world.dynamic_secret(dynamicSecret="renamed")

    world.until_serving()
    assert world.held() == held
    assert world.phase.calls(lease=True) == 1


@pytest.mark.parametrize(
    ("prepare", "told", "left"),
    [
        pytest.param(lambda phase: phase.leases.fail("refuse", "TagUser"), "iam:TagUser", 1, id="a permission"),
        pytest.param(lambda phase: phase.set_plan("pro"), "its plan may not be Enterprise", 0, id="the plan"),
        pytest.param(
            lambda phase: phase.change_dynamic("shop", "Production", "media-bucket", old_path="/aws", provider="azure"),
            'it may not lease from the provider "azure"',
            0,
            id="another provider",
        ),
    ],
)
def test_a_refusal_without_a_cause_is_told_with_what_it_may_be(
    world: LeaseStage, prepare: Prepare, told: str, left: int
) -> None:
    prepare(world.phase)

    world.dynamic_secret()

    eventually(lambda: told in world.ready().get("message", ""), what=f"the message says why: {world.ready()}")
    assert world.ready()["status"] == "False"
    assert world.phase.calls(lease=True) == 1
    # What was left behind is there once, and the next attempt waits until the list has shown that there is no lease.
    assert len(world.phase.leases.leaked()) == left
    # A deletion would wait for these looks as well, for two minutes; that is another test's matter.
    world.plane.kubectl("-n", world.namespace, "delete", "pds", NAME, "--wait=false")
    free = '{"metadata":{"finalizers":null}}'
    world.plane.kubectl("-n", world.namespace, "patch", "pds", NAME, "--type=merge", "-p", free)


def test_a_target_of_another_resource_is_refused_and_costs_it_nothing(world: LeaseStage) -> None:
    world.phase_secret(managedSecretReferences=[{"secretName": TARGET}])
    world.until_ready()
    good = world.data(TARGET)

    world.dynamic_secret()

    condition = world.until_said("TargetConflict", NAME)
    assert "shop" in condition["message"]
    assert world.data(TARGET) == good
