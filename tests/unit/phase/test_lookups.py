"""Lookups that hang are counted until they end, also if their caller is gone, and known names are found meanwhile.

Nor do they keep other namespaces from looking names up, those that were found and others.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from phase_operator.phase.errors import from_exception
from phase_operator.phase.lookups import BusyResolverError, Lookups, Unawaited, looking_up_for
from support.clock import settle


class Resolver:
    """Tells each name at once, but those that begin with `hang`: these when the test is over.

    Those that begin with `once` are told once, and hang from then on.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.over = threading.Event()
        self.hanging = threading.Semaphore(0)

    def __call__(self, host: str) -> list[str]:
        is_first = host not in self.asked
        self.asked.append(host)
        if host.startswith("hang") or (host.startswith("once") and not is_first):
            self.hanging.release()
            self.over.wait()
        if host.startswith("none"):
            raise OSError("no such name")
        return ["192.0.2.1"]


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    """Give a resolver whose threads end with the test."""
    found = Resolver()
    yield found
    found.over.set()


async def look(lookups: Lookups, namespace: str, host: str) -> list[str]:
    with looking_up_for(namespace):
        return await lookups.addresses(host)


async def hang(lookups: Lookups, resolver: Resolver, namespace: str, host: str) -> None:
    """Look a name up that hangs, and give it up as a call does whose time is over; raise if there is no room for it."""
    task = asyncio.create_task(look(lookups, namespace, host))
    began = asyncio.get_running_loop().run_in_executor(None, resolver.hanging.acquire)
    both: list[asyncio.Future[Any]] = [task, began]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        resolver.hanging.release()
        await began
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def hanging(lookups: Lookups, resolver: Resolver, count: int) -> AsyncIterator[None]:
    """Have so many namespaces look a name up that hangs."""
    for number in range(count):
        await hang(lookups, resolver, f"team{number}", f"hang{number}.example")
    yield
    await ended(lookups, resolver)


async def ended(lookups: Lookups, resolver: Resolver) -> None:
    resolver.over.set()
    while len(lookups):  # noqa: ASYNC110 - their threads end now
        await asyncio.sleep(0)


async def test_an_address_is_not_looked_up(resolver: Resolver) -> None:
    assert await Lookups(2, resolver).addresses("::1") == ["::1"]
    assert resolver.asked == []


async def test_of_a_name_there_is_one_lookup_at_a_time(resolver: Resolver) -> None:
    lookups = Lookups(20, resolver)
    async with hanging(lookups, resolver, 1):
        again = asyncio.create_task(lookups.addresses("hang0.example"))
        await settle()
        assert len(lookups) == 1
        resolver.over.set()
        assert await again == ["192.0.2.1"]

    assert resolver.asked == ["hang0.example"]


async def test_an_abandoned_lookup_counts_until_it_ends_and_known_names_are_still_found(resolver: Resolver) -> None:
    lookups = Lookups(8, resolver)
    await lookups.addresses("good.example")
    async with hanging(lookups, resolver, 4):
        assert len(lookups) == 4
        with pytest.raises(BusyResolverError) as caught:
            await lookups.addresses("hang4.example")

        assert await lookups.addresses("good.example") == ["192.0.2.1"]

    assert await lookups.addresses("hang4.example") == ["192.0.2.1"]
    assert "too many names" in str(from_exception(caught.value, "https://hang4.example"))


async def test_a_name_that_is_found_no_more_has_no_place_of_those_that_are(resolver: Resolver) -> None:
    lookups = Lookups(2, resolver)
    for _ in range(3):
        with pytest.raises(OSError, match="no such name"):
            await lookups.addresses("none.example")
    async with hanging(lookups, resolver, 1):
        with pytest.raises(BusyResolverError):
            await lookups.addresses("none.example")


@pytest.mark.parametrize("name", ["hang", "once"])
async def test_any_number_of_names_of_many_namespaces_leave_room_for_all_others(resolver: Resolver, name: str) -> None:
    lookups = Lookups(224, resolver)
    await look(lookups, "good", "good.example")
    refused = 0
    for team in range(40):
        for number in range(16):
            host = f"{name}{team}-{number}.example"
            try:
                if name == "once":
                    await look(lookups, f"team{team}", host)
                await hang(lookups, resolver, f"team{team}", host)
            except BusyResolverError:
                refused += 1

    assert refused > 100
    assert await look(lookups, "good", "good.example") == ["192.0.2.1"]
    assert await look(lookups, "good", "new.example") == ["192.0.2.1"]
    assert len(lookups) <= 224
    await ended(lookups, resolver)
    assert not lookups._of_namespace


async def test_one_namespace_has_its_share(resolver: Resolver) -> None:
    lookups = Lookups(64, resolver)
    for number in range(4):
        await hang(lookups, resolver, "team", f"hang{number}.example")

    with pytest.raises(BusyResolverError, match="of this namespace"):
        await look(lookups, "team", "new.example")

    await ended(lookups, resolver)


async def test_nobody_waits_for_a_thread_at_the_end() -> None:
    over, threads = threading.Event(), Unawaited()
    future = threads.submit(over.wait)

    threads.shutdown(wait=True)

    assert not future.done()
    assert all(each.daemon for each in threading.enumerate() if each.name == "lookup")
    over.set()
    assert future.result(timeout=10) is True
