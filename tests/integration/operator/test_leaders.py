"""Two operators, one leader: stepped down, killed, paused, cut off."""

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from phase_dev.cluster import ControlPlane
from support.operator_process import OperatorProcess, eventually, install, meanwhile, running_operator
from support.world import World

SECONDS = 5
REQUESTS = "phase_operator_kubernetes_requests_total"
Run = Callable[..., AbstractContextManager[OperatorProcess]]


@pytest.fixture
def run(installed: ControlPlane, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a way to run operators that elect a leader, by a Lease of the test's own."""
    folder = tmp_path_factory.mktemp("operator")
    return lambda *flags, **more: running_operator(
        installed, folder, "--namespace", namespace, "--lease-seconds", str(SECONDS), *flags, elects=True, **more
    )


def leads(operator: OperatorProcess) -> bool:
    return operator.process.poll() is None and operator.metric("phase_operator_leader") == 1.0


def until_leads(operator: OperatorProcess) -> None:
    eventually(lambda: leads(operator), what="it leads")


def version(world: World, kind: str = "secret") -> str:
    found = world.get(kind, "shop")
    assert found is not None
    return str(found["metadata"]["resourceVersion"])


def lease(world: World) -> dict[str, Any]:
    answer = world.plane.kubectl("-n", "phase-system", "get", "lease", "phase-operator", "-o", "json")
    return dict(json.loads(answer.stdout)["spec"])


@contextmanager
def never_two(*operators: OperatorProcess) -> Iterator[None]:
    """Hold that at no time two of them may write; a paused one cannot be asked, and does not write either."""
    both: list[str] = []

    def look() -> None:
        found = []
        for each in operators:
            try:
                found.append(leads(each))
            except Exception:  # noqa: BLE001 - it has ended, or does not answer
                continue
        if sum(found) > 1:
            both.append("two leaders")

    with meanwhile(look, every=0.05):
        yield
    assert not both


def change(world: World, text: str) -> None:
    """Change a value in Phase and wait for the Secret."""
    world.phase.set("shop", "Production", "LOG_LEVEL", value := world.canary.value(text))
    eventually(lambda: (world.data() or {}).get("LOG_LEVEL") == value, within=30, what="the Secret has the value")


def synced(world: World, leader: OperatorProcess) -> None:
    world.operator = leader
    world.phase_secret()
    world.until_ready()


def test_a_standby_asks_for_nothing_but_the_lease(stage: World, run: Run) -> None:
    with run() as leader:
        until_leads(leader)
        with run() as standby:
            synced(stage, leader)

            assert standby.get("/readyz").status_code == 200
            assert not leads(standby)
            # One scrape: the next look at the Lease may fall between two.
            found = standby.scrape()
            assert found.sum(REQUESTS) == found.sum(REQUESTS, resource="leases") > 0
            assert found.sum(REQUESTS, verb="PATCH") == found.sum(REQUESTS, verb="POST") == 0


def test_a_leader_that_is_asked_to_stop_steps_down_and_its_successor_costs_nothing(stage: World, run: Run) -> None:
    with run() as first:
        until_leads(first)
        synced(stage, first)
        with run() as second, never_two(first, second):
            secret, status = version(stage), version(stage, "phasesecret")
            stage.phase.reset_calls()

            assert first.stop() == 0
            until_leads(second)
            eventually(
                lambda: second.metric("phase_operator_reconcile_total", outcome="Confirmed") == 1, what="it works"
            )

            assert stage.phase.calls(route="/v1/secrets/") == 0
            assert (version(stage), version(stage, "phasesecret")) == (secret, status)
            change(stage, "after the change of leaders")
    assert lease(stage)["holderIdentity"] == ""


def test_a_killed_leader_is_followed_within_the_time_of_the_lease(stage: World, run: Run) -> None:
    with run() as first:
        until_leads(first)
        synced(stage, first)
        with run() as second, never_two(first, second):
            before = lease(stage)

            first.stop(signal.SIGKILL)

            eventually(lambda: leads(second), within=SECONDS + 5, what="the other one leads")
            after = lease(stage)
            assert after["leaseTransitions"] == before.get("leaseTransitions", 0) + 1
            change(stage, "after the kill")


def test_a_leader_that_was_paused_writes_nothing_and_ends(stage: World, run: Run) -> None:
    with run() as first:
        until_leads(first)
        synced(stage, first)
        with run() as second, never_two(first, second):
            first.process.send_signal(signal.SIGSTOP)
            eventually(lambda: leads(second), within=SECONDS + 10, what="the other one leads")
            change(stage, "while it was paused")
            written = version(stage)
            first.process.send_signal(signal.SIGCONT)

            assert first.process.wait(20) == 1
            assert version(stage) == written
            assert leads(second)
    assert "leadership lost" in first.log


class Wire:
    """A way to the API server that can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open = True
        self._pairs: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Let nothing through: connections stay, and nobody answers."""
        self._open = False

    def mend(self) -> None:
        """Let everything through again; what hung is reset."""
        self._open = True
        for each in self._pairs:
            each.close()
        self._pairs = []

    def close(self) -> None:
        self._listener.close()
        self.mend()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                return
            self._pairs += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                while not self._open:
                    threading.Event().wait(0.05)
                other.sendall(data)
        except OSError:
            pass
        finally:
            one.close()
            other.close()


@pytest.fixture
def wire(installed: ControlPlane) -> Iterator[Wire]:
    """Give a wire to the API server."""
    found = Wire(int(installed.url.rsplit(":", 1)[1]))
    yield found
    found.close()


def test_a_leader_that_is_cut_off_stops_writing_before_the_other_begins(stage: World, run: Run, wire: Wire) -> None:
    with run(port=wire.port) as first:
        until_leads(first)
        synced(stage, first)
        with run() as second, never_two(first, second):
            wire.cut()
            eventually(lambda: not leads(first), what="it knows that it may not lead any more")
            assert first.get("/readyz").status_code == 503
            eventually(lambda: leads(second), within=SECONDS + 10, what="the other one leads")
            change(stage, "while it was cut off")
            written = version(stage)

            wire.mend()

            assert first.process.wait(30) == 1
            assert version(stage) == written


def test_a_single_replica_that_was_cut_off_goes_on_when_it_is_connected_again(
    stage: World, run: Run, wire: Wire
) -> None:
    with run(port=wire.port) as only:
        until_leads(only)
        synced(stage, only)

        wire.cut()
        eventually(lambda: not leads(only), what="it knows that it may not lead any more")
        stage.phase.set("shop", "Production", "LOG_LEVEL", value := stage.canary.value("meanwhile"))
        wire.mend()

        until_leads(only)
        eventually(lambda: (stage.data() or {}).get("LOG_LEVEL") == value, within=30, what="it catches up")
        assert only.process.poll() is None


def test_without_the_right_to_the_lease_it_waits_and_says_so(stage: World, run: Run) -> None:
    stage.plane.kubectl("-n", "phase-system", "delete", "rolebinding", "phase-operator-leader")
    try:
        with run(waits=False) as operator:
            eventually(lambda: "leases" in operator.get("/readyz").text, what="readiness names what is missing")
            assert operator.get("/healthz").status_code == 200
            install(stage.plane)
            until_leads(operator)
    finally:
        install(stage.plane)
