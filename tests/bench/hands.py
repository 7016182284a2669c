"""Quick hands on the API server: so quick that they are no part of what is measured.

They import little, since the bare program works with them.
"""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

SECRETS = "/api/v1/secrets"
_AT_ONCE = 32
# The longest line of a watch, in bytes.
_LINE = 2**20
_GATEWAY_TIMEOUT = 504
# Says whether a Secret's data, encoded, is as it should be.
Wanted = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True)
class Way:
    """A way to the API server: its address, the certificate by which to know it, and a token."""

    url: str
    authority: str
    token: str

    @classmethod
    def of_kubeconfig(cls, file: Path) -> Self:
        """Return the way that a kubeconfig of `phase-dev cluster` describes: one of each, and no other file."""
        found = yaml.safe_load(file.read_text())
        [cluster], [user] = found["clusters"], found["users"]
        authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
        return cls(cluster["cluster"]["server"], authority, user["user"]["token"])


class Hands:
    """A client that is quick enough to be no part of what is measured."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def create(self, path: str, body: dict[str, Any]) -> None:
        """Create an object."""
        async with self._session.post(f"{self._url}{path}", json=body) as answer:
            assert answer.status == 201, await answer.text()

    async def apply(self, path: str, body: dict[str, Any], manager: str = "bare") -> None:
        """Apply an object server-side."""
        headers = {"Content-Type": "application/apply-patch+yaml"}
        query = {"fieldManager": manager, "force": "true"}
        async with self._session.patch(f"{self._url}{path}", json=body, params=query, headers=headers) as answer:
            assert answer.status in (200, 201), await answer.text()

    async def merge(self, path: str, body: dict[str, Any]) -> None:
        """Change an object as a person would."""
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._session.patch(f"{self._url}{path}", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def clear(self, path: str) -> None:
        """Delete an object, or all of a collection; it may be gone already."""
        while True:
            async with self._session.delete(f"{self._url}{path}") as answer:
                # The API server gives a request a minute: a large collection takes several.
                if answer.status != _GATEWAY_TIMEOUT:
                    assert answer.status in (200, 404), await answer.text()
                    return

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return an object, or a collection."""
        async with self._session.get(f"{self._url}{path}", params=query) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def text(self, path: str) -> str:
        """Return what is no JSON."""
        async with self._session.get(f"{self._url}{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()

    async def data(self, path: str) -> dict[str, str] | None:
        """Return a Secret's data, encoded, or None."""
        async with self._session.get(f"{self._url}{path}") as answer:
            return None if answer.status == 404 else dict((await answer.json()).get("data") or {})

    async def all(self, path: str) -> list[dict[str, Any]]:
        """Return the objects of a collection."""
        return list((await self.get(path))["items"])

    async def version(self, path: str) -> str:
        """Return the version at which a collection is now."""
        return str((await self.get(path, limit="1"))["metadata"]["resourceVersion"])

    async def changes(self, path: str, since: str) -> AsyncIterator[dict[str, Any]]:
        """Yield each object of a collection as it is after a change, for as long as a client listens.

        The API server ends the watch of a client that is slow to read, and any after half an hour or more: the next one
        goes on from there, so no change is missed.
        """
        forever = aiohttp.ClientTimeout(total=None)
        while True:
            query = {"watch": "1", "resourceVersion": since}
            async with self._session.get(f"{self._url}{path}", params=query, timeout=forever) as answer:
                async for line in answer.content:
                    found = json.loads(line)["object"]
                    assert found["kind"] != "Status", found
                    since = found["metadata"]["resourceVersion"]
                    yield found

    async def until_each(
        self, wanted: Mapping[str, Wanted], since: str, seen: dict[str, float], tell: Callable[[int], None]
    ) -> None:
        """Follow Secrets from a version on until each of these paths was as wanted; note in `seen` when, monotonic.

        `tell` is called with how many were, after each. A watch shows it: thousands of requests again and again would
        take the CPU from the program that writes.
        """
        async for found in self.changes(SECRETS, since):
            path = path_of(found)
            if path in wanted and path not in seen and wanted[path](found.get("data") or {}):
                seen[path] = time.monotonic()
                tell(len(seen))
            if seen.keys() == wanted.keys():
                return


def holds(key: str, text: str) -> Wanted:
    """Want a value under a key."""
    value = encoded(text)
    return lambda data: data.get(key) == value


def secret_path(namespace: str, name: str) -> str:
    """Return where a Secret is."""
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"


def path_of(found: Mapping[str, Any]) -> str:
    """Return where a Secret is that a watch shows."""
    return secret_path(found["metadata"]["namespace"], found["metadata"]["name"])


@asynccontextmanager
async def reach(way: Way) -> AsyncIterator[Hands]:
    """Give quick hands with the rights of a token."""
    trust = ssl.create_default_context(cadata=way.authority)
    connector = aiohttp.TCPConnector(ssl=trust, limit=_AT_ONCE)
    headers = {"Authorization": f"Bearer {way.token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers, read_bufsize=_LINE) as session:
        yield Hands(session, way.url)
    # aiohttp ends TLS connections some moments after their session.
    await asyncio.sleep(0.25)


async def changed(
    hands: Hands,
    wanted: Mapping[str, Wanted],
    change: Callable[[], object],
    within: float,
    tell: Callable[[int], None],
) -> list[float]:
    """Make a change; return the seconds until each of these Secrets is as wanted, for those that are in time."""
    seen: dict[str, float] = {}
    since = await hands.version(SECRETS)
    began = time.monotonic()
    change()
    with suppress(TimeoutError):
        await asyncio.wait_for(hands.until_each(wanted, since, seen, tell), within)
    return [at - began for at in seen.values()]


@dataclass(frozen=True)
class New:
    """A resource that is made, and the Secret that is to come of it."""

    collection: str
    body: dict[str, Any]
    secret: str


async def made_among(
    hands: Hands,
    wanted: Mapping[str, Wanted],
    change: Callable[[], object],
    new: Iterable[New],
    within: float,
    tell: Callable[[int], None],
) -> list[float]:
    """Make a change, and while these Secrets come to be as wanted, new resources, one after another.

    Return the seconds from each one's creation to its Secret. The first is made when the first of the others is as
    wanted; all have to be within the time.
    """
    took = []
    seen: dict[str, float] = {}

    async def begun() -> bool:
        return bool(seen)

    since = await hands.version(SECRETS)
    change()
    async with asyncio.timeout(within), asyncio.TaskGroup() as others:
        others.create_task(hands.until_each(wanted, since, seen, tell))
        await until(begun, within)
        for each in new:
            await hands.create(each.collection, each.body)

            async def there(path: str = each.secret) -> bool:
                return await hands.data(path) is not None

            took.append(await until(there, within))
    return took


async def edited(hands: Hands, paths: Iterable[str], within: float) -> list[float]:
    """Edit Secrets by hand, all at once; return the seconds until each is as it was, for those that are in time."""
    good = {path: await hands.data(path) for path in paths}
    edits: dict[str, float] = {}
    repaired: dict[str, float] = {}
    since = await hands.version(SECRETS)

    async def look() -> None:
        bad = set()
        async for found in hands.changes(SECRETS, since):
            path = path_of(found)
            if path in good and (found.get("data") or {}) != good[path]:
                bad.add(path)
            elif path in bad:
                repaired.setdefault(path, time.monotonic())
            if repaired.keys() == good.keys():
                return

    async def edit(path: str) -> None:
        await hands.merge(path, {"data": {"KEY_1": encoded("edited")}})
        edits[path] = time.monotonic()

    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(look(), *map(edit, good)), within)
    return [max(0.0, at - edits[path]) for path, at in repaired.items()]


async def every(numbers: Iterable[int], job: Callable[[int], Awaitable[None]]) -> None:
    """Do a job for each number, some at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await job(number)

    await asyncio.gather(*(one(number) for number in numbers))


async def until(look: Callable[[], Awaitable[bool]], within: float, pause: float = 0.01) -> float:
    """Wait until something is so, and return the seconds that it took."""
    began = time.monotonic()
    while not await look():
        if time.monotonic() - began > within:
            raise AssertionError(f"it did not happen within {within:g} s")
        await asyncio.sleep(pause)
    return time.monotonic() - began


def encoded(text: str) -> str:
    """Return text as a Secret holds it."""
    return base64.b64encode(text.encode()).decode()
