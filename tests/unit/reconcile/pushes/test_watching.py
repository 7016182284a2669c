"""A resource that pushes has its app probed from its first run until it is suspended, refused or gone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Invalid, Transient, Waiting
from phase_operator.core.source.query import Account, AppRef
from phase_operator.reconcile.polling.watches import Watch
from support.push_house import HOST, KEY, PushHouse, ask_of, named, world

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
