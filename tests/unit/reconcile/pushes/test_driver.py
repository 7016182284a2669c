"""The shell of a push: its entries at Phase, few calls, none without an announcement, none for what has not changed."""

from dataclasses import replace

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasepushsecret import UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.outcome import Failed, PushedSource, Suspended
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.ledger import RowState
from phase_operator.core.push.marks import Mark, with_mark
from phase_operator.core.refs import Kind
from phase_operator.core.source.query import AppRef
from support.push_api import lost
from support.push_house import AT, KEY, PushHouse, ask_of, data, named, person_makes, pushing, said, world

DELETE = Policies(deletion=DeletionPolicy.DELETE)
STAGING = AT._replace(environment="staging")


async def test_a_secret_is_pushed_and_told() -> None:
    house = await pushing()

    assert house.cluster.there() == {"K0000": "v-0", "K0001": "v-1"}
    assert (said(house).ready, said(house).reason, said(house).message) == (
        True,
        Reason.SYNCED,
        "2 entries are in step",
    )
    assert replace(said(house).sources[0], version="") == PushedSource("Secret", "db", "", 2)
    assert house.pushed == {"post": 2}


@pytest.mark.parametrize(("number", "posts"), [(1, 1), (100, 2), (1000, 16)])
async def test_many_entries_are_few_calls(number: int, posts: int) -> None:
    """A look before and one after, each with a probe; whoever probes for others makes two more calls at first."""
    _, [cluster] = world()
    cluster.stock.put("db", data(number))
    cluster.resource(named("db"), ask=ask_of(app=AppRef(name="shop")))
    house = PushHouse(cluster)

    await house.rest()

    assert len(cluster.there()) == number
    assert dict(house.server.calls) == {"apps": 1, "environments": 2, "look": 2, "post": posts}
    assert sum(house.server.calls.values()) <= 25 - 2
    assert cluster.stock.reads["shop/db"] == 1


async def test_nothing_that_has_changed_is_no_call_and_no_read_of_values() -> None:
    house = await pushing()
    await house.probe()
    before, reads = dict(house.server.calls), dict(house.cluster.stock.reads)

    for _ in range(5):
        await house.probe()
        await house.pass_time(120)

    assert (dict(house.server.calls), dict(house.cluster.stock.reads)) == (before, reads)


async def test_a_rotated_source_changes_what_differs_at_once() -> None:
    house = await pushing(3)
    house.server.calls.clear()

    house.cluster.stock.put("db", data(3) | {"K0001": b"rotated"})
    readers = house.readers.of("shop")
    assert readers is not None
    for key in readers.seen((Kind.SECRET, "db"), {}, 1):
        house.wake(key)
    await house.rest()

    assert house.cluster.there() == {"K0000": "v-0", "K0001": "rotated", "K0002": "v-2"}
    assert house.server.calls["put"] == 1
    assert {each.version for each in house.server.phase.living()} == {1, 2}
    assert said(house).ready


async def test_a_source_that_moves_with_the_same_values_is_no_write() -> None:
    house = await pushing()
    house.server.calls.clear()

    house.cluster.stock.put("db", data(2))
    house.wake(KEY)
    await house.rest()

    assert house.server.calls["put"] == 0
    assert said(house).ready


async def test_an_edit_in_phase_is_undone_after_the_next_probe() -> None:
    house = await pushing()
    await house.probe()
    [first, _] = house.server.phase.living()
    first.value, first.version, house.server.phase.moved_at = "a person's", 7, house.server.phase.now

    house.wake(KEY)
    await house.rest()
    assert house.cluster.there()["K0000"] == "a person's"
    house.server.calls.clear()
    await house.probe()

    assert house.cluster.there()["K0000"] == "v-0"
    assert said(house).ready
    assert house.server.calls == {"environments": 2, "look": 2, "put": 1}


