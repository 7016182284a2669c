"""Turn the models of the API into CustomResourceDefinitions.

Rule: a constraint that the API server cannot enforce as the model means it is an error here; it is not dropped. No
default is written into a spec: a GitOps tool would take it for drift.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import yaml
from pydantic import BaseModel

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseDynamicSecret, PhasePushSecret, PhaseSecret

Schema = dict[str, Any]

_ORDER = (
    *(
        "description",
        "type",
        "nullable",
        "format",
        "enum",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "exclusiveMinimum",
    ),
    *("maximum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("required", "properties", "additionalProperties", "items"),
)
_CARRIED = frozenset(_ORDER) - {"properties", "additionalProperties", "items", "exclusiveMinimum", "exclusiveMaximum"}
_EXTENSION = "x-kubernetes-"
_RULES = "x-kubernetes-validations"
# The kinds of fields, the keywords of which each needs one, and what is said if it has none.
_LIMITS = (
    ("string", frozenset({"maxLength", "enum", "format"}), "a string needs maxLength, enum or format"),
    ("array", frozenset({"maxItems"}), "an array needs maxItems"),
    ("array", frozenset({f"{_EXTENSION}list-type"}), f"an array needs {_EXTENSION}list-type"),
    ("map", frozenset({"maxProperties"}), "a map needs maxProperties"),
)
# Keywords that a CRD does without: titles and definitions say nothing to users, and no default is written.
_LEFT_OUT = frozenset({"title", "$defs", "default"})
# Keywords with schemas inside, and how each is converted.
_PARTS: Mapping[str, Callable[[Schema, str, Callable[..., Schema]], Schema]] = {
    "properties": lambda parts, where, convert: {
        key: convert(each, where=f"{where}.{key}") for key, each in parts.items()
    },
    "items": lambda part, where, convert: convert(part, where=f"{where}[]"),
    "additionalProperties": lambda part, where, convert: convert(part, where=f"{where}.*"),
}


class SchemaError(Exception):
    """A model has something that a CRD cannot express; the message names the field."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`; priority 1 shows with `-o wide`."""

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    """All parts of a CRD except the schema."""

    model: type[BaseModel]
    kind: str
    plural: str
    short_names: tuple[str, ...]
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    scope: Literal["Namespaced", "Cluster"] = "Namespaced"

    @property
    def name(self) -> str:
        """The name of the CRD, by which kubectl knows the kind as well."""
        return f"{self.plural}.{names.GROUP}"

    @property
    def file(self) -> str:
        """Where a checkout has the CRD."""
        return f"crds/{names.GROUP}_{self.plural}.yaml"


