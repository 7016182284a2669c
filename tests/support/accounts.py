"""A service account of a tenant, and the API server as it finds it: with its own rights, and no process for a look."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from phase_dev.cluster import ControlPlane
from phase_dev.cluster.client import Client
from support.api import Api, api_of
from support.cluster_fixture import may
from support.operator_process import eventually

_RBAC = "rbac.authorization.k8s.io"
# Some of a tenant's objects take the API server seconds, and it may have much else to do; kubectl waits as long.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Account:
    """A service account in a namespace; `api` has its rights."""

    plane: ControlPlane
    namespace: str
    name: str
    token: str
    api: Api

    @contextmanager
    def client(self) -> Iterator[Client]:
        """Give a connection of its own, for a thread that would wait for others'."""
        with Client(self.plane.url, self.plane.ca_file, self.token) as found:
            yield found


@contextmanager
def account_in(
    plane: ControlPlane, namespace: str, name: str, rule: dict[str, Any], *cluster_roles: str
) -> Iterator[Account]:
    """Make a service account that may do in its namespace what a rule and some of the cluster's roles say.

    The API server knows its rights when the block begins; the connections of its `api` end with the block.
    """
    _make(plane, namespace, name, rule, cluster_roles)
    asked = (rule["verbs"][0], f"{rule['resources'][0]}.{rule['apiGroups'][0]}".removesuffix("."), namespace)
    eventually(lambda: may(plane, *asked, account=f"{namespace}:{name}"), what=f"{name} may {' '.join(asked)}")
    token = plane.shared_client.token(namespace, name, 3600)
    with Client(plane.url, plane.ca_file, token, timeout=_PATIENCE) as client:
        yield Account(plane, namespace, name, token, Api(client))


def role_binding(name: str, role: str, account: str, namespace: str, *, kind: str = "ClusterRole") -> dict[str, Any]:
    """Return what gives a role to a service account of a namespace."""
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }


def _make(plane: ControlPlane, namespace: str, name: str, rule: dict[str, Any], cluster_roles: tuple[str, ...]) -> None:
    of = (name, namespace)
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": {"name": name}, "rules": [rule]},
        *(role_binding(f"{name}-{each}", each, *of) for each in cluster_roles),
        # The last one, since the API server learns of bindings in their order.
        role_binding(name, name, *of, kind="Role"),
    ]
    for each in objects:
        api_of(plane).create(each, namespace)
