"""The cluster that tests hand on: whoever gets it sees nothing of the one before; one that is broken is ended."""

import pytest

from phase_dev.cluster import ControlPlane
from support.api import Object, api_of
from support.bare_plane import bare_plane
from support.cluster_fixture import may
from support.operator_process import REPOSITORY

NAMESPACES = {"default", "kube-node-lease", "kube-public", "kube-system"}
ROLE = "system:controller:job-controller"


def cluster_wide(kind: str, name: str, **more: object) -> Object:
    api = "v1" if kind == "Namespace" else "rbac.authorization.k8s.io/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **more}


def disturb(plane: ControlPlane) -> None:
    """Add, change and delete what concerns a whole cluster."""
    api, client = api_of(plane), plane.shared_client
    plane.kubectl("apply", "--server-side", "-k", REPOSITORY / "crds")
    api.create(cluster_wide("Namespace", "left"))
    api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "left", "finalizers": ["a/b"]}}, "left")
    account = {"kind": "ServiceAccount", "namespace": "left", "name": "left"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    api.create(cluster_wide("ClusterRoleBinding", "left", subjects=[account], roleRef=role))
    client.patch("/api/v1/namespaces/default", {"metadata": {"labels": {"left": "behind"}}})
    api.delete("clusterrole", ROLE)


def test_nothing_of_the_one_before_is_left(pytestconfig: pytest.Config) -> None:
    with bare_plane(pytestconfig) as plane:
        first = plane.url
        disturb(plane)
        assert may(plane, "delete", "secrets", "default", "left:left")

    with bare_plane(pytestconfig) as plane:
        assert plane.url == first
        found = {each["metadata"]["name"]: each["metadata"]["labels"] for each in api_of(plane).items("namespaces")}
        assert found.keys() == NAMESPACES
        assert "left" not in found["default"]
        assert api_of(plane).items("crd") == []
        assert api_of(plane).get("clusterrole", ROLE) is not None
        assert not may(plane, "delete", "secrets", "default", "left:left")


def test_one_that_is_broken_is_ended(pytestconfig: pytest.Config) -> None:
    with pytest.raises(AssertionError, match="etcd was not started again"), bare_plane(pytestconfig) as plane:
        plane.program("etcd").kill()

    assert plane.program("kube-apiserver").pid is None
    assert not plane.layout.folder.exists()
