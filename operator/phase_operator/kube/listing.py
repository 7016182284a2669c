"""Lists of the API server, read in chunks.

Rule: an answer that is no list is an error; a collection that does not exist is empty.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.core.json_access import mapping, mappings, text
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import AnswerTooLong, ApiError, missing, translated
from phase_operator.kube.part_size import PartSize

# Objects in one answer, if only their metadata is read or they are small.
CHUNK = 500
# Whole objects in one answer. A workload usually takes a few kilobytes and may take hundreds, and ten times as much as
# dicts. The next answer reuses that memory, so small answers bound it.
FEW = 10
_FAILED = 500


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a part of it; `token` asks for the next part and is "" in the last one."""

    items: list[Mapping[str, Any]]
    token: str
    version: str


def page(answer: Mapping[str, Any]) -> Page:
    """Return an answer as a list; raise ApiError if it is none, for a proxy in between may answer anything."""
    metadata = mapping(answer.get("metadata"))
    version = text(metadata.get("resourceVersion"))
    if not version:
        raise ApiError(0, "an answer that is no list", "")
    return Page(list(mappings(answer.get("items"))), text(metadata.get("continue")), version)


def chunk_query(chunk: int, token: str) -> list[tuple[str, str]]:
    """Return the query of a part of a list; `token` is that of the part before, "" for the first."""
    limit = [("limit", str(chunk))]
    return [*limit, ("continue", token)] if token else limit


async def items(
    client: KubeClient,
    path: str,
    *,
    accept: str = "application/json",
    query: Sequence[tuple[str, str]] = (),
    chunk: int = CHUNK,
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the objects of a collection, read in chunks; none if it does not exist. Raises ExpectedError."""
    token, size = "", PartSize(chunk)
    while (found := await part(client, path, token, size, accept=accept, query=query)) is not None:
        for item in found.items:
            yield item
        token = found.token
        if not token:
            return


async def part(
    client: KubeClient,
    path: str,
    token: str,
    size: PartSize,
    *,
    accept: str = "application/json",
    query: Sequence[tuple[str, str]] = (),
) -> Page | None:
    """Return one part of a collection, the first for the token ""; None if it does not exist. Raises ExpectedError."""
    with translated(unless=missing):
        return await read_page(client, path, token, size, accept=accept, query=query)
    return None


async def read_page(
    client: KubeClient, path: str, token: str, size: PartSize, *, accept: str, query: Sequence[tuple[str, str]] = ()
) -> Page:
    """Return one part of a collection, with fewer objects if these are large; raise ApiError."""
    while True:
        asked = [*query, *chunk_query(size.now, token)]
        try:
            found = page(await client.request("GET", path, query=asked, accept=accept, most=size.limit))
        except AnswerTooLong:
            size.was_too_long()
        except ApiError as error:
            if not error.status or error.status >= _FAILED:
                # It may have taken too long to be made: the next try asks for fewer.
                size.was_too_long()
            raise
        else:
            size.was_read()
            return found
