"""In a list of namespaces, kopf's one watch of a kind shows what the watches of all of them show."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, cast

import aiohttp
import pytest
from kopf._cogs.clients.api import iter_jsonlines
from yarl import URL

from phase_operator.core.flow.paced_events import MOST_BYTES, OBJECT_BURST, OBJECT_PAUSE
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.merged_watch import MergedWatch
from phase_operator.kube.own_writes import OwnVersions
from phase_operator.kube.watch import WHOLE, Callbacks, Collection, CollectionWatch
from phase_operator.kube.watch_content import is_news
from phase_operator.reconcile.internal_errors import InternalErrors
from support.clock import HandClock, settle

PLURAL = "phasesecrets"


def thing(namespace: str, name: str, version: str = "1", **spec: object) -> dict[str, Any]:
    """Return an object as the API server shows it."""
    metadata = {"namespace": namespace, "name": name, "uid": name, "resourceVersion": version}
    return {"apiVersion": "example/v1", "kind": "Thing", "metadata": metadata | {"managedFields": [{}]}, "spec": spec}


class Team:
    """The objects of a namespace, and the events that its watches show."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = list(objects)
        self.status = 200
        self.lists = 0
        self.watching: list[asyncio.Queue[dict[str, Any]]] = []

    def show(self, change: str, found: dict[str, Any]) -> None:
        """Show an event."""
        for each in self.watching:
            each.put_nowait({"type": change, "object": found})

    @property
    def unread(self) -> int:
        """How many events no watch has read."""
        return sum(each.qsize() for each in self.watching)


class Stage:
    """An API server with some namespaces, and kopf's watch of all of them."""

    def __init__(self, **teams: Team) -> None:
        self.teams = teams
        self.listing = asyncio.Semaphore(1)
        self.own = OwnVersions()
        self.lists = 0
        self.goes_on = asyncio.Event()
        self.merged = MergedWatch()
        self.merged.watches += [self._watch(name) for name in teams]

    def _watch(self, namespace: str) -> CollectionWatch:
        async def may_read(_: str) -> None:
            await self.merged.room()

        return CollectionWatch(
            cast("KubeClient", self),
            Collection(f"{PLURAL} in {namespace}", namespace, namespace, form=WHOLE),
            Callbacks(self.merged, lambda _: None, lambda: None, self.merged.not_found, may_read),
            HandClock(),
            InternalErrors(),
            self._sleep,
        )

    async def _sleep(self, _: float) -> None:
        await self.goes_on.wait()

    async def request(self, _: str, path: str, **asked: object) -> dict[str, Any]:
        """Answer a list, or refuse it."""
        assert asked["accept"] == "application/json"
        team = self.teams[path]
        team.lists += 1
        if team.status != 200:
            raise ApiError(team.status, "Refused", "")
        return {"metadata": {"resourceVersion": "1"}, "items": team.objects}

    @asynccontextmanager
    async def watch(self, path: str, *_: object) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Open a watch."""
        shown: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def follow() -> AsyncIterator[dict[str, Any]]:
            while True:
                yield await shown.get()

        self.teams[path].watching.append(shown)
        try:
            yield follow()
        finally:
            self.teams[path].watching.remove(shown)

    def opened(self) -> aiohttp.ClientResponse:
        """Let kopf open its watch."""
        loop = asyncio.get_running_loop()
        request: Any = type("Request", (), {"method": "GET", "url": URL("/"), "loop": loop, "session": None})
        request.session = type("Session", (), {"_resolve_charset": None})
        return self.merged.answer(request, self._listed, partial(is_news, self.own.shown_by, self.own.has))

    def _listed(self) -> None:
        self.lists += 1

    @contextmanager
    def watched(self) -> Iterator["Kopf"]:
        """Let kopf watch while the block lasts."""
        answer = self.opened()
        try:
            yield Kopf(answer)
        finally:
            answer.close()


class Kopf:
    """Reads lines as kopf does, when it is told to."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._lines = iter_jsonlines(answer.content)

    async def one(self) -> str:
        """Return the next event in short: its type, and its object at its version."""
        async with asyncio.timeout(5):
            event = json.loads(await anext(self._lines))
        metadata = event["object"].get("metadata", {})
        if not metadata:
            return f"{event['type']} {event['object']['code']}"
        assert "managedFields" not in metadata
        place = f"{metadata['namespace']}/{metadata['name']}:" if "name" in metadata else ""
        return f"{event['type']} {place}{metadata['resourceVersion']}"

    async def some(self, number: int) -> list[str]:
        """Return so many events."""
        return [await self.one() for _ in range(number)]

    async def ended(self) -> bool:
        """Return whether the watch has ended."""
        async with asyncio.timeout(5):
            return await anext(self._lines, None) is None


BEGIN = "BOOKMARK 0"


