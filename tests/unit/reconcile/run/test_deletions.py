"""What is deleted and what is not, when several PhaseSecrets, people, copies and crashes meet in one namespace."""

from copy import deepcopy
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.refs import TargetRef
from phase_operator.core.values import ObjectKey
from support.builders import KEY, entry, phase_secret, secret_ref
from support.fakes import FakeCluster, Loop

SHOP, NEW, ELSEWHERE = secret_ref(), secret_ref("new"), secret_ref("shop", "elsewhere")
OTHER = ObjectKey("team", "other")
CLONE = ObjectKey("clone", "shop")
DELETE: dict[str, Any] = {"deletionPolicy": "Delete"}
MERGE: dict[str, Any] = {"creationPolicy": "Merge"}
VERSIONED: dict[str, Any] = {"versioned": {"keep": 1}}
GRANTED = Tenancy(grants=(parse_grant("from=team,to=elsewhere,what=target"),))


def to(*targets: str, **policy: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": name, **policy} for name in targets]}


def elsewhere(**policy: Any) -> dict[str, Any]:
    return to("shop", secretNamespace="elsewhere", **policy)


def told(loop: Loop, key: ObjectKey = KEY) -> dict[str, tuple[bool, str]]:
    """Return what the status says of each target."""
    targets = loop.cluster.statuses[key].get("targets", [])
    return {target["name"]: (target["ready"], target["reason"]) for target in targets}


def version(loop: Loop, key: ObjectKey = KEY) -> str:
    [target] = loop.cluster.statuses[key]["targets"]
    return str(target["version"])


def copy(cluster: FakeCluster, ref: TargetRef, to: TargetRef, value: str = "bWluZQ==") -> None:
    """Copy an object with labels and annotations, as `kubectl get -o yaml | kubectl create` does."""
    current = cluster.objects[ref]
    labels, annotations = current.part("metadata", "labels"), current.part("metadata", "annotations")
    cluster.edit(to, {"A": value}, labels=labels, annotations=annotations, manager="kubectl-create")


@pytest.fixture
async def shown(loop: Loop) -> Loop:
    """Give the loop at work, with Phase holding one entry."""
    loop.phase.holds(entry("A"))
    return loop


async def changed(loop: Loop, value: str) -> None:
    loop.phase.holds(entry("A", value))
    await loop.refresh()


# Versions.


@pytest.mark.parametrize("name", ["backup-of-shop", "shop-0123456789"])
async def test_a_copy_of_a_version_is_not_deleted_as_an_old_one(shown: Loop, name: str) -> None:
    await shown.show(phase_secret(**to("shop", **VERSIONED)))
    copy(shown.cluster, secret_ref(version(shown)), secret_ref(name))

    await changed(shown, "2")

    assert shown.cluster.objects.keys() == {secret_ref(version(shown)), secret_ref(name)}


async def test_of_two_that_want_one_versioned_name_the_first_keeps_it(shown: Loop) -> None:
    shown.phase.holds(entry("A", "1"), entry("B", "2"))
    await shown.show(phase_secret(keys={"include": ["A"]}, **to("shop", **VERSIONED)))
    await shown.show(phase_secret(OTHER, uid="other", keys={"include": ["B"]}, **to("shop", **VERSIONED)))
    first, writes = version(shown), len(shown.cluster.writes)

    for _ in range(20):
        await shown.turn(60)

    assert told(shown) == {"shop": (True, "Synced")}
    assert told(shown, OTHER) == {"shop": (False, "TargetConflict")}
    assert shown.cluster.objects.keys() == {secret_ref(first)}
    assert len(shown.cluster.writes) == writes


async def test_a_versioned_name_goes_to_who_wants_it_next(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **VERSIONED)))
    first = version(shown)
    await shown.show(phase_secret(OTHER, uid="other", keys={"include": ["A"]}, **to("shop", **VERSIONED, adopt=True)))

    await shown.show(phase_secret(generation=2, **to("new", **VERSIONED)))
    await shown.turn(60)

    assert told(shown, OTHER) == {"shop": (True, "Synced")}
    # It is the same content, so it is the same object.
    assert version(shown, OTHER) == first


