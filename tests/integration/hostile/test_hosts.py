"""A tenant whose hosts of Phase are as bad as he can make them, beside one whose Phase is good."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from support.cluster_fixture import new_namespace
from support.operator_process import OperatorProcess, eventually
from support.world import World, phase_secret, secret

INTERVAL = 5
# The machine of the tests may be busy with others.
SLACK = 5.0
TOKEN = f"ServiceAccount {'ab' * 32}"
HEADER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PAGE = b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Manner = Callable[[socketserver.StreamRequestHandler, threading.Event], None]


def tarpit(handler: socketserver.StreamRequestHandler, over: threading.Event) -> None:
    """Send a blank every five seconds."""
    handler.wfile.write(HEADER)
    while not over.wait(5.0):
        handler.wfile.write(b"1\r\n \r\n")


def silent(_: socketserver.StreamRequestHandler, over: threading.Event) -> None:
    """Never answer."""
    over.wait()


def failing(handler: socketserver.StreamRequestHandler, _: threading.Event) -> None:
    """Answer with a proxy's page."""
    handler.rfile.readline()
    handler.wfile.write(PAGE)


MANNERS: dict[str, Manner] = {each.__name__: each for each in (tarpit, silent, failing)}


@contextmanager
def bad_host(manner: Manner) -> Iterator[str]:
    """Listen on one port and be bad until the block ends; give its URL."""
    over = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            try:
                manner(self, over)
            except OSError:
                return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


def attack(world: World, namespace: str, urls: list[str]) -> None:
    """Let PhaseSecrets of a namespace ask these hosts with an invented token."""
    items = [secret("phase-service-token", {"token": TOKEN})]
    items += [phase_secret(f"m{number}", url, pollingInterval=INTERVAL) for number, url in enumerate(urls)]
    for each in items:
        world.api.create(each, namespace)


def serves(world: World, operator: OperatorProcess, rounds: int = 3) -> None:
    """Fail unless changes and new resources arrive in time, liveness is fine, and no status changes."""
    before = world.condition()
    for number in range(rounds):
        began = time.monotonic()
        world.phase.set("shop", "Production", "LOG_LEVEL", f"round {number}")
        world.until_data(["shop"], LOG_LEVEL=f"round {number}")
        assert time.monotonic() - began <= INTERVAL + 5.0 + SLACK
        began = time.monotonic()
        world.phase_secret(f"new-{number}", phaseAppEnvPath=f"/{number}", allowEmpty=True)
        world.until_ready(f"new-{number}")
        assert time.monotonic() - began <= 5.0 + SLACK
        began = time.monotonic()
        assert operator.get("/healthz").status_code == 200
        assert time.monotonic() - began <= 1.0 + SLACK
    after = world.condition()
    assert (after["status"], after["lastTransitionTime"]) == ("True", before["lastTransitionTime"])


@pytest.mark.parametrize("manner", MANNERS.values(), ids=MANNERS.keys())
def test_24_paths_of_a_bad_host_cost_another_namespace_nothing(
    world: World, operator: OperatorProcess, manner: Manner
) -> None:
    world.phase_secret()
    world.until_ready()
    with new_namespace(world.plane) as own, bad_host(manner) as url:
        attack(world, own, [f"{url}/p{number}" for number in range(24)])
        if manner is not failing:
            held = lambda: operator.metric("phase_operator_calls_held_back") >= 3  # noqa: E731 - said once
            eventually(held, within=30, what="he waits for himself")

        serves(world, operator)

        assert operator.metric("phase_operator_calls_under_way", pace="slow") <= 8
        world.api.delete("phasesecrets", namespace=own)
