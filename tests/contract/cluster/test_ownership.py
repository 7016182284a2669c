"""Merging, removing, making anew and finalizers: the fake and a real API server do the same."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from contract.cluster.sides import RealSide, Side
from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import ManagedConfigMapReference, ManagedSecretReference
from phase_operator.core.errors import Invalid, Transient, Waiting
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.targets.configmap import render_config_map
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import merge_annotation, read_mark, spelled
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.plan import Apply, Unchanged, plan
from phase_operator.core.targets.removal import Delete, Leave, Withdraw, removal
from phase_operator.core.targets.secret import render_secret
from phase_operator.core.targets.type_change import copy_of, copy_owner, copy_ref
from phase_operator.core.values import ObjectKey
from support.appliers import DROPPED, RETYPED, applier_of, deletion
from support.builders import DIGEST_KEY, config_entry, entry

MERGE: dict[str, Any] = {"creationPolicy": "Merge"}
AUTH: dict[str, Any] = {"secretType": "kubernetes.io/basic-auth"}
TRACKING = "argocd.argoproj.io/instance"


def a_secret(side: Side, data: dict[str, str], of: str = "shop", uid: str = "0a-uid", **target: Any) -> Desired:
    ref = TargetRef(Kind.SECRET, ObjectKey(side.namespace, "target"))
    reference = ManagedSecretReference.model_validate({"secretName": "target", **target})
    owner = Owner(ObjectKey(side.namespace, of), uid)
    return render_secret(ref, owner, reference, [entry(key, text) for key, text in data.items()], DIGEST_KEY)


def a_config_map(side: Side, data: dict[str, str], of: str = "shop", uid: str = "0a-uid", **target: Any) -> Desired:
    ref = TargetRef(Kind.CONFIG_MAP, ObjectKey(side.namespace, "target"))
    reference = ManagedConfigMapReference.model_validate({"configMapName": "target", **target})
    owner = Owner(ObjectKey(side.namespace, of), uid)
    entries = [config_entry(key, text) for key, text in data.items()]
    return render_config_map(ref, owner, reference, entries, DIGEST_KEY)


Make = Callable[..., Desired]
kinds = pytest.mark.parametrize("make", [a_secret, a_config_map], ids=["Secret", "ConfigMap"])


@pytest.fixture(autouse=True)
def no_garbage_collector(side: Side) -> Iterator[None]:
    """Pause Kubernetes' own controllers: the owners here do not exist, and it would take what names them."""
    if not isinstance(side, RealSide):
        yield
        return
    controllers = side.plane.program("kube-controller-manager")
    controllers.pause()
    yield
    controllers.resume()


async def seen(side: Side, ref: TargetRef) -> Observed:
    found = await side.cluster.observe(ref, live=True)
    assert found is not None
    return found


