"""Objects as large and as deep as the API server takes them, with marks of the operator's, in a tenant's namespace.

Their bodies are texts, since Python's encoder of JSON writes nothing so deep.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from phase_operator.api import names
from phase_operator.core.targets.merge import merge_annotation
from support.accounts import Account
from support.world import phase_secret

# As deep as the API server takes fields; more data keys than are judged; managed fields of nearly a megabyte.
DEEPEST, KEYS, WIDEST = 9_000, 25_000, 60_000
# Of a custom resource: 60,000 take the API server seven seconds.
WIDE = 20_000
_KINDS = {"ConfigMap": "/api/v1/%s/configmaps", "Secret": "/api/v1/%s/secrets"}
_OURS = f"/apis/{names.API_VERSION}/%s/phasesecrets"
# Where objects of a kind are made; the place is for the namespace.
PATHS = {**_KINDS, "PhaseSecret": _OURS}
_AT_ONCE = 4


def deep(depth: int) -> str:
    """Return managed fields that are nested so deeply."""
    return '{"f:x":' * depth + "{}" + "}" * depth


def wide(count: int) -> str:
    """Return so many managed fields."""
    return "{" + ",".join(f'"f:k{number:05x}":{{}}' for number in range(count)) + "}"


def wide_and_deep(count: int, depth: int, *, is_deep_first: bool) -> str:
    """Return many managed fields and one that is nested deeply, before them or after them."""
    name = "f:a" if is_deep_first else "f:z"
    return f'{{"{name}":{deep(depth)},"f:data":{wide(count)}}}'


def managed(fields: str, version: str = "v1") -> str:
    """Return managedFields: one manager with these fields."""
    manager = '"manager":"x","operation":"Update","fieldsType":"FieldsV1"'
    return f'[{{{manager},"apiVersion":"{version}","fieldsV1":{fields}}}]'


def marks(owner: str) -> dict[str, Any]:
    """Return all marks of the operator's on an object, in the name of `owner`; each with JSON that is deep or long."""
    nested = "[" * 20_000
    merged = merge_annotation(f"{names.MERGE_MANAGER_PREFIX}x")
    return {
        "labels": {names.LABEL_TARGET: names.LABEL_TARGET_VALUE, names.LABEL_VERSION_OF: "shop"},
        "annotations": {
            names.ANNOTATION_OWNER: owner,
            names.ANNOTATION_KEYS: '{"a":' * 8_000,
            names.ANNOTATION_SEAL: nested,
            names.ANNOTATION_DIGEST: nested,
            names.ANNOTATION_ON_REMOVAL: "Delete",
            merged: nested,
        },
    }


def body(kind: str, name: str, metadata: Mapping[str, Any], fields: str = "", **rest: Any) -> str:
    """Return an object as JSON, with these managed fields."""
    version = rest.pop("apiVersion", "v1")
    found = json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}, **rest})
    if not fields:
        return found
    return found.replace('"metadata": {', f'"metadata": {{"managedFields": {managed(fields, version)}, ', 1)


def worst(owner: str, url: str) -> Iterator[tuple[str, str]]:
    """Yield what a tenant leaves: the collection's path, with a place for the namespace, and the body of the object.

    The marks on his objects name `owner`, and his PhaseSecrets ask `url`.
    """
    label = {"labels": {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}}
    forged = marks(owner)
    copy = {**forged, "labels": {names.LABEL_TARGET: names.LABEL_COPY_VALUE}}
    lease = {**forged, "labels": {names.LABEL_TARGET: names.LABEL_LEASE_VALUE}}
    data = {f"k{key:05x}": "" for key in range(KEYS)}
    yield _KINDS["ConfigMap"], body("ConfigMap", "keys", forged, data=data)
    deep_first = wide_and_deep(WIDEST, DEEPEST, is_deep_first=True)
    deep_last = wide_and_deep(WIDEST, DEEPEST, is_deep_first=False)
    for kind, path in _KINDS.items():
        yield path, body(kind, "wide", label, wide(WIDEST))
        yield path, body(kind, "deepest", forged, deep(DEEPEST))
        yield path, body(kind, "deep-first", forged, deep_first)
        yield path, body(kind, "deep-last", copy, deep_last)
    yield _KINDS["Secret"], body("Secret", "asks-lease-00", lease, deep_last)
    annotations = {names.ANNOTATION_SYNC: "[" * 100_000, "x": '{"a":' * 20_000}
    document = phase_secret("vast", url)
    rest = {"apiVersion": document["apiVersion"], "spec": document["spec"]}
    both = [wide_and_deep(WIDE, DEEPEST, is_deep_first=each) for each in (True, False)]
    for number, fields in enumerate((wide(WIDE), deep(300), *both)):
        yield _OURS, body("PhaseSecret", f"asks-{number}", {"annotations": annotations}, fields, **rest)


def leave(account: Account, objects: Iterable[tuple[str, str]]) -> int:
    """Create objects in a tenant's namespace, with his rights, and return their size in bytes.

    Fail unless the API server takes them all.
    """
    headers = {"Authorization": f"Bearer {account.token}", "Content-Type": "application/json"}
    scope = f"namespaces/{account.namespace}"
    with (
        httpx.Client(base_url=account.plane.url, headers=headers, verify=False, timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(_AT_ONCE) as threads,
    ):
        answers = list(threads.map(lambda made: client.post(made[0] % scope, content=made[1]), objects))
    refused = [answer.text[:300] for answer in answers if not answer.is_success]
    if refused:
        raise AssertionError(f"the API server takes objects of any depth: {refused}")
    return sum(len(answer.content) for answer in answers)