def _condition(name: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{name}")].{field}'


PHASE_SECRET = Definition(
    model=PhaseSecret,
    kind=names.KIND_PHASE_SECRET,
    plural=names.PLURAL_PHASE_SECRETS,
    short_names=("phs",),
    columns=(
        Column("App", ".spec.phaseApp", "Name of the app in Phase."),
        Column("Env", ".spec.phaseAppEnv", "Environment of the app; empty means production."),
        Column("Ready", _condition("Ready", "status"), "True: every target holds what Phase holds."),
        Column("Reason", _condition("Ready", "reason"), "Why it is ready or not, in one word."),
        Column("Keys", ".status.keys", "Keys of all targets together.", type="integer"),
        Column("Changed", ".status.lastSyncedTime", "When a target or the verdict last changed.", type="date"),
        Column("Age", ".metadata.creationTimestamp", "Age of the resource.", type="date"),
        Column("Path", ".spec.phaseAppEnvPath", "Folder that is read; empty means /.", priority=1),
        Column("Message", _condition("Ready", "message"), "The reason in a sentence.", priority=1),
    ),
    selectable=(".spec.phaseApp", ".spec.phaseAppEnv"),
)
PHASE_DYNAMIC_SECRET = Definition(
    model=PhaseDynamicSecret,
    kind=names.KIND_PHASE_DYNAMIC_SECRET,
    plural=names.PLURAL_PHASE_DYNAMIC_SECRETS,
    short_names=("pds",),
    columns=(
        Column("App", ".spec.phaseApp", "Name of the app in Phase."),
        Column("Env", ".spec.phaseAppEnv", "Environment of the app; empty means production."),
        Column("Lease", ".spec.dynamicSecret", "Name of the dynamic secret that is leased."),
        Column("Ready", _condition("Ready", "status"), "True: every target holds the credentials of a living lease."),
        Column("Reason", _condition("Ready", "reason"), "Why it is ready or not, in one word."),
        # Not a date: kubectl shows the age of one, and this is in the future.
        Column("Ends", '.status.leases[?(@.state=="Active")].endsAt', "When the lease in the targets ends."),
        Column("Age", ".metadata.creationTimestamp", "Age of the resource.", type="date"),
        Column("Path", ".spec.phaseAppEnvPath", "Folder of the dynamic secret; empty means /.", priority=1),
        Column("Message", _condition("Ready", "message"), "The reason in a sentence.", priority=1),
    ),
    selectable=(".spec.phaseApp", ".spec.phaseAppEnv", ".spec.dynamicSecret"),
)
PHASE_PUSH_SECRET = Definition(
    model=PhasePushSecret,
    kind=names.KIND_PHASE_PUSH_SECRET,
    plural=names.PLURAL_PHASE_PUSH_SECRETS,
    short_names=("pps",),
    columns=(
        Column("App", ".spec.phaseApp", "Name of the app in Phase."),
        Column("Env", ".spec.phaseAppEnv", "Environment of the app; empty means production."),
        Column("Ready", _condition("Ready", "status"), "True: Phase has the value of every source."),
        Column("Reason", _condition("Ready", "reason"), "Why it is ready or not, in one word."),
        Column(
            "Entries",
            ".status.entriesInStep",
            "Entries that have the value of their source.",
            type="integer",
        ),
        Column("Changed", ".status.lastSyncedTime", "When an entry or the verdict last changed.", type="date"),
        Column("Age", ".metadata.creationTimestamp", "Age of the resource.", type="date"),
        Column("Path", ".spec.phaseAppEnvPath", "Folder that is written; empty means /.", priority=1),
        Column("Message", _condition("Ready", "message"), "The reason in a sentence.", priority=1),
    ),
    selectable=(".spec.phaseApp", ".spec.phaseAppEnv"),
)
DEFINITIONS = (PHASE_SECRET, PHASE_DYNAMIC_SECRET, PHASE_PUSH_SECRET)


def document(definition: Definition) -> dict[str, Any]:
    """Build the CRD; raise SchemaError if the schema cannot be expressed or a limit is missing."""
    schema = structural(definition.model)
    faults = list(lint(schema))
    if faults:
        raise SchemaError("; ".join(faults))
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name},
        "spec": {
            "group": names.GROUP,
            "names": {
                "categories": ["phase"],
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "shortNames": list(definition.short_names),
                "singular": definition.kind.lower(),
            },
            "scope": definition.scope,
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(column) for column in definition.columns],
                    "selectableFields": [{"jsonPath": path} for path in definition.selectable],
                    "schema": {"openAPIV3Schema": _with_type_meta(schema)},
                }
            ],
        },
    }


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(document: Mapping[str, Any]) -> str:
    """Write a document as YAML for people: the given order, no anchors."""
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True))


def structural(model: type[BaseModel]) -> Schema:
    """Return a model's schema in the form a CRD takes: references inlined, nothing that a CRD does not know."""
    raw = model.model_json_schema(by_alias=True)
    return _convert(raw, raw.get("$defs", {}), model.__name__, ())


def lint(schema: Schema, path: str = "") -> Iterator[str]:
    """Yield the fields that have no limit."""
    yield from _missing_limits(schema, path)
    if "additionalProperties" in schema:
        yield from lint(schema["additionalProperties"], f"{path}.*")
    if "items" in schema:
        yield from lint(schema["items"], f"{path}[]")
    for name, child in schema.get("properties", {}).items():
        yield from lint(child, f"{path}.{name}")


def _missing_limits(schema: Schema, path: str) -> Iterator[str]:
    """Yield the limits that a field itself lacks; its parts are not looked at."""
    kind = "map" if "additionalProperties" in schema else schema.get("type")
    for name, limits, needs in _LIMITS:
        if kind == name and not schema.keys() & limits:
            yield f"{path}: {needs}"
    if kind == "map" and not _bounds_keys(schema):
        yield f"{path}: a map needs bounded keys"


def _bounds_keys(schema: Schema) -> bool:
    return any("size(key)" in rule["rule"] for rule in schema.get(_RULES, ()))


