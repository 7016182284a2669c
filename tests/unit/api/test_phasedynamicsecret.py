"""The model of PhaseDynamicSecret: what it shares with PhaseSecret, and a status that holds every ledger."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types; kubernetes-validate brings it
import pytest
from pydantic import ValidationError

from phase_operator.api.crd import PHASE_DYNAMIC_SECRET, document, structural
from phase_operator.api.v1alpha1 import DynamicSecretTarget, PhaseDynamicSecretSpec, PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference
from phase_operator.core.leases.ledger import MOST_LEASES, Lease, LeasePlace, LeaseState, Ledger

# What only a PhaseDynamicSecret has, and the one field whose bounds differ.
OWN = {"dynamic_secret", "lease_ttl", "rollover_percent", "overlap", "revoke"}
[VERSION] = document(PHASE_DYNAMIC_SECRET)["spec"]["versions"]
STATUS = VERSION["schema"]["openAPIV3Schema"]["properties"]["status"]
# The longest names that Phase and a spec can have: the status has to take them, or a lease would be lost.
LONGEST = LeasePlace(f"https://{'h' * 2040}/service/public", "a" * 64, "e" * 253, "d" * 253)


def smallest(**spec: Any) -> dict[str, Any]:
    return {"phaseApp": "shop", "dynamicSecret": "bucket", "managedSecretReferences": [{"secretName": "s3"}]} | spec


def lease(number: int, state: LeaseState) -> Lease:
    return Lease(f"{number:08x}", state, LONGEST, "b" * 16, 86400, 1.0, "i" * 253, "i" * 253, 2.0, 3.0)


def test_a_target_has_the_fields_of_a_phasesecrets_secret_without_types_and_path() -> None:
    ours, theirs = structural(DynamicSecretTarget), structural(ManagedSecretReference)

    assert ours["properties"].keys() == theirs["properties"].keys() - {"types", "path"}
    assert all(field == theirs["properties"][name] for name, field in ours["properties"].items())
    assert ours["x-kubernetes-validations"] == theirs["x-kubernetes-validations"]


def test_every_other_field_is_one_of_phasesecret() -> None:
    ours = PhaseDynamicSecretSpec.model_fields
    shared = ours.keys() - OWN

    assert shared < PhaseSecretSpec.model_fields.keys()
    assert {name: ours[name].alias for name in shared} == {
        name: PhaseSecretSpec.model_fields[name].alias for name in shared
    }


def test_the_shared_fields_make_a_valid_phasesecret() -> None:
    spec = smallest(
        phaseHost="https://phase.example.com",
        phaseAppEnv="staging",
        phaseAppEnvPath="/aws",
        keys={"include": ["AWS_*"]},
        pollingInterval=600,
        suspend=True,
        redeployLabelSelector="tier=api",
        managedSecretReferences=[{"secretName": "s3", "versioned": {"keep": 2}, "restart": {"workloads": "All"}}],
    )

    found = PhaseSecretSpec.model_validate(spec)

    assert found.model_dump(exclude_unset=True, by_alias=True) == {
        name: value for name, value in spec.items() if name != "dynamicSecret"
    }


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"leaseTTL": 59}, id="a life below a minute"),
        pytest.param({"leaseTTL": 31536001}, id="a life above a year"),
        pytest.param({"rolloverPercent": 9}, id="a successor for most of the life"),
        pytest.param({"rolloverPercent": 91}, id="a successor too late"),
        pytest.param({"overlap": -1}, id="an overlap below nothing"),
        pytest.param({"overlap": 86401}, id="an overlap above a day"),
        pytest.param({"pollingInterval": 59}, id="looks too often"),
        pytest.param({"dynamicSecret": ""}, id="no name"),
    ],
)
def test_a_number_out_of_bounds_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PhaseDynamicSecretSpec.model_validate(smallest(**spec))


def test_the_schema_of_the_status_takes_the_largest_ledger() -> None:
    leases = tuple(lease(number, state) for number, state in zip(range(MOST_LEASES), [*LeaseState] * 3, strict=False))
    assert len(leases) == MOST_LEASES

    jsonschema.validate(Ledger(leases, 7, 4.0).document(), closed(STATUS))


def test_the_schema_of_the_status_takes_a_lease_that_is_only_announced() -> None:
    announced = Lease("5e1b09c2", LeaseState.ASKING, LONGEST, "b" * 16, 86400, 1.0)

    jsonschema.validate(Ledger((announced,), 0, 1.0).document(), closed(STATUS))


def test_the_schema_of_the_status_takes_no_lease() -> None:
    jsonschema.validate(Ledger().document(), closed(STATUS))


def closed(schema: Any) -> Any:
    """Return a schema that refuses what the API server would drop in silence."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(each) for name, each in schema.items()}
    return found | {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else found