async def test_kopf_sees_first_what_there_is_in_each_namespace_and_then_what_changes() -> None:
    stage = Stage(a=Team(thing("a", "one"), thing("a", "two")), b=Team(thing("b", "one")))
    with stage.watched() as kopf:
        first = await kopf.some(4)
        assert (first[0], sorted(first[1:])) == (BEGIN, [f"MODIFIED {each}:1" for each in ("a/one", "a/two", "b/one")])
        await settle()
        stage.teams["b"].show("ADDED", thing("b", "two", "5"))
        stage.teams["a"].show("DELETED", thing("a", "one", "6"))
        assert sorted(await kopf.some(2)) == ["DELETED a/one:6", "MODIFIED b/two:5"]
    # What has gone while nobody looked is found by a comparison, one for each list.
    assert stage.lists == 2


async def test_kopf_gets_a_bookmark_in_place_of_our_own_status_write() -> None:
    stage = Stage(a=Team(thing("a", "one")))
    with stage.watched() as kopf:
        await kopf.some(2)
        await settle()
        stage.own.add(thing("a", "one", "7"))
        stage.teams["a"].show("MODIFIED", thing("a", "one", "7"))
        assert await kopf.one() == "BOOKMARK 7"


@pytest.mark.parametrize("status", [403, 500, 0])
async def test_a_namespace_that_cannot_be_read_affects_no_other(status: int) -> None:
    stage = Stage(a=Team(thing("a", "one")), b=Team(thing("b", "one")))
    stage.teams["a"].status = status
    with stage.watched() as kopf:
        assert await kopf.some(2) == [BEGIN, "MODIFIED b/one:1"]
        await settle()
        # A refusal is reported with its namespace.
        assert (stage.merged.problem() is None) == (status == 403)
        assert stage.merged.problem({"a"}) is None

        stage.teams["a"].status = 200
        stage.goes_on.set()
        assert await kopf.one() == "MODIFIED a/one:1"
        assert stage.merged.problem() is None


async def test_every_watch_of_kopf_begins_with_all_there_is() -> None:
    """What an earlier watch showed may not have been handled when that ended."""
    stage = Stage(a=Team(thing("a", "one")))
    with stage.watched() as kopf:
        await kopf.some(2)
    with stage.watched() as kopf:
        assert await kopf.some(2) == [BEGIN, "MODIFIED a/one:1"]
        await settle()
        assert len(stage.teams["a"].watching) == 1


async def test_a_watch_that_kopf_opens_again_ends_the_one_before() -> None:
    stage = Stage(a=Team(thing("a", "one")))
    with stage.watched() as before:
        await before.one()
        with stage.watched() as kopf:
            assert await kopf.some(2) == [BEGIN, "MODIFIED a/one:1"]
            await settle()
            assert len(stage.teams["a"].watching) == 1
            assert await before.ended()


async def test_nothing_is_watched_once_kopf_has_closed_its_watch() -> None:
    stage = Stage(a=Team(), b=Team())
    with stage.watched() as kopf:
        await kopf.one()
        reading = asyncio.create_task(kopf.ended())
        await settle()
        assert [len(each.watching) for each in stage.teams.values()] == [1, 1]
    await settle()

    assert [len(each.watching) for each in stage.teams.values()] == [0, 0]
    assert await reading
    assert stage.merged.problem() is None


async def test_a_kind_that_is_not_there_any_more_ends_the_watch_after_what_was_shown() -> None:
    stage = Stage(a=Team(thing("a", "one")), b=Team())
    stage.teams["b"].status = 404
    with stage.watched() as kopf:
        await settle()
        assert await kopf.some(3) == [BEGIN, "MODIFIED a/one:1", "ERROR 404"]
        assert await kopf.ended()


async def test_namespaces_take_turns_and_one_that_edits_without_end_delays_itself() -> None:
    stage, clock = Stage(a=Team(), b=Team()), HandClock()
    with clock.driving(), stage.watched() as kopf:
        await kopf.one()
        await settle()
        for number in range(50):
            stage.teams["a"].show("MODIFIED", thing("a", f"many-{number}"))
        stage.teams["b"].show("MODIFIED", thing("b", "one"))
        await settle()
        assert "MODIFIED b/one:1" in await kopf.some(2)
        assert len(set(await kopf.some(49))) == 49

        for number in range(3 * OBJECT_BURST):
            stage.teams["a"].show("MODIFIED", thing("a", "busy", str(number)))
            await settle()
            if number < OBJECT_BURST:
                await kopf.one()
        stage.teams["b"].show("MODIFIED", thing("b", "two"))
        await settle()
        assert await kopf.one() == "MODIFIED b/two:1"
        clock.turn(OBJECT_PAUSE)
        assert await kopf.one() == f"MODIFIED a/busy:{3 * OBJECT_BURST - 1}"


async def test_no_more_is_read_than_can_be_kept_until_kopf_takes_some() -> None:
    stage = Stage(a=Team(), b=Team())
    large = "x" * (MOST_BYTES // 8)
    with stage.watched() as kopf:
        await kopf.one()
        await settle()
        for number in range(20):
            stage.teams["a"].show("MODIFIED", thing("a", f"large-{number}", text=large))
        await settle()
        assert stage.teams["a"].unread == 12

        found = await kopf.some(20)

        assert sorted(found) == sorted(f"MODIFIED a/large-{number}:1" for number in range(20))
        assert stage.teams["a"].unread == 0
