"""What is fuzzed of commands that read files: YAML, resources in it, and files of entries."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from fuzz.material import Material
from phase_operator.api import names
from phase_operator.cli.common.manifests import ManifestError, documents
from phase_operator.cli.common.yaml_lines import YamlError, read_all
from phase_operator.cli.linting.resource import findings, is_ours
from phase_operator.cli.rendering.entries import EntriesFormat, entries
from phase_operator.core.json_access import mapping
from phase_operator.core.leases.lowered import lowered as lowered_lease
from phase_operator.core.push.spec import lowered as lowered_push
from phase_operator.reconcile.context import parse_spec

_LOWERED: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    names.KIND_PHASE_SECRET: dict,
    names.KIND_PHASE_DYNAMIC_SECRET: lowered_lease,
    names.KIND_PHASE_PUSH_SECRET: lowered_push,
}
_SIGNS = (
    *("\n", "\r\n", "  ", ": ", "- ", "---\n", "{", "}", "[", "]", '"', "'", "&a ", "*a", "<<: ", "!!binary "),
    *("|\n", "#"),
)


def yaml_files(material: Material) -> None:
    """A stream has values of JSON, each with a line, or is refused."""
    parts = [material.one((material.text(), material.one(_SIGNS))) for _ in range(material.number(0, 40))]
    raw = material.one((material.raw(), "".join(parts).encode(errors="replace")))
    with suppress(YamlError):
        for read in read_all(raw):
            assert all(1 <= line <= len(raw) + 1 for line in read.lines.values())
            json.dumps(read.value, allow_nan=False)


def resources(material: Material) -> None:
    """What lint has no error for is what the operator parses; and its messages are safe to print."""
    kind = material.one(tuple(_LOWERED))
    spec = {"phaseApp": "shop"} if material.yes() else {}
    body = {
        "apiVersion": names.API_VERSION,
        "kind": kind,
        "metadata": material.one(({"name": "shop"}, material.json(2))),
        "spec": material.one(({**spec, **mapping(material.json(4))}, material.json())),
    }
    with suppress(ManifestError):
        for each in documents(json.dumps(body, ensure_ascii=material.yes()).encode(errors="replace"), "file"):
            assert is_ours(each)
            found = findings(each, schema_only=material.yes())
            assert all(one.field.isprintable() for one in found)
            if not found:
                parse_spec(_LOWERED[kind](each.body["spec"]))


def entry_files(material: Material) -> None:
    """A file has entries with keys, or is refused."""
    form = material.one(tuple(EntriesFormat))
    text = material.one((json.dumps(material.json(4)), material.words(), f"{material.text()}={material.text()}\n"))
    raw = material.one((material.raw(), text.encode(errors="replace")))
    with suppress(ManifestError):
        assert all(each.key and each.path.startswith("/") for each in entries(raw, "file", form))