@pytest.mark.parametrize("owner", ["team/gone", str(OTHER)])
async def test_versions_that_somebody_forges_in_one_name_are_one_question(shown: Loop, owner: str) -> None:
    await shown.show(phase_secret(OTHER, uid="other", **to("another")))
    await shown.show(phase_secret(**to("shop", **VERSIONED)))
    made = shown.cluster.objects[secret_ref(version(shown))]
    for number in range(50):
        forged = deepcopy(made)
        forged.fields["metadata", "annotations", names.ANNOTATION_OWNER] = owner
        shown.cluster.objects[secret_ref(f"shop-{number:010x}")] = forged
    shown.cluster.calls.clear()

    await changed(shown, "2")

    assert told(shown) == {"shop": (True, "Synced")}
    assert shown.cluster.calls.count("find_resource") == 1


async def test_two_that_have_versions_already_come_to_rest(shown: Loop) -> None:
    # As an earlier version of the operator left them.
    shown.phase.holds(entry("A", "1"), entry("B", "2"))
    await shown.show(phase_secret(keys={"include": ["A"]}, **to("one", **VERSIONED)))
    await shown.show(phase_secret(OTHER, uid="other", keys={"include": ["B"]}, **to("two", **VERSIONED)))
    for key, name in ((KEY, "one"), (OTHER, "two")):
        current = shown.cluster.objects.pop(secret_ref(version(shown, key)))
        label = ("metadata", "labels", names.LABEL_VERSION_OF)
        current.fields[label] = "shop"
        shown.cluster.objects[secret_ref(version(shown, key).replace(name, "shop"))] = current

    await shown.show(phase_secret(generation=2, keys={"include": ["A"]}, **to("shop", **VERSIONED)))
    await shown.show(phase_secret(OTHER, uid="other", generation=2, keys={"include": ["B"]}, **to("shop", **VERSIONED)))
    for _ in range(5):
        await shown.turn(60)
    writes = len(shown.cluster.writes)
    for number in range(5):
        shown.phase.holds(entry("A", f"{number}"), entry("B", f"{number}"))
        await shown.refresh()

    reasons = sorted(told(shown, key)["shop"][1] for key in (KEY, OTHER))
    assert reasons == ["Synced", "TargetConflict"]
    # One writes a version for each change and removes the one before; the other writes nothing.
    assert len(shown.cluster.writes) - writes <= 10


async def test_versions_of_a_stranger_in_another_namespace_stay() -> None:
    async with Loop(tenancy=GRANTED) as loop:
        loop.phase.holds(entry("A", "1"))
        theirs = ObjectKey("elsewhere", "theirs")
        loop.cluster.tokens[ObjectKey("elsewhere", names.DEFAULT_TOKEN_SECRET)] = "token-text"
        await loop.show(phase_secret(theirs, uid="theirs", **to("shop", **VERSIONED)))
        first = version(loop, theirs)
        await loop.bury(theirs)
        await loop.show(phase_secret(**elsewhere(**VERSIONED, **DELETE)))
        await changed(loop, "2")

        assert secret_ref(first, "elsewhere") in loop.cluster.objects


