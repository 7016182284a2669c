"""Two hundred bad specs, each one good spec with one thing wrong; the same ones in every run.

Rule: a mutant says which field is wrong. What cannot be wrong by itself, a contradiction of two fields, stands in a
table below; all else is drawn, with a fixed seed, from every field crossed with values that people and programs write
by mistake.
"""

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]
Step = str | int

COUNT = 200
_SEED = 6

RICH: Spec = {
    "phaseHost": "https://phase.example",
    "phaseApp": "shop",
    "phaseAppId": "6ab9f4a0-8f0c",
    "phaseAppEnv": "production",
    "phaseAppEnvPath": "/",
    "phaseAppEnvTag": "a",
    "recursive": False,
    "pollingInterval": 60,
    "authentication": {"serviceToken": {"serviceTokenSecretReference": {"secretName": "token"}}},
    "keys": {"include": ["*"], "exclude": ["NOT_*"]},
    "redeployLabelSelector": "tier=api",
    "onSecretReferenceError": "Fail",
    "shrink": 50,
    "allowEmpty": False,
    "suspend": False,
    "managedSecretReferences": [
        {
            "secretName": "shop",
            "secretType": "Opaque",
            "types": ["secret", "config"],
            "onTypeChange": "Refuse",
            "path": "/",
            "keys": {"include": ["A*", "B*", "C*"], "exclude": ["AA"]},
            "nameTransformer": "lower-kebab",
            "prefix": "app.",
            "processors": {"B": {"asName": "bytes", "nameTransformer": "camel", "type": "base64"}},
            "format": "KeyPerEntry",
            "immutable": False,
            "creationPolicy": "Owner",
            "deletionPolicy": "Retain",
            "adopt": False,
            "template": {
                "metadata": {"labels": {"tier": "api"}, "annotations": {"note": "text"}},
                "data": {"text": "{{ bytes | base64 }}"},
                "mergePolicy": "Merge",
            },
        },
        {"secretName": "versions", "versioned": {"keep": 3}},
    ],
    "managedConfigMapReferences": [{"configMapName": "shop", "format": "json", "fileKey": "shop.json"}],
}

# What is written by mistake, or on purpose.
_ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 101, 2**40, 10**30, "", " ", "x", "X" * 300, "x" * 70_000, "..", "../..", "a/b", "//"),
    *(
        "a\nb",
        "ä ö",
        "\u0000",
        "\ud7ff\ufffd",
        "\u202e",
        "[",
        "[!",
        "*" * 253,
        "https://[",
        "https://a:b",
        "http://a:99999",
    ),
    *("https://a b", "https://\u2100.example", "{{", "{{ a.b }}", "{% for a in b %}{% endfor %}", "{{ NOT_THERE }}"),
    *(
        "{% if a %}",
        "{{ 'a' * 9 }}",
        "{# ",
        "kubernetes.io/tls",
        "toml",
        "dockerconfigjson",
        "Delete",
        "Merge",
        "Orphan",
    ),
    *([], {}, [None], [""], ["a", "a"], ["x"] * 65, {"": ""}, {"a b": "c"}, {"a": None}, {"a": {"b": "c"}}, [[]]),
    {f"k{number}": "v" for number in range(1100)},
    {f"k{number}": {"type": "base64"} for number in range(1100)},
)

_SECRET, _CONFIG_MAP = ("managedSecretReferences", 0), ("managedConfigMapReferences", 0)
_VERSIONS = ("managedSecretReferences", 1)
_METADATA = (*_SECRET, "template", "metadata")
_ORPHAN = {"configMapName": "a", "creationPolicy": "Orphan", "deletionPolicy": "Delete"}
_MERGED = {"configMapName": "a", "creationPolicy": "Merge", "immutable": True}
_REPLACED = {"secretName": "a", "creationPolicy": "Merge", "onTypeChange": "Replace"}
_COVERED = {"data": {"shop.json": "{{ NOPE }}"}}
_COLLIDING = {"A": {"asName": "x"}, "B": {"asName": "x"}}
_MANY = [{"secretName": f"s{number}"} for number in range(65)]