async def test_an_old_probe_makes_no_second_look() -> None:
    """Our own writes move the revision: a probe from before them says nothing."""
    house = await pushing()
    house.places.probe()
    house.cluster.stock.put("db", data(2, "new"))
    house.wake(KEY)
    await house.rest()
    looks = house.server.calls["look"]

    for _ in range(5):
        house.wake(KEY)
        await house.rest()

    assert house.server.calls["look"] == looks


async def test_a_probe_that_is_forgotten_makes_no_look() -> None:
    house = await pushing()
    await house.probe()
    looks = house.server.calls["look"]

    house.places.probed = None
    house.wake(KEY)
    await house.rest()

    assert house.server.calls["look"] == looks


async def test_an_entry_that_somebody_deleted_is_made_again_and_told() -> None:
    house = await pushing()
    house.server.phase.delete(house.server.phase.living()[0])
    await house.probe()

    assert len(house.cluster.there()) == 2
    assert [each.message for each in house.cluster.notices if each.reason == "EntryRestored"] == [
        'somebody had deleted "/K0000" in Phase: it is made again'
    ]


async def test_entries_of_others_are_told_and_not_touched() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(2))
    theirs = person_makes(cluster.server, "K0000", "a person's")
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    await house.rest()

    assert (theirs.value, theirs.version, theirs.comment) == ("a person's", 1, "")
    assert cluster.there() == {"K0001": "v-1"}
    assert said(house).reason is Reason.ENTRY_CONFLICT

    # What is told stays told, whenever it runs again: nothing is taken for settled.
    house.wake(KEY)
    await house.rest()
    assert said(house).reason is Reason.ENTRY_CONFLICT

    cluster.resource(named("db", policies=Policies(UpdatePolicy.REPLACE)))
    house.wake(KEY)
    await house.rest()
    assert cluster.there() == {"K0000": "v-0", "K0001": "v-1"}


async def test_entries_that_if_not_exists_keeps_are_not_told_to_be_in_step() -> None:
    house = await pushing(3)
    house.cluster.resource(named("db", policies=Policies(UpdatePolicy.IF_NOT_EXISTS)))
    house.cluster.stock.put("db", data(3) | {"K0001": b"rotated"})
    house.wake(KEY)
    await house.rest()

    assert house.cluster.there()["K0001"] == "v-1"
    assert (said(house).ready, said(house).in_step) == (True, 2)
    assert said(house).message == (
        "2 entries are in step; 1 entry stays as it is, since updatePolicy: IfNotExists changes none"
    )


async def test_two_clusters_that_want_one_entry_are_told_who_has_it() -> None:
    server, [east, west] = world("east", "west")
    for each in (east, west):
        each.stock.put("db", {"SHARED": each.name.encode(), each.name: b"own"})
        each.resource(named("db"))
    first, second = PushHouse(east), PushHouse(west)
    await first.rest()
    await second.rest()
    for _ in range(3):
        await first.probe()
        await second.probe()

    assert east.there() == {"SHARED": "east", "EAST": "own"}
    assert west.there() == {"WEST": "own"}
    assert said(first).ready
    assert said(second).reason is Reason.ENTRY_CONFLICT
    assert "it is kept by east/shop/to-phase" in said(second).message
    assert [each.version for each in server.phase.living()] == [1, 1, 1]


async def test_an_entry_that_phase_refuses_is_set_aside_and_holds_up_no_other() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(100))
    cluster.server.poison = "K0007"
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    await house.rest()
    await house.pass_time(1800)

    assert len(cluster.there()) == 99
    assert (said(house).reason, "K0007" in said(house).message) == (Reason.REQUEST_REFUSED, True)
    assert sum(house.server.calls.values()) < 60

    # Another value is another try.
    cluster.server.poison = ""
    cluster.stock.put("db", data(100, "new"))
    house.wake(KEY)
    await house.rest()
    assert len(cluster.there()) == 100


