"""Each content is an object of its own; old ones go when nobody needs them."""

from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.refs import Kind
from support.builders import KEY, config_entry, entry, phase_secret, secret_ref
from support.fakes import Loop

VERSIONED = {"secretName": "shop", "versioned": {"keep": 2}}


async def started(loop: Loop, **target: Any) -> str:
    """Let a versioned target be in step, and return its newest name."""
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret(managedSecretReferences=[VERSIONED | target]))
    return newest(loop)


async def changed(loop: Loop, value: str) -> str:
    loop.phase.holds(entry("A", value))
    await loop.refresh()
    return newest(loop)


def newest(loop: Loop) -> str:
    assert loop.reason == Reason.SYNCED, loop.condition()
    [target] = loop.cluster.statuses[KEY]["targets"]
    assert target["name"] == "shop"
    return str(target["version"])


def standing(loop: Loop) -> set[str]:
    return {ref.key.name for ref in loop.cluster.objects}


async def test_the_object_is_named_after_what_it_holds_and_never_changes(loop: Loop) -> None:
    first = await started(loop)

    second = await changed(loop, "2")

    assert first != second
    assert loop.cluster.secret(secret_ref(first)) == {"A": "1"}
    assert loop.cluster.secret(secret_ref(second)) == {"A": "2"}
    assert secret_ref("shop") not in loop.cluster.objects


async def test_as_many_versions_stay_as_the_spec_keeps(loop: Loop) -> None:
    await started(loop)
    second = await changed(loop, "2")
    third = await changed(loop, "3")

    assert standing(loop) == {second, third}


async def test_a_version_that_a_pod_template_names_stays(loop: Loop) -> None:
    first = await started(loop)
    loop.cluster.mentions = {first}
    second, third = await changed(loop, "2"), await changed(loop, "3")

    assert standing(loop) == {first, second, third}


async def test_a_content_that_comes_back_is_the_object_that_is_there(loop: Loop) -> None:
    first = await started(loop)
    await changed(loop, "2")

    assert await changed(loop, "1") == first
    assert len(standing(loop)) == 2


async def test_a_change_of_metadata_alone_makes_no_new_object(loop: Loop) -> None:
    first = await started(loop)
    labelled = VERSIONED | {"template": {"metadata": {"labels": {"a": "b"}}}}

    await loop.show(phase_secret(generation=2, managedSecretReferences=[labelled]))

    assert newest(loop) == first
    assert loop.cluster.objects[secret_ref(first)].part("metadata", "labels")["a"] == "b"


async def test_a_version_that_was_deleted_by_hand_comes_back(loop: Loop) -> None:
    first = await started(loop)
    loop.cluster.delete(secret_ref(first))

    await loop.touched(secret_ref(first))

    assert standing(loop) == {first}


@pytest.mark.parametrize("method", ["versions", "mentioned", "remove"])
async def test_versions_whose_use_is_unknown_are_not_deleted_and_the_status_says_so(loop: Loop, method: str) -> None:
    await started(loop)
    await changed(loop, "2")
    loop.cluster.errors[method] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")

    await changed(loop, "3")

    assert len(standing(loop)) == 3
    assert loop.cluster.statuses[KEY]["targets"][0]["message"] == "older versions stay: down"


async def test_a_failure_keeps_the_name_of_the_newest_that_stands(loop: Loop) -> None:
    first = await started(loop)
    loop.cluster.errors["carry_out"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
    loop.phase.holds(entry("A", "2"))
    await loop.refresh()

    [target] = loop.cluster.statuses[KEY]["targets"]

    assert (target["ready"], target["version"]) == (False, first)


async def test_config_maps_have_versions_too(loop: Loop) -> None:
    loop.phase.holds(config_entry("A", "1"))
    target = {"configMapName": "shop", "versioned": {}}
    await loop.show(phase_secret(managedSecretReferences=None, managedConfigMapReferences=[target]))

    [ref] = loop.cluster.objects
    assert (ref.kind, ref.key.name) == (Kind.CONFIG_MAP, newest(loop))
