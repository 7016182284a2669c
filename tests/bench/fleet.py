"""A fleet: apps in Phase, and PhaseSecrets that read them.

Twenty apps with three environments of ten entries each; PhaseSecrets spread over all of them and over ten namespaces.
One more app and namespace are for workloads that follow.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from bench.hands import Hands, Way, every, reach, secret_path
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.api import api_of
from support.world import phase_secret, secret

APPS, ENVIRONMENTS, KEYS, NAMESPACES = 20, ("Development", "Staging", "Production"), 10, 10
# The app, the namespace, the PhaseSecret and the Secret of the workloads.
FOLLOWED = "followed"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{FOLLOWED}/deployments"


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


def name(number: int) -> str:
    """Return the name of a PhaseSecret, and of its Secret."""
    return f"cr-{number}"


def resource(number: int, url: str, interval: int) -> dict[str, Any]:
    """Return a PhaseSecret."""
    app, environment = source(number)
    return phase_secret(name(number), url, phaseApp=app, phaseAppEnv=environment, pollingInterval=interval)


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
    for each in (*map(namespace, range(NAMESPACES)), FOLLOWED):
        prepare_one(plane, each, phase.token("operator", form="pss"))


def prepare_one(plane: ControlPlane, namespace: str, token: str) -> None:
    """Make a namespace, unless it is there, with a token of Phase."""
    make_namespace(plane, namespace)
    api_of(plane).apply(secret("phase-service-token", {"token": token}), namespace, "bench")


def make_namespace(plane: ControlPlane, namespace: str) -> None:
    """Make a namespace, unless it is there."""
    api_of(plane).apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, "", "bench")


@asynccontextmanager
async def hands(plane: ControlPlane) -> AsyncIterator[Hands]:
    """Give quick hands with an admin's rights."""
    async with reach(Way(plane.url, plane.ca_file.read_text(), plane.admin_token)) as admin:
        yield admin


def resource_path(number: int) -> str:
    """Return where PhaseSecrets of a number's namespace are made."""
    return f"/apis/secrets.phase.dev/v1alpha1/namespaces/{namespace(number)}/phasesecrets"


def target_path(number: int) -> str:
    """Return where a PhaseSecret's Secret is."""
    return secret_path(namespace(number), name(number))


async def make(plane: ControlPlane, url: str, interval: int, numbers: Iterable[int]) -> None:
    """Create PhaseSecrets."""
    async with hands(plane) as admin:
        await every(numbers, lambda number: admin.create(resource_path(number), resource(number, url, interval)))


async def unmake(plane: ControlPlane, numbers: Iterable[int]) -> None:
    """Delete PhaseSecrets and their Secrets."""
    async with hands(plane) as admin:

        async def one(number: int) -> None:
            await admin.clear(f"{resource_path(number)}/{name(number)}")
            await admin.clear(target_path(number))

        await every(numbers, one)


def high(values: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(values)[max(0, round(len(values) * 0.99) - 1)]
