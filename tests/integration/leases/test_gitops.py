"""A PhaseDynamicSecret that is applied again and again from Git shows no difference, causes no write and no lease."""

from typing import Any

import pytest

from phase_operator.api.crd import PHASE_DYNAMIC_SECRET, document
from support.gitops import MANAGERS, apply_and_compare, by_server, spec_paths, standing
from support.lease_stage import NAME, LeaseStage, dynamic_secret

pytestmark = pytest.mark.controlplane

# Every field that there is.
FULL: dict[str, Any] = {
    "phaseAppId": "",
    "leaseTTL": 3600,
    "rolloverPercent": 67,
    "overlap": 300,
    "revoke": True,
    "pollingInterval": 600,
    "suspend": False,
    "redeployLabelSelector": "tier in (api, worker)",
    "authentication": {
        "serviceToken": {
            "serviceTokenSecretReference": {"secretName": "phase-service-token", "secretNamespace": ""},
        }
    },
    "keys": {"include": ["AWS_*"], "exclude": ["AWS_IAM_*"]},
    "managedSecretReferences": [
        {
            "secretName": f"{NAME}-keys",
            "secretNamespace": "",
            "secretType": "Opaque",
            "onTypeChange": "Refuse",
            "keys": {"include": ["*"], "exclude": ["NOT_*"]},
            "nameTransformer": "lower-kebab",
            "prefix": "s3-",
            "processors": {"AWS_ACCESS_KEY_ID": {"asName": "id", "nameTransformer": "camel", "type": "plain"}},
            "template": {
                "metadata": {"labels": {"team": "shop"}, "annotations": {"note": "text"}},
                "data": {"credentials": "[default]\naws_access_key_id={{ id }}\n"},
                "mergePolicy": "Merge",
            },
            "creationPolicy": "Owner",
            "deletionPolicy": "Delete",
            "restart": {"workloads": "All", "selector": "tier=api"},
            "required": True,
            "adopt": False,
            "immutable": False,
        },
        {"secretName": f"{NAME}-file", "format": "json", "fileKey": "aws.json"},
        {"secretName": f"{NAME}-version", "versioned": {"keep": 2}},
    ],
}


def test_every_field_of_the_spec_occurs_in_what_is_applied() -> None:
    [version] = document(PHASE_DYNAMIC_SECRET)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]

    assert set(spec_paths(schema, dynamic_secret(NAME, "", **FULL)["spec"])) == set(spec_paths(schema))


def test_applied_again_and_again_nothing_differs_nothing_is_written_and_nothing_is_leased(world: LeaseStage) -> None:
    manifest = dynamic_secret(NAME, world.phase.url, **FULL)
    for manager in MANAGERS:
        assert by_server(world, manager, "apply", manifest) == 0
    world.until_serving()
    before = standing(world, "phasedynamicsecret", NAME)

    for _ in range(3):
        apply_and_compare(world, manifest)

    assert standing(world, "phasedynamicsecret", NAME) == before
    assert before["spec"] == manifest["spec"]
    assert world.phase.calls(lease=True) == 1
