"""How a request's body is spelled, what is counted of an answer, and what the watch engine's session adds."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.aio import client as aio

from phase_operator.kube.client import METADATA, KubeClient, encoded
from phase_operator.kube.errors import ApiError

# YAML's own readers stop at these, however they are spelled; the API server's does not.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_a_body_is_what_was_given(body: dict[str, Any]) -> None:
    assert json.loads(encoded(body)) == body


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\U0001f469\u200d\U0001f4bb", id="emoji"),
        pytest.param(r"\ud83d\udc69", id="what only looks like a pair"),
        pytest.param("\\\U0001f469", id="a backslash before an emoji"),
        pytest.param("a\u2028b\u0085c\n", id="breaks"),
        pytest.param('"quotes" and \\', id="quotes"),
    ],
)
def test_yaml_reads_the_same(text: str) -> None:
    spelled = encoded({"text": text})

    assert yaml.safe_load(spelled) == {"text": text}
    assert json.loads(spelled) == {"text": text}


@asynccontextmanager
async def client_of(
    answer: Callable[[], web.Response], on_conflict: Callable[[str], None] = lambda _: None
) -> AsyncIterator[KubeClient]:
    """Give a client of an API server that answers every request so."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return answer()

    async with served(handle, on_conflict) as client:
        yield client


