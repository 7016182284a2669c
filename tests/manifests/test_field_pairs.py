"""Every two optional fields of a target on a real API server: those that exclude each other are refused, no others."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from manifests.objects import CRD_FILE
from manifests.specs import phase_secret
from phase_dev.cluster import ControlPlane
from support.dry_run import PHASE_SECRETS, judged
from support.field_pairs import OF_KIND, REFUSED, beside, both, pairs

pytestmark = pytest.mark.controlplane

PLACES = {
    "Secret": ("managedSecretReferences", {"secretName": "one"}),
    "ConfigMap": ("managedConfigMapReferences", {"configMapName": "one"}),
}
ALL = {f"{kind} {one}, {other}": (kind, one, other) for kind in OF_KIND for one, other in pairs(kind)}


@pytest.fixture(scope="module")
def answers(control_plane: ControlPlane) -> dict[str, httpx.Response]:
    """Return what the API server says to each pair."""
    kubectl = control_plane.kubectl
    kubectl("apply", "--server-side", "--force-conflicts", "-f", CRD_FILE)
    kubectl("wait", "--for=condition=Established", "crd/phasesecrets.secrets.phase.dev", "--timeout=30s")
    specs = {}
    for what, (kind, one, other) in ALL.items():
        place, smallest = PLACES[kind]
        target = smallest | both(*beside(kind, one, other))
        spec: dict[str, Any] = {"managedSecretReferences": ..., "recursive": True, place: [target]}
        specs[what] = phase_secret(**spec)
    return judged(control_plane, PHASE_SECRETS, specs)


def test_the_pairs_that_exclude_each_other_are_refused_and_no_others(answers: Mapping[str, httpx.Response]) -> None:
    refused = {what for what, answer in answers.items() if answer.is_error}

    assert refused == {what for what, (_, one, other) in ALL.items() if frozenset({one, other}) in REFUSED}


def test_a_refusal_names_the_field(answers: Mapping[str, httpx.Response]) -> None:
    for what, (kind, one, other) in ALL.items():
        field = REFUSED.get(frozenset({one, other}))
        if field is not None:
            causes = answers[what].json()["details"]["causes"]
            assert [cause["field"] for cause in causes] == [f"spec.{PLACES[kind][0]}[0].{field}"]
