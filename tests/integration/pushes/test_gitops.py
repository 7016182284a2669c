"""A PhasePushSecret that is applied again and again from Git shows no difference, and causes no write anywhere."""

from typing import Any

import pytest

from phase_operator.api.crd import PHASE_PUSH_SECRET, document
from support.gitops import MANAGERS, apply_and_compare, by_server, spec_paths, standing
from support.push_stage import NAME, PushStage, push_secret

pytestmark = pytest.mark.controlplane

LABELS = {"tier": "db"}


def full(root: str) -> dict[str, Any]:
    """Return every field that there is."""
    return {
        "phaseAppId": "",
        "pollingInterval": 600,
        "suspend": False,
        "tags": ["cluster"],
        "updatePolicy": "Owned",
        "deletionPolicy": "Delete",
        "onTypeChange": "Refuse",
        "authentication": {
            "serviceToken": {
                "serviceTokenSecretReference": {"secretName": "phase-service-token", "secretNamespace": ""},
            }
        },
        "sources": [
            {
                "secretName": "db",
                "path": root,
                "keys": {"include": ["*"], "exclude": ["not-*"]},
                "prefix": "DB_",
                "processors": {"ca.crt": {"asName": "CA", "type": "base64"}},
                "type": "secret",
            },
            {"secretSelector": "tier=db", "path": f"{root}/all"},
            {"configMapName": "settings", "type": "config"},
        ],
        "generate": [{"key": "SESSION_KEY", "kind": "Password", "length": 48, "symbols": True, "rotate": "2026-11"}],
        "generateInto": "made",
    }


def test_every_field_of_the_spec_occurs_in_what_is_applied() -> None:
    [version] = document(PHASE_PUSH_SECRET)["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]

    assert set(spec_paths(schema, push_secret(NAME, "", "/", **full("/a"))["spec"])) == set(spec_paths(schema))


def test_applied_again_and_again_nothing_differs_and_nothing_is_written(world: PushStage) -> None:
    world.source("db", {"password": "first-password", "ca.crt": "a certificate"})
    world.source("other-db", {"password": "other-password"}, LABELS)
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"PORT": "5432"}}
    world.apply(settings)
    manifest = push_secret(NAME, world.phase.url, world.root, **full(world.root))
    for manager in MANAGERS:
        assert by_server(world, manager, "apply", manifest) == 0
    world.until_in_step(5)
    before, kept, entries = standing(world, "phasepushsecret", NAME), world.get("secret", "made"), world.entries()

    for _ in range(3):
        apply_and_compare(world, manifest)

    assert standing(world, "phasepushsecret", NAME) == before
    assert before["spec"] == manifest["spec"]
    assert world.get("secret", "made") == kept
    assert world.entries() == entries