async def test_a_suspended_resource_does_nothing() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(1))
    cluster.resource(named("db", is_suspended=True))
    house = PushHouse(cluster)
    await house.rest()

    assert isinstance(house.outcomes[KEY], Suspended)
    assert not house.server.calls
    assert not cluster.stock.reads


async def test_an_encrypted_app_is_refused_by_name() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(1))
    cluster.resource(named("db"), ask=ask_of(app=AppRef(name="vault")))
    house = PushHouse(cluster)
    await house.rest()
    house.wake(KEY)
    await house.rest()

    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.APP_ENCRYPTED
    assert house.server.calls == {"apps": 1}


@pytest.mark.parametrize("call", ["environments", "look"])
async def test_an_encrypted_app_that_is_named_by_its_id_is_refused_with_what_helps_a_push(call: str) -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(1))
    cluster.resource(named("db"))
    told = "Phase answers 400: SSE is not enabled for this App; store the full token"
    cluster.server.refused[call] = [Waiting(Reason.APP_ENCRYPTED, told, had_no_effect=True)]
    house = PushHouse(cluster)
    await house.rest()

    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.APP_ENCRYPTED
    assert found.message == (
        'app id "app" is end-to-end encrypted, and entries of such apps are not pushed; enable SSE for it, or use an '
        "app that has it"
    )
    await house.pass_time(30)
    assert said(house).ready


async def test_an_environment_that_is_not_there_is_told_in_the_words_of_the_spec() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(1))
    cluster.resource(named("db"), ask=ask_of(app=AppRef(name="shop"), environment="prod", spelled="Prod"))
    house = PushHouse(cluster)
    await house.rest()

    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.ENVIRONMENT_NOT_FOUND
    assert found.message.startswith('app "shop" has no environment "Prod"')


async def test_refused_calls_are_spaced_and_announce_nothing_meanwhile() -> None:
    """A refused account costs a call every five minutes in the end, and a status is not written for it in between."""
    _, [cluster] = world()
    cluster.stock.put("db", data(1))
    cluster.resource(named("db"))
    denied: list[ExpectedError] = [
        Waiting(Reason.ACCESS_DENIED, "Phase answers 403: no", had_no_effect=True) for _ in range(500)
    ]
    cluster.server.refused["post"] = denied
    house = PushHouse(cluster)
    await house.rest()
    await house.pass_time(3600)

    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is Reason.ACCESS_DENIED
    assert house.server.calls["post"] <= 20
    assert cluster.ledgers_written <= 2 * house.server.calls["post"] + 2

    denied.clear()
    await house.pass_time(600)
    assert cluster.there() == {"K0000": "v-0"}


async def test_a_lost_answer_is_looked_for_and_never_repeated_blindly() -> None:
    _, [cluster] = world()
    cluster.stock.put("db", data(2))
    cluster.resource(named("db"))
    cluster.server.lost["post"] = [lost()]
    house = PushHouse(cluster)
    await house.rest()

    assert cluster.there() == {"K0000": "v-0", "K0001": "v-1"}
    assert house.server.calls["post"] == 1
    assert said(house).ready


async def test_half_a_batch_is_mended_after_the_last_look() -> None:
    """Of what the server did not do, only a look after two minutes proves that it will not."""
    _, [cluster] = world()
    cluster.stock.put("db", data(3))
    cluster.resource(named("db"))
    cluster.server.half["post"] = [lost()]
    house = PushHouse(cluster)
    await house.rest()
    await house.pass_time(120)
    assert len(cluster.there()) == 1
    assert house.server.calls["post"] == 1
    assert said(house).reason is Reason.ENTRIES_UNCLEAR

    await house.pass_time(60)
    assert len(cluster.there()) == 3
    assert house.server.calls["look"] <= 8
    assert said(house).ready


