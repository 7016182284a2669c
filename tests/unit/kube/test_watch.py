"""A watch that hangs is told from one that has nothing to show."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from phase_operator.kube.client import KubeClient
from phase_operator.kube.watch import MetadataWatch
from support.clock import HandClock, settle


class Server:
    """An API server that lists nothing and shows what the test puts into its hand."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def request(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer a list, or nothing."""
        if self.hangs:
            await asyncio.Event().wait()
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    @asynccontextmanager
    async def watch(self, *_: object) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Open a watch."""

        async def follow() -> AsyncIterator[dict[str, Any]]:
            while True:
                yield await self.events.get()

        yield follow()


class Nothing:
    """A sink that keeps nothing."""

    def listed(self, scope: str, found: list[Any]) -> None:
        """Keep nothing."""

    def seen(self, metadata: Any) -> None:
        """Keep nothing."""

    def gone(self, metadata: Any) -> None:
        """Keep nothing."""


async def silence(server: Server, *events: dict[str, Any]) -> float:
    """Return for how long a watch is silent after 500 s, in the middle of which the server shows something."""
    clock = HandClock()
    watch = MetadataWatch(
        cast("KubeClient", server),
        name="secrets",
        path="/api/v1/secrets",
        scope="",
        list_selector="",
        follow_selector="",
        sink=Nothing(),
        restarted=lambda _: None,
        is_back=lambda: None,
        clock=clock,
    )
    running = asyncio.create_task(watch.run())
    await settle()
    clock.turn(250.0)
    for event in events:
        server.events.put_nowait(event)
    await settle()
    clock.turn(250.0)
    running.cancel()
    return watch.silent()


async def test_a_watch_that_hangs_is_silent() -> None:
    assert await silence(Server(hangs=True)) == 500.0
    assert await silence(Server()) == 500.0


async def test_a_bookmark_is_a_sign_of_life() -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "2"}}}

    assert await silence(Server(), bookmark) == 250.0
