from typing import Any

import pytest

from phase_operator.cli.migrating.running import running


def deployment(image: str, **spec: Any) -> dict[str, Any]:
    containers = [{"image": "example/sidecar"}, {"image": image}]
    template = {"spec": {"containers": containers}}
    return {"metadata": {"namespace": "ops", "name": "operator"}, "spec": {"template": template, **spec}}


IMAGES = [
    ("official-v1", "phasehq/kubernetes-operator:v1.4.1"),
    ("official-v2", "docker.io/phasehq/kubernetes-operator@sha256:0"),
    ("eso", "ghcr.io/external-secrets/external-secrets:v2.9.0"),
    ("doppler", "dopplerhq/kubernetes-operator"),
    ("infisical", "infisical/kubernetes-operator:v0.11.5"),
]


@pytest.mark.parametrize(("operator", "image"), IMAGES)
def test_an_operator_is_known_by_its_image(operator: str, image: str) -> None:
    assert running([deployment(image)], operator) == ["ops/operator"]
    others = ("phase-operator:0.1.0", "example/phasehq-kubernetes-operator", "external-secrets/external-secrets-e2e:v1")
    assert running(map(deployment, others), operator) == []


def test_an_operator_at_no_replicas_does_not_run() -> None:
    image = IMAGES[0][1]

    assert running([deployment(image, replicas=0)], "official-v1") == []
    assert running([deployment(image, replicas=2)], "official-v1") == ["ops/operator"]


def test_a_pod_that_is_left_still_runs() -> None:
    stopped = deployment(IMAGES[0][1], replicas=0) | {"status": {"replicas": 1}}

    assert running([stopped], "official-v1") == ["ops/operator"]


@pytest.mark.parametrize(
    "body", [{}, {"spec": []}, {"spec": {"template": {"spec": {"containers": [1, {"image": 2}]}}}}]
)
def test_nonsense_is_no_operator(body: dict[str, Any]) -> None:
    assert running([body], "eso") == []
