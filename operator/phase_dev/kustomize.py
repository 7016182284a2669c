"""Put the objects of a kustomization together, so that a file can be generated where no kubectl is built yet.

Rule: only what our own overlays use, resources and labels; anything else is refused, and a test compares the outcome
with that of kubectl.
"""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any

import click

from phase_dev import documents

Object = dict[str, Any]
Read = Callable[[str], str]

# What others refer to comes first: the order of `kubectl kustomize`.
_KINDS = (
    *("Namespace", "CustomResourceDefinition", "ServiceAccount", "Role", "ClusterRole", "RoleBinding"),
    *("ClusterRoleBinding", "ConfigMap", "Secret", "Service", "Deployment", "PodDisruptionBudget"),
)
_KNOWN = {"apiVersion", "kind", "resources", "labels"}


def build(folder: str, read: Read) -> list[Object]:
    """Return the objects of the kustomization in a folder; `read` returns the text of a path of the repository."""
    return sorted(_collect(folder, read), key=_place)


def _collect(folder: str, read: Read) -> Iterator[Object]:
    path = f"{folder}/kustomization.yaml"
    file = documents.load(read(path))
    if file.keys() - _KNOWN:
        raise click.ClickException(f"{path}: {', '.join(sorted(file.keys() - _KNOWN))} is not understood here")
    pairs: dict[str, str] = {}
    for each in file.get("labels", ()):
        if each.keys() != {"pairs"}:
            raise click.ClickException(f"{path}: labels are understood with pairs only")
        pairs |= each["pairs"]
    for resource in file["resources"]:
        where = normpath(f"{folder}/{resource}")
        inside = PurePosixPath(where).suffix == ".yaml"
        for found in _objects(where, read) if inside else _collect(where, read):
            metadata = found["metadata"]
            yield found | {"metadata": metadata | ({"labels": metadata.get("labels", {}) | pairs} if pairs else {})}


def _objects(path: str, read: Read) -> Iterator[Object]:
    yield from (document for document in documents.load_all(read(path)) if document)


def _place(found: Object) -> tuple[int, str, str]:
    if found["kind"] not in _KINDS:
        raise click.ClickException(f"the place of a {found['kind']} among the objects is not known")
    return _KINDS.index(found["kind"]), found["metadata"].get("namespace", ""), found["metadata"]["name"]
