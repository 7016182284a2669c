"""What commands read: resources in files, and files of entries."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.manifests import Document, documents
from phase_operator.core.json_access import without
from support.golden import Pair


def document(body: Mapping[str, Any]) -> Document:
    """Return the only object of a file that holds this one."""
    [found] = documents(json.dumps(body, ensure_ascii=False).encode(), "file.yaml")
    return found


def resource(
    spec: Mapping[str, Any], name: str = "shop", kind: str = names.KIND_PHASE_SECRET, **metadata: Any
) -> dict[str, Any]:
    """Return a resource as a file has it."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": "team", **metadata},
        "spec": dict(spec),
    }


def written(folder: Path, *bodies: Mapping[str, Any], name: str = "file.yaml") -> str:
    """Write objects into one file, and return its path."""
    path = folder / name
    path.write_text("\n---\n".join(json.dumps(body, indent=2) for body in bodies))
    return str(path)


def entries_written(folder: Path, held: Iterable[Mapping[str, Any]]) -> str:
    """Write a file of entries, each in a mapping of its own, and return its path; `held` is as a pair has it."""
    path = folder / "entries.json"
    path.write_text(json.dumps([{each["key"]: without(each, "key")} for each in held]))
    return str(path)


def pair_written(folder: Path, pair: Pair, namespace: str, uid: str = "") -> list[str]:
    """Write the PhaseSecret of a golden pair and what Phase holds; return the arguments of `render` for them."""
    metadata = {"namespace": namespace} | ({"uid": uid} if uid else {})
    file = written(folder, resource(pair.spec(namespace), pair.name, **metadata))
    return ["-f", file, "--entries", entries_written(folder, pair.held)]
