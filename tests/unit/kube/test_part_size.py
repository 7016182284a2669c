"""Lists are read in parts whose size in bytes is bounded, however large tenants make their objects."""

import asyncio
import json
import tracemalloc
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import ClientSession, web

from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.listing import items, read_page
from phase_operator.kube.part_size import LONGEST_LIST, PartSize
from unit.kube.test_client import served

PATH = "/apis/secrets.phase.dev/v1alpha1/phasesecrets"
MIB = 1024 * 1024
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def lists(*sizes: int) -> Handle:
    """Serve objects of these sizes as a list, in parts as the API server makes them; none is held as a whole."""

    async def handle(request: web.Request) -> web.StreamResponse:
        first = int(request.query.get("continue") or "0")
        last = min(len(sizes), first + int(request.query["limit"]))
        more = str(last) if last < len(sizes) else ""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        # Whoever asks reads no more of an answer that is too long.
        with suppress(ConnectionError):
            await send(request, response, first, last, more)
        return response

    async def send(request: web.Request, response: web.StreamResponse, first: int, last: int, more: str) -> None:
        await response.prepare(request)
        await response.write(b'{"metadata": %s, "items": [' % json.dumps(_metadata(more)).encode())
        for number in range(first, last):
            metadata = json.dumps({"name": str(number)}).encode()
            padding = b"x" * sizes[number]
            comma = b"," if number > first else b""
            await response.write(comma + b'{"metadata": ' + metadata + b', "spec": "' + padding + b'"}')
        await response.write(b"]}")

    return handle


def _metadata(more: str) -> dict[str, str]:
    return {"resourceVersion": "1", "continue": more}


async def names(client: KubeClient) -> list[str]:
    return [each["metadata"]["name"] async for each in items(client, PATH)]


async def names_for_kopf(session: ClientSession) -> tuple[list[str], int]:
    """Return the names that kopf finds, which asks as its `fetch_objs` does, and the length of the longest answer."""
    found: list[str] = []
    longest, query = 0, {"limit": "500"}
    while True:
        async with session.get(PATH, params=query) as answer:
            longest = max(longest, len(await answer.read()))
            document = await answer.json()
            assert await answer.json() is document, "it is parsed once"
        found += [each["metadata"]["name"] for each in document["items"]]
        if not document["metadata"]["continue"]:
            return found, longest
        query["continue"] = document["metadata"]["continue"]


LARGE = [MIB] * 40


async def test_a_list_of_large_objects_is_read_in_small_parts() -> None:
    async with served(lists(*LARGE)) as client:
        tracemalloc.start()
        found = await names(client)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert found == [str(number) for number in range(40)]
    assert peak < 5 * LONGEST_LIST


async def test_the_watch_engine_lists_large_objects_in_small_parts() -> None:
    async with served(lists(*LARGE)) as client, client.session_for_watching(lambda: None) as session:
        found, longest = await names_for_kopf(session)

    assert found == [str(number) for number in range(40)]
    assert longest <= LONGEST_LIST


async def test_the_objects_of_a_list_are_taken_on_their_way_to_the_watch_engine_or_left_to_it() -> None:
    events: list[str] = []

    def take(found: Mapping[str, Any]) -> bool:
        events.append(found["metadata"]["name"])
        return found["metadata"]["name"] not in {"7", "39"}

    async def others() -> None:
        while True:
            events.append("others")
            await asyncio.sleep(0)

    taken = {PATH: take}
    async with served(lists(*LARGE)) as client, client.session_for_watching(lambda: None, taken=taken) as session:
        other = asyncio.create_task(others())
        found, longest = await names_for_kopf(session)
        other.cancel()

    assert (found, longest <= LONGEST_LIST) == (["7", "39"], True)
    assert [each for each in events if each != "others"] == [str(number) for number in range(40)]
    following = dict(pairwise(events))
    assert {following[str(number)] for number in range(40)} == {"others"}, "others have a turn after each object"


async def test_the_objects_of_other_lists_are_left_to_the_watch_engine() -> None:
    taken = {f"{PATH}s": lambda _: pytest.fail("it is of another list")}
    async with served(lists(10, 10)) as client, client.session_for_watching(lambda: None, taken=taken) as session:
        assert (await names_for_kopf(session))[0] == ["0", "1"]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (410, '{"kind": "Status", "code": 410, "reason": "Expired"}'),
        (500, "no JSON"),
        (200, "[1, 2]"),
        (200, '{"items": null}'),
        (200, '{"items": [null, 3]}'),
    ],
)
async def test_an_answer_without_objects_reaches_the_watch_engine_as_it_is(status: int, text: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type="application/json")

    taken = {PATH: lambda _: pytest.fail("it is no object")}
    async with (
        served(answer) as client,
        client.session_for_watching(lambda: None, taken=taken) as session,
        session.get(PATH, params={"limit": "500"}) as response,
    ):
        assert (response.status, await response.text()) == (status, text)


async def test_an_object_that_is_larger_than_a_part_may_be_is_read_by_itself() -> None:
    sizes = [10, 10, 2 * LONGEST_LIST, 10]
    async with served(lists(*sizes)) as client, client.session_for_watching(lambda: None) as session:
        assert await names(client) == ["0", "1", "2", "3"]
        assert (await names_for_kopf(session))[0] == ["0", "1", "2", "3"]


def test_after_large_objects_parts_grow_to_their_first_size_again() -> None:
    size = PartSize(500)
    for _ in range(5):
        size.was_too_long()
    assert (size.now, size.limit) == (1, None)
    for _ in range(9):
        size.was_read()

    assert (size.now, size.limit) == (500, LONGEST_LIST)


async def test_a_list_that_takes_too_long_is_asked_for_in_smaller_parts_next_time() -> None:
    size = PartSize(500)

    async def refuse(_: web.Request) -> web.StreamResponse:
        raise ConnectionResetError

    async with served(refuse) as client:
        with pytest.raises(ApiError):
            await read_page(client, PATH, "", size, accept="application/json")

    assert size.now == 62
