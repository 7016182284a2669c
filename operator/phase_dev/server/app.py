"""The ASGI application: mounts, faults, counting and the endpoints behind them.

Rule: everything that decides is synchronous and under the state's lock; only bodies, delays and sockets are awaited.
"""

import asyncio
import logging
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from phase_dev.server.auth import Call
from phase_dev.server.control import control_app
from phase_dev.server.facts import facts_of
from phase_dev.server.installation import Phase
from phase_dev.server.negotiation import shown_as
from phase_dev.server.responses import (
    COMMON_HEADERS,
    ApiError,
    error_response,
    forbidden_page,
    killed_page,
    not_found_page,
    server_error,
    spaced,
)
from phase_dev.server.routes import find, is_root, unmounted

Sleep = Callable[[float], Awaitable[None]]
log = logging.getLogger(__name__)
VERSION = "v2.73.2"
# A capital that begins a word.
_WORD = re.compile("(?<=[a-z0-9])[A-Z]|[A-Z](?=[a-z])")
ALIVE = "API is alive. Please see https://docs.phase.dev/public-api for documentation on available endpoints."


def application(phase: Phase, sleep: Sleep = asyncio.sleep) -> ASGIApp:
    """Return the application of an installation: the API, and the switches under `/_control/`.

    `sleep` waits the seconds that a fault or the cloud account takes.
    """
    control = control_app(phase)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        if scope["path"].startswith("/_control/"):
            await control(scope, receive, send)
            return
        await _serve(phase, sleep, scope, receive, send)

    return app


async def _serve(phase: Phase, sleep: Sleep, scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    headers, query = request.headers, snake_case(request.query_params)
    path = unmounted(scope["path"])
    found = find(scope["path"])
    body = await request.body()
    with phase.state.lock:
        route = found.endpoint.route if found else path
        app_in_path = found.parts.get("id") if found and found.endpoint.context == "app by id" else None
        facts = facts_of(phase.state, scope["method"], route, query, headers, app_in_path)
        fault = phase.faults.take(facts)
    if fault and fault.delay:
        await sleep(fault.delay)
    if fault and fault.kind == "reset":
        phase.counter.add(facts, 0)
        await _reset(scope, receive)
        return
    response = (fault and fault.answer()) or await answer(phase, sleep, scope, headers, query, body)
    phase.counter.add(facts, response.status_code)
    if fault and fault.kind == "cut":
        await _cut(response, scope, receive, send)
        return
    if fault and fault.kind == "lost":
        await _reset(scope, receive)
        return
    await response(scope, receive, send)


async def answer(
    phase: Phase, sleep: Sleep, scope: Scope, headers: Headers, query: Mapping[str, str], body: bytes
) -> Response:
    """Return the true answer to a request; whether the caller still waits for it does not matter."""
    path = scope["path"]
    if is_root(path):
        return _greet(scope["method"])
    if path in ("/health/", "/service/health/"):
        return _tell_health(scope["method"], headers.get("accept"))
    found = find(path)
    if found is None:
        return not_found_page()
    peer = scope["client"][0] if scope.get("client") else "127.0.0.1"
    allow = found.endpoint.allow
    call = Call(
        scope["method"], phase.state, phase.clock(), query, headers, found.parts, body, peer, allow, phase.leasing
    )
    work = found.endpoint.answer(call, phase.quota, phase.quota_limit)
    while True:
        with phase.state.transaction():
            phase.leasing.settle()
            call.now = phase.clock()
            try:
                wait = next(work)
            except StopIteration as done:
                response: Response = done.value
                return response
            except Exception:
                # The real server, too, answers its bugs with a 500 in JSON.
                log.exception("request failed", extra={"path": path})
                return error_response(server_error(), allow)
        await sleep(wait)


def _greet(method: str) -> Response:
    """Return the greeting; who writes to it is taken for a browser that was tricked into it."""
    if method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
        return forbidden_page()
    content = spaced({"message": ALIVE, "status": "ok"})
    return Response(content, headers=COMMON_HEADERS, media_type="application/json")


def _tell_health(method: str, accept: str | None) -> Response:
    """Return the version; whatever the route has to refuse kills the real server's process."""
    try:
        shown_as(accept, None, browsable=False)
    except ApiError:
        return killed_page()
    if method not in ("GET", "OPTIONS"):
        return killed_page()
    content = spaced({"status": "alive", "version": VERSION})
    return Response(content, headers={"Vary": "Accept", "Allow": "GET, OPTIONS"}, media_type="application/json")


def snake_case(query: QueryParams) -> dict[str, str]:
    """Return the query with its names in snake_case, as the server reads them: `AppId` becomes `_app_id`, unknown.

    The last value of a spelling counts, and of several spellings of a name the one that appeared last.
    """
    spelled = dict(query.multi_items())
    return {_WORD.sub(r"_\g<0>", name).lower(): spelled[name] for name in spelled}


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _reset(scope: Scope, receive: Receive) -> None:
    """Drop the connection so that the peer sees a reset."""
    transport = _transport(scope)
    if transport is None:
        return
    if (sock := transport.get_extra_info("socket")) is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cut(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the head and half of the body, then hang up."""
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    half = bytes(response.body)[: len(response.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    if (transport := _transport(scope)) is None:
        return
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(scope: Scope) -> Any:
    return scope.get("extensions", {}).get("phase_dev.transport")
