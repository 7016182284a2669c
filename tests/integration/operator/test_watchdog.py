"""Liveness fails when something stands still, and names it; each is made to stand still, and to go on."""

import itertools
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import httpx
import pytest

from phase_dev.cluster import CommandFailed, ControlPlane
from phase_operator.api import names
from support.api import api_of
from support.api_proxy import ApiProxy, Scope
from support.impatient import PROGRAM, STUCK
from support.lease_stage import dynamic_secret
from support.operator_process import OperatorProcess, eventually, meanwhile, running_operator
from support.world import World

# What the Deployment gives a probe.
TIMEOUT = 5.0
WITHIN = STUCK + 7
WORK = ("queue", "runs", "sources", "calls", "phasesecrets", "lease")


@pytest.fixture
def proxy(installed: ControlPlane) -> Iterator[ApiProxy]:
    with ApiProxy(installed) as found:
        yield found


@pytest.fixture
def impatient(stage: World, proxy: ApiProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """Run an operator with one worker of each sort, which waits for three seconds and not for seven minutes."""
    flags = ["--namespace", stage.namespace, "--workers", "1", "--phase-workers", "1", "--restarts", "false"]
    folder = tmp_path_factory.mktemp("operator")
    with running_operator(stage.plane, folder, *flags, url=proxy.url, program=PROGRAM) as process:
        stage.operator = process
        stage.phase_secret()
        stage.until_ready()
        yield process
        proxy.mend()


def stands_still(operator: OperatorProcess, what: str) -> bool:
    """Say whether liveness fails, and for this."""
    answer = operator.get("/healthz")
    return answer.status_code == 503 and any(
        line.startswith((f"{what}:", f"watches: {what}:")) for line in answer.text.splitlines()
    )


def watches(path: str) -> Scope:
    return lambda asked: asked.verb == "WATCH" and asked.path.endswith(path)


def touching(world: World) -> AbstractContextManager[None]:
    """Let something happen to a Secret again and again: a watch of Secrets that works has something to show."""
    numbers = itertools.count(1)

    def touch() -> None:
        world.annotate("secret", "phase-service-token", "touched", str(next(numbers)))

    return meanwhile(touch, every=0.5)


def test_a_stopped_event_loop_fails_liveness(stage: World, impatient: OperatorProcess) -> None:
    impatient.process.send_signal(signal.SIGSTOP)

    with pytest.raises(httpx.TimeoutException):
        httpx.get(f"http://127.0.0.1:{impatient.health_port}/healthz", timeout=TIMEOUT)

    impatient.process.send_signal(signal.SIGCONT)
    assert impatient.get("/healthz").text


def lives_on(operator: OperatorProcess, seconds: float) -> None:
    """Fail if liveness does within this time, for anything but a watch that has nothing to show."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = operator.get("/healthz")
        failed = [line for line in answer.text.splitlines() if line.startswith(WORK)]
        assert failed == []
        time.sleep(0.2)


def test_lists_agree_with_what_watches_have_shown_of_each_finalizer(stage: World, impatient: OperatorProcess) -> None:
    # A list is compared every second, and what the watch never shows of it would fail liveness after three.
    stage.phase_secret("merged", managedSecretReferences=[{"secretName": "merged", "creationPolicy": "Merge"}])
    stage.until_ready("merged")
    stage.apply(dynamic_secret("uploads", stage.phase.url))
    eventually(lambda: stage.data("uploads-aws"), what="the lease")
    api, waiting = api_of(stage.plane), (("phs", "merged"), ("pds", "uploads"))

    def there() -> list[dict[str, Any]]:
        found = (api.get(*each, stage.namespace) for each in waiting)
        return [each for each in found if each is not None]

    assert [each["metadata"]["finalizers"] for each in there()] == [[names.FINALIZER], [names.FINALIZER_OUTSIDE]]

    lives_on(impatient, 2.5 * STUCK)
    eventually(lambda: impatient.get("/readyz").text == "ok\n", within=STUCK, what="readiness")

    for each in waiting:
        api.delete(*each, stage.namespace)
    eventually(lambda: not there(), what="they are let go while the operator runs")


def test_a_wait_for_the_api_server_is_no_standstill(stage: World, impatient: OperatorProcess, proxy: ApiProxy) -> None:
    # The one worker waits for an answer to what it writes, and another key waits for the worker.
    proxy.hold(lambda asked: asked.verb == "PATCH")
    stage.phase_secret("one")
    stage.phase_secret("two")

    lives_on(impatient, 2.5 * STUCK)
    assert impatient.metric("phase_operator_queue_oldest_seconds", queue="resources") > STUCK
    proxy.mend()

    stage.until_ready("two")


def test_a_wait_for_phase_is_no_standstill(stage: World, impatient: OperatorProcess) -> None:
    # The one worker waits for Phase, and another call waits for the worker.
    stage.phase.reset_calls()
    stage.phase.fail("delay", delay=9)
    eventually(lambda: stage.phase.calls(), what="a look at Phase")
    stage.phase_secret("another", phaseAppEnvPath="/folder")

    lives_on(impatient, 2.5 * STUCK)
    stage.phase.clear()


def test_a_storm_of_edits_is_no_standstill(stage: World, impatient: OperatorProcess) -> None:
    storm = [f"storm-{number}" for number in range(8)]
    for name in storm:
        stage.phase_secret(name, managedSecretReferences=[{"secretName": name}])
    numbers = itertools.count(1)

    def edit() -> None:
        number = str(next(numbers))
        for name in ("shop", *storm):
            # Another writer may have been faster.
            with suppress(CommandFailed):
                stage.annotate("phs", name, names.ANNOTATION_SYNC, number)

    with meanwhile(edit, every=0.2):
        lives_on(impatient, 3 * STUCK)
        # A change arrives all the same.
        stage.phase.set("shop", "Production", "LOG_LEVEL", "storm")
        eventually(lambda: (stage.data() or {}).get("LOG_LEVEL") == "storm", within=10 + STUCK, what="a change")


def test_a_silent_watch_of_metadata_fails_liveness(stage: World, impatient: OperatorProcess, proxy: ApiProxy) -> None:
    name = f"secrets in {stage.namespace}"
    with touching(stage):
        eventually(lambda: not stands_still(impatient, name), what="liveness is fine")

        proxy.hold(watches("/secrets"))
        eventually(lambda: stands_still(impatient, name), within=WITHIN, what="liveness fails")
        proxy.mend()

        eventually(lambda: not stands_still(impatient, name), what="liveness is fine again")


def test_a_silent_watch_of_phasesecrets_fails_liveness(
    stage: World, impatient: OperatorProcess, proxy: ApiProxy
) -> None:
    assert not stands_still(impatient, "phasesecrets")
    # Lists say more than the watch does.
    proxy.swallow(watches("/phasesecrets"))
    stage.phase_secret("unseen")

    eventually(lambda: stands_still(impatient, "phasesecrets"), within=WITHIN, what="liveness fails")
    proxy.mend()
    proxy.drop(watches("/phasesecrets"))

    stage.until_ready("unseen")
    eventually(lambda: not stands_still(impatient, "phasesecrets"), what="liveness is fine again")
