"""The tests' own way to the API server does what kubectl does."""

import json
from typing import Any

import pytest

from phase_dev.cluster import CommandFailed, ControlPlane
from support.api import api_of
from support.world import deployment, secret

_OWN = ("uid", "resourceVersion", "creationTimestamp", "managedFields")


def comparable(plane: ControlPlane, kind: str, namespace: str) -> dict[str, Any]:
    """Return an object without what no two objects share; of its managers, who manages what in which way."""
    found = json.loads(plane.kubectl("-n", namespace, "get", kind, "web", "-o", "json", "--show-managed-fields").stdout)
    managers = [
        {key: each.get(key) for key in ("manager", "operation", "fieldsV1")}
        for each in found["metadata"]["managedFields"]
        if "subresource" not in each  # the Deployment's controller may have written its status meanwhile
    ]
    metadata = {key: value for key, value in found["metadata"].items() if key not in _OWN}
    applied = json.loads(metadata["annotations"].pop("kubectl.kubernetes.io/last-applied-configuration"))
    metadata["annotations"].pop("deployment.kubernetes.io/revision", None)
    rest = {key: found[key] for key in ("apiVersion", "kind", "data", "spec") if key in found}
    return rest | {"metadata": metadata, "managers": managers[:1], "applied": applied}


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
