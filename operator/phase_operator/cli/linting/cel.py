"""A value against the CEL rules of a CRD, as the API server evaluates them.

Rule: `self` is the value at the rule's own level, and a field that is null is not there. A rule that cannot be
evaluated is broken. Rules are those of this version's CRDs, never those of a file.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from phase_operator.cli.common.yaml_lines import FieldPath
from phase_operator.cli.linting.findings import Finding
from phase_operator.cli.linting.structure import Schema, part

RULES = "x-kubernetes-validations"


def broken_rules(schema: Schema, value: Any, path: FieldPath = ()) -> Iterator[Finding]:
    """Yield the rules of a schema and of its parts that a value breaks; it has to have the shape of the schema."""
    if value is None:
        return
    for rule in schema.get(RULES, ()):
        if not holds(rule["rule"], value):
            yield Finding((*path, *_steps(rule.get("fieldPath", ""))), rule["message"])
    for key, each, inner in _parts(schema, value):
        yield from broken_rules(inner, each, (*path, key))


def holds(rule: str, value: Any) -> bool:
    """Return whether a rule is true of a value."""
    return _program(rule)(_there(value))


def _parts(schema: Schema, value: Any) -> Iterator[tuple[str | int, Any, Schema]]:
    if isinstance(value, list):
        yield from ((number, each, schema["items"]) for number, each in enumerate(value))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            inner = part(schema, key)
            if inner is not None:
                yield key, each, inner


def _steps(field_path: str) -> tuple[str, ...]:
    return tuple(filter(None, field_path.split(".")))


def _there(value: Any) -> Any:
    """Return a value without fields that are null; 60.0 is the integer 60, since our schemas have no other number."""
    if isinstance(value, list):
        return [_there(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _there(each) for key, each in value.items() if each is not None}
    return int(value) if isinstance(value, float) else value


@cache
def _program(rule: str) -> Callable[[Any], bool]:
    # Imported here: no other command needs it.
    from phase_operator.cli.linting.cel_program import program

    return program(rule)
