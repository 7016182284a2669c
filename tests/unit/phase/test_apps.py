"""A name means one app or none; the list behind it is read once for all who ask."""

import asyncio

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.phase.apps import Apps, pick
from phase_operator.phase.nearness import close, hint
from phase_operator.phase.wire import App
from unit.phase.builders import HandClock, Server, answered, app, client, credential, failure, query, refused

HEADER = credential().header


def known(*names: str) -> list[App]:
    return [App(id=f"id-{number}", name=name) for number, name in enumerate(names)]


def apps(server: Server, clock: HandClock | None = None) -> Apps:
    return Apps(client(server), clock or HandClock())


def listed(*names: str) -> dict[str, object]:
    return {"data": [app(name, number) for number, name in enumerate(names, 1)]}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("shop", "id-0", id="exact"),
        pytest.param("SHOP", "id-1", id="exact before case"),
        pytest.param("backend", "id-2", id="case alone"),
        pytest.param("STRASSE", "id-3", id="case of every script"),
    ],
)
def test_a_name_means_the_app_that_is_spelt_so(name: str, found: str) -> None:
    assert pick(name, known("shop", "SHOP", "Backend", "straße")) == found


@pytest.mark.parametrize("name", ["Shop", "twin"])
def test_two_apps_of_a_name_are_ambiguous_and_their_ids_are_told_in_order(name: str) -> None:
    with pytest.raises(Waiting) as caught:
        pick(name, known("shop", "SHOP", "twin", "twin")[::-1])

    assert caught.value.reason is Reason.APP_AMBIGUOUS
    ids = [word for word in caught.value.message.replace('"', " ").replace(",", " ").split() if word.startswith("id-")]
    assert len(ids) == 2
    assert ids == sorted(ids)


def test_part_of_a_name_is_not_the_app_but_tells_it() -> None:
    with pytest.raises(Waiting) as caught:
        pick("back", known("Backend", "Feedback", "shop"))

    assert caught.value.reason is Reason.APP_NOT_FOUND
    assert caught.value.message == 'the account sees no app "back"; did you mean "Backend", "Feedback"?'


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        pytest.param("prod", ["production", "development"], ["production"], id="beginning"),
        pytest.param("developement", ["production", "development"], ["development"], id="slip"),
        pytest.param("shop-eu", ["shop"], ["shop"], id="longer than the app's"),
        pytest.param("a", [f"a{n}" for n in range(9)], ["a4", "a5", "a6", "a7", "a8"], id="at most five"),
        pytest.param("zzz", ["shop"], [], id="nothing comes close"),
        pytest.param("zzz", [""], [], id="an empty name"),
        pytest.param("shop", [], [], id="no names"),
        pytest.param("shop", ["sh\nop\x00s"], ["sh op s"], id="fit to be shown"),
    ],
)
def test_names_that_come_close_are_few_and_sorted(name: str, names: list[str], found: list[str]) -> None:
    assert close(name, names) == found
    assert close(name, reversed(names)) == found
    assert bool(hint(name, names)) == bool(found)


async def test_an_id_is_used_as_the_server_spells_it_without_a_list() -> None:
    server = Server()

    found = await apps(server).id_of(query(app_id="C8A064BE-294C-4B36-A68F-317844E3C789"), HEADER)

    assert found == "c8a064be-294c-4b36-a68f-317844e3c789"
    assert server.requests == []


async def test_a_thousand_who_ask_at_once_cost_one_list() -> None:
    server = Server(apps=listed("shop"))
    found = apps(server)

    ids = await asyncio.gather(*(found.id_of(query(app="shop"), HEADER) for _ in range(1000)))

    assert len(set(ids)) == 1
    assert server.asked("apps") == 1


async def test_a_thousand_who_wait_share_a_failure() -> None:
    server = Server(apps=httpx.ConnectError("no"))
    found = apps(server)

    errors = await asyncio.gather(
        *(found.id_of(query(app="shop"), HEADER) for _ in range(1000)), return_exceptions=True
    )

    assert {type(error) for error in errors} == {Transient}
    assert server.asked("apps") == 1


async def test_a_failure_is_not_kept_for_who_asks_later() -> None:
    server = Server(apps=httpx.ConnectError("no"))
    found = apps(server)
    await failure(found.id_of(query(app="shop"), HEADER))
    server.answers["apps"] = listed("shop")

    assert await found.id_of(query(app="shop"), HEADER)


