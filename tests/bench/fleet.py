"""A fleet: apps in Phase, PhaseSecrets that read them, and quick hands on the API server.

Twenty apps with three environments of ten entries each; PhaseSecrets spread over all of them and over ten namespaces.
One more app and namespace are for workloads that follow.
"""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.world import phase_secret, secret

APPS, ENVIRONMENTS, KEYS, NAMESPACES = 20, ("Development", "Staging", "Production"), 10, 10
# The app, the namespace, the PhaseSecret and the Secret of the workloads.
FOLLOWED = "followed"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{FOLLOWED}/deployments"
_AT_ONCE = 32


def seed() -> dict[str, Any]:
    """Return what Phase holds."""
    apps = [
        {
            "name": f"app-{app}",
            "environments": [
                {
                    "name": environment,
                    "secrets": [
                        {"key": f"KEY_{key}", "value": f"{app} {environment} {key} {'x' * 40}"} for key in range(KEYS)
                    ],
                }
                for environment in ENVIRONMENTS
            ],
        }
        for app in range(APPS)
    ]
    apps.append({"name": FOLLOWED, "environments": [{"name": "Production", "secrets": [{"key": "A", "value": "one"}]}]})
    return {"apps": apps, "accounts": [{"name": "operator", "access": {each["name"]: ["*"] for each in apps}}]}


def source(number: int) -> tuple[str, str]:
    """Return app and environment of a PhaseSecret."""
    return f"app-{number % APPS}", ENVIRONMENTS[number // APPS % len(ENVIRONMENTS)]


def change_everywhere(phase: EmbeddedPhase, key: str, text: str) -> None:
    """Change the value of a key in every environment that PhaseSecrets read."""
    for app in range(APPS):
        for environment in ENVIRONMENTS:
            phase.set(f"app-{app}", environment, key, text)


def namespace(number: int) -> str:
    """Return the namespace of a PhaseSecret."""
    return f"bench-{number % NAMESPACES}"


def resource(number: int, url: str, interval: int) -> dict[str, Any]:
    """Return a PhaseSecret."""
    app, environment = source(number)
    name = f"cr-{number}"
    return phase_secret(name, url, phaseApp=app, phaseAppEnv=environment, pollingInterval=interval)


def follower(number: int) -> dict[str, Any]:
    """Return a Deployment that follows one key, in which nothing is left to roll out."""
    labels = {"app": f"follower-{number}"}
    value = {"secretKeyRef": {"name": FOLLOWED, "key": "A"}}
    container = {"name": "main", "image": "none", "env": [{"name": "A", "valueFrom": value}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "metadata": {"name": f"follower-{number}", "annotations": {"secrets.phase.dev/redeploy": "true"}},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def prepare(plane: ControlPlane, phase: EmbeddedPhase) -> None:
    """Make the namespaces, each with its token."""
    for name in (*map(namespace, range(NAMESPACES)), FOLLOWED):
        plane.kubectl("create", "namespace", name)
        body = secret("phase-service-token", {"token": phase.token("operator", form="pss")})
        plane.kubectl("-n", name, "apply", "-f", "-", stdin=json.dumps(body))


class Hands:
    """An admin who is quick enough to be no part of what is measured."""

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
        """Delete an object, or all of a collection."""
        async with self._session.delete(f"{self._url}{path}") as answer:
            assert answer.status == 200, await answer.text()

    async def data(self, path: str) -> dict[str, str] | None:
        """Return a Secret's data, encoded, or None."""
        async with self._session.get(f"{self._url}{path}") as answer:
            return None if answer.status == 404 else dict((await answer.json()).get("data") or {})

    async def all(self, path: str) -> list[dict[str, Any]]:
        """Return the objects of a collection."""
        async with self._session.get(f"{self._url}{path}") as answer:
            return list((await answer.json())["items"])

    async def version(self, path: str) -> str:
        """Return the version at which a collection is now."""
        async with self._session.get(f"{self._url}{path}", params={"limit": "1"}) as answer:
            return str((await answer.json())["metadata"]["resourceVersion"])

    async def changes(self, path: str, since: str) -> AsyncIterator[dict[str, Any]]:
        """Yield each object of a collection as it is after a change, for as long as a client listens."""
        query = {"watch": "1", "resourceVersion": since}
        async with self._session.get(f"{self._url}{path}", params=query) as answer:
            async for line in answer.content:
                yield json.loads(line)["object"]


@asynccontextmanager
async def hands(plane: ControlPlane) -> AsyncIterator[Hands]:
    """Give quick hands."""
    trust = ssl.create_default_context(cafile=str(plane.ca_file))
    connector = aiohttp.TCPConnector(ssl=trust, limit=_AT_ONCE)
    headers = {"Authorization": f"Bearer {plane.admin_token}"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        yield Hands(session, plane.url)
    # aiohttp ends TLS connections some moments after their session.
    await asyncio.sleep(0.25)


async def every(numbers: Iterable[int], job: Callable[[int], Awaitable[None]]) -> None:
    """Do a job for each number, some at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await job(number)

    await asyncio.gather(*(one(number) for number in numbers))


def resource_path(number: int) -> str:
    """Return where PhaseSecrets of a number's namespace are made."""
    return f"/apis/secrets.phase.dev/v1alpha1/namespaces/{namespace(number)}/phasesecrets"


def target_path(number: int) -> str:
    """Return where a PhaseSecret's Secret is."""
    return f"/api/v1/namespaces/{namespace(number)}/secrets/cr-{number}"


async def make(plane: ControlPlane, url: str, interval: int, numbers: Iterable[int]) -> None:
    """Create PhaseSecrets."""
    async with hands(plane) as admin:
        await every(numbers, lambda number: admin.create(resource_path(number), resource(number, url, interval)))


async def unmake(plane: ControlPlane, numbers: Iterable[int]) -> None:
    """Delete PhaseSecrets and their Secrets."""
    async with hands(plane) as admin:

        async def one(number: int) -> None:
            await admin.clear(f"{resource_path(number)}/cr-{number}")
            await admin.clear(target_path(number))

        await every(numbers, one)


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


def high(values: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(values)[max(0, round(len(values) * 0.99) - 1)]
