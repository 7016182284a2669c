"""What a request of kopf passes on its way to the API server, and its answer on the way back.

Rule: kopf knows nothing of it. It reopens a failing watch without a pause, so the pauses are made here. It would start
several tasks for each object of a list, so the objects are taken from the list here, but for those that kopf has
something to do with.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from phase_operator.core.flow.pace import TokenBuckets
from phase_operator.core.flow.paced_events import Event
from phase_operator.core.json_access import mappings
from phase_operator.kube.part_size import PartSize, read_list
from phase_operator.kube.raw_json import JsonReader
from phase_operator.kube.reach import Reach
from phase_operator.kube.watch_content import WatchContent

# How often kopf may open a watch; it makes no pauses of its own.
_REOPENED_AT_ONCE = 3.0
_REOPENED_PER_SECOND = 0.5
# Takes an object of a list, or returns False: then it is left to kopf.
Take = Callable[[Mapping[str, Any]], bool]


class Answers(Protocol):
    """Answers kopf's watch of a collection instead of the API server."""

    def answer(
        self, request: aiohttp.ClientRequest, lists: Callable[[], None], is_news: Callable[[Event], bool]
    ) -> aiohttp.ClientResponse:
        """Return the answer; call `lists` when a list was read; pass on a bookmark for an event that is no news."""


@dataclass(frozen=True, slots=True)
class KopfRequests:
    """A middleware of kopf's session."""

    json: JsonReader
    reach: Reach
    # Gives a request fresh tokens.
    authorize: Callable[[aiohttp.ClientRequest], Awaitable[None]]
    # Called whenever kopf begins to read a list.
    lists: Callable[[], None]
    # kopf gets a bookmark in place of an event that is no news.
    is_news: Callable[[Event], bool]
    # What answers the watch of a collection instead of the API server, by its path.
    merged: Mapping[str, Answers]
    # What takes the objects of a collection's list, by its path; kopf gets the list with those that are left to it.
    taken: Mapping[str, Take]
    # How many lists are read at a time, and the seconds that one may take.
    listing: asyncio.Semaphore
    timeout: float
    # By path.
    paces: TokenBuckets[str] = field(default_factory=lambda: TokenBuckets(_REOPENED_AT_ONCE, _REOPENED_PER_SECOND))
    sizes: dict[str, PartSize] = field(default_factory=dict)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Return the answer to a request."""
        await self.reach.turn()
        await self.authorize(request)
        if "watch" in request.url.query:
            return await self._watch(request, handler)
        return await self._list(request, handler)

    async def _watch(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        await asyncio.sleep(self.paces.take(request.url.path, asyncio.get_running_loop().time()))
        if (merged := self.merged.get(request.url.path)) is not None:
            return merged.answer(request, self.lists, self.is_news)
        with self.reach.noting():
            response = await handler(request)
        content = WatchContent(response.content, self.json, self.is_news)
        response.content = content  # type: ignore[assignment]  # it passes all else on to what it replaces
        return response

    async def _list(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        path, query = request.url.path, request.url.query
        if "limit" in query and "continue" not in query:
            self.lists()
        # Read here, within the timeout; kopf then finds the body in memory.
        if "limit" in query:
            return await self._part(request, handler, self.sizes.setdefault(path, PartSize(int(query["limit"]))))
        async with self.listing, asyncio.timeout(self.timeout):
            response = await handler(request)
            await response.read()
            return response

    async def _part(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType, size: PartSize
    ) -> aiohttp.ClientResponse:
        """Read a part of a list, and have its objects taken if anything takes them."""
        try:
            async with self.listing, asyncio.timeout(self.timeout):
                response, document = await read_list(request, handler, size, self.json)
        except TimeoutError:
            size.was_too_long()
            raise
        if (take := self.taken.get(request.url.path)) is not None and document is not None and "items" in document:
            objects, document["items"] = document["items"], []
            for each in mappings(objects):
                if not take(each):
                    document["items"].append(each)
                # A part may hold megabytes: others have their turn after each object.
                await asyncio.sleep(0)
        return response