async def test_one_who_gives_up_does_not_take_the_others_along() -> None:
    reached = asyncio.Event()
    go_on = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        reached.set()
        await go_on.wait()
        return answered(listed("shop"))

    found = apps(Server(apps=slow))
    first, second = (asyncio.create_task(found.id_of(query(app="shop"), HEADER)) for _ in range(2))
    await reached.wait()
    first.cancel()
    go_on.set()

    assert await second
    assert first.cancelled()


async def test_accounts_and_hosts_do_not_share_a_list() -> None:
    server = Server(apps=listed("shop"))
    found = apps(server)

    await found.id_of(query(app="shop"), HEADER)
    await found.id_of(query(app="shop", account="other"), HEADER)
    await found.id_of(query(app="shop", base_url="https://other.test"), HEADER)

    assert server.asked("apps") == 3
    assert server.requests[2].url.host == "other.test"


@pytest.mark.parametrize(
    ("seconds", "name", "lists"),
    [
        pytest.param(299.0, "shop", 1, id="kept"),
        pytest.param(301.0, "shop", 2, id="too old"),
        pytest.param(9.0, "new", 1, id="missing, but just read"),
        pytest.param(11.0, "new", 2, id="missing, may be new"),
        pytest.param(11.0, "twin", 2, id="ambiguous, may be mended"),
    ],
)
async def test_a_list_is_read_again_when_it_may_have_changed(seconds: float, name: str, lists: int) -> None:
    clock = HandClock()
    server = Server(apps=listed("shop", "twin", "twin"))
    found = apps(server, clock)
    await found.id_of(query(app="shop"), HEADER)
    clock.seconds += seconds

    await asyncio.gather(found.id_of(query(app=name), HEADER), return_exceptions=True)

    assert server.asked("apps") == lists


async def test_an_app_made_since_is_found() -> None:
    clock = HandClock()
    server = Server(apps=listed("shop"))
    found = apps(server, clock)
    await failure(found.id_of(query(app="new"), HEADER))
    clock.seconds += 11
    server.answers["apps"] = listed("shop", "new")

    assert await found.id_of(query(app="new"), HEADER) == app("new", 2)["id"]


async def test_a_failure_on_behalf_of_a_new_name_does_not_hurt_the_known_ones() -> None:
    clock = HandClock()
    server = Server(apps=listed("shop"))
    found = apps(server, clock)
    await found.id_of(query(app="shop"), HEADER)
    clock.seconds += 11
    server.answers["apps"] = httpx.ConnectError("no")
    await failure(found.id_of(query(app="new"), HEADER))

    assert await found.id_of(query(app="shop"), HEADER)


async def test_a_list_that_named_a_lost_app_is_read_again() -> None:
    server = Server(apps=listed("shop"))
    found = apps(server)
    await found.id_of(query(app="shop"), HEADER)

    found.forget(query(app="shop"))
    await found.id_of(query(app="shop"), HEADER)

    assert server.asked("apps") == 2


async def test_a_wrong_id_says_nothing_about_the_list() -> None:
    server = Server(apps=listed("shop"))
    found = apps(server)
    await found.id_of(query(app="shop"), HEADER)

    found.forget(query(app_id="wrong"))
    await found.id_of(query(app="shop"), HEADER)

    assert server.asked("apps") == 1


async def test_a_role_that_may_not_list_apps_is_told_both_cures() -> None:
    server = Server(apps=refused(403, "You don't have permission to read apps."))

    error = await failure(apps(server).id_of(query(app="shop"), HEADER))

    assert (type(error), error.reason) == (Waiting, Reason.ACCESS_DENIED)
    assert "You don't have permission to read apps." in error.message
    assert "spec.phaseAppId" in error.message
    assert "Apps: read" in error.message


async def test_a_bad_token_is_not_told_to_use_an_id() -> None:
    server = Server(apps=refused(401, "Token expired or deleted"))

    error = await failure(apps(server).id_of(query(app="shop"), HEADER))

    assert error.message == "Phase answers 401: Token expired or deleted"


async def test_a_server_that_knows_no_list_of_apps_is_told_by_its_age() -> None:
    server = Server(apps=httpx.Response(404, headers={"content-type": "text/html"}))

    error = await failure(apps(server).id_of(query(app="shop"), HEADER))

    assert (type(error), error.reason) == (Transient, Reason.UNEXPECTED_ANSWER)
    assert "spec.phaseAppId" in error.message
