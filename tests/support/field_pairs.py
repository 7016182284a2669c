"""Every two optional fields of a target: what each of them says, and which two exclude each other.

Rule: a field that is new has to be added here; a test compares the names with those of the schema.
"""

from itertools import combinations
from typing import Any

Fields = dict[str, Any]

_DATA = {"data": {"text": "{{ username }}"}}
# What stands for a field, besides what it cannot do without. None is a default, so that each has an effect by itself.
OF_BOTH: dict[str, Fields] = {
    "path": {"path": "/db"},
    "keys": {"keys": {"include": ["user*"]}},
    "nameTransformer": {"nameTransformer": "tf-var"},
    "prefix": {"prefix": "p."},
    "processors": {"processors": {"username": {"asName": "user"}}},
    "format": {"format": "json"},
    "fileKey": {"format": "json", "fileKey": "file"},
    "template.metadata": {"template": {"metadata": {"labels": {"tier": "api"}}}},
    "template.data": {"template": _DATA},
    "template.mergePolicy": {"template": {**_DATA, "mergePolicy": "Merge"}},
    "immutable": {"immutable": True},
    "immutable false": {"immutable": False},
    "versioned": {"versioned": {"keep": 2}},
    "creationPolicy Merge": {"creationPolicy": "Merge"},
    "creationPolicy Orphan": {"creationPolicy": "Orphan"},
    "deletionPolicy": {"deletionPolicy": "Delete"},
    "adopt": {"adopt": True},
}
OF_KIND: dict[str, dict[str, Fields]] = {
    "Secret": {
        **OF_BOTH,
        "required": {"required": False},
        "secretNamespace": {"secretNamespace": "other"},
        "secretType": {"secretType": "kubernetes.io/basic-auth"},
        "types": {"types": ["secret"]},
        "onTypeChange": {"onTypeChange": "Replace"},
    },
    "ConfigMap": {
        **OF_BOTH,
        "required": {"required": True},
        "configMapNamespace": {"configMapNamespace": "other"},
    },
}
# A default by itself, which says something only beside another field.
DEFAULTS = {"immutable false"}
# Beside Merge, Delete is the default.
_BESIDE: dict[tuple[str, str], Fields] = {("deletionPolicy", "creationPolicy Merge"): {"deletionPolicy": "Retain"}}
# Two that exclude each other, and the field that the API server blames.
REFUSED: dict[frozenset[str], str] = {
    frozenset(pair): field
    for *pair, field in (
        ("format", "template.data", "format"),
        ("fileKey", "template.data", "format"),
        ("versioned", "immutable false", "immutable"),
        ("versioned", "creationPolicy Merge", "creationPolicy"),
        ("versioned", "creationPolicy Orphan", "creationPolicy"),
        ("creationPolicy Orphan", "deletionPolicy", "deletionPolicy"),
        ("creationPolicy Merge", "immutable", "immutable"),
        ("creationPolicy Merge", "onTypeChange", "onTypeChange"),
    )
}
# Of two that say the same, one has no effect, and nothing is left out.
SAME = {frozenset({"versioned", "immutable"})}


def pairs(kind: str) -> list[tuple[str, str]]:
    """Return every two fields of a kind of target that can be set beside each other."""
    found = OF_KIND[kind]
    return [(one, other) for one, other in combinations(found, 2) if not _is_one_field(found[one], found[other])]


def beside(kind: str, one: str, other: str) -> tuple[Fields, Fields]:
    """Return what the two fields say where both are set."""
    found = OF_KIND[kind]
    return _BESIDE.get((one, other), found[one]), _BESIDE.get((other, one), found[other])


def both(one: Fields, other: Fields) -> Fields:
    """Put two fields together; both may be parts of the template."""
    template = {**one.get("template", {}), **other.get("template", {})}
    return {**one, **other, **({"template": template} if template else {})}


def _is_one_field(one: Fields, other: Fields) -> bool:
    """Say whether one of two is a part of the other, or they are two values of one field."""
    common = one.keys() & other.keys()
    if common == {"template"}:
        return bool(one["template"].keys() & other["template"].keys())
    return bool(common)
