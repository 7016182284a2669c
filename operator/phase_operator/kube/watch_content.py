"""The events of a watch on their way to kopf, which starts tasks and queues for each of them.

Rule: kopf gets a bookmark in place of an event that shows nothing but our own status write, at the event's version, so
kopf goes on from there as it would have. The others pass in turns of their namespaces, and those that come too fast are
paced: kopf takes one after another. kopf goes on from the version that it has seen last, so a bookmark follows when the
newest did not pass last. Long events lose their managedFields, which nobody reads, and all lose what is nested too
deeply, so that kopf can parse them at once.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import aiohttp

from phase_operator.core.flow.paced_events import Event, PacedEvents, Passing
from phase_operator.core.json_access import text
from phase_operator.core.values import ObjectKey
from phase_operator.kube.raw_json import JsonReader, json_object, object_at

# The beginning of an event as the API server writes it.
_HEAD = re.compile(
    rb'\{"type":\s*"(ADDED|MODIFIED|DELETED)",\s*"object":\s*\{(?:"(?:kind|apiVersion)":\s*"[^"\\]*",\s*)*"metadata":\s*'
)


class WatchContent:
    """The body of a watch as kopf is to see it.

    Whoever reads it in chunks, as kopf does, gets the events so; every other way to use the body is unchanged.
    """

    def __init__(
        self,
        content: aiohttp.StreamReader,
        json_reader: JsonReader,
        is_news: Callable[[Event], bool],
    ) -> None:
        """Pass on a bookmark for an event that is no news."""
        self._content = content
        self._json = json_reader
        self._paced = PacedEvents(is_news)
        # What is no event of an object, and the beginning of a line.
        self._unpaced: list[bytes] = []
        self._begun: list[bytes] = []
        self._now = asyncio.get_running_loop().time

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._content.__aiter__()

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield lines, one or a few at a time; at the end, or before an error, all that are kept and what is left."""
        try:
            while not self._content.at_eof():
                await self._read(size)
                unpaced, self._unpaced = self._unpaced, []
                if passing := _joined(unpaced) + lines_of(self._paced.passing(self._now())):
                    yield passing
        except Exception:
            # kopf goes on from the last version that it has seen, so it has to see all before an error, too.
            if waiting := lines_of(self._paced.rest()):
                yield waiting
            raise
        if left := lines_of(self._paced.rest()) + b"".join(self._begun):
            yield left

    async def _read(self, size: int) -> None:
        """Read what has come; if nothing can pass meanwhile, wait for it, or until something can."""
        *ended, rest = (await self._chunk(size)).split(b"\n")
        if ended:
            self._begun, ended[0] = [], b"".join((*self._begun, ended[0]))
        if rest:
            self._begun.append(rest)
        for line in ended:
            await self._take(line)

    async def _chunk(self, size: int) -> bytes:
        wait = self._paced.wait(self._now())
        if wait == 0:
            return b"" if self._paced.is_full else self._content.read_nowait(size)
        timeout = asyncio.timeout(wait)
        try:
            async with timeout:
                return await self._content.read(size)
        except TimeoutError:
            if timeout.expired():
                return b""
            raise

    async def _take(self, line: bytes) -> None:
        line = await self._json.parsable(line)
        event = event_of(line)
        if event is None:
            self._unpaced.append(line)
        else:
            self._paced.take(event)


def event_of(line: bytes) -> Event | None:
    """Return an event of an object; None if the line is none, or not as the API server writes it."""
    head = _HEAD.match(line)
    metadata = object_at(line, head.end()) if head is not None else None
    if head is None or metadata is None:
        return None
    key = ObjectKey(text(metadata.get("namespace")), text(metadata.get("name")))
    uid, version = text(metadata.get("uid")), text(metadata.get("resourceVersion"))
    return Event(head.group(1).decode(), key, uid, version, line) if key.name and version else None


def is_news(is_own: Callable[[Mapping[str, Any]], bool], may_be_own: Callable[[str], bool], event: Event) -> bool:
    """Return whether an event shows more than a status write of ours; it is parsed if its version may be own."""
    # It is parsed once, however often it is asked: a version that was looked at is not known as ours any more.
    shown = json_object(event.line) if may_be_own(event.version) else None
    return shown is None or not is_own(shown)


def lines_of(passing: Iterable[Passing]) -> bytes:
    """Return what kopf reads of what passes."""
    return _joined(map(_line, passing))


def _line(passing: Passing) -> bytes:
    if isinstance(passing, Event):
        return passing.line
    return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": passing.version}}}).encode()


def _joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
