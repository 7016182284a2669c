"""What a request of kopf passes on its way to the API server, and its answer on the way back.

Rule: kopf knows nothing of it. It reopens a failing watch without a pause, so the pauses are made here. It also ends
when one namespace refuses it, so a refusal by a namespace is kept from it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from phase_operator.api.crd import DEFINITIONS
from phase_operator.core.flow.backoff import look_again
from phase_operator.core.flow.pace import TokenBuckets
from phase_operator.kube.part_size import PartSize, read_list
from phase_operator.kube.raw_json import JsonReader
from phase_operator.kube.reach import Reach
from phase_operator.kube.watch_content import WatchContent

# How often kopf may open a watch; it makes no pauses of its own.
_REOPENED_AT_ONCE = 3.0
_REOPENED_PER_SECOND = 0.5

_FORBIDDEN = 403
_IN_NAMESPACE = re.compile(rf"/namespaces/([^/]+)/({'|'.join(each.plural for each in DEFINITIONS)})$")


class Gate(Protocol):
    """Decides when kopf may read a namespace, and records whether the namespace refuses it."""

    async def opened(self, namespace: str) -> None:
        """Wait until the operator is ready for the PhaseSecrets of a namespace."""

    def record(self, namespace: str, plural: str, refusal: str | None) -> None:
        """Record why a namespace refuses the watch of its resources of a kind; None if it allows it."""


async def alone(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request on a connection of its own."""
    return await handler(request)


@dataclass(frozen=True, slots=True)
class KopfRequests:
    """A middleware of kopf's session.

    With a `gate`, a refusal by a namespace is reported to it, and the request is repeated until it is allowed.
    """

    json: JsonReader
    reach: Reach
    # Gives a request fresh tokens.
    authorize: Callable[[aiohttp.ClientRequest], Awaitable[None]]
    # Called whenever kopf begins to read a list.
    lists: Callable[[], None]
    # kopf gets a bookmark in place of an event that is ours; only those whose version may be are parsed for that.
    is_own: Callable[[Mapping[str, Any]], bool]
    may_be_own: Callable[[str], bool]
    gate: Gate | None
    # Sends a request, on a connection that others share perhaps.
    send: aiohttp.ClientMiddlewareType
    # How many lists are read at a time, and the seconds that one may take.
    listing: asyncio.Semaphore
    timeout: float
    # By path.
    paces: TokenBuckets[str] = field(default_factory=lambda: TokenBuckets(_REOPENED_AT_ONCE, _REOPENED_PER_SECOND))
    sizes: dict[str, PartSize] = field(default_factory=dict)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Return the answer to a request, once its namespace allows it."""
        scope, plural = _scope(request.url.path)
        if self.gate is None or not scope:
            return await self._once(request, handler)
        refusals = 0
        while True:
            await self.gate.opened(scope)
            response = await self._once(request, handler)
            if response.status != _FORBIDDEN:
                self.gate.record(scope, plural, None)
                return response
            refusals += 1
            response.release()
            self.gate.record(scope, plural, f"{response.status} {response.reason}")
            await asyncio.sleep(look_again(failures=refusals, identity=scope))

    async def _once(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        await self.reach.turn()
        await self.authorize(request)
        if "watch" in request.url.query:
            return await self._watch(request, handler)
        return await self._list(request, handler)

    async def _watch(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        await asyncio.sleep(self.paces.take(request.url.path, asyncio.get_running_loop().time()))
        with self.reach.noting():
            response = await self.send(request, handler)
        content = WatchContent(response.content, self.json, self.is_own, self.may_be_own)
        response.content = content  # type: ignore[assignment]  # it passes all else on to what it replaces
        return response

    async def _list(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        path, query = request.url.path, request.url.query
        if "limit" in query and "continue" not in query:
            self.lists()
        size = self.sizes.setdefault(path, PartSize(int(query["limit"]))) if "limit" in query else None
        try:
            async with self.listing, asyncio.timeout(self.timeout):
                # Read here, within the timeout; kopf then finds the body in memory.
                if size is not None:
                    return await read_list(request, lambda each: self.send(each, handler), size, self.json)
                response = await self.send(request, handler)
                await response.read()
                return response
        except TimeoutError:
            if size is not None:
                size.was_too_long()
            raise


def _scope(path: str) -> tuple[str, str]:
    """Return namespace and plural in the path of a collection of our resources; empty for every other path."""
    found = _IN_NAMESPACE.search(path)
    return (found.group(1), found.group(2)) if found else ("", "")
