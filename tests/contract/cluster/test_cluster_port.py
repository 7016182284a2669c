"""The promises of the Cluster port, kept by the fake and by the real thing alike."""

from collections.abc import Callable
from typing import Any

import pytest

from contract.cluster.sides import Side
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import ManagedConfigMapReference, ManagedSecretReference
from phase_operator.core.errors import Waiting
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.targets.configmap import render_config_map
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.plan import Apply, Refuse, Unchanged, plan
from phase_operator.core.targets.removal import is_version_of
from phase_operator.core.targets.secret import render_secret
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.ports import Token
from support.builders import DIGEST_KEY, config_entry, entry

STATUS: dict[str, Any] = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "observedGeneration": 1,
            "lastTransitionTime": "2030-01-01T00:00:00Z",
            "reason": "Synced",
            "message": "1 target is in step",
        }
    ],
}


def a_secret(side: Side, *, versioned: bool = False, **data: str) -> Desired:
    ref = TargetRef(Kind.SECRET, ObjectKey(side.namespace, "target"))
    reference = ManagedSecretReference.model_validate({"secretName": "target", "versioned": {} if versioned else None})
    return render_secret(ref, owner(side), reference, [entry(key, text) for key, text in data.items()], DIGEST_KEY)


def a_config_map(side: Side, *, versioned: bool = False, **data: str) -> Desired:
    ref = TargetRef(Kind.CONFIG_MAP, ObjectKey(side.namespace, "target"))
    fields: dict[str, Any] = {"configMapName": "target", "versioned": {} if versioned else None}
    reference = ManagedConfigMapReference.model_validate(fields)
    entries = [config_entry(key, text) for key, text in data.items()]
    return render_config_map(ref, owner(side), reference, entries, DIGEST_KEY)


def owner(side: Side) -> Owner:
    return Owner(ObjectKey(side.namespace, "shop"), "0a-uid")


Make = Callable[..., Desired]
kinds = pytest.mark.parametrize("make", [a_secret, a_config_map], ids=["Secret", "ConfigMap"])


async def bring_in_step(side: Side, desired: Desired) -> None:
    action = plan(desired, await side.cluster.observe(desired.ref, live=True))
    assert isinstance(action, Apply), action
    assert await side.cluster.apply_target(desired, action)


@kinds
async def test_an_absent_target_is_observed_as_nothing(side: Side, make: Make) -> None:
    assert await side.cluster.observe(make(side, A="1").ref, live=True) is None


@kinds
async def test_an_applied_target_is_left_unchanged(side: Side, make: Make) -> None:
    desired = make(side, A="1", B="2")

    await bring_in_step(side, desired)

    assert side.data(desired.ref) == {"A": "1", "B": "2"}
    assert plan(desired, await side.cluster.observe(desired.ref, live=True)) == Unchanged()


@kinds
async def test_an_update_is_in_place_and_takes_out_what_is_not_wanted_any_more(side: Side, make: Make) -> None:
    before = make(side, A="1", B="2")
    await bring_in_step(side, before)
    uid = side.uid(before.ref)

    await bring_in_step(side, make(side, A="changed", C="3"))

    assert side.data(before.ref) == {"A": "changed", "C": "3"}
    assert side.uid(before.ref) == uid


@kinds
async def test_an_object_that_appeared_meanwhile_is_left_alone(side: Side, make: Make) -> None:
    desired = make(side, A="1")
    side.edit(desired.ref, {"A": "somebody's"})

    assert await side.cluster.apply_target(desired, Apply(resource_version=None)) is False

    assert side.data(desired.ref) == {"A": "somebody's"}


@kinds
async def test_a_secret_that_appears_meanwhile_with_other_keys_is_left_alone(side: Side, make: Make) -> None:
    desired = make(side, A="1")
    side.edit(desired.ref, {"B": "somebody's"})

    assert await side.cluster.apply_target(desired, Apply(resource_version=None)) is False

    assert side.data(desired.ref) == {"B": "somebody's"}
    assert isinstance(plan(desired, await side.cluster.observe(desired.ref, live=True)), Refuse)


@kinds
async def test_a_stranger_is_seen_by_who_asks_surely(side: Side, make: Make) -> None:
    ref = make(side, A="1").ref
    side.edit(ref, {"A": "somebody's"})

    assert await side.cluster.observe(ref, live=False) is None
    assert await side.cluster.observe(ref, live=True) is not None


@kinds
async def test_a_target_that_changed_since_it_was_judged_is_left_alone(side: Side, make: Make) -> None:
    desired = make(side, A="1")
    await bring_in_step(side, desired)
    judged = await side.cluster.observe(desired.ref, live=True)
    assert judged is not None
    side.edit(desired.ref, {"B": "new"})

    action = Apply(resource_version=judged.resource_version)
    assert await side.cluster.apply_target(make(side, A="2"), action) is False

    assert side.data(desired.ref) == {"A": "1", "B": "new"}


@kinds
async def test_keys_are_taken_out_under_the_version_that_was_judged_and_the_next_write_mends_it(
    side: Side, make: Make
) -> None:
    desired = make(side, A="1", B="2")
    await bring_in_step(side, desired)
    judged = await side.cluster.observe(desired.ref, live=True)
    assert judged is not None

    assert await side.cluster.take_out(desired.ref, judged, ["A", "Z"])
    assert side.data(desired.ref) == {"B": "2"}
    assert await side.cluster.take_out(desired.ref, judged, ["B"]) is False

    assert side.data(desired.ref) == {"B": "2"}
    await bring_in_step(side, desired)
    assert side.data(desired.ref) == {"A": "1", "B": "2"}


