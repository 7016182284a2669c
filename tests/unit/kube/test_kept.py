"""What is kept of objects is bounded, however large a tenant makes them."""

import base64
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.target_cache import TargetCache
from phase_operator.reconcile.store import lifecycle_of, version_of
from support.any_json import any_metadata
from support.clock import turns_beside

KEY = ObjectKey("mallory", "token")


class Answers:
    """An API server that answers every request with one object."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self._answer = answer

    async def request(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Return the object."""
        return self._answer


def cluster(answer: dict[str, Any]) -> KubeCluster:
    return KubeCluster(Answers(answer), TargetCache(), None, lambda _: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "annotations"),
    [
        pytest.param("a" * 500_000, {}, id="a token"),
        pytest.param("a" * 64, {names.ANNOTATION_ALLOWED_HOSTS: "https://a.example," * 5_000}, id="a list of hosts"),
    ],
)
async def test_a_text_that_is_longer_than_any_token_is_not_kept(text: str, annotations: dict[str, str]) -> None:
    data = {names.TOKEN_KEY: base64.b64encode(text.encode()).decode()}

    with pytest.raises(Waiting) as caught:
        await cluster({"metadata": {"annotations": annotations}, "data": data}).read_token(KEY)

    assert caught.value.reason is Reason.TOKEN_INVALID
    assert "aaaa" not in caught.value.message


async def test_a_list_of_resources_keeps_nothing_that_a_tenant_sizes() -> None:
    metadata = {
        "name": "shop",
        "namespace": "mallory",
        "uid": "uid",
        "generation": 3,
        "labels": {f"label-{number}": "x" * 63 for number in range(1_000)},
        "annotations": {"note": "x" * 250_000, names.ANNOTATION_SYNC: "x" * 10_000},
        "finalizers": [names.FINALIZER, *(f"example.com/{number}" for number in range(1_000))],
    }

    [found] = await cluster({"metadata": {"resourceVersion": "1"}, "items": [{"metadata": metadata}]}).list_resources(
        None
    )

    assert len(repr(found)) < 1_000
    assert (version_of(found), lifecycle_of(found)) == (version_of(metadata), lifecycle_of(metadata))


@pytest.mark.parametrize("ending", [{}, {"deletionTimestamp": "2030-01-01T00:00:00Z"}], ids=["there", "ending"])
@pytest.mark.parametrize(
    "finalizers",
    [
        [],
        [names.FINALIZER],
        [names.FINALIZER_OUTSIDE],
        [names.FINALIZER, names.FINALIZER_OUTSIDE],
        ["example.com/theirs", names.FINALIZER_OUTSIDE],
        [names.LEGACY_FINALIZER],
    ],
    ids=",".join,
)
async def test_a_list_shows_every_finalizer_that_makes_a_version(finalizers: list[str], ending: dict[str, str]) -> None:
    metadata = {"name": "shop", "namespace": "team", "uid": "uid", "finalizers": finalizers, **ending}

    [found] = await cluster({"metadata": {"resourceVersion": "1"}, "items": [{"metadata": metadata}]}).list_resources(
        None
    )

    assert (version_of(found), lifecycle_of(found)) == (version_of(metadata), lifecycle_of(metadata))


@given(any_metadata())
async def test_every_resource_in_a_list_is_compared_as_it_is(metadata: dict[str, Any]) -> None:
    [found] = await cluster({"metadata": {"resourceVersion": "1"}, "items": [{"metadata": metadata}]}).list_resources(
        None
    )

    assert (version_of(found), lifecycle_of(found)) == (version_of(metadata), lifecycle_of(metadata))


def vast(field: str) -> dict[str, Any]:
    """Return an object of about a megabyte whose data has very many keys, or very many managers."""
    keys, managers = {"keys": (45_000, 1), "managers": (1, 8_000)}[field]
    fields: dict[str, Any] = {"f:data": {f"f:k{number:05x}": {} for number in range(keys)}}
    managed = [
        {"manager": f"{names.MERGE_MANAGER_PREFIX}{number}", "operation": "Apply", "fieldsV1": fields}
        for number in range(managers)
    ]
    return {"metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "managedFields": managed}}


@pytest.mark.parametrize("field", ["keys", "managers"])
@pytest.mark.parametrize("read", ["observe", "versions"])
async def test_a_vast_object_is_looked_at_beside_the_loop(field: str, read: str) -> None:
    """The reads here wait for nothing else, so without that the loop would have no turn until they end."""
    found, target = vast(field), TargetRef(Kind.CONFIG_MAP, ObjectKey("mallory", "a"))
    if read == "observe":
        reading: Coroutine[Any, Any, object] = cluster(found).observe(target, live=True)
    else:
        reading = cluster({"items": [found], "metadata": {"resourceVersion": "1"}}).versions(target)
    seen, turns = await turns_beside(reading)

    assert seen
    assert turns > 2
