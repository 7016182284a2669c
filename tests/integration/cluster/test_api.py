"""The tests' own way to the API server does what kubectl does."""

import json
from typing import Any

import pytest

from phase_dev.cluster import CommandFailed, ControlPlane
from support.api import api_of
from support.world import deployment, secret

_OWN = ("uid", "resourceVersion", "creationTimestamp", "managedFields")


def comparable(plane: ControlPlane, kind: str, namespace: str) -> dict[str, Any]:
    """Return an object without what no two objects share; of its managers, what kubectl manages in which way."""
    found = json.loads(plane.kubectl("-n", namespace, "get", kind, "web", "-o", "json", "--show-managed-fields").stdout)
    managers = [
        {key: each.get(key) for key in ("manager", "operation", "fieldsV1")}
        for each in found["metadata"]["managedFields"]
        # Others come before or after it, by the second in which they wrote.
        if each["manager"] == "kubectl-client-side-apply"
    ]
    metadata = {key: value for key, value in found["metadata"].items() if key not in _OWN}
    applied = json.loads(metadata["annotations"].pop("kubectl.kubernetes.io/last-applied-configuration"))
    metadata["annotations"].pop("deployment.kubernetes.io/revision", None)
    rest = {key: found[key] for key in ("apiVersion", "kind", "data", "spec") if key in found}
    return rest | {"metadata": metadata, "managers": managers, "applied": applied}


def config_map(data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": data}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(secret("web", {"token": "text"}), id="Secret"),
        pytest.param(deployment("web", "shop", replicas=0), id="Deployment"),
    ],
)
def test_an_object_is_made_as_kubectl_apply_makes_it(
    control_plane: ControlPlane, namespace: str, document: dict[str, Any]
) -> None:
    api, kind = api_of(control_plane), str(document["kind"])
    assert api.make(document, namespace)
    ours = comparable(control_plane, kind, namespace)
    control_plane.kubectl("-n", namespace, "delete", kind, "web")

    control_plane.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(document))

    assert ours == comparable(control_plane, kind, namespace)


def test_an_object_that_exists_is_left_to_kubectl_which_knows_what_was_applied(
    control_plane: ControlPlane, namespace: str
) -> None:
    api = api_of(control_plane)
    first, then = config_map({"one": "1", "two": "2"}), config_map({"one": "1"})
    assert api.make(first, namespace)

    assert not api.make(then, namespace)
    control_plane.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(then))

    assert (api.get("configmap", "web", namespace) or {})["data"] == {"one": "1"}


def labelled(document: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {**document, "metadata": {**document["metadata"], "labels": labels}}


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(config_map({"one": "1", "two": "2"}), config_map({"one": "another", "three": "3"}), id="data"),
        pytest.param(labelled(config_map({}), a="1", b="2"), labelled(config_map({}), a="3"), id="labels"),
        pytest.param(labelled(config_map({"one": "1"}), a="1"), config_map({"one": "1"}), id="no labels more"),
        pytest.param(secret("web", {"a": "1", "b": "2"}), secret("web", {"a": "3"}), id="Secret"),
        pytest.param(config_map({"one": "1"}), config_map({"one": "1"}), id="the same"),
    ],
)
def test_an_object_is_brought_to_what_is_applied_now_as_kubectl_apply_brings_it(
    control_plane: ControlPlane, namespace: str, first: dict[str, Any], then: dict[str, Any]
) -> None:
    api, kind, found = api_of(control_plane), str(first["kind"]), []
    for ours in (True, False):
        assert api.make(first, namespace)
        # Somebody else's entry stays.
        api.patch(kind, "web", namespace, {"data": {"other": "MQ=="}, "metadata": {"annotations": {"other": "1"}}})
        if ours:
            assert api.remake(then, namespace)
        else:
            control_plane.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(then))
        found.append(comparable(control_plane, kind, namespace))
        api.delete(kind, "web", namespace)

    assert found[0] == found[1]


def test_an_object_whose_lists_are_merged_is_left_to_kubectl(control_plane: ControlPlane, namespace: str) -> None:
    document = deployment("web", "shop", replicas=0)
    assert api_of(control_plane).make(document, namespace)

    assert not api_of(control_plane).remake(document, namespace)


def test_a_field_that_the_schema_does_not_know_is_refused(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(CommandFailed, match="unknown field"):
        api_of(control_plane).make(secret("web", {}) | {"dada": {}}, namespace)


@pytest.mark.parametrize("name", ["deployment", "deployments", "deploy", "Deployment"])
def test_a_kind_has_the_names_that_kubectl_knows(control_plane: ControlPlane, name: str) -> None:
    assert api_of(control_plane).resource(name).path("shop", "web") == "/apis/apps/v1/namespaces/shop/deployments/web"


def test_a_kind_that_nobody_has_is_said(control_plane: ControlPlane) -> None:
    with pytest.raises(CommandFailed, match="no lampshade"):
        api_of(control_plane).resource("lampshade")


def test_an_object_may_be_deleted_twice(control_plane: ControlPlane, namespace: str) -> None:
    api = api_of(control_plane)
    assert api.make(secret("web", {}), namespace)

    api.delete("secret", "web", namespace)
    api.delete("secret", "web", namespace)

    assert api.get("secret", "web", namespace) is None
