"""A way to the API server that fails on demand: statuses, errors in streams, silence, cut connections.

It speaks plain HTTP on loopback and runs in a thread of its own. Whoever does not go through it notices nothing.
"""

import asyncio
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, Self

import aiohttp
from aiohttp import web
from yarl import URL

from phase_dev.cluster import ControlPlane

_OF_THE_CONNECTION = {"host", "connection", "keep-alive", "transfer-encoding", "content-length", "expect"}
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came in."""

    at: float
    # WATCH for a watch.
    verb: str
    path: str


Scope = Callable[[Asked], bool]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the requests in its scope."""

    kind: Literal["answer", "stream error", "hold", "swallow", "cut"]
    scope: Scope
    status: int = 0
    reason: str = ""
    retry_after: int | None = None

    def document(self) -> bytes:
        """Return the Status that the API server would send."""
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "told to fail"}
        return json.dumps(status | {"code": self.status, "reason": self.reason}).encode()


def everything(_: Asked) -> bool:
    """Be the scope of all requests."""
    return True


class ApiProxy:
    """Passes everything on, streams too, unless a fault is set; one fault at a time."""

    def __init__(self, plane: ControlPlane) -> None:
        self._server = plane.url
        self._trust = ssl.create_default_context(cafile=str(plane.ca_file))
        self._fault: Fault | None = None
        self._asked: list[Asked] = []
        self._streams: list[tuple[Asked, asyncio.Transport]] = []
        self._changed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.mend()
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # What a test sets.

    def answer(self, status: int, reason: str, *, retry_after: int | None = None, scope: Scope = everything) -> None:
        """Answer every request with a status; streams that are open stay open."""
        self._set(Fault("answer", scope, status, reason, retry_after))

    def answer_in_stream(self, status: int, reason: str, *, scope: Scope = everything) -> None:
        """Open every watch, show an error in it and end it."""
        self._set(Fault("stream error", scope, status, reason))

    def hold(self, scope: Scope = everything) -> None:
        """Accept, and neither answer nor show anything; what is held is passed on when the fault ends."""
        self._set(Fault("hold", scope))

    def swallow(self, scope: Scope) -> None:
        """Open watches and lose what they show."""
        self._set(Fault("swallow", scope))

    def cut(self) -> None:
        """Reset every connection, also those to come."""
        self._set(Fault("cut", everything))
        self.drop()

    def drop(self, scope: Scope = everything) -> None:
        """Reset the watches that are open."""
        self._loop.call_soon_threadsafe(self._drop, scope)

    def mend(self) -> float:
        """Pass everything on again, and return when that was."""
        self._set(None)
        return time.monotonic()

    def asked(self, since: float = 0.0, until: float = float("inf")) -> Counter[str]:
        """Count the requests of a time by verb and path."""
        return Counter(f"{each.verb} {each.path}" for each in list(self._asked) if since <= each.at < until)

    # How it is done.

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    def _set(self, fault: Fault | None) -> None:
        self._do(self._put(fault))

    async def _put(self, fault: Fault | None) -> None:
        self._fault = fault
        self._changed.set()
        self._changed = asyncio.Event()

    def _drop(self, scope: Scope) -> None:
        for asked, transport in self._streams:
            if scope(asked):
                transport.abort()

    async def _start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        self._drop(everything)
        await self._runner.cleanup()
        await self._session.close()

    def _hits(self, asked: Asked, kind: str) -> Fault | None:
        fault = self._fault
        return fault if fault is not None and fault.kind == kind and fault.scope(asked) else None

    async def _take(self, request: web.Request) -> web.StreamResponse:
        is_watch = request.query.get("watch") in ("true", "1")
        asked = Asked(time.monotonic(), "WATCH" if is_watch else request.method, request.path)
        self._asked.append(asked)
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        if fault := self._hits(asked, "answer"):
            after = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return web.Response(
                status=fault.status, body=fault.document(), content_type="application/json", headers=after
            )
        if is_watch and (fault := self._hits(asked, "stream error")):
            event = b'{"type":"ERROR","object":' + fault.document() + b"}\n"
            return web.Response(body=event, content_type="application/json")
        try:
            while self._hits(asked, "hold"):
                await self._changed.wait()
            if self._hits(asked, "cut"):
                raise ConnectionResetError
            if is_watch:
                self._streams.append((asked, transport))
            return await self._pass_on(request, asked)
        except (aiohttp.ClientError, OSError):
            # Whoever asked is to see what we saw.
            transport.abort()
            raise web.HTTPBadGateway from None
        finally:
            self._streams = [each for each in self._streams if each[0] is not asked]

    async def _pass_on(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _OF_THE_CONNECTION}
        async with self._session.request(
            request.method,
            URL(self._server + request.raw_path, encoded=True),
            headers=headers,
            # None, and not nothing: to what is empty a type would be added, which the API server refuses.
            data=await request.read() or None,
            allow_redirects=False,
        ) as answer:
            kept = {name: text for name, text in answer.headers.items() if name.lower() not in _OF_THE_CONNECTION}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                while self._hits(asked, "hold"):
                    await self._changed.wait()
                if asked.verb == "WATCH" and self._hits(asked, "swallow"):
                    continue
                await response.write(chunk)
            await response.write_eof()
            return response
