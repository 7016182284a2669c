"""A namespace that tests remove leaves nothing behind, and what does not go at once is left to Kubernetes' own way."""

from collections.abc import Iterator
from typing import Any

import pytest

from integration.cluster.waiting import eventually
from phase_dev.cluster import ControlPlane
from support.api import Api, api_of
from support.cluster_fixture import new_namespace
from support.namespaces import remove_namespaces
from support.world import deployment, secret

# What tests make, and what the controllers make of it.
KINDS = ("secrets", "configmaps", "events", "leases", "roles", "serviceaccounts", "deployments", "replicasets", "pods")
_RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture
def api(control_plane: ControlPlane) -> Api:
    return api_of(control_plane)


@pytest.fixture
def several(control_plane: ControlPlane, namespace: str) -> Iterator[tuple[str, str]]:
    """Give two namespaces, and remove what the test leaves of them."""
    with new_namespace(control_plane, f"{namespace}-too") as other:
        yield namespace, other


def made(kind: str, api_version: str = "v1", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, **fields}


def fill(api: Api, namespace: str) -> None:
    """Make an object of every kind, and wait until the controllers have made theirs."""
    workload = deployment("web", "shop", replicas=2)
    event = made("Event", involvedObject={"namespace": namespace}, reason="Tested")
    others = (made("ConfigMap"), event, made("Lease", "coordination.k8s.io/v1"), made("Role", _RBAC))
    for each in (secret("web", {"token": "text"}), *others, workload):
        api.create(each, namespace)
    eventually(lambda: all(api.items(kind, namespace) for kind in KINDS))


def seen(api: Api, *namespaces: str) -> list[str]:
    """Say what a look at the whole cluster shows of these namespaces."""
    found = [(kind, each["metadata"]) for kind in KINDS for each in api.items(kind)]
    left = [f"{kind} {each['name']}" for kind, each in found if each["namespace"] in namespaces]
    return left + [name for name in namespaces if api.get("namespace", name)]


def is_left_to_the_controller_manager(api: Api, namespace: str) -> bool:
    found = api.get("namespace", namespace) or {"status": {}, "spec": {}}
    return (found["status"].get("phase"), found["spec"].get("finalizers")) == ("Terminating", ["kubernetes"])


def test_nothing_is_left_of_namespaces_that_were_removed(
    control_plane: ControlPlane, api: Api, several: tuple[str, str]
) -> None:
    for each in several:
        fill(api, each)

    remove_namespaces(control_plane, *several, f"{several[0]}-never-made")

    assert seen(api, *several) == []


def test_a_name_may_be_used_again_at_once(control_plane: ControlPlane, api: Api, namespace: str) -> None:
    fill(api, namespace)

    remove_namespaces(control_plane, namespace)
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    fill(api, namespace)


def test_a_namespace_whose_object_has_a_finalizer_goes_by_the_controller_manager_when_that_is_gone(
    control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    held = made("ConfigMap")
    api.create(held | {"metadata": {"name": "held", "finalizers": ["example.com/held"]}}, namespace)
    api.create(secret("web", {}), namespace)

    remove_namespaces(control_plane, namespace)

    assert is_left_to_the_controller_manager(api, namespace)
    assert seen(api, namespace) == ["configmaps held", namespace]
    path = api.resource("configmap").path(namespace, "held")
    control_plane.shared_client.patch(path, {"metadata": {"finalizers": None}})
    eventually(lambda: seen(api, namespace) == [], seconds=60)


def test_a_namespace_that_holds_very_much_is_left_to_the_controller_manager(
    control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    for number in range(101):
        api.create(made("ConfigMap") | {"metadata": {"name": f"one-of-many-{number}"}}, namespace)

    remove_namespaces(control_plane, namespace)

    assert is_left_to_the_controller_manager(api, namespace)
    assert len(api.items("configmaps", namespace)) == 101
