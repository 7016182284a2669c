"""What changes while a person looks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from phase_operator.cli.looking.following import Change, Collection, changes, merged
from phase_operator.kube.listing import Page
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import PHASE_SECRETS, Resource

TEAM = Collection(PHASE_SECRETS, "team", labels="a=b")
TOO_OLD = UserError(Trouble.TOO_OLD, "forgotten")
NO_RIGHT = UserError(Trouble.NO_RIGHT, "no right to watch")


def body(version: str, name: str = "shop") -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def event(kind: str, version: str, name: str = "shop") -> dict[str, Any]:
    return {"type": kind, "object": body(version, name)}


class FakeCluster:
    """A cluster whose watches bring these events, or end in an error."""

    def __init__(self, *watches: list[dict[str, Any]] | UserError) -> None:
        self._watches = iter(watches)
        self.began_at: list[str] = []

    async def watch(
        self, resource: Resource, namespace: str, version: str, **selectors: str
    ) -> AsyncIterator[Mapping[str, Any]]:
        assert (resource, namespace, selectors["labels"]) == (PHASE_SECRETS, "team", "a=b")
        self.began_at.append(version)
        found = next(self._watches)
        if isinstance(found, UserError):
            raise found
        for each in found:
            yield each

    async def pages(self, *_: Any, **__: str) -> AsyncIterator[Page]:
        yield Page([body("40", "listed")], "", "41")


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


async def all_of(cluster: FakeCluster) -> list[Change]:
    """Return what comes until the right to watch is withdrawn."""
    found: list[Change] = []

    async def look() -> None:
        async for change in changes(cluster, TEAM, "7", no_pause):  # type: ignore[arg-type]  # what is used of it
            found.append(change)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(UserError, match="no right"):
        await look()
    return found


async def test_a_watch_goes_on_where_the_last_one_ended() -> None:
    cluster = FakeCluster([event("MODIFIED", "8"), event("BOOKMARK", "12")], [event("DELETED", "15")], NO_RIGHT)

    assert await all_of(cluster) == [Change(body("8")), Change(body("15"), is_gone=True)]
    assert cluster.began_at == ["7", "12", "15"]


async def test_a_version_that_is_forgotten_is_read_anew() -> None:
    cluster = FakeCluster(TOO_OLD, [event("MODIFIED", "50")], NO_RIGHT)

    assert await all_of(cluster) == [Change(body("40", "listed")), Change(body("50"))]
    assert cluster.began_at == ["7", "41", "50"]


async def source(*numbers: int, error: UserError | None = None) -> AsyncIterator[Change]:
    for number in numbers:
        yield Change({"number": number})
        await asyncio.sleep(0)
    if error is not None:
        raise error


async def test_changes_of_several_collections_come_as_one() -> None:
    found = [change.body["number"] async for change in merged(source(1, 2, 3), source(10), source(20, 21))]

    assert sorted(found) == [1, 2, 3, 10, 20, 21]


async def test_the_error_of_one_collection_ends_all() -> None:
    async def for_ever() -> AsyncIterator[Change]:
        while True:
            await asyncio.sleep(0)
            yield Change({"number": 0})

    async def look() -> None:
        async for _ in merged(for_ever(), source(1, error=NO_RIGHT)):
            pass

    with pytest.raises(UserError, match="no right"):
        await look()


async def test_a_look_that_ends_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    async with aclosing(merged(source(*range(100)), source(*range(100)))) as found:  # type: ignore[type-var]
        async for _ in found:
            break

    assert asyncio.all_tasks() == before
