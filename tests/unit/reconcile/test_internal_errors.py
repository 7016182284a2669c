"""An unexpected exception costs the step that raised it: it is logged, counted, tried again, and all else goes on."""

import asyncio
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.internal_errors import InternalErrors
from support.builders import KEY, entry, phase_secret, secret_ref
from support.clock import HandClock, settle
from support.fakes import Loop

QUOTED = "-".join(["a", "value"])
SHOP = secret_ref("shop")
LATER = {"kind": "CloudSecret", "namespace": "team", "name": "far", "ready": True, "reason": "Synced", "keys": 1}


async def test_a_target_of_a_later_version_in_the_status_stops_nothing_and_is_kept(loop: Loop) -> None:
    body = phase_secret()
    body["status"] = {"targets": [LATER], "conditions": [], "observedGeneration": 1}

    loop.phase.holds(entry("A", "1"))
    await loop.show(body)

    assert loop.reason == Reason.SYNCED
    assert LATER in loop.cluster.statuses[KEY]["targets"]
    assert loop.faulty == []


async def test_a_long_sync_annotation_is_answered_with_one_read_even_while_no_status_is_written(
    loop: Loop,
) -> None:
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    reads = len(loop.phase.reads)
    loop.cluster.errors["write_status"] = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")

    await loop.show(phase_secret(sync="x" * 1000))
    for _ in range(8):
        await loop.turn(46.0)
    assert len(loop.phase.reads) - reads == 1
    del loop.cluster.errors["write_status"]
    await loop.turn(46.0)

    assert len(loop.phase.reads) - reads == 1
    assert len(loop.cluster.statuses[KEY]["lastForcedSync"]) == 256


async def test_a_bug_in_what_follows_a_run_is_tried_again_and_ends_no_worker(loop: Loop) -> None:
    broken = ObjectKey("team", "broken")
    run_ended = loop.retries.run_ended

    def fail_once(key: ObjectKey, outcome: Any) -> bool:
        if key == broken and not loop.faulty:
            raise KeyError(QUOTED)
        return run_ended(key, outcome)

    loop.retries.run_ended = fail_once  # type: ignore[method-assign]  # a bug, as nobody foresees it
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret(broken, managedSecretReferences=[{"secretName": "other"}]))
    await loop.show(phase_secret())
    await loop.turn(2.0)

    assert loop.faulty == ["resources"]
    assert loop.cluster.secret(SHOP) == {"A": "1"}
    assert loop.condition(key=broken)["reason"] == Reason.SYNCED


async def test_a_task_that_fails_begins_again_with_growing_pauses(caplog: pytest.LogCaptureFixture) -> None:
    clock, pauses, counted = HandClock(), list[float](), list[str]()
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 6:
            clock.turn(1000.0)
        if begun < 9:
            raise ValueError(QUOTED)

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await InternalErrors(counted.append).keep("sweep", work, clock, sleep)

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 1.0, 2.0, 4.0]
    assert counted == ["sweep"] * 8
    assert QUOTED not in caplog.text


async def test_a_task_that_is_cancelled_ends() -> None:
    running = asyncio.create_task(InternalErrors().keep("sweep", asyncio.Event().wait, HandClock()))  # type: ignore[arg-type]  # what it returns is not used
    await settle()

    running.cancel()
    await asyncio.wait({running})

    assert running.cancelled()


async def test_a_cancelled_step_is_no_bug() -> None:
    counted = list[str]()
    internal_errors = InternalErrors(counted.append)
    running = asyncio.create_task(internal_errors.succeeded("step failed", asyncio.Event().wait(), task="sweep"))
    await settle()

    running.cancel()
    await asyncio.wait({running})
    with pytest.raises(asyncio.CancelledError):
        internal_errors.value_or("step failed", running.result, True, task="sweep")

    assert running.cancelled()
    assert counted == []


async def test_a_step_that_fails_is_counted_once_and_gives_what_its_caller_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counted = list[str]()
    internal_errors = InternalErrors(counted.append)

    async def later() -> int:
        return int(QUOTED)

    assert await internal_errors.attempt("step failed", later(), task="one") is None
    assert not await internal_errors.succeeded("step failed", later(), task="two")
    assert internal_errors.value_or("step failed", lambda: int(QUOTED), 7, task="three") == 7
    assert not internal_errors.attempt_now("step failed", lambda: int(QUOTED), task="four")

    assert await internal_errors.succeeded("step failed", asyncio.sleep(0), task="none")
    assert internal_errors.attempt_now("step failed", lambda: None, task="none")
    assert counted == ["one", "two", "three", "four"]
    assert [each.message for each in caplog.records] == ["step failed"] * 4
    assert QUOTED not in caplog.text
