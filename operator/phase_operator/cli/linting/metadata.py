"""The metadata of a resource in a file, as far as a file has any: names, labels and annotations."""

from collections.abc import Iterator
from typing import Any

from phase_operator.cli.linting.findings import Finding
from phase_operator.cli.linting.structure import faults, unknown_fields

_PART = "([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)"
_DNS = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_DNS}(\.{_DNS})*"
_KEY = rf"^({_SUBDOMAIN}/)?{_PART}$"
_ANY: dict[str, Any] = {}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 253, "pattern": rf"^({_SUBDOMAIN})?$"},
        "generateName": {"type": "string", "pattern": rf"^({_SUBDOMAIN}[-.]?)?$"},
        "namespace": {"type": "string", "maxLength": 63, "pattern": rf"^({_DNS})?$"},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "pattern": f"^{_PART}?$"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        **dict.fromkeys(
            (
                *("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "selfLink"),
                *("deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"),
            ),
            _ANY,
        ),
    },
}


def metadata_faults(metadata: Any) -> Iterator[Finding]:
    """Yield what the API server refuses in the metadata of a resource."""
    path = ("metadata",)
    found = {key: each for key, each in metadata.items() if each is not None} if isinstance(metadata, dict) else {}
    if not (found.get("name") or found.get("generateName")):
        yield Finding((*path, "name"), "is missing", is_blocking=True)
    yield from unknown_fields(_SCHEMA, found, path)
    yield from faults(_SCHEMA, found, path)
    for field in ("labels", "annotations"):
        yield from _keys(found.get(field), (*path, field), is_cased=field == "labels")


def _keys(given: Any, path: tuple[str, ...], *, is_cased: bool) -> Iterator[Finding]:
    schema = {"type": "string", "pattern": _KEY}
    for key in given if isinstance(given, dict) else ():
        if any(True for _ in faults(schema, key if is_cased else key.lower())):
            yield Finding((*path, key), "is no name that Kubernetes takes")
