"""What a person's command reads as it comes: parts of lists, watches, logs, and what a pod answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio import client as aio

from phase_operator.kube.client import KubeClient
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import PHASE_SECRETS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
WATCHED = "/apis/secrets.phase.dev/v1alpha1/namespaces/team/phasesecrets"
POD = "/api/v1/namespaces/ops/pods/pod-1"


@asynccontextmanager
async def cluster_of(handle: Handler) -> AsyncIterator[UserCluster]:
    """Give a cluster whose API server answers so."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = KubeClient(aio.Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}"), lambda *_: None)
    try:
        yield UserCluster(client, "team", "a-context")
    finally:
        await client.close()
        await runner.cleanup()


def answering(status: int = 200, **answer: Any) -> Handler:
    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, **answer)

    return handle


def status_of(code: int, reason: str, message: str = "") -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


def lines_of(*lines: object) -> Handler:
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
    return answering(text=text)


def page(names: list[str], token: str = "", version: str = "7") -> dict[str, Any]:
    items = [{"metadata": {"name": name}} for name in names]
    return {"metadata": {"resourceVersion": version, "continue": token}, "items": items}


async def test_a_list_comes_part_by_part_and_each_object_has_its_kind() -> None:
    asked: list[dict[str, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(dict(request.query))
        return web.json_response(page(["b"], version="9") if "continue" in request.query else page(["a"], "more"))

    async with cluster_of(handle) as cluster:
        parts = [each async for each in cluster.pages(PHASE_SECRETS, "team", labels="a=b", fields="c=d")]

    assert [(part.version, [item["metadata"]["name"] for item in part.items]) for part in parts] == [
        ("7", ["a"]),
        ("9", ["b"]),
    ]
    assert {item["kind"] for part in parts for item in part.items} == {"PhaseSecret"}
    assert {item["apiVersion"] for part in parts for item in part.items} == {"secrets.phase.dev/v1alpha1"}
    assert [(each["labelSelector"], each["fieldSelector"], each.get("continue")) for each in asked] == [
        ("a=b", "c=d", None),
        ("a=b", "c=d", "more"),
    ]


async def test_a_watch_yields_events_until_it_is_ended() -> None:
    asked: list[tuple[str, dict[str, str]]] = []
    events = [{"type": "MODIFIED", "object": {"metadata": {"name": "shop"}}}, {"type": "BOOKMARK", "object": {}}]
    answer = lines_of(*events)

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append((request.path, dict(request.query)))
        return await answer(request)

    async with cluster_of(handle) as cluster:
        found = [each async for each in cluster.watch(PHASE_SECRETS, "team", "41", fields="metadata.name=shop")]

    assert found == events
    wanted = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": "41"}
    assert asked == [(WATCHED, wanted | {"fieldSelector": "metadata.name=shop"})]


@pytest.mark.parametrize(
    ("handle", "trouble"),
    [
        pytest.param(lines_of({"type": "ERROR", "object": status_of(410, "Expired")}), Trouble.TOO_OLD, id="expired"),
        pytest.param(answering(410, text=json.dumps(status_of(410, "Gone"))), Trouble.TOO_OLD, id="gone"),
        pytest.param(answering(403, text=json.dumps(status_of(403, "Forbidden"))), Trouble.NO_RIGHT, id="forbidden"),
        pytest.param(answering(404, text="{}"), Trouble.NOT_FOUND, id="no such kind"),
        pytest.param(lines_of({"type": "ERROR", "object": "?"}), Trouble.REFUSED, id="another error"),
        pytest.param(lines_of("no json"), Trouble.UNREACHABLE, id="no JSON"),
    ],
)
async def test_a_watch_that_fails_says_what_it_means(handle: Handler, trouble: Trouble) -> None:
    async with cluster_of(handle) as cluster:
        with pytest.raises(UserError) as caught:
            _ = [each async for each in cluster.watch(PHASE_SECRETS, "team", "1")]

    assert caught.value.trouble is trouble
    assert caught.value.message.isprintable()


async def test_a_log_comes_line_by_line_while_it_goes_on() -> None:
    seen = asyncio.Event()
    asked: list[tuple[str, dict[str, str], str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append((request.path, dict(request.query), request.headers["Accept"]))
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first\r\nseco")
        await seen.wait()
        await response.write(b"nd \xff\n\nlast")
        return response

    found = []
    async with cluster_of(handle) as cluster, aclosing(cluster.log("ops", "pod-1", [("follow", "true")])) as lines:  # type: ignore[type-var]
        async for line in lines:
            found.append(line)
            seen.set()

    assert found == ["first", "second \ufffd", "", "last"]
    assert asked == [(f"{POD}/log", {"follow": "true"}, "*/*")]


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(80):
        await response.write(b"x" * 65536)
    return response


async def test_a_line_of_a_log_is_bounded() -> None:
    async with cluster_of(endless) as cluster:
        with pytest.raises(UserError, match="too long"):
            _ = [each async for each in cluster.log("ops", "pod-1")]


async def test_an_event_of_a_watch_is_bounded() -> None:
    async with cluster_of(endless) as cluster:
        with pytest.raises(UserError) as caught:
            _ = [each async for each in cluster.watch(PHASE_SECRETS, "team", "1")]

    assert caught.value.trouble is Trouble.UNREACHABLE


async def test_a_pod_is_asked_by_the_api_server() -> None:
    asked: list[tuple[str, str, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append((request.method, request.path, request.query_string))
        return web.Response(status=503, text="start: waits\n")

    async with cluster_of(handle) as cluster:
        answer = await cluster.ask_pod("ops", "pod-1", 8081, "/readyz", [("of", "team/shop/uid")])

    assert (answer.status, answer.text) == (503, "start: waits\n")
    assert asked == [("GET", f"{POD}:8081/proxy/readyz", "of=team/shop/uid")]


@pytest.mark.parametrize(
    ("handle", "trouble", "says"),
    [
        pytest.param(
            answering(403, text=json.dumps(status_of(403, "Forbidden"))),
            Trouble.NO_RIGHT,
            "you have no right to get pods/proxy/pod-1:8081 in namespace ops",
            id="no right",
        ),
        pytest.param(
            answering(404, text=json.dumps(status_of(404, "NotFound"))), Trouble.NOT_FOUND, "no Pod", id="no pod"
        ),
        pytest.param(
            answering(503, text=json.dumps(status_of(503, "ServiceUnavailable", "dial tcp"))),
            Trouble.REFUSED,
            "cannot get pods/proxy/pod-1:8081",
            id="not reached",
        ),
        pytest.param(answering(text="x" * (1024 * 1024 + 1)), Trouble.UNREACHABLE, "too long", id="too much"),
    ],
)
async def test_a_pod_that_was_not_asked_is_an_error_of_the_api_server(
    handle: Handler, trouble: Trouble, says: str
) -> None:
    async with cluster_of(handle) as cluster:
        with pytest.raises(UserError, match=says) as caught:
            await cluster.ask_pod("ops", "pod-1", 8081, "/readyz")

    assert caught.value.trouble is trouble


@pytest.mark.parametrize("body", [b"404: Not Found", b"\xff\xfe", b'{"kind": "Other"}', b"[]", b""])
async def test_a_refusal_of_a_program_in_a_pod_is_its_answer(body: bytes) -> None:
    async with cluster_of(answering(404, body=body)) as cluster:
        answer = await cluster.ask_pod("ops", "pod-1", 8081, "/x")

    assert (answer.status, answer.text) == (404, body.decode(errors="replace"))


@pytest.mark.parametrize(
    ("date", "moment"),
    [("Sun, 29 Nov 2026 17:00:00 GMT", 1_795_971_600.0), ("yesterday", None), ("", None)],
)
async def test_the_time_is_that_of_the_api_server(date: str, moment: float | None) -> None:
    async with cluster_of(answering(text="{}", headers={"Date": date})) as cluster:
        assert cluster.now() is None
        await cluster.get(PHASE_SECRETS, "team", "shop")
        now = cluster.now()

    assert now is None if moment is None else now is not None and moment <= now < moment + 60