@pytest.mark.parametrize("then", [to("new", **VERSIONED, **DELETE), to("new", **DELETE)], ids=["renamed", "dropped"])
async def test_versions_go_with_their_target_also_after_it_had_to_wait(shown: Loop, then: dict[str, Any]) -> None:
    await shown.show(phase_secret(**to("shop", **VERSIONED, **DELETE)))
    first = version(shown)
    shown.cluster.errors["carry_out"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")

    await shown.show(phase_secret(generation=2, **then))
    assert told(shown)["shop"] == (False, "RemovalPending")
    del shown.cluster.errors["carry_out"]
    for _ in range(3):
        await shown.turn(60)

    assert secret_ref(first) not in shown.cluster.objects
    assert told(shown) == {"new": (True, "Synced")}


async def test_versions_go_when_a_target_is_versioned_no_more_and_no_pod_needs_them(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", versioned={"keep": 3}, **DELETE)))
    first = version(shown)
    await changed(shown, "2")
    shown.cluster.mentions = {first}

    await shown.show(phase_secret(generation=2, **to("shop", **DELETE)))

    assert shown.cluster.objects.keys() == {secret_ref(first), SHOP}


async def test_versions_that_cannot_be_removed_are_told_and_tried_again(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **VERSIONED, **DELETE)))
    first = version(shown)
    shown.cluster.errors["remove"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")

    await shown.show(phase_secret(generation=2, **to("shop", **DELETE)))
    [target] = shown.cluster.statuses[KEY]["targets"]
    assert (target["ready"], target["message"]) == (True, "its versions stay: down")
    del shown.cluster.errors["remove"]
    await shown.show(phase_secret(generation=3, **to("shop", **DELETE)))

    assert shown.cluster.objects.keys() == {SHOP}, first
    assert shown.cluster.statuses[KEY]["targets"] == [
        {key: value for key, value in target.items() if key not in ("message", "version")}
    ]


async def test_versions_elsewhere_go_with_the_resource_that_is_versioned_no_more() -> None:
    async with Loop(tenancy=GRANTED) as loop:
        loop.phase.holds(entry("A", "1"))
        await loop.show(phase_secret(**elsewhere(**VERSIONED, **DELETE)))
        loop.cluster.mentions = {version(loop)}
        await loop.show(phase_secret(generation=2, finalizers=[names.FINALIZER], **elsewhere(**DELETE)))

        await loop.show(phase_secret(generation=3, finalizers=[names.FINALIZER], deleting=True, **elsewhere(**DELETE)))

        assert loop.cluster.objects.keys() == set()


async def test_every_version_that_cannot_be_removed_keeps_the_removal_pending(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", versioned={"keep": 3}, **DELETE)))
    await changed(shown, "2")
    shown.cluster.errors["remove"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
    await shown.show(phase_secret(generation=2, **to("new", **DELETE)))
    del shown.cluster.errors["remove"]

    for _ in range(3):
        await shown.turn(60)

    assert shown.cluster.objects.keys() == {NEW}


# What the status does not know.


@pytest.mark.parametrize("policy", [DELETE, MERGE], ids=["whole", "merged"])
async def test_a_target_whose_status_could_not_be_written_is_not_forgotten(shown: Loop, policy: dict[str, Any]) -> None:
    shown.cluster.edit(SHOP, {"X": "eA=="}) if policy is MERGE else None
    shown.cluster.errors["write_status"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
    await shown.show(phase_secret(**to("shop", **policy)))
    assert "A" in shown.cluster.secret(SHOP)
    del shown.cluster.errors["write_status"]

    await shown.show(phase_secret(generation=2, **to("new", **policy)))

    assert SHOP not in shown.cluster.objects or set(shown.cluster.secret(SHOP)) == {"X"}
    assert told(shown) == {"new": (True, "Synced")}


@pytest.mark.parametrize("policy", [DELETE, MERGE], ids=["whole", "merged"])
async def test_a_crash_between_write_and_status_and_an_edit_leave_nothing_behind(policy: dict[str, Any]) -> None:
    async with Loop() as before:
        before.phase.holds(entry("A"))
        before.cluster.errors["write_status"] = RuntimeError("the process dies here")
        await before.show(phase_secret(**to("shop", **policy)))
        before.cluster.errors.clear()
    async with Loop(cluster=before.cluster) as after:
        after.phase.holds(entry("A"))
        await after.show(phase_secret(generation=2, finalizers=[names.FINALIZER], **to("new", **policy)))

        assert SHOP not in after.cluster.objects or after.cluster.secret(SHOP) == {}
        assert told(after) == {"new": (True, "Synced")}


async def test_a_crash_before_the_status_and_a_deletion_leave_no_keys_behind() -> None:
    async with Loop() as before:
        before.phase.holds(entry("A"))
        before.cluster.errors["write_status"] = RuntimeError("the process dies here")
        await before.show(phase_secret(**to("shop", **MERGE)))
        before.cluster.errors.clear()
    async with Loop(cluster=before.cluster) as after:
        await after.show(phase_secret(generation=2, finalizers=[names.FINALIZER], deleting=True, **to("new", **MERGE)))

        assert after.cluster.secret(SHOP) == {}


async def test_a_target_that_a_namesake_left_with_delete_is_not_taken_for_ours(shown: Loop) -> None:
    # `kubectl delete --cascade=orphan`, and a PhaseSecret of that name made anew.
    await shown.show(phase_secret(**to("shop", **DELETE)))
    await shown.bury()

    await shown.show(phase_secret(uid="another", **to("new", **DELETE)))

    assert shown.cluster.objects.keys() == {SHOP, NEW}


async def test_a_copy_under_another_name_is_not_taken_for_ours(shown: Loop) -> None:
    await shown.show(phase_secret(**to("shop", **DELETE)))
    copy(shown.cluster, SHOP, secret_ref("backup"))

    await shown.show(phase_secret(generation=2, **to("new", **DELETE)))

    assert shown.cluster.objects.keys() == {secret_ref("backup"), NEW}


async def test_a_new_resource_costs_one_write_and_one_status(shown: Loop) -> None:
    await shown.show(phase_secret())

    assert (shown.cluster.writes, shown.cluster.status_writes) == ([f"apply {SHOP}"], [KEY])


# What is announced.


async def test_no_removal_is_announced_that_never_comes(shown: Loop) -> None:
    await shown.show(phase_secret(**to("one")))
    broken = {"template": {"data": {"f": "{{ NOPE }}"}}}

    await shown.show(phase_secret(generation=2, **to("two", **broken)))
    assert told(shown) == {"two": (False, "TemplateFailed")}
    for number in range(3, 10):
        await shown.show(phase_secret(generation=number, **to(f"t{number}", **broken)))
    # Edits that follow one another so closely share a run.
    await shown.turn(5.0)

    assert told(shown) == {"t9": (False, "TemplateFailed")}


async def test_pending_removals_are_bounded_in_the_status_and_all_of_them_go(shown: Loop) -> None:
    for generation in range(3):
        many = [f"g{generation}-{number}" for number in range(64)]
        await shown.show(phase_secret(generation=2 * generation + 1, **to(*many, **DELETE)))
        broken = phase_secret(generation=2 * generation + 2, **to("broken", template={"data": {"f": "{{ NOPE }}"}}))
        await shown.show(broken)
        # Edits that follow one another more closely share a run.
        await shown.turn(10.0)

    assert len(shown.cluster.statuses[KEY]["targets"]) <= 128
    await shown.show(phase_secret(generation=9, **to("new", **DELETE)))

    assert shown.cluster.objects.keys() == {NEW}
    assert told(shown) == {"new": (True, "Synced")}


# Grants that ended.


@pytest.mark.parametrize("policy", [DELETE, MERGE], ids=["whole", "merged"])
async def test_without_a_grant_nothing_is_removed_elsewhere_and_it_is_told(policy: dict[str, Any]) -> None:
    async with Loop(tenancy=GRANTED) as before:
        before.phase.holds(entry("A"))
        await before.show(phase_secret(**elsewhere(**policy)))
    async with Loop(cluster=before.cluster) as after:
        status = before.cluster.statuses[KEY]
        body = phase_secret(
            generation=2, finalizers=[names.FINALIZER], deleting=True, status=status, **elsewhere(**policy)
        )
        await after.show(body)

        assert after.cluster.secret(ELSEWHERE) == {"A": "text"}
        assert KEY not in after.cluster.guarded
        last = after.cluster.notices[-1]
        assert (last.type, last.reason) == ("Warning", "CrossNamespaceRefused")
        assert str(ELSEWHERE) in last.message


async def test_a_tenant_cannot_turn_retain_into_delete_after_his_grant_ended() -> None:
    async with Loop(tenancy=GRANTED) as before:
        before.phase.holds(entry("A"))
        await before.show(phase_secret(**elsewhere()))
    async with Loop(cluster=before.cluster) as after:
        body = phase_secret(generation=2, finalizers=[names.FINALIZER], deleting=True, **elsewhere(**DELETE))
        await after.show(body | {"status": before.cluster.statuses[KEY]})

        assert ELSEWHERE in after.cluster.objects


async def test_a_target_that_was_dropped_after_the_grant_ended_stays() -> None:
    async with Loop(tenancy=GRANTED) as before:
        before.phase.holds(entry("A"))
        await before.show(phase_secret(**elsewhere(**DELETE)))
    async with Loop(cluster=before.cluster) as after:
        after.phase.holds(entry("A"))
        guarded: dict[str, Any] = {"finalizers": [names.FINALIZER], "status": before.cluster.statuses[KEY]}
        await after.show(phase_secret(generation=2, **to("new"), **guarded))
        await after.refresh()

        assert after.cluster.objects.keys() == {ELSEWHERE, NEW}
        assert [each.reason for each in after.cluster.notices].count("CrossNamespaceRefused") == 1


# Copies and clones.


@pytest.fixture
async def cloned(shown: Loop) -> Loop:
    """Give a loop where a namespace was cloned."""
    await shown.show(phase_secret())
    shown.cluster.tokens[ObjectKey("clone", names.DEFAULT_TOKEN_SECRET)] = "token-text"
    copy(shown.cluster, SHOP, secret_ref("shop", "clone"))
    return shown


async def test_a_cloned_object_is_refused_with_advice_that_works(cloned: Loop) -> None:
    await cloned.show(phase_secret(CLONE, uid="clone"))
    assert "adopt" in cloned.condition(key=CLONE)["message"]
    assert told(cloned, CLONE) == {"shop": (False, "TargetConflict")}

    await cloned.show(phase_secret(CLONE, uid="clone", generation=2, **to("shop", adopt=True)))

    assert told(cloned, CLONE) == {"shop": (True, "Synced")}
    assert cloned.cluster.secret(secret_ref("shop", "clone")) == {"A": "text"}
    assert told(cloned) == {"shop": (True, "Synced")}


async def test_a_target_that_another_namespace_keeps_by_a_grant_is_not_adopted() -> None:
    async with Loop(tenancy=GRANTED) as loop:
        loop.phase.holds(entry("A"))
        loop.cluster.tokens[ObjectKey("elsewhere", names.DEFAULT_TOKEN_SECRET)] = "token-text"
        await loop.show(phase_secret(**elsewhere()))

        rival = ObjectKey("elsewhere", "rival")
        await loop.show(phase_secret(rival, uid="rival", **to("shop", adopt=True)))
        assert told(loop, rival) == {"shop": (False, "TargetConflict")}
        # It is gone, or wants it no more: then who asks for it has it.
        await loop.show(phase_secret(generation=2, **to("new")))
        await loop.turn(60)

        assert told(loop, rival) == {"shop": (True, "Synced")}


async def test_a_copy_in_the_same_namespace_is_nobodys_and_takes_adopt(shown: Loop) -> None:
    await shown.show(phase_secret())
    copy(shown.cluster, SHOP, secret_ref("backup"))

    await shown.show(phase_secret(OTHER, uid="other", **to("backup")))

    assert told(shown, OTHER) == {"backup": (False, "TargetConflict")}
    assert shown.cluster.secret(secret_ref("backup")) == {"A": "mine"}


# Keys that another one merges into what was let go.


@pytest.fixture
async def merged(shown: Loop) -> Loop:
    """Give a loop in which a target was dropped, and another PhaseSecret merges into what stands there."""
    shown.phase.holds(entry("A"), entry("B"))
    await shown.show(phase_secret(keys={"include": ["A"]}, **to("shop")))
    await shown.show(phase_secret(generation=2, keys={"include": ["A"]}, **to("new")))
    await shown.show(phase_secret(OTHER, uid="other", keys={"include": ["B"]}, **to("shop", **MERGE)))
    assert told(shown, OTHER) == {"shop": (True, "Synced")}
    return shown


@pytest.mark.parametrize(
    "policy", [{}, DELETE, {"adopt": True}, {"creationPolicy": "Orphan"}], ids=["usual", "Delete", "adopt", "Orphan"]
)
async def test_a_returning_owner_takes_no_keys_that_were_merged_meanwhile(merged: Loop, policy: dict[str, Any]) -> None:
    await merged.show(phase_secret(generation=3, keys={"include": ["A"]}, **to("shop", **policy)))
    await merged.refresh()

    assert told(merged) == {"shop": (False, "TargetConflict")}
    assert told(merged, OTHER) == {"shop": (True, "Synced")}
    assert merged.cluster.secret(SHOP) == {"A": "text", "B": "text"}


async def test_a_returning_owner_has_the_target_again_when_the_other_one_goes(merged: Loop) -> None:
    await merged.show(phase_secret(generation=3, keys={"include": ["A"]}, **to("shop")))

    await merged.show(phase_secret(OTHER, uid="other", generation=2, keys={"include": ["B"]}, **to("else", **MERGE)))
    await merged.refresh()

    assert told(merged) == {"shop": (True, "Synced")}
    assert merged.cluster.secret(SHOP) == {"A": "text"}


async def test_a_resource_that_merged_into_a_released_target_may_take_all_of_it(merged: Loop) -> None:
    await merged.show(phase_secret(generation=3, keys={"include": ["A"]}, **to("shop")))

    await merged.show(phase_secret(OTHER, uid="other", generation=2, keys={"include": ["B"]}, **to("shop")))
    await merged.refresh()

    assert told(merged, OTHER) == {"shop": (True, "Synced")}
    assert merged.cluster.secret(SHOP) == {"B": "text"}


@pytest.mark.parametrize("place", [{}, {"secretNamespace": "elsewhere"}], ids=["at home", "elsewhere"])
async def test_a_pending_removal_leaves_keys_that_were_merged_meanwhile(place: dict[str, Any]) -> None:
    grants = (parse_grant("from=team,to=elsewhere,what=target+adopt"),)
    async with Loop(tenancy=Tenancy(grants=grants)) as loop:
        loop.phase.holds(entry("A"), entry("B"))
        await loop.show(phase_secret(keys={"include": ["A"]}, **to("shop", **place, **DELETE)))
        broken = to("new", template={"data": {"f": "{{ NOPE }}"}})
        await loop.show(phase_secret(generation=2, keys={"include": ["A"]}, **broken))
        assert told(loop)["shop"] == (False, "RemovalPending")
        await loop.show(phase_secret(OTHER, uid="other", keys={"include": ["B"]}, **to("shop", **place, **MERGE)))

        await loop.show(phase_secret(generation=3, keys={"include": ["A"]}, **to("new")))

        shop = ELSEWHERE if place else SHOP
        assert loop.cluster.secret(shop) == {"B": "text"}
        assert not loop.cluster.objects[shop].owner_references()
        assert f"delete {shop}" not in loop.cluster.writes
        await loop.refresh()
        assert told(loop) == {"new": (True, "Synced")}
        assert told(loop, OTHER) == {"shop": (True, "Synced")}


# Another type.

AUTH: dict[str, Any] = {"secretType": "kubernetes.io/basic-auth", "onTypeChange": "Replace"}


async def test_a_secret_that_is_refused_anew_comes_back_and_is_not_taken_away_again_and_again(shown: Loop) -> None:
    shown.phase.holds(entry("username"), entry("password"))
    await shown.show(phase_secret())
    shown.cluster.refused = {(SHOP, "kubernetes.io/basic-auth")}

    await shown.show(phase_secret(generation=2, **to("shop", **AUTH)))
    for _ in range(30):
        await shown.turn(60)
        assert set(shown.cluster.secret(SHOP)) == {"username", "password"}

    assert shown.cluster.objects.keys() == {SHOP}
    assert told(shown) == {"shop": (False, "TargetRefused")}
    assert shown.cluster.writes.count(f"delete {SHOP}") <= 5
    shown.cluster.refused = set()
    for _ in range(60):
        await shown.turn(60)
    assert told(shown) == {"shop": (True, "Synced")}
    assert shown.cluster.objects[SHOP].fields["type",] == AUTH["secretType"]


async def test_a_type_that_the_api_server_refuses_is_found_out_before_the_old_target_goes(shown: Loop) -> None:
    shown.phase.holds(entry("username"), entry("password"))
    await shown.show(phase_secret())
    shown.cluster.errors["prove"] = Waiting(Reason.TARGET_REFUSED, "no such type here")

    await shown.show(phase_secret(generation=2, **to("shop", **AUTH)))

    assert f"delete {SHOP}" not in shown.cluster.writes
    assert told(shown) == {"shop": (False, "TargetRefused")}


async def test_a_copy_that_a_refusal_left_takes_nobodys_place_and_nobody_takes_its(shown: Loop) -> None:
    shown.phase.holds(entry("username"), entry("password"))
    await shown.show(phase_secret())
    shown.cluster.refused = {(SHOP, "kubernetes.io/basic-auth"), (SHOP, "Opaque")}
    await shown.show(phase_secret(generation=2, **to("shop", **AUTH)))
    assert shown.cluster.objects.keys() == {secret_ref("shop-replacing")}

    await shown.show(phase_secret(OTHER, uid="other", **to("shop-replacing")))

    assert told(shown, OTHER) == {"shop-replacing": (False, "TargetConflict")}
    await shown.bury(OTHER)
    shown.cluster.refused = set()
    for _ in range(10):
        await shown.turn(60)
    assert told(shown) == {"shop": (True, "Synced")}


@pytest.mark.parametrize(("policy", "stays"), [({}, {ELSEWHERE}), (DELETE, set())], ids=["Retain", "Delete"])
async def test_a_resource_that_ends_after_a_crash_leaves_no_copy_behind(
    policy: dict[str, Any], stays: set[Any]
) -> None:
    entries = [entry("username"), entry("password")]
    async with Loop(tenancy=GRANTED) as before:
        before.phase.holds(*entries)
        await before.show(phase_secret(**elsewhere(**policy)))
        status = before.cluster.statuses[KEY]
        before.cluster.fuse = 2
        await before.show(phase_secret(generation=2, finalizers=[names.FINALIZER], **elsewhere(**AUTH, **policy)))
    assert before.cluster.objects.keys() == {secret_ref("shop-replacing", "elsewhere")}
    before.cluster.fuse = None
    async with Loop(cluster=before.cluster, tenancy=GRANTED) as after:
        body = phase_secret(generation=3, finalizers=[names.FINALIZER], deleting=True, status=status)
        await after.show(body | {"spec": phase_secret(**elsewhere(**AUTH, **policy))["spec"]})

        assert after.cluster.objects.keys() == stays


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("policy", [{}, DELETE], ids=["Retain", "Delete"])
@pytest.mark.parametrize(
    "then",
    [
        pytest.param(to("shop"), id="the old type again"),
        pytest.param(to("shop", **AUTH | {"onTypeChange": "Refuse"}), id="no replacement"),
        pytest.param(to("shop", **MERGE), id="Merge"),
        pytest.param(to("shop", **VERSIONED), id="versions"),
        pytest.param(to("new"), id="another name"),
    ],
)
async def test_an_edit_after_a_crash_in_a_replacement_leaves_no_copy_behind(
    then: dict[str, Any], policy: dict[str, Any], steps: int
) -> None:
    entries = [entry("username"), entry("password")]
    async with Loop() as before:
        before.phase.holds(*entries)
        await before.show(phase_secret(**to("shop", **policy)))
        before.cluster.fuse = steps
        await before.show(phase_secret(generation=2, **to("shop", **policy, **AUTH)))
    assert secret_ref("shop-replacing") in before.cluster.objects
    before.cluster.fuse = None
    async with Loop(cluster=before.cluster) as after:
        after.phase.holds(*entries)
        await after.show(phase_secret(generation=3, status=before.cluster.statuses[KEY], **then))
        await after.refresh()

        assert secret_ref("shop-replacing") not in after.cluster.objects
        # What it held has come back, unless it was to be deleted.
        is_kept = not policy or then["managedSecretReferences"][0]["secretName"] == "shop"
        assert (SHOP in after.cluster.objects) or not is_kept or "versioned" in then["managedSecretReferences"][0]


async def test_a_copy_that_cannot_be_removed_is_told_and_tried_again(shown: Loop) -> None:
    shown.phase.holds(entry("username"), entry("password"))
    await shown.show(phase_secret())
    shown.cluster.fuse = 1
    await shown.show(phase_secret(generation=2, **to("shop", **AUTH)))
    shown.cluster.fuse = None
    shown.cluster.errors["remove"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "not now")

    await shown.show(phase_secret(generation=3, **to("new")))
    assert told(shown)["shop"] == (False, "RemovalPending")
    del shown.cluster.errors["remove"]
    await shown.refresh()

    assert shown.cluster.objects.keys() == {SHOP, NEW}
    assert told(shown) == {"new": (True, "Synced")}


async def test_a_copy_where_the_grant_ended_is_left_alone() -> None:
    async with Loop(tenancy=GRANTED) as before:
        before.phase.holds(entry("username"), entry("password"))
        await before.show(phase_secret(**elsewhere()))
        before.cluster.fuse = 2
        await before.show(phase_secret(generation=2, **elsewhere(**AUTH)))
    before.cluster.fuse = None
    writes = len(before.cluster.writes)
    async with Loop(cluster=before.cluster) as after:
        after.phase.holds(entry("username"), entry("password"))
        await after.show(phase_secret(generation=3, status=before.cluster.statuses[KEY], **to("new")))

        assert after.cluster.writes[writes:] == [f"apply {NEW}"]
