"""Answer the kubelet's probes, the scrapes of Prometheus, and who asks when PhaseSecrets were last in step.

Rule: a probe reports what is already known; it never waits. A server keeps a bounded number of connections and closes
the oldest for a new one, so clients can neither use up the open files of the process nor keep probes from an answer.
"""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from phase_operator.reconcile.internal_errors import InternalErrors

Check = Callable[[], str | None]
Ages = Callable[[Iterable[str]], Mapping[str, int | None]]
# Connections that each server keeps open.
CONNECTIONS = 64
# PhaseSecrets that one request may ask for: so many fit into the longest line of a request that is read.
MOST_ASKED = 100
_CLOSING_SECONDS = 1.0
_BROKEN = "internal error; the log has the trace"
# `::` is every address, IPv4 too, as in every Go program.
_EVERY_ADDRESS = ("", "::")


@dataclass(frozen=True, slots=True)
class Probes:
    """Checks by name; a check returns None if all is well, else what is wrong."""

    live: dict[str, Check] = field(default_factory=dict)
    ready: dict[str, Check] = field(default_factory=dict)
    # Shown with readiness; they do not make it fail.
    notes: dict[str, Check] = field(default_factory=dict)
    # When those who are asked for were last in step: one, or none where nobody knows, as on a standby.
    ages: list[Ages] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of health and metrics; None means not served."""

    health: int | None
    metrics: int | None


class PortInUseError(Exception):
    """Another process listens on the port."""

    def __init__(self, host: str, port: int, use: str) -> None:
        super().__init__(
            f"cannot serve {use} on {host or '*'}:{port}: the port is in use; stop its owner or set another port"
        )
        self.port = port


@asynccontextmanager
async def serve(
    probes: Probes,
    registry: CollectorRegistry,
    *,
    host: str,
    health_port: int | None,
    metrics_port: int | None,
    metrics_host: str | None = None,
    internal_errors: InternalErrors | None = None,
) -> AsyncIterator[Ports]:
    """Serve probes and metrics while the context lasts; equal addresses share one server.

    `metrics_host` is where metrics are served if that is not `host`.
    """
    internal_errors = internal_errors or InternalErrors()
    metrics_host = host if metrics_host is None else metrics_host
    async with AsyncExitStack() as stack:
        if health_port is not None and (host, health_port) == (metrics_host, metrics_port):
            routes = _health_routes(probes, internal_errors) + _metrics_routes(registry)
            shared = await stack.enter_async_context(_listen(routes, host, health_port, "health and metrics"))
            yield Ports(shared, shared)
            return
        health = metrics = None
        if health_port is not None:
            health = await stack.enter_async_context(
                _listen(_health_routes(probes, internal_errors), host, health_port, "health")
            )
        if metrics_port is not None:
            routes = _metrics_routes(registry)
            metrics = await stack.enter_async_context(_listen(routes, metrics_host, metrics_port, "metrics"))
        yield Ports(health, metrics)


def _health_routes(probes: Probes, internal_errors: InternalErrors) -> list[web.RouteDef]:
    async def healthz(_: web.Request) -> web.Response:
        # A check that raised proves no standstill, so it must not get the process killed.
        return _verdict(_problems(probes.live, internal_errors, broken=None))

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(_problems(probes.ready, internal_errors), _problems(probes.notes, internal_errors))

    async def sources(request: web.Request) -> web.Response:
        return _ages(probes.ages, request.query.getall("of", []), internal_errors)

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/debug/sources", sources)]


def _metrics_routes(registry: CollectorRegistry) -> list[web.RouteDef]:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [web.get("/metrics", metrics)]


def _ages(known: Sequence[Ages], asked: Sequence[str], internal_errors: InternalErrors) -> web.Response:
    if not known:
        return web.Response(status=503, text="this replica does not lead\n")
    if len(asked) > MOST_ASKED:
        return web.Response(status=400, text=f"at most {MOST_ASKED} may be asked for at a time\n")
    found = internal_errors.value_or("check not done", lambda: known[0](asked), None, task="probes", subject="sources")
    return web.Response(status=500, text=f"{_BROKEN}\n") if found is None else web.json_response({"confirmed": found})


def _verdict(failed: list[str], notes: Sequence[str] = ()) -> web.Response:
    if failed:
        return web.Response(status=503, text="".join([*failed, *notes]))
    return web.Response(text="".join(["ok\n", *notes]))


def _problems(
    checks: Mapping[str, Check], internal_errors: InternalErrors, *, broken: str | None = _BROKEN
) -> list[str]:
    """Return a line for each check that found a problem; a check that raised gets `broken`, or no line for None."""
    lines = []
    for name, check in checks.items():
        wrong = internal_errors.value_or("check not done", check, broken, task="probes", subject=name)
        if wrong is not None:
            lines.append(f"{name}: {wrong}\n")
    return lines


@asynccontextmanager
async def _listen(routes: list[web.RouteDef], host: str, port: int, use: str) -> AsyncIterator[int]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_CLOSING_SECONDS)
    await runner.setup()
    if (http := runner.server) is None:
        raise RuntimeError("a runner that is set up has a server")

    def connect() -> asyncio.Protocol:
        for oldest in http.connections[: 1 - CONNECTIONS]:
            oldest.force_close()
        return http()

    try:
        server = await _open(connect, host, port, use)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def _open(connect: Callable[[], asyncio.Protocol], host: str, port: int, use: str) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        if host in _EVERY_ADDRESS:
            return await loop.create_server(connect, sock=_on_every_address(port))
        return await loop.create_server(connect, host, port)
    except OSError as e:
        if e.errno != errno.EADDRINUSE:
            raise
        raise PortInUseError(host, port, use) from e


def _on_every_address(port: int) -> socket.socket:
    """Listen on IPv6 and IPv4 with one socket; on IPv4 alone where the machine has no IPv6."""
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                raise
    return socket.create_server(("", port))
