"""Where the API server serves what.

Rule: names come from users and are quoted. Of our own kinds, plural and scope are what their CRD says.
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
    """Return the path of an object, or of a collection; without a namespace, of all of them."""
    path = f"{prefix}/namespaces/{quote(namespace, safe='')}" if namespace else prefix
    path += f"/{collection}"
    if name is not None:
        path += f"/{quote(name, safe='')}"
    return path + (f"/{subresource}" if subresource else "")


def target_path(target: TargetRef) -> str:
    """Return where a target is served."""
    return object_path(CORE, COLLECTIONS[target.kind], target.key.namespace, target.key.name)


class KindPaths:
    """Where resources of our kinds are served; a kind is named as in a key: "" is PhaseSecret."""

    def __init__(self, definitions: Iterable[Definition] = DEFINITIONS) -> None:
        self._definitions = {each.kind: each for each in definitions}

    def collection_of(self, kind: str, namespace: str) -> str:
        """Return where the resources of a kind are served: those of a namespace, or all for ""."""
        return object_path(OURS, self._definition(kind).plural, namespace)

    def object_of(self, key: ObjectKey, subresource: str = "") -> str:
        """Return where a resource is served. The path of one that is in no namespace names none."""
        found = self._definition(key.kind)
        namespace = key.namespace if found.scope == "Namespaced" else ""
        return object_path(OURS, found.plural, namespace, key.name, subresource)

    def knows(self, kind: str) -> bool:
        """Say whether a kind is one of ours; a mark may name anything."""
        return (kind or names.KIND_PHASE_SECRET) in self._definitions

    def _definition(self, kind: str) -> Definition:
        return self._definitions[kind or names.KIND_PHASE_SECRET]
