"""The API server accepts our resources of the Prometheus operator, by its own CRDs, and refuses wrong ones."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from manifests.conftest import Render
from manifests.objects import MONITORING, Object, kinds, one
from phase_dev.cluster import Completed
from support.cluster_fixture import Kubectl

pytestmark = pytest.mark.controlplane

Admit = Callable[[Object], Completed]


@pytest.fixture(scope="module")
def definitions(kubectl: Kubectl) -> Iterator[None]:
    """Let the session's cluster know the kinds of the Prometheus operator."""
    kubectl("apply", "--server-side", "-f", MONITORING)
    kubectl("wait", "--for=condition=Established", "-f", MONITORING, "--timeout=30s")
    yield
    kubectl("delete", "-f", MONITORING)


@pytest.fixture
def admit(definitions: None, kubectl: Kubectl, namespace: str) -> Admit:
    """Give what the API server says of an object, which it does not keep."""

    def ask(given: Object) -> Completed:
        body = deepcopy(given)
        body["metadata"]["namespace"] = namespace
        return kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=json.dumps(body), check=False)

    return ask


@pytest.fixture(scope="module")
def monitoring(kustomize: Render) -> list[Object]:
    return kustomize("deploy/monitoring")


def test_all_monitoring_manifests_are_admitted(monitoring: list[Object], admit: Admit) -> None:
    for each in monitoring:
        said = admit(each)
        assert said.returncode == 0, said.stderr
    assert kinds(monitoring) > {"PodMonitor", "PrometheusRule"}


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        pytest.param("PodMonitor", ("spec", "podMetricsEndpoint"), [], id="a field that is none"),
        pytest.param("PodMonitor", ("spec", "podMetricsEndpoints", 0, "interval"), "30 s", id="a bad interval"),
        pytest.param("PodMonitor", ("spec", "podMetricsEndpoints", 0, "ports"), "metrics", id="a typing error"),
        pytest.param("PrometheusRule", ("spec", "groups", 0, "rules", 0, "for"), "10 m", id="a bad duration"),
        pytest.param("PrometheusRule", ("spec", "groups", 0, "rules", 0, "expression"), "1", id="no such field"),
        pytest.param("PrometheusRule", ("spec", "groups", 0, "name"), None, id="a group without a name"),
    ],
)
def test_a_wrong_field_is_refused(
    kind: str, path: tuple[str | int, ...], value: Any, monitoring: list[Object], admit: Admit
) -> None:
    changed = deepcopy(one(monitoring, kind))
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    said = admit(changed)

    assert said.returncode != 0
    assert str(path[-1]) in said.stderr
