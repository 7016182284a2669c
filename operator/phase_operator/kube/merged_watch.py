"""One kind of ours in several namespaces, as one watch of kopf.

Rule: kopf has one watch for each kind, as if of the whole cluster, since a watch of kopf takes 40 KiB and there may be
hundreds of namespaces. In each namespace a watch of ours lists and follows, so one that denies access or breaks affects
no other. Whenever kopf opens its watch, all namespaces are listed anew, as what was shown before may not have been
handled.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Set

import aiohttp

from phase_operator.core.flow.paced_events import Event, PacedEvents
from phase_operator.core.json_access import mapping, text
from phase_operator.core.values import ObjectKey
from phase_operator.kube.made_response import MadeResponse
from phase_operator.kube.stream_headers import NO_HEADERS
from phase_operator.kube.watch import CollectionWatch, Shown, key_of
from phase_operator.kube.watch_content import lines_of
from phase_operator.reconcile.queue.work_queue import wait_for

# For kopf, the first bookmark ends the list, and an error ends the watch.
_BEGIN = b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"0"}}}\n'
_NOT_FOUND = b'{"type":"ERROR","object":{"kind":"Status","code":404,"reason":"NotFound"}}\n'


class MergedWatch:
    """Takes what the watches of the namespaces show, and passes it on while kopf's watch is open."""

    def __init__(self) -> None:
        # Called when a namespace was listed.
        self._lists: Callable[[], None] = lambda: None
        self._content: MergedContent | None = None
        self._running: list[asyncio.Task[None]] = []
        # Those of the namespaces, which have this one as their sink.
        self.watches: list[CollectionWatch] = []

    def problem(self, left_out: Set[str] = frozenset()) -> str | None:
        """Return why not all is shown while kopf watches, but in namespaces that are left out; None if all is.

        A namespace that refuses the watch is reported with its other watches.
        """
        watches = self.watches if self._content is not None else ()
        open_ = (each for each in watches if each.refusal is None and each.scope not in left_out)
        return next((each.problem for each in open_ if each.problem), None)

    def answer(
        self, request: aiohttp.ClientRequest, lists: Callable[[], None], is_news: Callable[[Event], bool]
    ) -> aiohttp.ClientResponse:
        """Begin kopf's watch, and return the answer to its request; the watch before ends.

        `lists` is called when a namespace was listed; kopf gets a bookmark for an event that is no news.
        """
        self._end()
        self._lists = lists
        content = self._content = MergedContent(is_news)
        self._running = [asyncio.create_task(each.run()) for each in self.watches]
        asked = aiohttp.RequestInfo(request.url, request.method, NO_HEADERS, request.url)

        def end() -> None:
            if self._content is content:
                self._end()

        return MadeResponse(request, asked, 200, NO_HEADERS, content, end)  # type: ignore[arg-type]  # kopf reads chunks

    def _end(self) -> None:
        for task in self._running:
            task.cancel()
        if self._content is not None:
            self._content.close()
        self._running, self._content = [], None

    async def room(self) -> None:
        """Wait until kopf has taken enough of what was shown."""
        if self._content is not None:
            await self._content.room()

    def seen(self, found: Shown) -> None:
        """Pass on an object that was listed, added or changed."""
        self._pass("MODIFIED", found)

    def gone(self, found: Shown) -> None:
        """Pass on that an object was deleted."""
        self._pass("DELETED", found)

    def listed(self, _: str, __: Set[ObjectKey]) -> None:
        """Report that a namespace was listed: what has gone meanwhile is to be looked for."""
        self._lists()

    def unreadable(self, _: ObjectKey) -> None:
        """Do nothing: what kopf has seen stays."""

    def not_found(self) -> None:
        """End kopf's watch, because the API server does not know the kind any more."""
        if self._content is not None:
            self._content.fail(_NOT_FOUND)

    def _pass(self, change: str, found: Shown) -> None:
        if self._content is not None:
            metadata = {
                name: value for name, value in mapping(found.get("metadata")).items() if name != "managedFields"
            }
            line = json.dumps({"type": change, "object": {**found, "metadata": metadata}}, separators=(",", ":"))
            uid, version = text(metadata.get("uid")), text(metadata.get("resourceVersion"))
            self._content.take(Event(change, key_of(metadata), uid, version, line.encode()))


class MergedContent:
    """The body of the answer to kopf, of which kopf uses `iter_chunked` alone."""

    def __init__(self, is_news: Callable[[Event], bool]) -> None:
        self._paced = PacedEvents(is_news)
        self._error: bytes | None = None
        self._is_closed = False
        # Set when something comes, and while there is room for more.
        self._news, self._has_room = asyncio.Event(), asyncio.Event()
        self._has_room.set()
        self._now = asyncio.get_running_loop().time

    def take(self, event: Event) -> None:
        """Take an event."""
        self._paced.take(event)
        self._news.set()
        if self._paced.is_full:
            self._has_room.clear()

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self._has_room.wait()

    def fail(self, error: bytes) -> None:
        """End the body with an error, after what is kept."""
        self._error = error
        self._news.set()

    def close(self) -> None:
        """End the body."""
        self._is_closed = True
        self._news.set()

    def exception(self) -> None:
        """Return None, since no error ends the body but as a line."""

    def set_exception(self, *_: object) -> None:
        """End the body: aiohttp does so when an answer is closed."""
        self.close()

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Yield lines, one or a few at a time, until it is closed or fails."""
        yield _BEGIN
        while not self._is_closed:
            self._news.clear()
            if self._error is not None:
                yield lines_of(self._paced.rest()) + self._error
                return
            if passing := self._paced.passing(self._now()):
                yield lines_of(passing)
            if not self._paced.is_full:
                self._has_room.set()
            # Also if more can pass at once: it gives the event loop a turn.
            await wait_for(self._news, self._paced.wait(self._now()))
