"""A step that hangs differs from one that waits, for its turn or for an answer."""

import asyncio

import pytest

from phase_operator.reconcile.queue.schedule import Priority
from phase_operator.reconcile.queue.work_queue import Waiter, WorkQueue
from phase_operator.reconcile.watchdog import Watchdog, made_progress
from support.clock import HandClock, settle


async def test_a_long_queue_with_busy_workers_is_no_standstill() -> None:
    clock = HandClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    for key in ("one", "two"):
        queue.add(key)
    await queue.take()

    clock.turn(1000.0)

    assert (queue.oldest(), queue.neglected()) == (1000.0, 0.0)


async def test_work_that_is_due_while_a_worker_waits_for_some_is_neglected() -> None:
    waiter = Waiter(HandClock())
    assert waiter.neglected(500.0, is_busy=False) == 0.0, "nobody works yet"

    task: asyncio.Task[None] = asyncio.create_task(waiter.take(lambda _: (None, None)))
    await settle()
    assert [waiter.neglected(500.0, is_busy=busy) for busy in (False, True)] == [500.0, 500.0]

    waiter.close()
    await asyncio.gather(task, return_exceptions=True)
    assert waiter.neglected(500.0, is_busy=True) == 0.0


async def test_work_that_is_due_while_all_workers_are_gone_is_neglected() -> None:
    clock = HandClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    for key in ("one", "two"):
        queue.add(key)
    queue.done(await queue.take())
    clock.turn(500.0)

    assert queue.neglected() == 500.0


def test_a_call_in_a_step_is_in_progress_until_its_end() -> None:
    clock = HandClock()
    steps = Watchdog(clock)

    def fail() -> None:
        with steps.step("key"):
            clock.turn(300.0)
            assert (steps.is_busy, steps.hanging()) == (True, 300.0)
            raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        fail()

    assert (steps.is_busy, steps.hanging()) == (False, 0.0)


async def test_a_step_that_gets_on_does_not_hang() -> None:
    clock = HandClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    goes_on = asyncio.Event()

    async def work() -> None:
        key = await queue.take()
        await goes_on.wait()
        made_progress()
        await asyncio.Event().wait()
        queue.done(key)

    tasks = [asyncio.create_task(work()) for _ in range(2)]
    for key in ("hangs", "goes on"):
        queue.add(key)
    await settle()
    clock.turn(300.0)
    assert queue.hanging() == 300.0

    goes_on.set()
    await settle()

    assert queue.hanging() == 0.0
    for task in tasks:
        task.cancel()


async def test_all_have_run_when_each_key_from_the_start_had_a_run() -> None:
    queue: WorkQueue[str] = WorkQueue(HandClock())
    for key in ("one", "two", "three"):
        queue.add(key)
    await run(queue, again=True)

    assert not queue.all_ran(["one", "two", "three"])
    await run(queue, again=True)
    # The queue is never idle: what failed is due again, and more comes.
    queue.add("new", priority=Priority.NEW)
    assert not queue.all_ran(["one", "two", "three", "new"])
    for _ in range(3):
        await run(queue, again=True)

    assert queue.all_ran(["one", "two", "three", "new", "newer"])


async def run(queue: WorkQueue[str], *, again: bool) -> None:
    """Let the next key have its run, and fail."""
    key = await queue.take()
    queue.done(key)
    if again:
        queue.add(key, priority=Priority.PERIODIC)
