"""What changes in a collection, for as long as a person looks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.core.json_access import mapping, text
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import Resource

# Before a watch that ended is opened again: a proxy may end each at once.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Collection:
    """The objects of a kind in a namespace, or in all for "", that selectors match."""

    resource: Resource
    namespace: str
    labels: str = ""
    fields: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """An object as it is now, or as it was last."""

    body: Mapping[str, Any]
    is_gone: bool = False


async def changes(
    cluster: UserCluster,
    of: Collection,
    version: str,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Change]:
    """Yield what changes after a version, for ever; raise UserError.

    If the API server has forgotten that version, all that is there is yielded again, and what went meanwhile is not.
    """
    selectors = {"labels": of.labels, "fields": of.fields}
    while True:
        try:
            async for event in cluster.watch(of.resource, of.namespace, version, **selectors):
                body = mapping(event.get("object"))
                version = text(mapping(body.get("metadata")).get("resourceVersion")) or version
                if event.get("type") != "BOOKMARK":
                    yield Change(body, is_gone=event.get("type") == "DELETED")
        except UserError as error:
            if error.trouble is not Trouble.TOO_OLD:
                raise
            async for page in cluster.pages(of.resource, of.namespace, **selectors):
                version = page.version
                for item in page.items:
                    yield Change(item)
        await sleep(_PAUSE)


async def merged(*sources: AsyncIterator[Change]) -> AsyncIterator[Change]:
    """Yield the changes of several collections as they come, until all have ended; the error of one ends them."""
    queue: asyncio.Queue[Change] = asyncio.Queue(maxsize=1)

    async def pump(source: AsyncIterator[Change]) -> None:
        async for change in source:
            await queue.put(change)

    pumps = {asyncio.create_task(pump(each)) for each in sources}
    coming = asyncio.create_task(queue.get())
    try:
        while pumps or not queue.empty() or coming.done():
            await asyncio.wait({coming, *pumps}, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                yield coming.result()
                coming = asyncio.create_task(queue.get())
            for ended in [each for each in pumps if each.done()]:
                pumps.discard(ended)
                ended.result()
            await asyncio.sleep(0)
    finally:
        for task in (coming, *pumps):
            task.cancel()
        await asyncio.gather(coming, *pumps, return_exceptions=True)
