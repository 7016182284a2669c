"""Lists of the API server, read in chunks.

Rule: an answer that is no list is an error, and a collection that does not exist holds nothing.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.core.json_access import mapping, mappings, text
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import ApiError, translate

# Objects in an answer: of metadata, or small.
CHUNK = 500
# Of whole objects. A workload is some kilobytes, or hundreds if somebody wants, and ten times as much as dicts: what
# these take, the next ones take again.
FEW = 10


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a part of it: `token` leads to the next one, "" to none."""

    items: list[Mapping[str, Any]]
    token: str
    version: str


def page(answer: Mapping[str, Any]) -> Page:
    """Read a list; raise ApiError if it is none: what stands between us and the API server may answer anything."""
    metadata = mapping(answer.get("metadata"))
    version = text(metadata.get("resourceVersion"))
    if not version:
        raise ApiError(0, "an answer that is no list", "")
    return Page(list(mappings(answer.get("items"))), text(metadata.get("continue")), version)


async def items(
    client: KubeClient,
    path: str,
    *,
    accept: str = "application/json",
    query: Sequence[tuple[str, str]] = (),
    chunk: int = CHUNK,
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield what a collection holds, read in chunks; one that does not exist holds nothing. Raises ExpectedError."""
    token = ""
    while True:
        more = [("limit", str(chunk)), *query] + ([("continue", token)] if token else [])
        try:
            found = page(await client.request("GET", path, query=more, accept=accept))
        except ApiError as error:
            if error.not_found:
                return
            raise translate(error) from error
        for item in found.items:
            yield item
        token = found.token
        if not token:
            return
