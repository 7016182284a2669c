"""The paths of the API server.

Rule: names come from users, so they are quoted. Plural and scope of our own kinds come from their CRD.
"""

from collections.abc import Iterable
from urllib.parse import quote

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS, Definition
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.values import ObjectKey

CORE = "/api/v1"
OURS = f"/apis/{names.API_VERSION}"
COLLECTIONS = {Kind.SECRET: "secrets", Kind.CONFIG_MAP: "configmaps"}


def object_path(prefix: str, collection: str, namespace: str, name: str | None = None, subresource: str = "") -> str:
    """Return the path of an object or collection; an empty namespace means all of them, or a cluster-wide object."""
    path = f"{prefix}/namespaces/{quote(namespace, safe='')}" if namespace else prefix
    path += f"/{collection}"
    if name is not None:
        path += f"/{quote(name, safe='')}"
    return path + (f"/{subresource}" if subresource else "")


def target_path(target: TargetRef) -> str:
    """Return the path of a target."""
    return object_path(CORE, COLLECTIONS[target.kind], target.key.namespace, target.key.name)


class KindPaths:
    """Paths of resources of our kinds; a kind is named as in an ObjectKey: "" is PhaseSecret."""

    def __init__(self, definitions: Iterable[Definition] = DEFINITIONS) -> None:
        self._definitions = {each.kind: each for each in definitions}

    def collection_of(self, kind: str, namespace: str) -> str:
        """Return the path of a kind's resources in a namespace, or of all of them for ""."""
        return object_path(OURS, self._definition(kind).plural, namespace)

    def object_of(self, key: ObjectKey, subresource: str = "") -> str:
        """Return the path of a resource; that of a cluster-wide kind names no namespace."""
        found = self._definition(key.kind)
        namespace = key.namespace if found.scope == "Namespaced" else ""
        return object_path(OURS, found.plural, namespace, key.name, subresource)

    def knows(self, kind: str) -> bool:
        """Return whether a kind is one of ours; an owner mark on an object may name any kind."""
        return (kind or names.KIND_PHASE_SECRET) in self._definitions

    def _definition(self, kind: str) -> Definition:
        return self._definitions[kind or names.KIND_PHASE_SECRET]
