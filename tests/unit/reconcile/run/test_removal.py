"""What goes when a target is wanted no more: dropped from the list, renamed, or with its PhaseSecret."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.outcome import Failed, Gone
from phase_operator.core.values import ObjectKey
from support.builders import KEY, TOKEN, desired_secret, entry, phase_secret, secret_ref
from support.fakes import FakeCluster, Loop

SHOP, NEW, ELSEWHERE = secret_ref(), secret_ref("new"), secret_ref("shop", "elsewhere")
OTHER = ObjectKey("team", "other")
DELETE: dict[str, Any] = {"deletionPolicy": "Delete"}
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}


def to(*names: str, **policy: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": name, **policy} for name in names]}


def named(loop: Loop, key: ObjectKey = KEY) -> dict[str, tuple[bool, str]]:
    """Return what the status says of each target."""
    targets = loop.cluster.statuses[key]["targets"]
    return {target["name"]: (target["ready"], target["reason"]) for target in targets}


@pytest.fixture
async def shown(loop: Loop) -> Loop:
    """Give the loop at work, with Phase holding one entry."""
    loop.phase.holds(entry("A"))
    return loop


# Dropped and renamed.


async def test_a_renamed_target_is_removed_after_the_new_one_stands(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **DELETE)))

    await shown.show(phase_secret(generation=2, **to("new", **DELETE)))

    assert shown.cluster.writes == [f"apply {SHOP}", f"apply {NEW}", f"delete {SHOP}"]
    assert named(shown) == {"new": (True, "Synced")}
    assert shown.cluster.guarded == set()


async def test_a_dropped_target_is_retained_unless_it_says_delete(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", "new")))

    await shown.show(phase_secret(generation=2, **to("new")))

    assert shown.cluster.objects.keys() == {SHOP, NEW}
    assert named(shown) == {"new": (True, "Synced")}


async def test_a_dropped_target_stays_as_long_as_another_is_not_in_step(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **DELETE)))
    shown.cluster.edit(NEW, {"X": "eA=="}, manager="helm")

    await shown.show(phase_secret(generation=2, **to("new", **DELETE)))

    assert shown.cluster.objects.keys() == {SHOP, NEW}
    assert named(shown) == {"new": (False, "TargetConflict"), "shop": (False, "RemovalPending")}
    assert shown.reason == "TargetConflict"
    # The stranger goes, and with the new one in step the old one goes too.
    shown.cluster.delete(NEW)
    await shown.touched(NEW)
    assert shown.cluster.objects.keys() == {NEW}
    assert named(shown) == {"new": (True, "Synced")}


async def test_a_removal_that_fails_is_told_and_tried_again(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **DELETE)))
    shown.cluster.errors["remove"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")

    await shown.show(phase_secret(generation=2, **to("new", **DELETE)))

    assert named(shown) == {"new": (True, "Synced"), "shop": (False, "RemovalPending")}
    assert (shown.reason, shown.condition("Reconciling")["status"]) == ("RemovalPending", "True")
    del shown.cluster.errors["remove"]
    await shown.turn(60)
    assert shown.cluster.objects.keys() == {NEW}
    assert shown.reason == "Synced"


async def test_a_dropped_target_that_became_anothers_is_left_alone(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **DELETE)))
    shown.cluster.force(desired_secret(entry("A"), of=OTHER))

    await shown.show(phase_secret(generation=2, **to("new", **DELETE)))

    assert shown.cluster.objects.keys() == {SHOP, NEW}


async def test_a_dropped_part_is_withdrawn_and_the_finalizer_goes(shown: Loop) -> None:
    shown.cluster.edit(SHOP, {"X": "eA=="})
    await shown.show(phase_secret(**to("shop", **MERGE)))
    assert shown.cluster.secret(SHOP) == {"A": "text", "X": "x"}

    await shown.show(phase_secret(generation=2, finalizers=[names.FINALIZER], **to("new")))

    assert shown.cluster.secret(SHOP) == {"X": "x"}
    assert shown.cluster.writes == [
        f"guard {KEY}",
        f"apply {SHOP}",
        f"apply {NEW}",
        f"withdraw {SHOP}",
        f"free {KEY}",
    ]


async def test_a_suspended_resource_removes_nothing_and_forgets_nothing(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **DELETE)))

    await shown.show(phase_secret(generation=2, suspend=True, **to("new", **DELETE)))
    assert shown.cluster.objects.keys() == {SHOP}
    await shown.show(phase_secret(generation=3, **to("new", **DELETE)))

    assert shown.cluster.objects.keys() == {NEW}


async def test_a_target_moves_from_one_resource_to_another(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **DELETE)))
    await shown.show(phase_secret(OTHER, uid="other", **to("shop", **DELETE)))
    assert named(shown, OTHER) == {"shop": (False, "TargetConflict")}

    await shown.show(phase_secret(generation=2, **to("new", **DELETE)))

    assert named(shown, OTHER) == {"shop": (True, "Synced")}
    assert shown.cluster.objects.keys() == {SHOP, NEW}


async def test_a_target_that_was_retained_goes_to_who_wants_it_next(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop")))
    await shown.show(phase_secret(OTHER, uid="other", **to("shop")))

    await shown.bury()

    assert named(shown, OTHER) == {"shop": (True, "Synced")}


async def test_a_merged_key_goes_to_who_wants_it_next(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **MERGE)))
    await shown.show(phase_secret(OTHER, uid="other", **to("shop", **MERGE)))
    assert named(shown, OTHER) == {"shop": (False, "TargetConflict")}
    shown.phase.holds(entry("A"), entry("B"))

    await shown.show(phase_secret(generation=2, keys={"include": ["B"]}, **to("shop", **MERGE)))
    await shown.refresh()

    # B is the first one's now, so the other has to leave it out.
    await shown.show(phase_secret(OTHER, uid="other", generation=2, keys={"include": ["A"]}, **to("shop", **MERGE)))
    assert named(shown, OTHER) == {"shop": (True, "Synced")}
    assert shown.cluster.secret(SHOP) == {"A": "text", "B": "text"}


# The finalizer.


async def test_the_finalizer_stands_before_the_first_write(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **MERGE)))

    assert shown.cluster.writes == [f"guard {KEY}", f"apply {SHOP}"]
    await shown.show(phase_secret(finalizers=[names.FINALIZER], **to("shop", **MERGE)))
    assert shown.cluster.writes == [f"guard {KEY}", f"apply {SHOP}"]


async def test_nothing_is_written_that_could_not_be_taken_away(shown: Loop) -> None:
    shown.cluster.errors["set_finalizer"] = Waiting(Reason.TARGET_REFUSED, "no right")

    await shown.show(phase_secret(**to("shop", **MERGE)))

    assert shown.cluster.objects == {}
    assert shown.reason == "TargetRefused"


async def test_a_finalizer_that_was_taken_off_by_hand_is_put_on_again(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **MERGE)))
    shown.cluster.guarded.clear()

    await shown.show(phase_secret(**to("shop", **MERGE)))

    assert shown.cluster.guarded == {KEY}


# With its PhaseSecret.


def break_phase(loop: Loop) -> None:
    loop.phase.fails(Transient(Reason.PHASE_UNAVAILABLE, "down"))


def lose_token(loop: Loop) -> None:
    loop.cluster.tokens.pop(TOKEN)
    loop.tokens.changed(TOKEN)


@pytest.mark.parametrize(
    ("change", "spec"),
    [
        pytest.param(lambda _: None, {}, id="all is well"),
        pytest.param(break_phase, {}, id="Phase is down"),
        pytest.param(lose_token, {}, id="the token is gone"),
        pytest.param(lambda _: None, {"suspend": True}, id="suspended"),
        pytest.param(lambda _: None, {"pollingInterval": 1}, id="an invalid spec"),
    ],
)
async def test_a_deleted_resource_takes_its_keys_along(shown: Loop, change: Any, spec: dict[str, Any]) -> None:
    shown.cluster.edit(SHOP, {"X": "eA=="})
    await shown.show(phase_secret(**to("shop", **MERGE)))
    change(shown)
    reads = len(shown.phase.reads)

    await shown.show(ending(generation=2, **to("shop", **MERGE), **spec))

    assert shown.cluster.secret(SHOP) == {"X": "x"}
    assert shown.cluster.guarded == set()
    assert len(shown.phase.reads) == reads


def ending(**fields: Any) -> dict[str, Any]:
    """Make a PhaseSecret that is being deleted and waits for us."""
    return phase_secret(finalizers=[names.FINALIZER], deleting=True, **fields)


GRANTED = Tenancy(grants=(parse_grant("from=team,to=elsewhere,what=target"),))


def after_restart(cluster: FakeCluster, body: dict[str, Any], tenancy: Tenancy = GRANTED) -> Loop:
    """Make a loop that sees a resource for the first time."""
    loop = Loop(cluster=cluster, tenancy=tenancy)
    loop.resources.upsert(body)
    return loop


STATUS = {"targets": [{"kind": "Secret", "namespace": "elsewhere", "name": "shop", "ready": True, "reason": "Synced"}]}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(desired_secret(entry("A"), ref=ELSEWHERE, **DELETE), id="Delete"),
        pytest.param(None, id="gone by then"),
    ],
)
async def test_a_target_in_another_namespace_goes_with_its_resource(written: Any) -> None:
    cluster = FakeCluster()
    if written is not None:
        cluster.force(written)
    cluster.guarded = {KEY}
    loop = after_restart(cluster, ending(status=STATUS))

    assert await loop.run_once() == Gone()

    assert (cluster.objects, cluster.guarded) == ({}, set())


async def test_a_target_that_kubernetes_collects_is_left_to_it() -> None:
    # `kubectl delete --cascade=orphan` has Kubernetes spare it.
    cluster = FakeCluster()
    cluster.force(desired_secret(entry("A"), **DELETE))

    await after_restart(cluster, ending(**to("shop", **DELETE))).run_once()

    assert cluster.objects.keys() == {SHOP}


async def test_a_retained_target_in_another_namespace_stays() -> None:
    cluster = FakeCluster()
    cluster.force(desired_secret(entry("A"), ref=ELSEWHERE))

    await after_restart(cluster, ending(status=STATUS)).run_once()

    assert cluster.objects.keys() == {ELSEWHERE}


async def test_the_finalizer_stays_until_all_is_removed() -> None:
    cluster = FakeCluster()
    cluster.force(desired_secret(entry("A"), ref=ELSEWHERE, **DELETE))
    cluster.guarded = {KEY}
    cluster.errors["remove"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
    loop = after_restart(cluster, ending(status=STATUS))

    outcome = await loop.run_once()

    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.transient, cluster.guarded) == (Reason.REMOVAL_PENDING, True, {KEY})


async def test_a_namespace_that_is_being_deleted_is_not_held_up() -> None:
    cluster = FakeCluster()
    cluster.force(desired_secret(entry("A"), ref=ELSEWHERE, **DELETE))
    cluster.guarded = {KEY}
    cluster.errors["remove"] = Waiting(Reason.NAMESPACE_NOT_FOUND, "it is being deleted")

    assert await after_restart(cluster, ending(status=STATUS)).run_once() == Gone()

    assert cluster.guarded == set()


async def test_keys_that_cannot_be_taken_out_hold_nobody_up_and_are_told(shown: Loop) -> None:
    shown.phase.holds(entry("username"), entry("password"))
    auth = to("shop", secretType="kubernetes.io/basic-auth", **MERGE)
    await shown.show(phase_secret(**auth))

    await shown.show(ending(generation=2, **auth))

    assert shown.cluster.guarded == set()
    assert set(shown.cluster.secret(SHOP)) == {"username", "password"}
    assert [notice.reason for notice in shown.cluster.notices][-1] == "TargetRefused"


async def test_an_ended_resource_holds_nothing_any_more(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **MERGE)))

    await shown.show(ending(generation=2, **to("shop", **MERGE)))
    await shown.bury()

    assert shown.poller.stats().queries == 0
    assert (shown.admissions.targets.things(), shown.admissions.tokens.things()) == ([], [])


# Merge after a restart.


async def test_a_part_whose_seal_holds_is_not_read_for_again() -> None:
    async with Loop() as before:
        before.phase.holds(entry("A"))
        await before.show(phase_secret(**to("shop", **MERGE)))
        await before.refresh()
    async with Loop(cluster=before.cluster) as after:
        after.phase = before.phase
        after.phase.reads.clear()
        writes = len(after.cluster.writes)

        body = phase_secret(finalizers=[names.FINALIZER], status=before.cluster.statuses[KEY], **to("shop", **MERGE))
        await after.show(body)

        assert len(after.cluster.writes) == writes


async def test_a_crash_in_a_replacement_is_finished_while_phase_is_silent() -> None:
    cluster = FakeCluster()
    entries = [entry("username"), entry("password")]
    async with Loop(cluster=cluster) as loop:
        loop.phase.holds(*entries)
        await loop.show(phase_secret(**to("shop", onTypeChange="Replace")))
    replaced = to("shop", secretType="kubernetes.io/basic-auth", onTypeChange="Replace")
    cluster.fuse = 2
    async with Loop(cluster=cluster) as loop:
        loop.phase.holds(*entries)
        await loop.show(phase_secret(generation=2, **replaced))
    assert cluster.objects.keys() == {secret_ref("shop-replacing")}
    cluster.fuse = None

    async with Loop(cluster=cluster) as loop:
        break_phase(loop)
        await loop.show(phase_secret(generation=2, **replaced))

    assert cluster.objects.keys() == {SHOP}
    assert set(cluster.secret(SHOP)) == {"username", "password"}
