"""Golden pairs: what a user writes and what Phase holds, beside the objects that come of it.

Rule: what differs from run to run is written as a word in braces, {any} or {namespace}; all else is compared as it is.
tests/golden/README.md explains the game.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from phase_dev import documents
from phase_operator.api import names
from phase_operator.core.values import ConfigEntry, Entry, SecretValue

FOLDER = Path(__file__).parents[1] / "golden"
_REPOSITORY = Path(__file__).parents[2]
_ANY, _NAMESPACE = "{any}", "{namespace}"
# The API server adds these; the seal needs a probe of Phase, and the pure run has none.
_LEFT_OUT = frozenset({"namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"})


@dataclass(frozen=True)
class Pair:
    """One file: the resource's name is the file's."""

    file: Path
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the pair, of its PhaseSecret and of its app in Phase."""
        return self.file.stem

    def spec(self, namespace: str, **fields: Any) -> dict[str, Any]:
        """Return the spec as a user in that namespace would write it, with other fields in place of some."""
        given = self.document["spec"] if "spec" in self.document else _sample(self.document["sample"])
        text = json.dumps(given).replace(_NAMESPACE, namespace)
        return {**json.loads(text), "phaseApp": self.name, **fields}

    @property
    def environment(self) -> str:
        """Name of the environment that is read."""
        return str(self.spec("any").get("phaseAppEnv") or "production")

    @property
    def held(self) -> list[dict[str, Any]]:
        """What Phase holds, in the words of the embedded Phase's seed."""
        return [{"key": key, **_said(found)} for key, found in _listed(self.document["entries"])]

    def entries(self) -> list[Entry]:
        """Return what Phase holds, as it is read."""
        return [_entry(number, held) for number, held in enumerate(self.held)]


def pairs() -> list[Pair]:
    """Return every pair."""
    return [Pair(file, documents.load(file.read_text())) for file in sorted(FOLDER.glob("*.yaml"))]


def _listed(entries: Any) -> Iterable[tuple[str, Any]]:
    # A mapping, or a list of mappings where a key lies in more than one folder.
    for part in entries if isinstance(entries, list) else [entries]:
        yield from part.items()


def _said(found: Any) -> dict[str, Any]:
    held = dict(found) if isinstance(found, Mapping) else {"value": found}
    if isinstance(held["value"], bytes):
        # Phase holds text; a pair may show the bytes that the text stands for.
        held["value"] = base64.b64encode(held["value"]).decode()
    return held


def _entry(number: int, held: Mapping[str, Any]) -> Entry:
    kind = held.get("type", "secret")
    cls = ConfigEntry if kind == "config" else Entry
    path, tags = str(held.get("path", "/")), frozenset(held.get("tags", ()))
    return cls(f"id-{number}", str(held["key"]), SecretValue(held["value"]), path, tags, kind)


def _sample(name: str) -> dict[str, Any]:
    """Return the spec of a sample that we ship; samples lie in the namespace `default`."""
    document = documents.load((_REPOSITORY / "deploy/samples" / name).read_text())
    text = json.dumps(document["spec"]).replace('"default"', f'"{_NAMESPACE}"')
    found: dict[str, Any] = json.loads(text)
    return found


def shown(manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return an object in the form in which pairs show it: values as text where they are text, else as bytes."""
    metadata = {key: value for key, value in sorted(manifest["metadata"].items(), key=_order) if key not in _LEFT_OUT}
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(names.ANNOTATION_SEAL, None)
    for keyed in (names.ANNOTATION_DIGEST, names.ANNOTATION_KEYS):
        if keyed in annotations:
            annotations[keyed] = _ANY
    if (owner := annotations.get(names.ANNOTATION_OWNER, "")).startswith(f"{namespace}/"):
        annotations[names.ANNOTATION_OWNER] = owner.replace(namespace, _NAMESPACE, 1)
    metadata["annotations"] = annotations
    if "ownerReferences" in metadata:
        metadata["ownerReferences"] = [each | {"uid": _ANY} for each in metadata["ownerReferences"]]
    rest = {key: manifest[key] for key in ("type", "immutable", "data", "binaryData") if key in manifest}
    if manifest["kind"] == "Secret":
        rest["data"] = {key: _text(base64.b64decode(value)) for key, value in (manifest.get("data") or {}).items()}
    if "binaryData" in rest:
        rest["binaryData"] = {key: base64.b64decode(value) for key, value in manifest["binaryData"].items()}
    found: dict[str, Any] = {"kind": manifest["kind"], "metadata": metadata, **rest}
    return found


def unkeyed(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object of a pair without what the operator's key goes into."""
    annotations = {key: value for key, value in found["metadata"]["annotations"].items() if value != _ANY}
    return {**found, "metadata": {**found["metadata"], "annotations": annotations}}


def _order(field: tuple[str, Any]) -> tuple[bool, str]:
    # The name first, and labels before annotations.
    return field[0] == "annotations", "" if field[0] == "name" else field[0]


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def write(pair: Pair, objects: list[dict[str, Any]], refused: Mapping[str, str]) -> None:
    """Write the outcome into a pair's file, below what people wrote."""
    head = pair.file.read_text().split(_MARK)[0].rstrip("\n")
    outcome: dict[str, Any] = {"objects": objects} | ({"refused": dict(refused)} if refused else {})
    text = yaml.dump(outcome, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    pair.file.write_text(f"{head}\n\n{_MARK}\n{text}")


_MARK = "# What comes of it; `pytest tests/unit/core/test_golden.py --update-golden` writes it."


class _Dumper(yaml.SafeDumper):
    """Shows what has lines as lines."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out."""
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text and text.replace("\n", "").isprintable() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _block)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take --update-golden."""
    parser.addoption(
        "--update-golden", action="store_true", help="write the outcome of golden pairs; then read the diff"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to update where nobody reads the diff."""
    if config.getoption("--update-golden") and os.environ.get("CI"):
        raise pytest.UsageError("--update-golden is for people: CI compares")


@pytest.fixture
def update_golden(pytestconfig: pytest.Config) -> bool:
    """Say whether outcomes are to be written."""
    return bool(pytestconfig.getoption("--update-golden"))
