"""Our own status writes, as kopf's watch shows them: kopf gets a bookmark in place of the event.

Rule: an event is replaced only if it shows nothing but our write; and one that kopf could not parse loses what is
nested too deeply. The bookmark has the event's version, so kopf goes on from there as it would have. For every event of
an object kopf starts tasks and queues, only to find it of no interest.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp

from phase_operator.core.json_access import mapping, text
from phase_operator.kube.lines import read_json

# An event follows its write within moments. Versions that no event shows, such as those of deleted objects, are
# forgotten when there are so many.
_MOST = 1000


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

    def __init__(self, content: aiohttp.StreamReader, is_own: Callable[[Mapping[str, Any]], bool]) -> None:
        self._content = content
        self._is_own = is_own

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
                yield b"".join(self._shown(line) + b"\n" for line in lines)
            if rest:
                begun.append(rest)
        if begun:
            yield b"".join(begun)

    def _shown(self, line: bytes) -> bytes:
        event, line = read_json(line)
        if event is None or not self._is_own(event):
            return line
        version = _version(mapping(event.get("object")))
        return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}).encode()


def _version(body: Mapping[str, Any]) -> str:
    return text(mapping(body.get("metadata")).get("resourceVersion"))