def _convert(raw: Schema, defs: Mapping[str, Schema], where: str, seen: tuple[str, ...]) -> Schema:
    raw, seen = _unwrap(raw, defs, where, seen)
    found: Schema = {}
    rules: list[dict[str, str]] = []
    for word, value in raw.items():
        if word == "propertyNames":
            rules.append(_key_rule(value, where))
        elif word == _RULES:
            rules.extend(value)
        elif word in _PARTS and isinstance(value, dict):
            found[word] = _PARTS[word](value, where, partial(_convert, defs=defs, seen=seen))
        elif word not in _LEFT_OUT and (word, value) != ("additionalProperties", False):
            found |= _limit(word, value, where)
    return _checked(found | ({_RULES: rules} if rules else {}), where)


def _limit(word: str, value: Any, where: str) -> Schema:
    """Return a keyword that has no parts, as a CRD spells it."""
    if word == "const":
        return {"enum": [value]}
    if word in ("exclusiveMinimum", "exclusiveMaximum"):
        return {word.removeprefix("exclusive").lower(): value, word: True}
    if word in _CARRIED or word.startswith(_EXTENSION):
        return {word: value}
    raise SchemaError(f'{where}: a CRD does not know "{word}"')


def _checked(found: Schema, where: str) -> Schema:
    if found.get("type") == "integer":
        found.setdefault("format", "int64")
    if fault := _fault(found):
        raise SchemaError(f"{where}: {fault}")
    order = {word: place for place, word in enumerate(_ORDER)}
    return dict(sorted(found.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def _fault(found: Schema) -> str:
    """Return why a CRD cannot have a schema like this; "" if it can."""
    kind = found.get("type")
    if not isinstance(kind, str) or kind == "null":
        return "has no type that a CRD can check"
    if kind == "object" and not found.keys() & {"properties", "additionalProperties"}:
        return "an object without fields would be pruned to nothing"
    # Seen with 1.36: not even with null among the values. Its check of an enum never finds null equal to a value.
    return "the API server takes no null for an enum" if found.get("nullable") and "enum" in found else ""


def _unwrap(
    raw: Schema, defs: Mapping[str, Schema], where: str, seen: tuple[str, ...]
) -> tuple[Schema, tuple[str, ...]]:
    """Follow references and reduce `X | None` to X, because absent means null; keywords next to them win."""
    while raw.keys() & {"$ref", "anyOf", "allOf"}:
        beside = {word: value for word, value in raw.items() if word not in {"$ref", "anyOf", "allOf"}}
        if "$ref" in raw:
            name = raw["$ref"].rsplit("/", 1)[-1]
            if name in seen:
                raise SchemaError(f"{where}: {name} holds itself; a CRD has no recursion")
            seen = (*seen, name)
            raw = defs[name] | beside
            continue
        raw = _one_type(raw.get("anyOf") or raw["allOf"], where) | beside
    return raw, seen


def _one_type(branches: Sequence[Schema], where: str) -> Schema:
    """Return the only branch of a union that is not null."""
    found = [each for each in branches if each != {"type": "null"}]
    if len(found) != 1:
        raise SchemaError(f"{where}: a union of {len(found)} types; a CRD needs one")
    return found[0]


def _key_rule(keys: Schema, where: str) -> dict[str, str]:
    unknown = keys.keys() - {"type", "title", "minLength", "maxLength"}
    if unknown:
        raise SchemaError(f"{where}: keys of a map are bounded by length only, not by {sorted(unknown)}")
    least, most = keys.get("minLength", 0), keys.get("maxLength")
    if most is None:
        raise SchemaError(f"{where}: keys of a map need a maxLength")
    return {
        "rule": f"self.all(key, size(key) >= {least} && size(key) <= {most})",
        "message": f"a key has {least} to {most} characters",
    }


def _column(column: Column) -> dict[str, Any]:
    found = {"name": column.name, "type": column.type, "jsonPath": column.path, "description": column.description}
    return found | {"priority": column.priority} if column.priority else found


def _with_type_meta(schema: Schema) -> Schema:
    ours = {name: child for name, child in schema["properties"].items() if name != "status"}
    # kstatus, and so Flux, takes a resource without a status for ready. This default means: not reconciled yet.
    status = schema["properties"]["status"] | {"default": {"observedGeneration": -1}}
    type_meta = {
        "apiVersion": {"description": "Version of this representation of the object.", "type": "string"},
        "kind": {"description": "The REST resource this object stands for.", "type": "string"},
        "metadata": {"type": "object"},
    }
    return schema | {"properties": type_meta | ours | {"status": status}}
