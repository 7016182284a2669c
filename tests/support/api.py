"""The API server as a test's hand and eye: what kubectl does, over one connection and without a process for each look.

Rule: objects are made as `kubectl apply` makes them, with the annotation by which the next apply knows what to take
out; a test whose point is kubectl itself runs kubectl.
"""

import copy
import json
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from phase_dev.cluster import CommandFailed, ControlPlane
from phase_dev.cluster.client import Client
from phase_operator.api.crd import DEFINITIONS

Object = dict[str, Any]

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# Kinds that have no lists, or whose lists kubectl replaces.
_MERGED = frozenset({"Secret", "ConfigMap", *(each.kind for each in DEFINITIONS)})
# As kubectl asks: what the schema does not know is refused.
_AS_KUBECTL = {"fieldManager": "kubectl-client-side-apply", "fieldValidation": "Strict"}


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object, and where it is found."""

    root: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of an object, or of the collection in a namespace; nothing named is a collection."""
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.root}{inside}/{self.plural}" + (f"/{name}" if name else "")


class Api:
    """A way to one API server, with the rights of the client that it is given: the admin's, by `api_of`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._resources: dict[str, Resource] = {}

    def get(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """Return an object, or None: it is not there, or nobody answers."""
        try:
            return self._client.get(self.resource(kind).path(namespace, name))
        except CommandFailed:
            return None

    def items(self, kind: str, namespace: str = "", **query: str) -> list[Object]:
        """Return the objects of a kind, in one namespace or in all; `labelSelector` and its like narrow them."""
        found = self._client.get(_with(self.resource(kind).path(namespace), query))
        common = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
        return [common | each for each in found["items"]]

    def create(self, document: Object, namespace: str = "", **query: str) -> Object:
        """Create an object and return what the server made of it."""
        return self._client.create(_with(self._collection(document, namespace), query), document)

    def apply(self, document: Object, namespace: str, manager: str, **query: str) -> Object:
        """Apply an object on the server's side, and take the fields that others hold."""
        path = f"{self._collection(document, namespace)}/{document['metadata']['name']}"
        return self._client.apply(_with(path, {"fieldManager": manager, "force": "true", **query}), document)

    def patch(self, kind: str, name: str, namespace: str, change: Object, **query: str) -> Object:
        """Change an object by a JSON merge patch and return what the server made of it."""
        return self._client.patch(_with(self.resource(kind).path(namespace, name), query), change)

    def delete(self, kind: str, name: str = "", namespace: str = "") -> None:
        """Delete an object, or all of a kind in a namespace; what is not there is no error, and nobody waits."""
        self._client.delete(self.resource(kind).path(namespace, name))

    def make(self, document: Object, namespace: str) -> bool:
        """Create an object as `kubectl apply` does; say False, and leave it as it is, if it is there already."""
        metadata = self._placed(document, namespace)["metadata"]
        made = copy.deepcopy(document) | {"metadata": {"annotations": {}, **copy.deepcopy(metadata)}}
        made["metadata"]["annotations"][_LAST_APPLIED] = self._applied(document, namespace)
        try:
            self.create(made, metadata.get("namespace", ""), **_AS_KUBECTL)
        except CommandFailed as e:
            if e.reason == "AlreadyExists":
                return False
            raise
        return True

    def remake(self, document: Object, namespace: str) -> bool:
        """Bring an object from what was applied last to this, as `kubectl apply` does, and leave the rest of it.

        Say False, and leave it as it is, if kubectl would merge its lists by what is in them.
        """
        if document["kind"] not in _MERGED:
            return False
        path = f"{self._collection(document, namespace)}/{document['metadata']['name']}"
        stands = self._client.get(path)
        last = json.loads((stands["metadata"].get("annotations") or {}).get(_LAST_APPLIED, "{}"))
        text = self._applied(document, namespace)
        change = _change(last, json.loads(text))
        (change["metadata"].setdefault("annotations", {}))[_LAST_APPLIED] = text
        self._client.patch(_with(path, _AS_KUBECTL), change)
        return True

    def _placed(self, document: Object, namespace: str) -> Object:
        metadata = {**document["metadata"]}
        if self._resource_of(document).namespaced:
            metadata.setdefault("namespace", namespace)
        return {**document, "metadata": metadata}

    def _applied(self, document: Object, namespace: str) -> str:
        placed = self._placed(document, namespace)
        applied = {**placed, "metadata": {"annotations": {}, **placed["metadata"]}}
        return json.dumps(applied, sort_keys=True, separators=(",", ":")) + "\n"

    def resource(self, kind: str) -> Resource:
        """Find a kind by any name that kubectl takes: `phasesecret`, `phasesecrets`, `phs`, `PhaseSecret`."""
        wanted = kind.lower()
        if wanted not in self._resources:
            self._discover()
        if wanted not in self._resources:
            raise CommandFailed(f"the API server has no {kind}")
        return self._resources[wanted]

    def _resource_of(self, document: Object) -> Resource:
        return self.resource(f"{document['kind']}.{document['apiVersion']}")

    def _collection(self, document: Object, namespace: str) -> str:
        return self._resource_of(document).path(document["metadata"].get("namespace", namespace))

    def _discover(self) -> None:
        for root in ("/api", "/apis"):
            for group in self._client.get(root, accept=_DISCOVERY)["items"]:
                name = group["metadata"].get("name", "")
                for version in group["versions"]:
                    self._learn(name, version["version"], version["resources"])

    def _learn(self, group: str, version: str, resources: list[Object]) -> None:
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        for each in resources:
            found = Resource(root, each["resource"], each["scope"] == "Namespaced")
            names = (each["resource"], each.get("singularResource", ""), *each.get("shortNames", ()))
            kind = each["responseKind"]["kind"].lower()
            self._resources[f"{kind}.{group}/{version}" if group else f"{kind}.{version}"] = found
            for name in filter(None, (*names, kind)):
                # The first wins, as it does for kubectl: groups and versions come in the order of preference.
                self._resources.setdefault(name.lower(), found)


def _change(last: Object, wanted: Object) -> Object:
    """Return the JSON merge patch that sets what is wanted, and takes out what was applied last and is not."""
    change: Object = {key: None for key in last if key not in wanted}
    for key, value in wanted.items():
        before = last.get(key)
        change[key] = _change(before if isinstance(before, dict) else {}, value) if isinstance(value, dict) else value
    return change


def _with(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


@cache
def api_of(plane: ControlPlane) -> Api:
    """Return the API of a control plane; its connections end with it."""
    return Api(plane.shared_client)
