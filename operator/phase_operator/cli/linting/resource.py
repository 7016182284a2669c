"""A document -> all that is wrong with it.

Rule: what the API server would say comes first. The operator's own checks follow only if it would say nothing, since
they would repeat it.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.api.crd import document as crd_document
from phase_operator.cli.common.manifests import Document
from phase_operator.cli.linting.cel import broken_rules
from phase_operator.cli.linting.findings import Finding, is_any_error
from phase_operator.cli.linting.metadata import metadata_faults
from phase_operator.cli.linting.spec_checks import spec_findings
from phase_operator.cli.linting.structure import Schema, faults, pruned, unknown_fields
from phase_operator.core.json_access import mapping, text

_KINDS = {definition.kind: definition for definition in DEFINITIONS}


def is_ours(document: Document) -> bool:
    """Return whether a document is a resource of our group, of a version and kind that there is or not."""
    return document.api_version.partition("/")[0] == names.GROUP


def findings(
    document: Document, *, namespace: str = "", schema_only: bool = False, default_host: str | None = None
) -> list[Finding]:
    """Return what is wrong with a resource of our group.

    `namespace` is where it will be if it does not say so, `default_host` the operator's setting. With `schema_only`,
    only the API server's checks are made.
    """
    if document.api_version != names.API_VERSION or document.kind not in _KINDS:
        return [Finding(("apiVersion",), f"there is no such kind: {names.API_VERSION} has {', '.join(_KINDS)}")]
    body = document.body
    found = [*metadata_faults(body.get("metadata")), *_of_schema(schema_of(document.kind), body)]
    if schema_only or is_any_error(found):
        return found
    where = text(mapping(body.get("metadata")).get("namespace")) or namespace
    spec = pruned(schema_of(document.kind), body)["spec"]
    return [*found, *spec_findings(document.kind, spec, where, default_host)]


@cache
def schema_of(kind: str) -> Schema:
    """Return the schema of a kind, as it is in its CRD; the API server drops a status that is applied."""
    [version] = crd_document(_KINDS[kind])["spec"]["versions"]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    return schema


def _of_schema(schema: Schema, body: Mapping[str, Any]) -> Iterator[Finding]:
    given = {key: each for key, each in body.items() if key != "metadata"}
    unknown = list(unknown_fields(schema, given))
    yield from unknown
    kept = pruned(schema, {key: each for key, each in given.items() if key != "status"})
    wrong = list(faults(schema, kept))
    yield from wrong
    if not any(each.is_blocking for each in wrong):
        yield from broken_rules(schema, kept)
