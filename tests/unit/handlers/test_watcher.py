"""The store is complete before anybody calls us ready, and what vanished unseen is found."""

import asyncio
from typing import Any

import aiohttp

from phase_operator.core.values import ObjectKey
from phase_operator.handlers.watcher import Watcher
from support.builders import phase_secret
from support.fakes import Loop


class Sweep:
    """A watcher whose list, sleep and store are in the test's hand."""

    def __init__(self, listed: list[ObjectKey], shows: list[list[str]]) -> None:
        self.loop = Loop()
        self.listed = listed
        self.lists = 0
        self.problems: list[str | None] = []
        # What the watch shows during each sleep; after the last one the test is over.
        self._shows = shows
        self.watcher = Watcher(
            resources=self.loop.resources,
            controller=self.loop.controller,
            session=aiohttp.ClientSession,
            server="https://example",
            list_keys=self._list,
            namespaces=(),
            restarted=lambda _: None,
            sleep=self._sleep,
        )

    async def run(self) -> None:
        """Sweep until there is nothing more to show."""
        sweeping = asyncio.create_task(self.watcher.sweep())
        await asyncio.wait({sweeping})

    async def _list(self) -> list[ObjectKey]:
        self.lists += 1
        return self.listed

    async def _sleep(self, _: float) -> None:
        self.problems.append(self.watcher.problem)
        if not self._shows:
            raise asyncio.CancelledError
        for name in self._shows.pop(0):
            body: dict[str, Any] = phase_secret(key(name))
            self.watcher.take("ADDED", body)


def key(name: str) -> ObjectKey:
    return ObjectKey("team", name)


async def test_what_is_listed_is_awaited_without_listing_again() -> None:
    sweep = Sweep([key("a"), key("b")], [["a"], [], ["b"]])

    await sweep.run()

    assert sweep.lists == 1
    assert sweep.problems == [
        "2 PhaseSecrets not seen by the watch yet",
        "1 PhaseSecrets not seen by the watch yet",
        "1 PhaseSecrets not seen by the watch yet",
        None,
    ]


async def test_what_never_comes_is_listed_again() -> None:
    sweep = Sweep([key("a")], [[]] * 60)

    await sweep.run()

    assert sweep.lists == 2


async def test_what_vanished_unseen_is_buried() -> None:
    sweep = Sweep([key("a")], [])
    for name in ("a", "ghost"):
        sweep.watcher.take("ADDED", phase_secret(key(name)))

    await sweep.run()

    assert sweep.loop.resources.keys() == {key("a")}
