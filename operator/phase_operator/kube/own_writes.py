"""Our own status writes, as kopf's watch shows them: kopf gets a bookmark in place of the event.

Rule: an event is replaced only if it shows nothing but our write. Of the others, long ones lose their managedFields,
which nobody reads, and all lose what is nested too deeply, so that kopf can parse them at once. The bookmark has the
event's version, so kopf goes on from there as it would have. For every event of an object kopf starts tasks and queues,
only to find it of no interest.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp

from phase_operator.core.json_access import mapping, text
from phase_operator.kube.raw_json import JsonReader, json_object

# An event follows its write within moments. Versions that no event shows, such as those of deleted objects, are
# forgotten when there are so many.
_MOST = 1000
# As the API server writes it.
_RESOURCE_VERSION = re.compile(rb'"resourceVersion":\s*"([^"\\]*)"')


class OwnVersions:
    """The versions of objects that our status writes made and that no event has shown yet."""

    def __init__(self) -> None:
        # In the order of the writes.
        self._versions: dict[str, None] = {}

    def add(self, answer: Mapping[str, Any]) -> None:
        """Record the version in the answer to a write."""
        if version := _version(answer):
            self._versions[version] = None
        if len(self._versions) > _MOST:
            del self._versions[next(iter(self._versions))]

    def may_be_in(self, line: bytes) -> bool:
        """Return whether an event may show one of the versions; it costs far less than to parse the event."""
        found = _RESOURCE_VERSION.finditer(line) if self._versions else ()
        return any(each.group(1).decode(errors="replace") in self._versions for each in found)

    def shown_by(self, event: Mapping[str, Any]) -> bool:
        """Return whether an event shows one of the versions, and forget that version."""
        version = _version(mapping(event.get("object")))
        if event.get("type") != "MODIFIED" or version not in self._versions:
            return False
        del self._versions[version]
        return True


class BookmarkedContent:
    """The body of a watch in which a bookmark replaces each event that `is_own`.

    Whoever reads it in chunks, as kopf does, gets the bookmarks; every other way to use the body is unchanged.
    """

    def __init__(
        self,
        content: aiohttp.StreamReader,
        json_reader: JsonReader,
        is_own: Callable[[Mapping[str, Any]], bool],
        may_be_own: Callable[[bytes], bool],
    ) -> None:
        self._content = content
        self._json = json_reader
        self._is_own = is_own
        self._may_be_own = may_be_own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._content.__aiter__()

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield the lines of each chunk that end in it, and at the end what is left."""
        begun: list[bytes] = []
        async for chunk in self._content.iter_chunked(size):
            *ended, rest = chunk.split(b"\n")
            if ended:
                lines = [b"".join((*begun, ended[0])), *ended[1:]]
                begun = []
                yield b"".join([await self._shown(line) + b"\n" for line in lines])
            if rest:
                begun.append(rest)
        if begun:
            yield b"".join(begun)

    async def _shown(self, line: bytes) -> bytes:
        line = await self._json.parsable(line)
        event = json_object(line) if self._may_be_own(line) else None
        if event is None or not self._is_own(event):
            return line
        version = _version(mapping(event.get("object")))
        return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}).encode()


def _version(body: Mapping[str, Any]) -> str:
    return text(mapping(body.get("metadata")).get("resourceVersion"))
