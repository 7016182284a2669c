"""Who applied a resource is told by the marks of Argo CD, Flux and Helm, and what they do to spec.suspend."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from phase_operator.cli.common.appliers import applier, sets_suspend, undoing, writers
from unit.cli.things import HOSTILE, resource

TRACKING = "argocd.argoproj.io/tracking-id"
HELM = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}
FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
RELEASE = {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop"}
OWN = "secrets.phase.dev/PhaseSecret:shop/shop"


def applied(labels: Mapping[str, str], annotations: Mapping[str, str], *managers: dict[str, Any]) -> dict[str, Any]:
    return resource(metadata={"labels": labels, "annotations": annotations, "managedFields": list(managers)})


def manager(name: str, *fields: str, time: str = "2026-01-01T00:00:00Z", **other: Any) -> dict[str, Any]:
    owned: dict[str, Any] = {"f:spec": {f"f:{field}": {} for field in fields}} if fields else {"f:metadata": {}}
    return {"manager": name, "operation": "Update", "time": time, "fieldsV1": owned, **other}


@pytest.mark.parametrize(
    ("labels", "annotations", "told"),
    [
        pytest.param({}, {TRACKING: f"web:{OWN}"}, 'Argo CD (Application "web")', id="Argo CD"),
        pytest.param({"argocd.argoproj.io/instance": "web"}, {}, 'Argo CD (Application "web")', id="Argo CD by label"),
        pytest.param({}, {TRACKING: "web:secrets.phase.dev/PhaseSecret:other/shop"}, "None", id="a copy"),
        pytest.param(FLUX, {}, 'Flux (Kustomization "flux-system/apps")', id="Flux"),
        pytest.param(RELEASE, HELM, 'Flux (HelmRelease "shop/web")', id="Flux with Helm"),
        pytest.param({}, HELM, 'Helm (release "shop/web")', id="Helm"),
        pytest.param({"app.kubernetes.io/instance": "web"}, {}, "None", id="a label that everybody uses"),
        pytest.param({}, {}, "None", id="nobody"),
    ],
)
def test_the_tool_is_known_by_its_marks(labels: dict[str, str], annotations: dict[str, str], told: str) -> None:
    assert str(applier(applied(labels, annotations))) == told


def test_marks_of_others_are_safe_to_print() -> None:
    for labels, annotations in (
        (dict.fromkeys(FLUX, HOSTILE), {}),
        ({}, {TRACKING: f"{HOSTILE}:{OWN}"}),
        ({}, dict.fromkeys(HELM, HOSTILE)),
    ):
        assert str(applier(applied(labels, annotations))).isprintable()
    assert all(each.isprintable() for each in writers(applied({}, {}, manager(HOSTILE, "suspend", time=HOSTILE))))


def test_writers_of_the_spec_are_told_the_last_first() -> None:
    found = applied(
        {},
        {},
        manager("kubectl", "phaseApp", time="2026-01-01T00:00:00Z"),
        manager("phase-operator"),
        manager("status-writer", "phaseApp", subresource="status"),
        manager("argocd-controller", "phaseApp", time="2026-02-01T00:00:00Z"),
    )

    assert writers(found) == ["argocd-controller, 2026-02-01T00:00:00Z", "kubectl, 2026-01-01T00:00:00Z"]
    assert len(writers(applied({}, {}, *(manager(f"m{number}", "a") for number in range(1000))))) == 20


@pytest.mark.parametrize(
    ("annotations", "managers", "is_set"),
    [
        pytest.param({}, [manager("flux", "suspend")], True, id="another manager"),
        pytest.param({}, [manager("kubectl-phase", "suspend")], False, id="we"),
        pytest.param({}, [manager("flux", "phaseApp")], False, id="another field"),
        pytest.param(
            {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": {"suspend": False}})},
            [manager("kubectl-phase", "suspend")],
            True,
            id="the last manifest",
        ),
        pytest.param({"kubectl.kubernetes.io/last-applied-configuration": "[" * 100_000}, [], False, id="no JSON"),
    ],
)
def test_whether_a_manifest_sets_suspend_is_seen(
    annotations: dict[str, str], managers: list[dict[str, Any]], is_set: bool
) -> None:
    assert sets_suspend(applied({}, annotations, *managers)) is is_set


def test_only_a_tool_that_sets_suspend_will_undo_it() -> None:
    assert undoing(applied({}, {})) == ""
    assert "will undo this" in undoing(applied(FLUX, {}, manager("kustomize-controller", "suspend")))
    assert "this stays" in undoing(applied(FLUX, {}, manager("kustomize-controller", "phaseApp")))
