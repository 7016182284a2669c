"""One target: brought in step, made anew, taken away, with a crash between any two steps."""

import asyncio
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.outcome import TargetResult
from phase_operator.core.targets.removal import Leave
from phase_operator.core.targets.type_change import copy_ref
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.run.applier import TargetApplier
from support.appliers import DROPPED, applier_of
from support.builders import KEY, config_entry, desired_config_map, desired_secret, entry, owner, secret_ref, spec
from support.fakes import FakeCluster

SHOP = secret_ref()
COPY = copy_ref(SHOP)
OTHER = ObjectKey("team", "other")
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}
AUTH: dict[str, Any] = {"secretType": "kubernetes.io/basic-auth"}
TRACKING = {"argocd.argoproj.io/instance": "shop", "app.kubernetes.io/instance": "shop"}
HELM = {"meta.helm.sh/release-name": "shop"}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def applier(cluster: FakeCluster) -> TargetApplier:
    return applier_of(cluster)


def to(**target: Any) -> dict[str, Any]:
    return {"spec": spec(managedSecretReferences=[{"secretName": "shop", **target}])}


# Whose it is.


async def test_a_foreign_object_is_left_alone_and_named(cluster: FakeCluster, applier: TargetApplier) -> None:
    cluster.edit(SHOP, {"X": "eA=="}, manager="helm")

    found = await applier.bring_in_step(desired_secret(entry("A")))

    assert (found.ready, found.reason) == (False, Reason.TARGET_CONFLICT)
    assert "helm" in (found.message or "")
    assert cluster.secret(SHOP) == {"X": "x"}


@pytest.mark.parametrize("policy", [{}, {"creationPolicy": "Orphan"}], ids=["Owner", "Orphan"])
async def test_an_adopted_object_holds_what_phase_holds(
    cluster: FakeCluster, applier: TargetApplier, policy: dict[str, Any]
) -> None:
    cluster.edit(SHOP, {"A": "eA==", "X": "eA=="}, labels=TRACKING, annotations=HELM, manager="helm")

    found = await applier.bring_in_step(desired_secret(entry("A", "text"), adopt=True, **policy))

    assert found.ready
    assert cluster.secret(SHOP) == {"A": "text"}
    assert cluster.objects[SHOP].part("metadata", "labels").items() >= TRACKING.items()
    assert cluster.objects[SHOP].part("metadata", "annotations").items() >= HELM.items()


async def test_a_secret_of_the_official_operator_is_taken_over_in_place(
    cluster: FakeCluster, applier: TargetApplier
) -> None:
    cluster.edit(SHOP, {"A": "dGV4dA=="}, manager="OpenAPI-Generator")
    uid = cluster.objects[SHOP].uid

    found = await applier.bring_in_step(desired_secret(entry("A", "text")))

    assert found.ready
    assert (cluster.secret(SHOP), cluster.objects[SHOP].uid) == ({"A": "text"}, uid)
    assert cluster.writes == [f"apply {SHOP}"]


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [
        pytest.param(to(), False, id="it wants it still"),
        pytest.param(None, True, id="it is gone"),
        pytest.param(
            {"spec": spec()} | {"spec": spec(managedSecretReferences=[{"secretName": "x"}])}, True, id="moved"
        ),
        pytest.param({"spec": spec(pollingInterval=1)}, False, id="nobody can tell what it wants"),
    ],
)
@pytest.mark.parametrize("policy", [{}, MERGE], ids=["Owner", "Merge"])
async def test_another_phasesecrets_object_is_taken_when_that_one_let_go(
    cluster: FakeCluster, applier: TargetApplier, body: dict[str, Any] | None, is_taken: bool, policy: dict[str, Any]
) -> None:
    cluster.force(desired_secret(entry("A", "theirs"), of=OTHER, **policy))
    if body is not None:
        cluster.bodies[OTHER] = body

    found = await applier.bring_in_step(desired_secret(entry("A", "ours"), **policy))

    assert found.ready is is_taken
    assert cluster.secret(SHOP) == {"A": "ours" if is_taken else "theirs"}


async def test_a_phasesecret_of_another_namespace_is_never_asked_whether_it_let_go(
    cluster: FakeCluster, applier: TargetApplier
) -> None:
    cluster.force(desired_secret(of=ObjectKey("elsewhere", "other")))

    assert not (await applier.bring_in_step(desired_secret())).ready


# Merge.