@kinds
async def test_a_target_that_was_deleted_meanwhile_is_made_anew(side: Side, make: Make) -> None:
    desired = make(side, A="1")
    await bring_in_step(side, desired)
    judged = await side.cluster.observe(desired.ref, live=True)
    assert judged is not None
    side.delete(desired.ref)

    assert await side.cluster.apply_target(make(side, A="2"), Apply(resource_version=judged.resource_version))

    assert side.data(desired.ref) == {"A": "2"}


@kinds
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"A": "edited"}, id="a value"),
        pytest.param({"A": None}, id="a key taken out"),
        pytest.param({"X": "foreign"}, id="a key put in"),
        pytest.param({"A": "edited", "B": None, "X": "foreign"}, id="all of it"),
    ],
)
async def test_a_hand_edit_is_seen_and_mended(side: Side, make: Make, edit: dict[str, str | None]) -> None:
    desired = make(side, A="1", B="2")
    await bring_in_step(side, desired)

    side.edit(desired.ref, edit)
    await bring_in_step(side, desired)

    assert side.data(desired.ref) == {"A": "1", "B": "2"}
    assert plan(desired, await side.cluster.observe(desired.ref, live=True)) == Unchanged()


@kinds
async def test_somebody_elses_object_is_refused(side: Side, make: Make) -> None:
    desired = make(side, A="1")
    side.edit(desired.ref, {"A": "somebody's"})

    assert isinstance(plan(desired, await side.cluster.observe(desired.ref, live=True)), Refuse)


async def test_another_type_is_refused_and_nothing_is_changed(side: Side) -> None:
    desired = a_secret(side, A="1")
    await bring_in_step(side, desired)
    fields = {"secretName": "target", "secretType": "kubernetes.io/basic-auth"}
    reference = ManagedSecretReference.model_validate(fields)
    entries = [entry("username", "u"), entry("password", "p")]
    other = render_secret(desired.ref, owner(side), reference, entries, DIGEST_KEY)

    with pytest.raises(Waiting) as caught:
        await bring_in_step(side, other)

    assert caught.value.reason is Reason.TYPE_IMMUTABLE
    assert side.data(desired.ref) == {"A": "1"}


async def test_a_token_is_the_text_under_token(side: Side) -> None:
    key = ObjectKey(side.namespace, "token")
    side.token(key, {"token": "text\n", "other": "x"})

    assert await side.cluster.read_token(key) == Token(SecretValue("text\n"))


async def test_the_hosts_that_a_tokens_secret_names_come_with_it(side: Side) -> None:
    key = ObjectKey(side.namespace, "token")
    side.token(key, {"token": "text"}, hosts="https://phase.example")

    assert (await side.cluster.read_token(key)).hosts == "https://phase.example"


@pytest.mark.parametrize("data", [None, {"tokken": "text"}], ids=["no Secret", "no key"])
async def test_a_token_that_is_not_there_is_waited_for(side: Side, data: dict[str, str] | None) -> None:
    key = ObjectKey(side.namespace, "token")
    if data is not None:
        side.token(key, data)

    with pytest.raises(Waiting) as caught:
        await side.cluster.read_token(key)

    assert caught.value.reason is Reason.TOKEN_SECRET_NOT_FOUND


async def test_a_status_is_replaced_as_a_whole(side: Side) -> None:
    key = ObjectKey(side.namespace, "shop")
    uid = side.resource(key)

    await side.cluster.write_status(key, uid, STATUS | {"keys": 3})
    await side.cluster.write_status(key, uid, STATUS)

    assert side.status(key) == STATUS


async def test_the_status_of_one_that_was_made_anew_stays_its_own(side: Side) -> None:
    key = ObjectKey(side.namespace, "shop")
    side.resource(key)

    await side.cluster.write_status(key, "00000000-0000-0000-0000-000000000000", STATUS)

    assert side.status(key) == {}


async def test_a_status_of_nobody_is_no_error(side: Side) -> None:
    key = ObjectKey(side.namespace, "gone")

    await side.cluster.write_status(key, "00000000-0000-0000-0000-000000000000", STATUS)

    assert side.status(key) in ({}, STATUS)


@kinds
async def test_versions_are_listed_with_when_they_were_made(side: Side, make: Make) -> None:
    made = [make(side, versioned=True, A=value) for value in ("1", "2")]
    for desired in made:
        await bring_in_step(side, desired)
    await bring_in_step(side, make(side, A="not a version"))
    base = TargetRef(made[0].ref.kind, ObjectKey(side.namespace, "target"))

    found = await side.cluster.versions(base)

    assert {ref: each.uid for ref, each in found.items()} == {each.ref: side.uid(each.ref) for each in made}
    assert all(is_version_of(ref, each, base) and each.created for ref, each in found.items())
    assert side.cluster.known_versions(base).keys() == found.keys()
    assert side.cluster.marked(made[0].owner.key).keys() > found.keys()


async def test_names_in_pod_templates_are_found(side: Side) -> None:
    side.mention("shop-0123456789")

    found = await side.cluster.mentioned(side.namespace, ["shop-0123456789", "shop-9876543210"])

    assert found == {"shop-0123456789"}
