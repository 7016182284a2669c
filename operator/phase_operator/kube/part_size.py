"""How much of a list is read at a time.

Rule: tenants decide how large their objects are, so a list is bounded in bytes and not in objects alone. One that is
too long is asked for again with fewer objects; a single object is read whatever its size, which etcd bounds.
"""

from functools import partial
from typing import Any, NamedTuple

import aiohttp

from phase_operator.kube.raw_json import JsonReader

# The longest answer to a list of several objects, in bytes. As Python objects it takes ten times as much.
LONGEST_LIST = 4 * 1024 * 1024
# A list that is too long is asked for again with so many times fewer objects.
_FEWER = 8


class PartSize:
    """How many objects of one list to ask for at a time: fewer after an answer that was too long, later more again."""

    __slots__ = ("_most", "now")

    def __init__(self, most: int) -> None:
        self._most = self.now = most

    @property
    def limit(self) -> int | None:
        """The longest answer that is to be read, in bytes; None: whatever comes."""
        return LONGEST_LIST if self.now > 1 else None

    def was_too_long(self) -> None:
        """Ask for fewer."""
        self.now = max(1, self.now // _FEWER)

    def was_read(self) -> None:
        """Ask for more, up to the number at the beginning."""
        self.now = min(self._most, 2 * self.now)


async def body_within(response: aiohttp.ClientResponse, most: int | None) -> bytes | None:
    """Return a body; None, without the rest of it, if it is longer than `most` bytes."""
    if most is None:
        return await response.read()
    body = await bytes_within(response.content, most)
    if body is None:
        response.close()
    return body


async def bytes_within(content: aiohttp.StreamReader, most: int | None) -> bytes | None:
    """Return all bytes of a body; None, with the rest of it unread, if there are more than `most`."""
    if most is None:
        # Short ones have arrived with their headers.
        return content.read_nowait() if content.is_eof() else await content.read()
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_any():
        size += len(part)
        if size > most:
            return None
        parts.append(part)
    return b"".join(parts)


class ReadPart(NamedTuple):
    """A part of a list: the answer, and the document in it; None if it holds none."""

    response: aiohttp.ClientResponse
    document: dict[str, Any] | None


async def read_list(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType, size: PartSize, json: JsonReader
) -> ReadPart:
    """Send the request for a part of a list, and return the answer with its body read, without managedFields.

    The answer gives that very document to whoever reads it: what is changed in it is changed for them.
    """
    while True:
        request.url = request.url.update_query(limit=str(size.now))
        response = await send(request)
        body = await body_within(response, size.limit)
        if body is not None:
            size.was_read()
            # Where a response keeps what it has read: its own `read` has no limit.
            response._body = body
            document = await json.object(body, has_managers=False)
            if document is not None:
                # kopf would parse it again, all at once.
                response.json = partial(_given, document)  # type: ignore[method-assign]  # this answer's alone
            return ReadPart(response, document)
        size.was_too_long()


async def _given(document: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
    return document