@kinds
async def test_two_merge_into_one_object_and_leave_it(side: Side, make: Make) -> None:
    one, other = make(side, {"A": "1"}, **MERGE), make(side, {"B": "2"}, of="other", **MERGE)
    side.edit(one.ref, {"X": "x"})
    side.label(one.ref, TRACKING, "shop")
    applier = applier_of(side.cluster)

    for desired in (one, other):
        assert (await applier.bring_in_step(desired)).written
    for desired in (one, other):
        assert not (await applier.bring_in_step(desired)).written
    assert side.data(one.ref) == {"A": "1", "B": "2", "X": "x"}

    await applier.bring_in_step(make(side, {"C": "3"}, **MERGE))
    assert side.data(one.ref) == {"B": "2", "C": "3", "X": "x"}
    await applier.take_away(one.ref, one.owner, DROPPED)
    assert side.data(one.ref) == {"B": "2", "X": "x"}
    assert side.labels(one.ref) == {TRACKING: "shop", names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
    await applier.take_away(one.ref, other.owner, DROPPED)
    assert side.data(one.ref) == {"X": "x"}
    assert side.labels(one.ref) == {TRACKING: "shop"}


@kinds
@pytest.mark.parametrize("edit", [{"A": "edited"}, {"A": None}, {"A": "edited", "B": None}], ids=str)
async def test_a_merged_key_that_was_edited_is_repaired(side: Side, make: Make, edit: dict[str, str | None]) -> None:
    desired = make(side, {"A": "1", "B": "2"}, **MERGE)
    side.edit(desired.ref, {"X": "x"})
    applier = applier_of(side.cluster)
    await applier.bring_in_step(desired)

    side.edit(desired.ref, edit)
    assert (await applier.bring_in_step(desired)).written

    assert side.data(desired.ref) == {"A": "1", "B": "2", "X": "x"}
    assert plan(desired, await seen(side, desired.ref)) == Unchanged()


@kinds
async def test_a_key_that_somebody_else_has_is_refused_unless_adopted(side: Side, make: Make) -> None:
    side.edit(make(side, {"A": "1"}).ref, {"A": "theirs", "X": "x"})
    applier = applier_of(side.cluster)

    refused = await applier.bring_in_step(make(side, {"A": "1"}, **MERGE))
    assert refused.reason is Reason.TARGET_CONFLICT
    assert side.data(refused.ref) == {"A": "theirs", "X": "x"}

    assert (await applier.bring_in_step(make(side, {"A": "1"}, adopt=True, **MERGE))).ready
    assert side.data(refused.ref) == {"A": "1", "X": "x"}


@kinds
async def test_a_key_that_another_manager_holds_unseen_is_not_taken(side: Side, make: Make) -> None:
    desired = make(side, {"A": "1"}, **MERGE)
    side.edit(desired.ref, {"A": "theirs"})
    judged = await seen(side, desired.ref)

    with pytest.raises(Waiting) as caught:
        await side.cluster.apply_target(desired, Apply(judged.resource_version, force=False))

    assert caught.value.reason is Reason.TARGET_CONFLICT
    assert side.data(desired.ref) == {"A": "theirs"}


async def test_a_typed_object_is_made_and_stays_of_its_type(side: Side) -> None:
    both = {"username": "u", "password": "p"}
    applier = applier_of(side.cluster)
    desired = a_secret(side, both, **AUTH, **MERGE)
    assert (await applier.bring_in_step(desired)).written
    assert not (await applier.bring_in_step(desired)).written

    # Another secretType means nothing for an object that stands.
    assert (await applier.bring_in_step(a_secret(side, both | {"C": "c"}, **MERGE))).written

    with pytest.raises(Invalid):
        await applier.take_away(desired.ref, desired.owner, DROPPED)
    assert side.data(desired.ref) == both | {"C": "c"}


@pytest.mark.parametrize("target", [MERGE, AUTH | MERGE], ids=["of no type", "typed"])
@pytest.mark.parametrize("edit", [None, "{}", '{"type":"kubernetes.io/tls"}', '{"type":"Opaque"}', '{"of":"a/b"}'])
async def test_a_mark_that_was_edited_is_written_again(side: Side, target: dict[str, Any], edit: str | None) -> None:
    applier = applier_of(side.cluster)
    both = {"username": "u", "password": "p"}
    desired = a_secret(side, both, **target)
    await applier.bring_in_step(desired)

    side.annotate(desired.ref, merge_annotation(desired.manager), edit)
    assert (await applier.bring_in_step(desired)).written
    assert not (await applier.bring_in_step(desired)).written
    assert (await applier.bring_in_step(a_secret(side, both | {"C": "c"}, **target))).written

    assert side.data(desired.ref) == both | {"C": "c"}


@kinds
async def test_a_key_that_another_one_left_is_merged_with_any_value(side: Side, make: Make) -> None:
    applier = applier_of(side.cluster)
    await applier.bring_in_step(make(side, {"A": "1", "B": "1"}))

    # The first one has let go of it: it is not there.
    found = await applier.bring_in_step(make(side, {"A": "2"}, of="other", **MERGE))

    assert found.ready
    assert side.data(found.ref) == {"A": "2", "B": "1"}


async def test_a_lie_about_the_type_keeps_no_keys_from_being_taken_out(side: Side) -> None:
    applier = applier_of(side.cluster)
    desired = a_secret(side, {"A": "1"}, **MERGE)
    await applier.bring_in_step(desired)
    mark = merge_annotation(desired.manager)
    lie = read_mark(desired.manifest["metadata"]["annotations"], desired.manager) | {"type": "kubernetes.io/tls"}
    side.annotate(desired.ref, mark, spelled(lie))

    assert await applier.take_away(desired.ref, desired.owner, DROPPED) == Leave()

    assert not side.data(desired.ref)


@kinds
async def test_a_whole_object_that_others_merge_into_is_given_up_and_not_deleted(side: Side, make: Make) -> None:
    applier = applier_of(side.cluster)
    first = ObjectKey(side.namespace, "shop")
    whole = make(side, {"A": "1"}, uid=side.resource(first), deletionPolicy="Delete")
    part = make(side, {"B": "2"}, of="other", **MERGE)
    await applier.bring_in_step(whole)
    # The first one has let go of it: it is not there.
    side.end(first)
    assert (await applier.bring_in_step(part)).written
    uid = side.uid(whole.ref)

    assert await applier.take_away(whole.ref, whole.owner, DROPPED) == Leave()

    assert (side.data(whole.ref), side.uid(whole.ref)) == ({"B": "2"}, uid)
    assert plan(part, await seen(side, part.ref)) == Unchanged()


@kinds
@pytest.mark.parametrize(("first", "then"), [({}, MERGE), (MERGE, {})], ids=["Owner to Merge", "Merge to Owner"])
async def test_a_policy_changes_in_place(side: Side, make: Make, first: dict[str, Any], then: dict[str, Any]) -> None:
    applier = applier_of(side.cluster)
    before = make(side, {"A": "1", "B": "2"}, **first)
    await applier.bring_in_step(before)
    uid = side.uid(before.ref)

    after = make(side, {"A": "1"}, **then)
    assert (await applier.bring_in_step(after)).written
    assert not (await applier.bring_in_step(after)).written

    assert (side.data(after.ref), side.uid(after.ref)) == ({"A": "1"}, uid)


async def test_a_typed_object_that_is_merged_into_from_now_on_keeps_its_type(side: Side) -> None:
    applier = applier_of(side.cluster)
    await applier.bring_in_step(a_secret(side, {"username": "u"}, **AUTH))

    part = a_secret(side, {"username": "u", "C": "c"}, **MERGE)
    assert (await applier.bring_in_step(part)).written
    assert not (await applier.bring_in_step(part)).written

    assert side.data(part.ref) == {"username": "u", "C": "c"}
    assert (await applier.bring_in_step(a_secret(side, {"username": "v"}, **MERGE))).written
    assert side.data(part.ref) == {"username": "v"}


@kinds
async def test_an_adopted_object_keeps_the_labels_of_others(side: Side, make: Make) -> None:
    desired = make(side, {"A": "1"}, adopt=True)
    side.edit(desired.ref, {"A": "theirs", "X": "x"})
    side.label(desired.ref, TRACKING, "shop")

    assert (await applier_of(side.cluster).bring_in_step(desired)).ready

    assert side.data(desired.ref) == {"A": "1"}
    assert side.labels(desired.ref)[TRACKING] == "shop"


# Owners that end while a target is brought in step.


def orphaned(side: Side, key: ObjectKey) -> None:
    side.begin_orphaning(key)


def gone(side: Side, key: ObjectKey) -> None:
    side.end(key)


def made_anew(side: Side, key: ObjectKey) -> None:
    side.end(key)
    side.resource(key)


endings = pytest.mark.parametrize("ending", [orphaned, gone, made_anew])


@kinds
@endings
async def test_no_target_is_made_that_names_an_ended_owner(
    side: Side, make: Make, ending: Callable[[Side, ObjectKey], None]
) -> None:
    key = ObjectKey(side.namespace, "shop")
    desired = make(side, {"A": "1"}, uid=side.resource(key), deletionPolicy="Delete")
    ending(side, key)

    with pytest.raises(Transient) as caught:
        await applier_of(side.cluster).bring_in_step(desired)

    assert f"its owner {key} is being deleted" in caught.value.message
    assert side.data(desired.ref) is None


@kinds
@endings
async def test_a_target_that_was_let_go_is_not_tied_to_its_owner_again(
    side: Side, make: Make, ending: Callable[[Side, ObjectKey], None]
) -> None:
    key = ObjectKey(side.namespace, "shop")
    uid = side.resource(key)
    kept = make(side, {"A": "1"}, uid=uid)
    await applier_of(side.cluster).bring_in_step(kept)
    ending(side, key)

    with pytest.raises(Transient):
        await applier_of(side.cluster).bring_in_step(make(side, {"A": "2"}, uid=uid, deletionPolicy="Delete"))

    assert plan(kept, await seen(side, kept.ref)) == Unchanged()


async def test_no_target_is_made_anew_for_an_ended_owner(side: Side) -> None:
    key = ObjectKey(side.namespace, "shop")
    uid = side.resource(key)
    old = a_secret(side, {"A": "1"}, uid=uid, deletionPolicy="Delete")
    await applier_of(side.cluster).bring_in_step(old)
    before = side.uid(old.ref)
    side.end(key)

    new = a_secret(side, BOTH, uid=uid, deletionPolicy="Delete", onTypeChange="Replace", **AUTH)
    with pytest.raises(Transient):
        await applier_of(side.cluster).bring_in_step(new)

    assert (side.data(old.ref), side.uid(old.ref)) == ({"A": "1"}, before)


@kinds
async def test_a_target_of_an_owner_that_is_there_is_tied_to_it(side: Side, make: Make) -> None:
    desired = make(side, {"A": "1"}, uid=side.resource(ObjectKey(side.namespace, "shop")), deletionPolicy="Delete")

    assert (await applier_of(side.cluster).bring_in_step(desired)).written

    assert (await seen(side, desired.ref)).origin == desired.owner.uid


# Removal.


@kinds
async def test_a_removal_deletes_the_target_and_may_find_it_gone(side: Side, make: Make) -> None:
    desired = make(side, {"A": "1"})
    assert await side.cluster.apply_target(desired, Apply(None))
    action = removal(desired.ref, await seen(side, desired.ref), desired.owner, RETYPED)
    assert isinstance(action, Delete)

    assert await side.cluster.remove(desired.ref, action)
    assert side.data(desired.ref) is None
    assert await side.cluster.remove(desired.ref, action)


@kinds
@pytest.mark.parametrize("policy", [{}, MERGE], ids=["Owner", "Merge"])
async def test_a_target_that_was_changed_meanwhile_is_not_removed(
    side: Side, make: Make, policy: dict[str, Any]
) -> None:
    desired = make(side, {"A": "1"}, **policy)
    assert await side.cluster.apply_target(desired, Apply(None))
    action = removal(desired.ref, await seen(side, desired.ref), desired.owner, DROPPED if policy else RETYPED)
    assert isinstance(action, Withdraw if policy else Delete)
    side.edit(desired.ref, {"B": "new"})

    assert await side.cluster.remove(desired.ref, action) is False

    assert side.data(desired.ref) == {"A": "1", "B": "new"}


@kinds
@pytest.mark.parametrize("policy", [{}, MERGE], ids=["Owner", "Merge"])
async def test_a_target_that_was_made_anew_meanwhile_is_not_removed(
    side: Side, make: Make, policy: dict[str, Any]
) -> None:
    desired = make(side, {"A": "1"}, **policy)
    assert await side.cluster.apply_target(desired, Apply(None))
    judged = await seen(side, desired.ref)
    side.delete(desired.ref)
    side.edit(desired.ref, {"A": "theirs"})
    # Even if its version were the one that was judged, it is another object.
    judged = replace(judged, resource_version=(await seen(side, desired.ref)).resource_version)
    action = removal(desired.ref, judged, desired.owner, DROPPED if policy else RETYPED)
    assert isinstance(action, Withdraw if policy else Delete)

    assert await side.cluster.remove(desired.ref, action) is False

    assert side.data(desired.ref) == {"A": "theirs"}


@kinds
async def test_a_withdrawal_makes_no_object(side: Side, make: Make) -> None:
    desired = make(side, {"A": "1"}, **MERGE)
    assert await side.cluster.apply_target(desired, Apply(None))
    action = removal(desired.ref, await seen(side, desired.ref), desired.owner, DROPPED)
    assert isinstance(action, Withdraw)
    side.delete(desired.ref)

    await side.cluster.remove(desired.ref, action)

    assert side.data(desired.ref) is None
    assert await applier_of(side.cluster).take_away(desired.ref, desired.owner, DROPPED) == Leave()


# Making anew.

BOTH = {"username": "u", "password": "p"}


async def test_a_secret_is_made_anew_with_another_type(side: Side) -> None:
    applier = applier_of(side.cluster)
    old = a_secret(side, {"A": "1"})
    await applier.bring_in_step(old)
    uid = side.uid(old.ref)

    assert (await applier.bring_in_step(a_secret(side, BOTH, onTypeChange="Replace", **AUTH))).written

    assert side.data(old.ref) == BOTH
    assert side.uid(old.ref) != uid
    assert side.data(copy_ref(old.ref)) is None


@pytest.mark.parametrize("steps", range(4))
async def test_a_replacement_is_finished_from_any_step(side: Side, steps: int) -> None:
    old, new = a_secret(side, {"A": "1"}), a_secret(side, BOTH, onTypeChange="Replace", **AUTH)
    await applier_of(side.cluster).bring_in_step(old)
    judged = await seen(side, old.ref)
    if steps > 0:
        assert await side.cluster.keep(old.ref, judged.resource_version, copy_of(new))
    if steps > 1:
        assert await side.cluster.remove(old.ref, deletion(old, judged))
    if steps > 2:
        assert await side.cluster.apply_target(new, Apply(None))

    applier = applier_of(side.cluster)
    await applier.finish(old.ref, old.owner)

    assert side.data(old.ref) == (BOTH if steps > 2 else {"A": "1"})
    assert side.data(copy_ref(old.ref)) is None
    assert (await applier.bring_in_step(new)).written is (steps < 3)
    assert side.data(old.ref) == BOTH
    assert side.data(copy_ref(old.ref)) is None


async def test_a_target_comes_back_from_its_copy_as_it_was(side: Side) -> None:
    old, new = a_secret(side, {"A": "1"}), a_secret(side, BOTH, onTypeChange="Replace", **AUTH)
    await applier_of(side.cluster).bring_in_step(old)
    side.label(old.ref, TRACKING, "shop")
    judged = await seen(side, old.ref)
    assert await side.cluster.keep(old.ref, judged.resource_version, copy_of(new))
    # A deployment tool would take it for its own.
    assert TRACKING not in side.labels(copy_ref(old.ref))
    assert await side.cluster.remove(old.ref, deletion(old, judged))

    await applier_of(side.cluster).finish(old.ref, old.owner)

    assert plan(old, await seen(side, old.ref)) == Unchanged()


async def test_no_copy_is_made_of_what_changed_since_it_was_judged(side: Side) -> None:
    old = a_secret(side, {"A": "1"})
    await applier_of(side.cluster).bring_in_step(old)
    judged = await seen(side, old.ref)
    side.edit(old.ref, {"B": "new"})

    assert await side.cluster.keep(old.ref, judged.resource_version, copy_of(old)) is False

    assert side.data(copy_ref(old.ref)) is None


async def test_a_dry_run_creates_nothing(side: Side) -> None:
    new = a_secret(side, BOTH, **AUTH)

    await side.cluster.prove(new)

    assert side.data(new.ref) is None


async def test_a_copy_that_is_gone_restores_nothing(side: Side) -> None:
    target = a_secret(side, {"A": "1"})

    assert await side.cluster.restore(copy_ref(target.ref), target.ref) is False

    assert side.data(target.ref) is None


async def test_nothing_is_restored_where_something_stands(side: Side) -> None:
    new = a_secret(side, BOTH, onTypeChange="Replace", **AUTH)
    assert await side.cluster.apply_target(copy_of(new), Apply(None))
    side.edit(new.ref, {"A": "theirs"})

    assert await side.cluster.restore(copy_ref(new.ref), new.ref) is False

    assert side.data(new.ref) == {"A": "theirs"}
    assert (await seen(side, copy_ref(new.ref))).owner == str(copy_owner(new.owner.key))


# Finalizers and neighbours.


async def test_a_finalizer_is_put_on_and_taken_off(side: Side) -> None:
    key = ObjectKey(side.namespace, "shop")
    uid = side.resource(key)

    for wanted in (True, True, False, False):
        await side.cluster.set_finalizer(key, uid, wanted=wanted)
        assert side.is_guarded(key) is wanted


async def test_a_finalizer_of_somebody_else_or_nobody_is_not_touched(side: Side) -> None:
    key = ObjectKey(side.namespace, "shop")
    side.resource(key)

    await side.cluster.set_finalizer(key, "00000000-0000-0000-0000-000000000000", wanted=True)
    await side.cluster.set_finalizer(ObjectKey(side.namespace, "gone"), "0a-uid", wanted=False)

    assert not side.is_guarded(key)


async def test_a_neighbour_is_found_with_its_spec(side: Side) -> None:
    key = ObjectKey(side.namespace, "shop")
    side.resource(key)

    found = await side.cluster.find_resource(key)

    assert found is not None
    assert found["spec"]["managedSecretReferences"] == [{"secretName": "shop"}]
    assert await side.cluster.find_resource(ObjectKey(side.namespace, "gone")) is None
    assert await side.cluster.find_resource(ObjectKey(side.namespace, "shop", "NoKindOfOurs")) is None
