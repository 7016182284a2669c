"""How the workloads of a namespace are asked for: in few round trips, and not on when nothing answers."""

import asyncio
from collections.abc import Callable
from typing import Any

from phase_operator.core.errors import ExpectedError
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import APIS
from phase_operator.kube.errors import ApiError
from phase_operator.kube.workloads import KubeWorkloads
from support.workloads import Server

KINDS = {"deployments", "statefulsets", "daemonsets", "cronjobs", "rollouts"}
Answer = Callable[[str, str], dict[str, Any]]


class Rounds:
    """An API server that answers all requests under way together; `made` is what was under way, by round trips."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._open: list[tuple[str, str, asyncio.Future[None]]] = []
        self.made: list[list[str]] = []

    async def request(self, _: str, path: str, *, query: list[tuple[str, str]], **__: Any) -> dict[str, Any]:
        """Wait for the end of the round trip, and answer."""
        collection, token = path.rsplit("/", 1)[1], dict(query).get("continue", "")
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open.append((collection, token, answered))
        await answered
        return self._answer(collection, token)

    async def each(self) -> tuple[list[str], list[ExpectedError]]:
        """Return the names of the workloads of a namespace, and the failures."""
        failed: list[ExpectedError] = []
        port = KubeWorkloads(self, None)  # type: ignore[arg-type]

        async def names() -> list[str]:
            return [each.ref.key.name async for each in port.each("team", failed)]

        asked = asyncio.create_task(names())
        while not asked.done():
            for _ in range(20):
                await asyncio.sleep(0)
            under_way, self._open = self._open, []
            if under_way:
                self.made.append([f"{collection}{token}" for collection, token, _ in under_way])
            for _, _, answered in under_way:
                answered.set_result(None)
        return await asked, failed


def some(*names: str, token: str = "", kind: WorkloadKind = WorkloadKind.DEPLOYMENT) -> dict[str, Any]:
    """Answer with workloads of a kind."""
    items = [Server(kind, name=name).found for name in names]
    return {"metadata": {"resourceVersion": "1", "continue": token}, "items": items}


def silent(*_: str) -> dict[str, Any]:
    """Fail as an API server that is away."""
    raise ApiError(503, "away", "")


async def test_the_kinds_of_workloads_are_listed_in_two_round_trips() -> None:
    server = Rounds(lambda collection, _: some("web") if collection == "deployments" else some())

    assert await server.each() == (["web"], [])

    assert len(server.made) == 2
    assert {each for made in server.made for each in made} == KINDS


async def test_an_api_server_that_does_not_answer_is_not_asked_for_the_other_kinds() -> None:
    server = Rounds(silent)

    found, failed = await server.each()

    assert (found, len(failed)) == ([], 2)
    assert [each for made in server.made for each in made] == ["deployments", "statefulsets"]


async def test_a_long_list_goes_on_before_the_next_kinds_are_asked_for() -> None:
    parts = {"": some("a", "b", token="2"), "2": some("c", token="3"), "3": some("d")}
    server = Rounds(lambda collection, token: parts[token] if collection == "deployments" else some())

    assert await server.each() == (["a", "b", "c", "d"], [])

    assert server.made[:3] == [["deployments", "statefulsets"], ["deployments2"], ["deployments3"]]
    assert len(server.made) == 4


async def test_a_kind_that_cannot_be_listed_hides_no_other() -> None:
    kinds = {APIS[kind].plural: kind for kind in WorkloadKind}

    def answer(collection: str, _: str) -> dict[str, Any]:
        return silent() if collection == "statefulsets" else some(collection, kind=kinds[collection])

    found, failed = await Rounds(answer).each()

    assert set(found) == KINDS - {"statefulsets"}
    assert ["StatefulSet" in str(each) for each in failed] == [True]
