"""A resource that pushes has its app probed from its first run until it is suspended, refused or gone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Invalid, Transient, Waiting
from phase_operator.core.outcome import Pushed
from phase_operator.core.source.query import Account, AppRef
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.watches import Watch
from support.push_house import HOST, KEY, KIND, PushHouse, ask_of, named, person_makes, world

WATCH = Watch(Account(HOST, "account of shop"), AppRef(id="app"), "production")


async def pushed() -> PushHouse:
    """Return a house that has pushed."""
    _, [cluster] = world()
    cluster.stock.put("db", {"A": b"a"})
    cluster.resource(named("db", interval=90))
    house = PushHouse(cluster)
    await house.rest()
    assert cluster.there().keys() == {"A"}
    return house


async def test_a_push_watches_its_environment_at_its_interval() -> None:
    house = await pushed()

    watch, interval, _ = house.places.watched[KEY]

    assert (watch, interval) == (WATCH, 90)


async def test_a_push_of_another_environment_watches_that() -> None:
    house = await pushed()
    house.cluster.resource(named("db", interval=30), ask=ask_of(environment="staging", spelled="staging"))
    house.show()
    await house.rest()

    watch, interval, _ = house.places.watched[KEY]

    assert (watch, interval) == (replace(WATCH, environment="staging"), 30)


async def test_a_probe_that_shows_no_move_makes_no_push_run() -> None:
    house = await pushed()
    before = house.runs_made
    await house.probe()
    assert house.runs_made > before
    before = house.runs_made

    await house.probe()

    assert house.runs_made == before


def _suspend(house: PushHouse) -> None:
    house.cluster.resource(named("db", is_suspended=True))
    house.show()


def _remove(house: PushHouse) -> None:
    house.store.remove(KEY)
    house.wake(KEY)


def _delete(house: PushHouse) -> None:
    house.show(deleted=house.clock.now())


def _refuse(house: PushHouse) -> None:
    house.cluster.refusals[KEY] = Invalid(Reason.HOST_REFUSED, "no")
    house.wake(KEY)


def _lose_token(house: PushHouse) -> None:
    house.cluster.asker_errors[KEY] = Waiting(Reason.TOKEN_INVALID, "this is no Phase token")
    house.wake(KEY)


@pytest.mark.parametrize("ends", [_suspend, _remove, _delete, _refuse, _lose_token])
async def test_a_push_that_is_over_or_may_not_be_watches_nothing(ends: Callable[[PushHouse], None]) -> None:
    house = await pushed()
    assert house.places.watched.keys() == {KEY}

    ends(house)
    await house.rest()

    assert house.places.watched == {}


@pytest.mark.parametrize("ends", [_suspend, _remove, _refuse])
async def test_a_push_that_is_over_or_may_not_be_is_woken_by_no_source(ends: Callable[[PushHouse], None]) -> None:
    house = await pushed()
    assert house.readers.of(KEY.namespace) is not None

    ends(house)
    await house.rest()

    assert house.readers.of(KEY.namespace) is None


async def test_a_push_whose_token_cannot_be_read_for_a_while_watches_on() -> None:
    house = await pushed()

    house.cluster.asker_errors[KEY] = Transient(Reason.KUBERNETES_UNAVAILABLE, "away")
    house.wake(KEY)
    await house.rest()

    assert house.places.watched.keys() == {KEY}


def _many(number: int, **places: Any) -> PushHouse:
    """Return a process with so many resources that push one entry each; by default all to one environment."""
    _, [cluster] = world()
    for each in range(number):
        cluster.stock.put(f"db-{each}", {f"KEY_{each}": b"v"})
        cluster.resource(named(f"db-{each}"), ObjectKey("shop", f"push-{each:03d}", KIND), **places)
    return PushHouse(cluster)


async def test_one_look_shows_a_change_to_all_who_push_to_an_environment() -> None:
    """Else a change would cost as many looks as there are resources, though there is one source in Phase."""
    house = _many(50)
    await house.rest()
    await house.probe()
    person_makes(house.server, "OTHER", "v")
    before = house.server.calls["look"]

    await house.probe()

    assert house.server.calls["look"] - before == 1
    assert {type(each) for each in house.outcomes.values()} == {Pushed}
    assert len(house.cluster.there()) == 50


async def test_all_looks_of_a_start_are_few() -> None:
    house = _many(50)

    await house.rest()

    assert len(house.cluster.there()) == 50
    assert house.server.calls["post"] == 50
    # One before all of the calls, and one after the last of them; what was asked for meanwhile waits for neither.
    assert house.server.calls["look"] <= 10
    assert house.memory.used == house.kept()


async def test_a_look_is_no_answer_for_another_account_or_environment() -> None:
    _, [cluster] = world()
    others = {
        ObjectKey("elsewhere", "of-another-namespace", KIND): {},
        ObjectKey("shop", "of-staging", KIND): {"ask": ask_of(environment="staging", spelled="Staging")},
        ObjectKey("shop", "of-production", KIND): {},
    }
    for number, (key, fields) in enumerate(others.items()):
        cluster.stock.put("db", {f"KEY_{number}": b"v"}, namespace=key.namespace)
        cluster.resource(named("db"), key, **fields)
    house = PushHouse(cluster)

    await house.rest()

    looked = {key.name: each.look for key, each in house.subjects._subjects.items()}
    assert {name: look.of.environment for name, look in looked.items() if look is not None} == {
        "of-another-namespace": "production",
        "of-staging": "staging",
        "of-production": "production",
    }
    assert house.server.callers["account of elsewhere"] > 0
    assert {type(each) for each in house.outcomes.values()} == {Pushed}
