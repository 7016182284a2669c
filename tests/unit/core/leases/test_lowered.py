"""What a spec asks for, and which edits make a difference to it: those that lead to another dynamic secret."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.core.leases.lowered import folder, inputs_digest, lowered, wanted
from phase_operator.core.source.query import Ask, ask_of
from phase_operator.reconcile.context import parse_spec

KIND = names.KIND_PHASE_DYNAMIC_SECRET
SPEC: dict[str, Any] = {
    "phaseHost": "https://phase.example",
    "phaseApp": "shop",
    "phaseAppEnv": "Production",
    "phaseAppEnvPath": "/aws",
    "dynamicSecret": "bucket",
    "managedSecretReferences": [{"secretName": "uploads"}],
}


def ask(spec: dict[str, Any]) -> Ask:
    return ask_of(parse_spec(spec, KIND), "team")


def test_defaults_are_those_of_the_reference() -> None:
    found = wanted(SPEC, ask(SPEC))

    assert found.host == "https://phase.example/service/public"
    assert (found.ttl, found.rollover_percent, found.overlap, found.interval) == (0, 67, 300, 600)
    assert found.revoke


def test_every_field_of_the_timing_is_taken() -> None:
    spec = SPEC | {"leaseTTL": 900, "rolloverPercent": 10, "overlap": 0, "pollingInterval": 60, "revoke": False}
    found = wanted(spec, ask(spec))

    assert (found.ttl, found.rollover_percent, found.overlap, found.interval) == (900, 10, 0, 60)
    assert not found.revoke


@pytest.mark.parametrize(
    "fields",
    [
        {"phaseAppEnv": "PRODUCTION"},
        {"phaseAppEnvPath": "aws//"},
        {"phaseHost": "https://PHASE.example/"},
        {"leaseTTL": 900, "rolloverPercent": 50},
        {"managedSecretReferences": [{"secretName": "other"}]},
        {"suspend": True},
        {"keys": {"include": ["A"]}},
    ],
    ids=str,
)
def test_an_edit_that_leads_to_the_same_secret_asks_for_the_same(fields: dict[str, Any]) -> None:
    assert wanted(SPEC | fields, ask(SPEC | fields)).asked_by == wanted(SPEC, ask(SPEC)).asked_by


@pytest.mark.parametrize(
    "fields",
    [
        {"phaseHost": "https://other.example"},
        {"phaseApp": "Shop"},
        {"phaseApp": None, "phaseAppId": "app-1"},
        {"phaseAppEnv": "Staging"},
        {"phaseAppEnvPath": "/"},
        {"dynamicSecret": "Bucket"},
    ],
    ids=str,
)
def test_an_edit_that_may_lead_elsewhere_asks_for_something_else(fields: dict[str, Any]) -> None:
    spec = {name: value for name, value in (SPEC | fields).items() if value is not None}

    assert wanted(spec, ask(spec)).asked_by != wanted(SPEC, ask(SPEC)).asked_by


def test_targets_are_made_anew_for_another_lease_or_target_and_not_for_timing() -> None:
    before = inputs_digest(SPEC, "lease-1")

    assert inputs_digest(SPEC | {"leaseTTL": 900, "overlap": 1, "suspend": True, "revoke": False}, "lease-1") == before
    assert inputs_digest(SPEC, "lease-2") != before
    assert inputs_digest(SPEC | {"managedSecretReferences": [{"secretName": "x"}]}, "lease-1") != before


def test_the_part_about_targets_is_the_spec_of_a_phase_secret() -> None:
    spec = SPEC | {"leaseTTL": 900, "rolloverPercent": 10, "overlap": 0, "pollingInterval": 86400, "revoke": False}

    found = parse_spec(spec, KIND)

    assert [each.secret_name for each in found.managed_secret_references] == ["uploads"]
    assert "dynamicSecret" not in lowered(spec)
    assert folder(spec) == "/aws"
    assert folder({}) == "/"
