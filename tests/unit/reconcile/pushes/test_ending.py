"""The end of a resource that pushed: what its policy says becomes of its entries, and it never hangs."""

from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.errors import Invalid, Transient, Waiting
from phase_operator.core.outcome import Failed, Gone
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.spec import Generated
from support.push_api import lost
from support.push_house import HOST, KEY, PushHouse, ask_of, named, person_makes, world

DELETE = Policies(deletion=DeletionPolicy.DELETE)


async def pushed(**fields: Any) -> PushHouse:
    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"a", "B": b"b"})
    cluster.resource(named("db", **fields))
    house = PushHouse(cluster)
    await house.rest()
    assert {"A", "B"} <= set(cluster.there())
    return house


def delete(house: PushHouse) -> None:
    house.show(KEY, deleted=house.clock.now())


async def test_entries_go_with_their_resource_if_the_policy_says_so() -> None:
    house = await pushed(policies=DELETE)
    theirs = person_makes(house.server, "THEIRS", "a person's")
    delete(house)
    await house.rest()

    assert house.server.phase.living() == [theirs]
    assert isinstance(house.outcomes[KEY], Gone)
    assert KEY not in house.cluster.outside


async def test_entries_stay_without_a_mark_if_it_does_not() -> None:
    house = await pushed()
    delete(house)
    await house.rest()

    assert house.cluster.there() == {}
    assert sorted((each.value, each.comment) for each in house.server.phase.living()) == [("a", ""), ("b", "")]
    assert KEY not in house.cluster.outside


async def test_an_entry_that_a_person_changed_stays() -> None:
    house = await pushed(policies=DELETE)
    entry = house.server.phase.living()[0]
    entry.value, entry.version, house.server.phase.moved_at = "a person's", 5, house.server.phase.now
    house.places.probe()
    delete(house)
    await house.rest()

    assert house.server.phase.living() == [entry]
    assert isinstance(house.outcomes[KEY], Gone)
    assert any(each.reason == "EntryLeft" and '"/A"' in each.message for each in house.cluster.notices)


async def test_a_resource_that_pushed_nothing_goes_without_a_call() -> None:
    _, [cluster] = world()
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    await house.rest()
    house.server.calls.clear()
    assert KEY not in house.cluster.outside
    house.store.remove(KEY)
    house.wake(KEY)
    await house.rest()

    assert isinstance(house.outcomes[KEY], Gone)
    assert not house.server.calls
    assert not +house.places.kept
    assert house.cluster.left == [KEY]


async def test_a_server_that_is_away_is_waited_for_ten_minutes_and_then_named() -> None:
    house = await pushed(policies=DELETE)
    house.server.refused["delete"] = [Waiting(Reason.ACCESS_DENIED, "Phase answers 403: no", had_no_effect=True)] * 99
    delete(house)
    await house.rest()
    await house.pass_time(570)
    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.REMOVAL_PENDING
    assert KEY in house.cluster.outside

    await house.pass_time(60)
    assert isinstance(house.outcomes[KEY], Gone)
    assert KEY not in house.cluster.outside
    [told] = [each for each in house.cluster.notices if each.reason == "EntriesAbandoned"]
    assert '"/A", "/B"' in told.message
    assert "403" in told.message


async def test_a_token_that_goes_first_does_not_keep_entries() -> None:
    """In a deleted namespace, Secrets may go before resources."""
    house = await pushed(policies=DELETE)
    house.cluster.asker_errors[KEY] = Waiting(Reason.TOKEN_SECRET_NOT_FOUND, "it is gone")
    delete(house)
    await house.rest()

    assert house.server.phase.living() == []
    assert isinstance(house.outcomes[KEY], Gone)


async def test_a_token_whose_owner_refuses_the_host_deletes_no_entries() -> None:
    """The annotation on a token Secret binds whoever still knows the token."""
    house = await pushed(policies=DELETE)
    house.cluster.asker_errors[KEY] = Waiting(Reason.HOST_REFUSED, "the annotation does not list the host")
    delete(house)
    await house.rest()

    assert set(house.cluster.there()) == {"A", "B"}
    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.REMOVAL_PENDING
    assert "does not list the host" in found.message


async def test_a_token_that_cannot_be_read_for_a_moment_is_read_again_in_a_deletion() -> None:
    """Nothing about the token Secret changes, so nobody wakes the resource."""
    before = await pushed(policies=DELETE)
    before.cluster.asker_errors[KEY] = Transient(Reason.KUBERNETES_UNAVAILABLE, "away")
    house = PushHouse(before.cluster)
    delete(house)
    await house.rest()
    assert set(house.cluster.there()) == {"A", "B"}
    house.cluster.asker_errors.clear()
    await house.pass_time(60)

    assert house.server.phase.living() == []
    assert isinstance(house.outcomes[KEY], Gone)


async def test_a_resource_that_lost_its_grant_leaves_its_entries_and_does_not_hang() -> None:
    house = await pushed(policies=DELETE)
    house.cluster.refusals[KEY] = Invalid(Reason.CROSS_NAMESPACE, "no grant (--grant what=push)")
    delete(house)
    calls = house.server.calls.total()
    await house.rest()

    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.REMOVAL_PENDING
    assert "what=push" in found.message
    # Its reference to the token counts no more.
    assert KEY in house.cluster.left
    await house.pass_time(660, step=30)
    assert isinstance(house.outcomes[KEY], Gone)
    assert set(house.cluster.there()) == {"A", "B"}
    assert house.server.calls.total() == calls
    assert any("what=push" in each.message for each in house.cluster.notices)


async def test_a_lost_delete_is_settled_by_a_look() -> None:
    house = await pushed(policies=DELETE)
    house.server.lost["delete"] = [lost()]
    delete(house)
    await house.rest()
    await house.pass_time(30)

    assert house.server.phase.living() == []
    assert house.server.calls["delete"] == 1
    assert isinstance(house.outcomes[KEY], Gone)


async def test_no_call_goes_to_the_host_of_an_earlier_spec() -> None:
    house = await pushed(policies=DELETE)
    house.cluster.resource(named("db", policies=DELETE), ask=ask_of(base_url="https://other.example/service/public"))
    status = dict(house.cluster.statuses[KEY])
    assert status["pushedTo"]["host"] == HOST
    delete(house)
    await house.rest()

    assert len(house.server.phase.living()) == 2
    assert house.server.calls["delete"] == 0
    assert any(each.reason == "EntryLeftAtOtherHost" for each in house.cluster.notices)
    assert isinstance(house.outcomes[KEY], Gone)


@pytest.mark.parametrize("policies", [DELETE, Policies()])
async def test_generated_values_outlive_their_resource(policies: Policies) -> None:
    made = Generated("SESSION", GeneratedKind.PASSWORD)
    house = await pushed(policies=policies, generated=(made,), generate_into="made")
    [home] = house.cluster.stock.homes.values()
    delete(house)
    await house.rest()

    assert isinstance(house.outcomes[KEY], Gone)
    assert list(house.cluster.stock.homes.values()) == [home]
