"""A value against the structural schema of a CRD, as the API server checks it.

Rule: the verdict, the field and what keeps rules from being evaluated are the API server's. Of its keywords, only those
are here that our CRDs have; a test compares.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from phase_operator.cli.common.yaml_lines import FieldPath
from phase_operator.cli.linting.findings import Finding
from phase_operator.core.text import counted

Schema = Mapping[str, Any]
LIST_TYPE = "x-kubernetes-list-type"
# What is checked here; the others say something to people, or are no check.
CHECKED = frozenset(
    {
        *("type", "nullable", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems"),
        *("maxItems", "maxProperties", "required", "properties", "additionalProperties", "items", LIST_TYPE),
    }
)
_FIELDS = frozenset({"properties", "additionalProperties"})
_INT64 = 2**63
# The largest float that counts as an integer: above it, neighbours are not distinct.
_EXACT = 2**53 - 1


def unknown_fields(schema: Schema, value: Any, path: FieldPath = ()) -> Iterator[Finding]:
    """Yield the fields that a schema does not have; the API server refuses them, as kubectl asks it to."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from unknown_fields(schema.get("items", {}), each, (*path, number))
    if not _has_fields(schema, value):
        return
    for key, each in value.items():
        inner = part(schema, key)
        if inner is None:
            yield Finding((*path, key), "there is no such field")
        else:
            yield from unknown_fields(inner, each, (*path, key))


def pruned(schema: Schema, value: Any) -> Any:
    """Return a value without what the API server drops: unknown fields, and nulls of fields that may not be null."""
    if isinstance(value, list):
        return [pruned(schema.get("items", {}), each) for each in value]
    if not _has_fields(schema, value):
        return value
    parts = ((key, each, part(schema, key)) for key, each in value.items())
    return {
        key: pruned(inner, each)
        for key, each, inner in parts
        if inner is not None and (each is not None or inner.get("nullable"))
    }


def _has_fields(schema: Schema, value: Any) -> bool:
    """Return whether a value is an object, of which the schema says what may be in it."""
    return isinstance(value, Mapping) and bool(schema.keys() & _FIELDS)


def faults(schema: Schema, value: Any, path: FieldPath = ()) -> Iterator[Finding]:
    """Yield what a schema does not allow in a value."""
    kind = schema.get("type")
    if kind is None or (value is None and schema.get("nullable")):
        return
    fits, check = _KINDS[kind]
    if not fits(value):
        yield Finding(path, f"has to be of type {kind}", is_blocking=True)
        return
    if value not in schema.get("enum", [value]):
        allowed = ", ".join(map(str, schema["enum"]))
        yield Finding(path, f"has to be one of {allowed}", is_blocking=True)
    yield from check(schema, value, path)


def part(schema: Schema, key: str) -> Schema | None:
    """Return the schema of a field or of the value of a key; None if there is none."""
    found: Schema | None = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    return found


def _is_integer(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer() and abs(value) <= _EXACT
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def _of_text(schema: Schema, value: str, path: FieldPath) -> Iterator[Finding]:
    yield from _size(schema, value, path, ("minLength", "maxLength"), "character")
    pattern = schema.get("pattern")
    if pattern is not None and not _matches(pattern, value):
        yield Finding(path, f"has to match {pattern}")


def _matches(pattern: str, value: str) -> bool:
    # The API server's own language of patterns, which takes linear time. It comes with cel-python.
    import re2  # type: ignore[import-untyped]  # it ships no types

    return re2.search(pattern, value) is not None


def _of_integer(schema: Schema, value: float, path: FieldPath) -> Iterator[Finding]:
    if value < schema.get("minimum", value):
        yield Finding(path, f"has to be at least {schema['minimum']}")
    if value > schema.get("maximum", value):
        yield Finding(path, f"has to be at most {schema['maximum']}")


def _of_list(schema: Schema, value: Sequence[Any], path: FieldPath) -> Iterator[Finding]:
    yield from _size(schema, value, path, ("minItems", "maxItems"), "item")
    for number, each in enumerate(value):
        yield from faults(schema["items"], each, (*path, number))
    if schema.get(LIST_TYPE) == "set":
        seen: list[Any] = []
        for number, each in enumerate(value):
            if each in seen:
                yield Finding((*path, number), "is there twice")
            seen.append(each)


def _of_object(schema: Schema, value: Mapping[str, Any], path: FieldPath) -> Iterator[Finding]:
    yield from _size(schema, value, path, ("minProperties", "maxProperties"), "key")
    for name in schema.get("required", ()):
        if name not in value:
            yield Finding((*path, name), "is missing", is_blocking=True)
    for key, each in value.items():
        inner = part(schema, key)
        if inner is not None:
            yield from faults(inner, each, (*path, key))


def _size(
    schema: Schema, value: str | Sequence[Any] | Mapping[str, Any], path: FieldPath, bounds: tuple[str, str], unit: str
) -> Iterator[Finding]:
    least, most = (schema.get(bound, len(value)) for bound in bounds)
    if len(value) < least:
        yield Finding(path, f"has to have at least {counted(least, unit)}")
    if len(value) > most:
        yield Finding(path, f"has {counted(len(value), unit)}, and may have {most}", is_blocking=True)


_Check = Callable[[Schema, Any, FieldPath], Iterator[Finding]]
_KINDS: Mapping[str, tuple[Callable[[Any], bool], _Check]] = {
    "string": (lambda value: isinstance(value, str), _of_text),
    "integer": (_is_integer, _of_integer),
    "boolean": (lambda value: isinstance(value, bool), lambda *_: iter(())),
    "array": (lambda value: isinstance(value, list), _of_list),
    "object": (lambda value: isinstance(value, Mapping), _of_object),
}