# What is wrong, where, and what to put there.
_CONTRADICTIONS: tuple[tuple[str, tuple[Step, ...], Any], ...] = (
    ("tags beside a tag", ("phaseAppEnvTags",), ["b"]),
    ("fileKey without format", (*_SECRET, "fileKey"), "a"),
    ("versioned and merged", (*_VERSIONS, "creationPolicy"), "Merge"),
    ("an Orphan that is deleted", _CONFIG_MAP, _ORPHAN),
    ("merged and immutable", _CONFIG_MAP, _MERGED),
    ("merged and replaced", _SECRET, _REPLACED),
    ("a text of an illegal key", (*_SECRET, "template", "data"), {"a/b": "c"}),
    ("a text whose key begins with two dots", (*_SECRET, "template", "data"), {"..a": "c"}),
    ("a path that is none", (*_SECRET, "path"), "shop"),
    ("the token as target", (*_SECRET, "secretName"), "token"),
    ("one target twice", (*_VERSIONS, "secretName"), "shop"),
    ("a file that a text covers which fails", (*_CONFIG_MAP, "template"), _COVERED),
    ("a tls Secret without its keys", (*_SECRET, "secretType"), "kubernetes.io/tls"),
    ("names that collide", (*_SECRET, "processors"), _COLLIDING),
    ("a name that is two dots", (*_SECRET, "processors", "B", "asName"), ".."),
    ("a format that takes no such keys", (*_SECRET, "format"), "dotenv"),
    ("a label of an illegal text", (*_METADATA, "labels", "tier"), "b c"),
    ("a label of an illegal key", (*_METADATA, "labels"), {"a b": "c"}),
    ("an annotation of an illegal key", (*_METADATA, "annotations"), {"a/b/c": "d"}),
    ("a namespace of somebody else", (*_SECRET, "secretNamespace"), "kube-system"),
    ("65 targets", ("managedSecretReferences",), _MANY),
)


@dataclass(frozen=True)
class Mutant:
    """A bad spec, what is bad about it, and where."""

    what: str
    spec: Spec
    field: str


def mutants() -> list[Mutant]:
    """Return all of them."""
    fixed = [Mutant(what, _with(path, odd), _spelled(path)) for what, path, odd in _CONTRADICTIONS]
    unknown = [Mutant(f"unknown field at {path}", _with((*path, "unheardOf"), 1), _spelled(path)) for path in _places()]
    drawn = every_change()
    return fixed + unknown + random.Random(_SEED).sample(drawn, COUNT - len(fixed) - len(unknown))


def every_change() -> list[Mutant]:
    """Return every field crossed with every odd value, and without the field: some thousands."""
    return [
        Mutant(f"{_spelled(path)} = {_short(odd)}", _with(path, odd), _spelled(path))
        for path in _paths(RICH)
        for odd in (..., *_ODD)
        if odd is ... or odd != _at(path)
    ]


def blames(cause: str, field: str) -> bool:
    """Say whether a refusal that names `cause` is about `field`: itself, in it, around it, or beside it in its target.

    A contradiction has two sides, and the API server names one.
    """
    if cause == field or cause.startswith((f"{field}.", f"{field}[")):
        return True
    around = field.startswith((f"{cause}.", f"{cause}[")) and cause != "spec"
    parent = cause.rpartition(".")[0]
    return around or (parent.count(".") > 0 and field.startswith(f"{parent}."))


def _places() -> Iterator[tuple[Step, ...]]:
    yield from ((), _SECRET, _CONFIG_MAP, (*_SECRET, "template"), (*_SECRET, "processors", "B"))


def _paths(found: Any, path: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    if path:
        yield path
    if isinstance(found, dict):
        for key, value in found.items():
            yield from _paths(value, (*path, key))
    if isinstance(found, list):
        for number, value in enumerate(found):
            yield from _paths(value, (*path, number))


def _at(path: tuple[Step, ...]) -> Any:
    found: Any = RICH
    for step in path:
        found = found[step]
    return found


def _with(path: tuple[Step, ...], odd: Any) -> Spec:
    """Return the good spec with something else at a place; `...` takes away what is there."""
    spec = copy.deepcopy(RICH)
    inner: Any = spec
    for step in path[:-1]:
        inner = inner[step]
    if odd is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = odd
    return spec


def _spelled(path: tuple[Step, ...]) -> str:
    return "spec" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def _short(odd: Any) -> str:
    text = "nothing" if odd is ... else ascii(odd)
    return text if len(text) <= 30 else f"{text[:29]}…"
