"""Liveness asks after everything that can stand still."""

import resource
import time

import pytest
from kubernetes.aio import client as aio

from phase_operator.kube.client import KubeClient
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.leases import LeaseClient
from phase_operator.phase.pushes import PushClient
from phase_operator.phase.session import Session
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.polling.limits.concurrency import calls_at_once
from phase_operator.settings import Settings
from phase_operator.telemetry.metrics import Metrics
from phase_operator.wiring import Clients, Edges, Operator, Patience, StartError, files_to_allow
from support.clock import HandClock


async def connected(patience: Patience, *, elects: bool) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """Return what the checks of a standby, and those of a leader besides, say of an operator that has not begun."""
    metrics = Metrics()
    client = KubeClient(aio.Configuration(host="http://127.0.0.1:9"), metrics.kube_call)
    session = Session(ca_file=None, user_agent="test", on_call=metrics.phase_call, timer=time.monotonic)
    try:
        settings = Settings(leader_elect=elects, pod_namespace="system")
        background = BackgroundThread()
        phase = PhaseClient(session, b"k" * 32, background=background)
        clients = Clients(phase, LeaseClient(session), PushClient(session))
        operator = Operator(Edges(settings, client, clients, background, metrics, HandClock()), patience)
        standby = {name: check() for name, check in operator.probes.live.items()}
        return standby, {name: check() for name, check in operator.leaders_probes.live.items()}
    finally:
        await session.close()
        await client.close()


async def test_each_part_that_stands_still_is_named() -> None:
    standby, leader = await connected(Patience(stuck=-1.0), elects=True)

    assert standby.keys() == {"lease"}
    queues = {"queue", "runs", "sources", "calls", "errands", "errand calls"}
    assert leader.keys() == queues | {"phasesecrets", "watches"}
    silent = (leader.pop("watches") or "").splitlines()
    assert [line.partition(":")[0] for line in silent] == ["secrets", "configmaps"]
    assert all(text is not None and text.startswith(name) for name, text in (standby | leader).items())


async def test_nothing_has_stood_still_at_the_start() -> None:
    standby, leader = await connected(Patience(), elects=True)

    assert set((standby | leader).values()) == {None}


async def test_an_operator_without_election_has_no_lease_to_look_at() -> None:
    standby, _ = await connected(Patience(), elects=False)

    assert standby == {}


def test_the_open_files_that_watches_calls_and_lookups_need_are_asked_for_or_the_start_says_so() -> None:
    names = tuple(f"n{number}" for number in range(500))
    few, many = Settings(phase_workers=16), Settings(namespace=names, phase_workers=16)
    endless = resource.RLIM_INFINITY

    assert files_to_allow(few, (1024, 4096)) is None
    assert files_to_allow(many, (endless, endless)) is None
    allowed = files_to_allow(many, (1024, endless))
    assert allowed is not None
    calls = calls_at_once(16) + 1
    # Watches, requests, and all calls with their lookups.
    assert allowed[0] >= 3 * 500 + 24 + calls * 3
    with pytest.raises(StartError, match=f"500 namespaces and {calls} calls to Phase need {allowed[0]} open files"):
        files_to_allow(many, (1024, 1024))


def test_calls_that_take_longer_need_files_too() -> None:
    """Of each place there are seven calls: one that is quick, two that are overdue and four that hang."""
    fewest, most = Settings(phase_workers=1), Settings(phase_workers=64)

    needed = [files_to_allow(each, (0, resource.RLIM_INFINITY)) for each in (fewest, most)]

    assert None not in needed
    # A socket for each, and for the lookup of its name.
    assert needed[1][0] - needed[0][0] >= 2 * 5 * 63  # type: ignore[index]  # see above