async def test_two_merge_into_one_object_that_somebody_keeps(cluster: FakeCluster, applier: TargetApplier) -> None:
    cluster.edit(SHOP, {"X": "eA=="}, labels=TRACKING, annotations=HELM, manager="helm")
    for desired in (desired_secret(entry("A"), **MERGE), desired_secret(entry("B"), of=OTHER, **MERGE)):
        assert (await applier.bring_in_step(desired)).ready
    assert cluster.secret(SHOP) == {"A": "text", "B": "text", "X": "x"}

    assert await applier.take_away(SHOP, owner(KEY), DROPPED) == Leave()

    assert cluster.secret(SHOP) == {"B": "text", "X": "x"}
    assert cluster.objects[SHOP].part("metadata", "labels") == TRACKING | {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
    await applier.take_away(SHOP, owner(OTHER), DROPPED)
    assert cluster.secret(SHOP) == {"X": "x"}
    assert cluster.objects[SHOP].part("metadata", "labels") == TRACKING
    assert cluster.objects[SHOP].part("metadata", "annotations") == HELM


async def test_a_config_map_is_merged_into_with_text_and_bytes(cluster: FakeCluster, applier: TargetApplier) -> None:
    desired = desired_config_map(
        config_entry("TEXT"), config_entry("RAW", "/wA="), processors={"RAW": {"type": "base64"}}, **MERGE
    )
    cluster.edit(desired.ref, {"X": "x"})

    await applier.bring_in_step(desired)

    assert cluster.objects[desired.ref].part("data") == {"TEXT": "text", "X": "x"}
    assert cluster.objects[desired.ref].part("binaryData") == {"RAW": "/wA="}
    await applier.take_away(desired.ref, owner(KEY), DROPPED)
    assert cluster.objects[desired.ref].part("data") == {"X": "x"}
    assert cluster.objects[desired.ref].part("binaryData") == {}


async def test_an_object_that_is_not_there_is_made_with_our_keys(cluster: FakeCluster, applier: TargetApplier) -> None:
    entries = [entry("username"), entry("password")]

    assert (await applier.bring_in_step(desired_secret(*entries, **AUTH, **MERGE))).ready

    assert cluster.objects[SHOP].fields["type",] == AUTH["secretType"]
    # It is none of its type without what we put in.
    with pytest.raises(Invalid):
        await applier.take_away(SHOP, owner(KEY), DROPPED)
    assert set(cluster.secret(SHOP)) == {"username", "password"}


@pytest.mark.parametrize(("first", "then"), [({}, MERGE), (MERGE, {})], ids=["Owner to Merge", "Merge to Owner"])
async def test_a_policy_changes_in_place(
    cluster: FakeCluster, applier: TargetApplier, first: dict[str, Any], then: dict[str, Any]
) -> None:
    await applier.bring_in_step(desired_secret(entry("A"), entry("B"), **first))
    uid = cluster.objects[SHOP].uid

    assert (await applier.bring_in_step(desired_secret(entry("A"), **then))).written
    assert not (await applier.bring_in_step(desired_secret(entry("A"), **then))).written

    assert (cluster.secret(SHOP), cluster.objects[SHOP].uid) == ({"A": "text"}, uid)
    managers = {manager for (manager, _), paths in cluster.objects[SHOP].owners.items() if paths}
    assert managers == {desired_secret(entry("A"), **then).manager}


async def test_resources_that_merge_into_one_object_take_turns(cluster: FakeCluster, applier: TargetApplier) -> None:
    many = [desired_secret(entry(f"K{each}"), of=ObjectKey("team", f"n{each}"), **MERGE) for each in range(20)]

    results = await asyncio.gather(*(applier.bring_in_step(each) for each in many))

    assert all(result.ready for result in results)
    assert len(cluster.secret(SHOP)) == 20


# onTypeChange.

OLD = desired_secret(entry("A", "old"))
NEW = desired_secret(entry("username"), entry("password"), onTypeChange="Replace", **AUTH)


async def test_another_type_is_refused_with_what_to_do(cluster: FakeCluster, applier: TargetApplier) -> None:
    cluster.force(OLD)

    with pytest.raises(Waiting) as caught:
        await applier.bring_in_step(desired_secret(entry("username"), entry("password"), **AUTH))

    assert caught.value.reason is Reason.TYPE_IMMUTABLE
    assert cluster.secret(SHOP) == {"A": "old"}


async def test_a_replaced_secret_has_a_copy_while_it_is_gone(cluster: FakeCluster, applier: TargetApplier) -> None:
    cluster.force(OLD)

    assert (await applier.bring_in_step(NEW)).ready

    assert cluster.writes == [f"apply {COPY}", f"delete {SHOP}", f"apply {SHOP}", f"delete {COPY}"]
    assert cluster.objects.keys() == {SHOP}
    assert set(cluster.secret(SHOP)) == {"username", "password"}


async def test_only_what_is_ours_is_replaced(cluster: FakeCluster, applier: TargetApplier) -> None:
    cluster.edit(SHOP, {"X": "eA=="}, manager="helm")
    cluster.objects[SHOP].fields["type",] = "Opaque"
    entries = [entry("username"), entry("password")]

    with pytest.raises(Waiting):
        await applier.bring_in_step(desired_secret(*entries, onTypeChange="Replace", adopt=True, **AUTH))

    assert cluster.secret(SHOP) == {"X": "x"}


@pytest.mark.parametrize("of", [KEY, OTHER], ids=["one that we retained", "another's"])
async def test_an_object_in_the_copys_place_is_left_alone(
    cluster: FakeCluster, applier: TargetApplier, of: ObjectKey
) -> None:
    cluster.force(OLD)
    cluster.force(desired_secret(entry("X"), of=of, ref=COPY))

    with pytest.raises(Waiting) as caught:
        await applier.bring_in_step(NEW)

    assert caught.value.reason is Reason.TARGET_CONFLICT
    assert (cluster.secret(SHOP), cluster.secret(COPY)) == ({"A": "old"}, {"X": "text"})


@pytest.mark.parametrize("steps", range(4))
async def test_a_crash_in_a_replacement_loses_nothing(cluster: FakeCluster, applier: TargetApplier, steps: int) -> None:
    cluster.force(OLD)
    cluster.fuse = steps
    with pytest.raises(RuntimeError):
        await applier.bring_in_step(NEW)
    assert {SHOP, COPY} & cluster.objects.keys()
    cluster.fuse = None

    # Phase is silent: all that the next process has is what stands in the cluster.
    after = applier_of(cluster)
    await after.finish(SHOP, owner())

    assert cluster.objects.keys() == {SHOP}
    assert cluster.secret(SHOP) == ({"A": "old"} if steps < 3 else {"username": "text", "password": "text"})
    result = await after.bring_in_step(NEW)
    assert result.ready
    assert result.written is (steps < 3)
    assert set(cluster.secret(SHOP)) == {"username", "password"}


@pytest.mark.parametrize("dies_again", range(2))
async def test_a_crash_while_finishing_loses_nothing(
    cluster: FakeCluster, applier: TargetApplier, dies_again: int
) -> None:
    cluster.force(OLD)
    cluster.fuse = 2
    with pytest.raises(RuntimeError):
        await applier.bring_in_step(NEW)
    cluster.fuse = dies_again
    with pytest.raises(RuntimeError):
        await applier_of(cluster).finish(SHOP, owner())
    cluster.fuse = None

    await applier_of(cluster).finish(SHOP, owner())

    assert cluster.objects.keys() == {SHOP}
    assert cluster.secret(SHOP) == {"A": "old"}


async def test_a_copy_is_looked_for_once(cluster: FakeCluster, applier: TargetApplier) -> None:
    await applier.finish(SHOP, owner())
    await applier.finish(SHOP, owner())

    assert cluster.observed == [COPY]


# Take away.


async def test_a_target_that_is_edited_between_look_and_removal_is_looked_at_again(
    cluster: FakeCluster, applier: TargetApplier
) -> None:
    cluster.force(desired_secret(deletionPolicy="Delete"))
    cluster.errors["remove"] = Waiting(Reason.TARGET_REFUSED, "no right to delete")

    found = await applier.take_away(SHOP, owner(KEY), DROPPED)

    assert isinstance(found, TargetResult)
    assert (found.ready, found.reason, found.transient) == (False, Reason.REMOVAL_PENDING, False)
    assert "no right to delete" in (found.message or "")


async def test_a_namespace_that_is_gone_has_nothing_to_remove(cluster: FakeCluster, applier: TargetApplier) -> None:
    cluster.force(desired_secret(deletionPolicy="Delete"))
    cluster.errors["remove"] = Waiting(Reason.NAMESPACE_NOT_FOUND, "it is being deleted")

    assert await applier.take_away(SHOP, owner(KEY), DROPPED) == Leave()
