"""While the API server is gone, watches try it one after another, however many there are; then all go on at once."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio import client as aio

from phase_operator.kube.client import METADATA, KubeClient
from phase_operator.kube.errors import ApiError

WATCHES = 60
# Seconds in which attempts are counted; a slow machine makes fewer of them.
WHILE = 0.5


@asynccontextmanager
async def nobody() -> AsyncIterator[tuple[KubeClient, socket.socket]]:
    """Give a client of an API server that is not there, and the socket that it will have: nobody listens on it yet."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = KubeClient(aio.Configuration(host=f"http://127.0.0.1:{taken.getsockname()[1]}"), lambda *_: None)
        try:
            yield client, taken
        finally:
            await client.close()


class Watches:
    """Watches that are opened again at once whenever they fail, as if each had waited for long already."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self.attempts = 0

    async def opened(self, number: int) -> None:
        """Open a watch, however often that takes."""
        path = f"/api/v1/namespaces/n{number}/secrets"
        while True:
            self.attempts += 1
            with suppress(ApiError):
                async with self._client.watch(path, [("watch", "true")], METADATA):
                    return

    async def opened_by_kopf(self, number: int) -> None:
        """Open a watch as kopf does, in a session with paces of its own."""
        path = f"/apis/secrets.phase.dev/v1alpha1/namespaces/n{number}/phasesecrets"
        async with self._client.session_for_watching(lambda: None) as session:
            while True:
                self.attempts += 1
                with suppress(aiohttp.ClientError):
                    async with session.get(path, params={"watch": "true"}):
                        return


Opened = Callable[[Watches, int], Coroutine[Any, Any, None]]
OPEN = pytest.mark.parametrize("opened", [Watches.opened, Watches.opened_by_kopf], ids=["ours", "kopf's"])


@pytest.mark.parametrize("watches", [1, WATCHES])
@OPEN
async def test_a_lost_api_server_is_tried_as_often_by_one_watch_as_by_many(opened: Opened, watches: int) -> None:
    async with nobody() as (client, _):
        many = Watches(client)
        opening = [asyncio.create_task(opened(many, number)) for number in range(watches)]
        await asyncio.wait(opening, timeout=WHILE)
        for each in opening:
            each.cancel()
        await asyncio.wait(opening)

    # Each may have begun before the first has failed.
    assert many.attempts <= 2 * watches + WHILE / 0.05 + 1


@OPEN
async def test_all_watches_are_opened_as_soon_as_one_is_open_again(opened: Opened) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    async with nobody() as (client, taken):
        many = Watches(client)
        opening = [asyncio.create_task(opened(many, number)) for number in range(WATCHES)]
        await asyncio.wait(opening, timeout=0.1)
        application = web.Application()
        application.router.add_get("/{path:.*}", handle)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.SockSite(runner, taken).start()
        before = many.attempts
        await asyncio.wait(opening)
        await runner.cleanup()

    assert all(each.exception() is None for each in opening)
    # Turns for one after another would take as many attempts, and twenty times as long.
    assert many.attempts - before <= WATCHES + 10