@asynccontextmanager
async def served(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]],
    on_conflict: Callable[[str], None] = lambda _: None,
    *,
    configuration: aio.Configuration | None = None,
    cancels: bool = False,
) -> AsyncIterator[KubeClient]:
    """Give a client of an API server; one that `cancels` gives up what nobody waits for."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=cancels)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found = configuration or aio.Configuration()
    found.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = KubeClient(found, lambda *_: None, on_conflict)
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


def busy() -> web.Response:
    return web.json_response({"kind": "Status", "reason": "TooManyRequests"}, status=429, headers={"Retry-After": "7"})


async def test_a_watch_that_is_refused_tells_how_long_to_wait() -> None:
    async with client_of(busy) as client:
        with pytest.raises(ApiError) as raised:
            async with client.watch("/api/v1/secrets", [("watch", "true")], METADATA):
                pass

    assert (raised.value.status, raised.value.after) == (429, 7.0)


async def test_the_watch_engine_cannot_spin() -> None:
    async with client_of(lambda: web.Response(text="")) as client, client.session_for_watching(lambda: None) as session:
        opened = [asyncio.create_task(session.get("/secrets", params={"watch": "true"})) for _ in range(5)]

        done, waiting = await asyncio.wait(opened, timeout=0.5)

        assert (len(done), len(waiting)) == (3, 2)
        async with asyncio.timeout(5), session.get("/configmaps", params={"watch": "true"}) as other:
            assert other.status == 200
        for each in waiting:
            each.cancel()
        for response in done:
            response.result().release()


async def test_a_list_that_is_read_anew_is_told_once() -> None:
    told: list[str] = []
    async with (
        client_of(lambda: web.Response(text="{}")) as client,
        client.session_for_watching(lambda: told.append("listed")) as session,
    ):
        for more in ({}, {"continue": "1"}, {"continue": "2"}):
            await get(session, {"limit": "500"} | more)
        await get(session, {})

    assert told == ["listed"]


async def test_the_watch_engine_that_closes_a_watch_reads_no_more_of_it() -> None:
    over = asyncio.Event()

    async def opens(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{}\n")
        await over.wait()
        return response

    async with served(opens) as client, client.session_for_watching(lambda: None) as session:
        answer = await session.get("/secrets", params={"watch": "true"})
        lines = answer.content.iter_chunked(1024)
        assert await anext(lines) == b"{}\n"
        reading = asyncio.create_task(anext(lines))
        await asyncio.sleep(0)
        answer.close()

        async with asyncio.timeout(5):
            with pytest.raises(aiohttp.ClientConnectionError):
                await reading
        over.set()


async def get(session: aiohttp.ClientSession, query: dict[str, str]) -> None:
    async with session.get("/secrets", params=query) as answer:
        await answer.read()


HELD = {"details": {"causes": [{"reason": "FieldManagerConflict", "field": ".data.A"}]}}
ANOTHER = {"details": {"causes": [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]}}


@pytest.mark.parametrize(
    ("status", "body", "counted"),
    [
        pytest.param(409, {"reason": "Conflict"}, ["secrets"], id="another version"),
        pytest.param(409, {"reason": "AlreadyExists"}, ["secrets"], id="made meanwhile"),
        pytest.param(422, ANOTHER, ["secrets"], id="made anew meanwhile"),
        pytest.param(409, HELD, [], id="a field that another manager holds"),
        pytest.param(422, {}, [], id="invalid"),
        pytest.param(404, {}, [], id="gone"),
        pytest.param(403, {}, [], id="not allowed"),
    ],
)
async def test_a_write_that_came_too_late_is_counted(status: int, body: dict[str, Any], counted: list[str]) -> None:
    conflicts: list[str] = []
    async with client_of(lambda: web.json_response(body, status=status), conflicts.append) as client:
        with pytest.raises(ApiError):
            await client.request("PATCH", "/api/v1/namespaces/team/secrets/shop", body={})

    assert conflicts == counted


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<html>Welcome</html>", id="a proxy's page"),
        pytest.param(b"[" * 50_000, id="too deep"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"n":' + b"9" * 5000 + b"}", id="a number that is too long"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
async def test_a_success_that_is_no_json_is_an_error(page: bytes) -> None:
    async with client_of(lambda: web.Response(body=page)) as client:
        with pytest.raises(ApiError) as asked:
            await client.request("GET", "/api/v1/secrets")
        with pytest.raises(ApiError) as watched:
            await read(client)

    assert (asked.value.status, watched.value.status) == (0, 0)


async def test_the_date_of_the_last_answer_is_kept() -> None:
    dates = iter(["Tue, 01 Jan 2030 00:00:00 GMT", "Tue, 01 Jan 2030 00:00:05 GMT"])

    def answer() -> web.Response:
        return web.json_response({}, headers={"Date": next(dates)})

    async with client_of(answer) as client:
        assert client.server_date == ""
        await client.request("GET", "/api/v1/secrets")
        await client.request("GET", "/api/v1/secrets")

        assert client.server_date == "Tue, 01 Jan 2030 00:00:05 GMT"


async def read(client: KubeClient) -> None:
    """Read a watch to its end."""
    async with client.watch("/api/v1/secrets", [], METADATA) as events:
        async for _ in events:
            pass


async def test_a_refusal_that_breaks_off_is_an_error_of_the_api_server() -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=503, headers={"Content-Length": "100"})
        await answer.prepare(request)
        assert request.transport is not None
        request.transport.close()
        return answer

    async with served(refuse) as client:
        with pytest.raises(ApiError) as asked:
            await client.request("GET", "/api/v1/secrets")
        with pytest.raises(ApiError) as watched:
            await read(client)

    assert (asked.value.status, watched.value.status) == (0, 0)


async def test_a_refusal_that_is_no_json_keeps_its_status() -> None:
    async with client_of(lambda: web.Response(body=b"[" * 50_000, status=503)) as client:
        with pytest.raises(ApiError) as caught:
            await client.request("GET", "/api/v1/secrets")

    assert caught.value.status == 503


async def test_a_hundred_watches_leave_requests_alone() -> None:
    waiting = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({})
        response = web.StreamResponse()
        await response.prepare(request)
        await waiting.wait()
        return response

    async with served(answer) as client, AsyncExitStack() as stack, asyncio.timeout(20):
        for _ in range(100):
            await stack.enter_async_context(client.watch("/api/v1/secrets", [("watch", "true")], METADATA))

        answers = await asyncio.gather(*(client.request("GET", "/version") for _ in range(50)))

        assert answers == [{}] * 50
        waiting.set()


async def test_a_write_that_is_overtaken_on_its_way_does_not_arrive() -> None:
    """The fence holds when the write begins, and not any more when its body is to be sent."""
    arrived: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append(await request.read())
        return web.json_response({})

    async with served(take) as client:
        await client.request("POST", "/api/v1/namespaces/team/secrets", body={"data": "first"})
        left = iter([5.0])
        client.fence = lambda: next(left, 0.0)
        with pytest.raises(ApiError) as raised:
            await client.request("POST", "/api/v1/namespaces/team/secrets", body={"data": "second"})
        await client.request("PATCH", "/apis/coordination.k8s.io/v1/leases", body={"data": "lease"}, fenced=False)

    assert raised.value.status == 0
    assert [json.loads(each) for each in arrived] == [{"data": "first"}, {"data": "lease"}]


async def test_no_deletion_is_sent_once_another_process_may_lead() -> None:
    arrived: list[str] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append(request.method)
        return web.json_response({})

    async with served(take) as client:
        left = iter([5.0])
        client.fence = lambda: next(left, 0.0)
        with pytest.raises(ApiError):
            await client.request("DELETE", "/api/v1/namespaces/team/secrets/shop")
        await client.request("GET", "/api/v1/namespaces/team/secrets/shop")

    assert arrived == ["GET"]


async def test_a_write_is_awaited_for_as_long_as_this_process_leads() -> None:
    ended: list[bool] = []

    async def hang(_: web.Request) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
            over.set()
        raise AssertionError

    over = asyncio.Event()
    async with served(hang, cancels=True) as client, asyncio.timeout(20):
        client.fence = lambda: 0.1
        with pytest.raises(ApiError) as raised:
            await client.request("PATCH", "/api/v1/namespaces/team/secrets/shop", body={})
        # Its connection is closed, so the API server knows that nobody waits.
        await over.wait()

    assert (raised.value.status, raised.value.reason, ended) == (0, "TimeoutError", [True])


async def test_no_secret_goes_where_an_answer_says() -> None:
    elsewhere: list[str] = []

    async def other(request: web.Request) -> web.Response:
        elsewhere.append(request.path)
        return web.json_response({})

    async with served(other) as unasked:

        async def redirect(request: web.Request) -> web.Response:
            return web.json_response({}, status=307, headers={"Location": f"{unasked.host}{request.path}"})

        async with served(redirect) as client:
            with pytest.raises(ApiError) as written:
                await client.request("PATCH", "/api/v1/namespaces/team/secrets/shop", body={"data": {}})
            with pytest.raises(ApiError) as asked:
                await client.request("GET", "/api/v1/namespaces/team/secrets/shop")
            raw = await client.raw("/api/v1/namespaces/team/pods/web/proxy/metrics", [], 1000)

    assert (written.value.status, asked.value.status, raw[0]) == (307, 307, 307)
    assert elsewhere == []


async def test_every_request_says_who_we_are() -> None:
    said: list[str] = []

    async def take(request: web.Request) -> web.Response:
        said.append(f"{request.headers['Authorization']} {request.headers['User-Agent']} {request.headers['Accept']}")
        return web.json_response({})

    configuration = aio.Configuration(api_key={"BearerToken": "a"}, api_key_prefix={"BearerToken": "Bearer"})
    async with served(take, configuration=configuration) as client:
        await client.request("GET", "/version", accept=METADATA)
        await client.raw("/version", [], 1000)

    assert said == [f"Bearer a phase-operator {METADATA}", "Bearer a phase-operator */*"]


@pytest.mark.parametrize("host", ["garbage", "ftp://cluster", "https://"])
async def test_an_address_that_is_none_is_no_crash(host: str) -> None:
    client = KubeClient(aio.Configuration(host=host), lambda *_: None)
    with pytest.raises(ApiError) as raised:
        await client.request("GET", "/version")
    await client.close()

    assert raised.value.reason == "InvalidUrlClientError"