async def test_another_environment_is_begun_when_the_one_before_is_left() -> None:
    house = await pushing()
    cluster = house.cluster
    cluster.resource(named("db", policies=DELETE), ask=ask_of(environment="staging", spelled="Staging"))
    house.wake(KEY)
    await house.rest()

    assert cluster.there() == {}
    assert len(cluster.there(AT._replace(environment="staging"))) == 2
    assert said(house).ready


@pytest.mark.parametrize("reason", [Reason.ENVIRONMENT_NOT_FOUND, Reason.APP_NOT_FOUND, Reason.ACCESS_DENIED])
async def test_an_environment_that_is_shut_holds_a_push_to_another_one_up_for_ten_minutes(reason: Reason) -> None:
    house = await pushing()
    house.server.refused["environments"] = [Waiting(reason, "it is not there", had_no_effect=True)] * 8
    house.cluster.resource(named("db", policies=DELETE), ask=ask_of(environment="staging", spelled="Staging"))
    house.wake(KEY)
    await house.rest()
    await house.pass_time(300)
    found = house.outcomes[KEY]
    assert isinstance(found, Failed)
    assert found.reason is reason
    assert not house.cluster.there(STAGING)

    await house.pass_time(330)

    assert len(house.cluster.there(STAGING)) == 2
    assert said(house).ready
    assert [each.message for each in house.cluster.notices if each.reason == "EntriesAbandoned"] == [
        'the spec names another place, and Phase shows the one before no more: "/K0000", "/K0001" stays there'
    ]


async def test_a_phase_that_is_away_holds_a_push_to_another_environment_up_until_it_is_back() -> None:
    house = await pushing()
    house.server.refused["environments"] = [Transient(Reason.PHASE_UNAVAILABLE, "it is away")] * 9
    house.cluster.resource(named("db", policies=DELETE), ask=ask_of(environment="staging", spelled="Staging"))
    house.wake(KEY)
    await house.rest()
    await house.pass_time(3600, 30)

    assert len(house.cluster.there(STAGING)) == 2
    assert not house.cluster.there()
    assert said(house).ready


async def test_a_ledger_that_somebody_else_wrote_is_read_again() -> None:
    """A 409 of the API server: what is announced there counts, and nothing is sent on what we thought."""
    house = await pushing()
    cluster = house.cluster
    cluster.stock.put("db", data(3))
    status = dict(cluster.statuses[KEY])
    cluster.statuses[KEY] = status | {"entries": status["entries"][:1]}
    house.server.calls.clear()
    house.wake(KEY)
    await house.rest()

    assert isinstance(house.outcomes[KEY], Failed)
    assert house.server.calls["post"] == house.server.calls["put"] == 0

    await house.pass_time(400)
    assert cluster.there() == {"K0000": "v-0", "K0001": "v-1", "K0002": "v-2"}
    assert {each.state for each in cluster.ledger().rows.values()} == {RowState.MADE}


async def test_an_entry_that_phase_does_not_change_is_not_deleted_for_that() -> None:
    house = await pushing()
    house.cluster.resource(named("db", policies=DELETE))
    house.server.poison = "K0000"
    house.cluster.stock.put("db", data(2, "new"))
    house.wake(KEY)
    await house.rest()
    await house.pass_time(600)

    assert house.cluster.there() == {"K0000": "v-0", "K0001": "new-1"}
    assert said(house).reason is Reason.REQUEST_REFUSED


async def test_an_entry_that_another_cluster_took_meanwhile_stays_told() -> None:
    """Its row goes, and a source that was settled with it must not be taken for settled without it."""
    house = await pushing()
    server = house.server
    [first, _] = server.phase.living()
    house.clock.turn(1)
    server.phase.delete(first)
    person_makes(server, "K0000", "theirs", with_mark("", Mark("west", "shop", "to-phase")))

    for _ in range(3):
        await house.probe()
        assert said(house).reason is Reason.ENTRY_CONFLICT
        assert "west/shop/to-phase" in said(house).message
    assert house.cluster.there() == {"K0001": "v-1"}
