"""A cluster of any size for `doctor`: objects are made when they are read, and every request is counted."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.core.timestamps import timestamp
from phase_operator.kube.listing import CHUNK, Page
from phase_operator.kube.user_cluster import PodAnswer, UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import DEPLOYMENTS, LEASES, OURS, PODS, Request, Resource
from support.doctored import NOW, deployment, pod

Made = Callable[[int], Mapping[str, Any]]


@dataclass
class LargeCluster(UserCluster):
    """A cluster of any size: objects are made when they are read, and every request is counted."""

    sizes: Mapping[Resource, tuple[int, Made]]
    refused: frozenset[Resource] = frozenset()
    missing: frozenset[Resource] = frozenset()
    asked: Counter[str] = field(default_factory=Counter)
    silent_pods: bool = False
    lines_of_log: int = 0
    # What each line is, if not a number.
    line: str = ""

    def now(self) -> float | None:
        return NOW

    def _take(self, verb: str, resource: Resource, namespace: str, name: str = "") -> None:
        self.asked[f"{verb} {resource}"] += 1
        if resource in self.refused:
            request = Request(verb, resource, namespace, name)
            raise UserError(Trouble.NO_RIGHT, f"you have no right to {request}", request)
        if resource in self.missing:
            raise UserError(Trouble.NOT_FOUND, f"the cluster has no {resource}")

    def _objects(self, resource: Resource) -> Iterator[Mapping[str, Any]]:
        number, make = self.sizes.get(resource, (0, lambda _: {}))
        return (make(each) for each in range(number))

    async def version(self) -> Mapping[str, Any]:
        self.asked["version"] += 1
        return {"major": "1", "minor": "36", "gitVersion": "v1.36.3"}

    async def find(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        self._take("get", resource, namespace, name)
        if resource == LEASES and resource in self.sizes:
            spec = {"holderIdentity": "p-0_01", "leaseDurationSeconds": 15, "renewTime": timestamp(NOW)}
            return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}
        return None

    async def list(self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "") -> Any:
        self._take("list", resource, namespace)
        return list(self._objects(resource))

    async def each(
        self, resource: Resource, namespace: str, *, labels: str = "", chunk: int = CHUNK, metadata: bool = False
    ) -> AsyncIterator[Mapping[str, Any]]:
        # Of Secrets and ConfigMaps the targets alone are listed: there are none here.
        for number, made in enumerate(() if metadata else self._objects(resource)):
            if number % chunk == 0:
                self._take("list", resource, namespace)
            yield made
        self._take("list", resource, namespace)

    async def pages(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        async for each in self.each(resource, namespace):
            yield Page([each], "", "1")

    async def ask_pod(
        self, namespace: str, pod: str, port: int, path: str, query: Any = (), most: int = 0
    ) -> PodAnswer:
        self.asked["ask pod"] += 1
        if self.silent_pods:
            raise UserError(Trouble.UNREACHABLE, "the API server does not answer: TimeoutError")
        return PodAnswer(200, "ok\n")

    async def log(self, namespace: str, pod: str, query: Sequence[tuple[str, str]] = ()) -> AsyncIterator[str]:
        self.asked["log"] += 1
        for number in range(self.lines_of_log):
            yield self.line or f"{number:>200}"

    async def may(self, request: Request) -> bool:
        self.asked["review of the person"] += 1
        return request.resource not in self.refused

    async def account_may(self, namespace: str, name: str, request: Request) -> bool:
        self.asked["review of the operator"] += 1
        return True


def resource(number: int) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True", "reason": "Synced"}
    return {
        "metadata": {"namespace": f"n-{number}", "name": "shop"},
        "status": {"observedGeneration": 1, "conditions": [condition]},
    }


def large(**more: Any) -> LargeCluster:
    """Return a cluster with ten thousand resources in ten thousand namespaces, of which a thousand are watched."""
    watched = [part for number in range(1000) for part in ("--namespace", f"n-{number}")]
    sizes: dict[Resource, tuple[int, Made]] = {
        OURS[0]: (10_000, resource),
        DEPLOYMENTS: (10_000, lambda number: deployment(args=["run", *watched]) if number == 7 else {"metadata": {}}),
        LEASES: (10_000, lambda number: {"metadata": {"namespace": f"n-{number}", "name": "x"}}),
        PODS: (100, lambda number: pod(f"p-{number}").body),
    }
    return LargeCluster(sizes, **more)
