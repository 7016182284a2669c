"""What takes long is done beside the loop, one piece after another, and namespaces take turns."""

import asyncio
import threading
import weakref
from functools import partial

import pytest

from phase_operator.reconcile.background import BURST, SHARE, BackgroundThread
from support.clock import HandClock

MUCH = 1_000_000


async def test_little_work_is_done_at_once() -> None:
    assert await BackgroundThread().run(threading.get_ident, 10, "team") == threading.get_ident()


async def test_much_work_is_done_by_another_thread() -> None:
    assert await BackgroundThread().run(threading.get_ident, MUCH, "team") != threading.get_ident()


async def test_an_exception_of_the_work_is_raised() -> None:
    def work() -> None:
        raise KeyError("x")

    background = BackgroundThread()

    with pytest.raises(KeyError):
        await background.run(work, MUCH, "team")
    assert await background.run(lambda: 1, MUCH, "team") == 1


async def test_the_thread_has_let_go_what_the_work_was_made_of_before_the_result_is_there() -> None:
    """Otherwise an answer's memory would be given back a moment later than the caller, who counts on it, goes on."""

    class Answer:
        """Memory that is counted."""

    answer = Answer()
    held = [weakref.ref(answer)]
    seen = list[bool]()

    def timer() -> float:
        """Look whether the answer is still there; asked before the work and after it."""
        seen.append(held[0]() is not None)
        return 0.0

    waiting = BackgroundThread(timer).run(partial(isinstance, answer, Answer), MUCH, "team")
    del answer

    assert await waiting
    assert seen == [True, False]


async def test_a_namespace_with_much_to_do_lets_others_have_every_second_turn() -> None:
    background, done, gate = BackgroundThread(), list[str](), threading.Event()
    first = asyncio.create_task(background.run(gate.wait, MUCH, "mallory"))
    await asyncio.sleep(0)
    many = [asyncio.create_task(background.run(lambda: done.append("mallory"), MUCH, "mallory")) for _ in range(5)]
    await asyncio.sleep(0)
    few = [asyncio.create_task(background.run(lambda: done.append("team"), MUCH, "team")) for _ in range(2)]
    await asyncio.sleep(0)

    gate.set()
    await asyncio.gather(first, *many, *few)

    assert done == ["mallory", "team", "mallory", "team", "mallory", "mallory", "mallory"]


async def test_a_cancelled_caller_passes_its_turn_on() -> None:
    background, gate = BackgroundThread(), threading.Event()
    first = asyncio.create_task(background.run(gate.wait, MUCH, "team"))
    await asyncio.sleep(0)
    gone = asyncio.create_task(background.run(lambda: 1, MUCH, "team"))
    last = asyncio.create_task(background.run(lambda: 2, MUCH, "team"))
    await asyncio.sleep(0)

    gone.cancel()
    gate.set()

    assert await last == 2
    assert await first
    assert await background.run(lambda: 3, MUCH, "team") == 3


async def test_work_that_a_cancelled_caller_began_is_done_before_the_next_piece_begins() -> None:
    background, gate, done = BackgroundThread(), threading.Event(), list[str]()
    loop, has_begun = asyncio.get_running_loop(), asyncio.Event()

    def fails() -> None:
        loop.call_soon_threadsafe(has_begun.set)
        gate.wait()
        done.append("first")
        raise KeyError("nobody asks")

    first = asyncio.create_task(background.run(fails, MUCH, "team"))
    await has_begun.wait()
    last = asyncio.create_task(background.run(lambda: done.append("last"), MUCH, "team"))
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    await last

    assert done == ["first", "last"]


async def test_a_namespace_that_has_used_its_burst_waits_and_others_do_not() -> None:
    background, clock = BackgroundThread(), HandClock()
    background.spent.take("mallory", clock.monotonic(), 10 * BURST)
    done: list[str] = []
    with clock.driving():
        many = asyncio.create_task(background.run(lambda: done.append("mallory"), MUCH, "mallory"))
        await asyncio.sleep(0)
        await background.run(lambda: done.append("team"), MUCH, "team")
        assert done == ["team"]

        clock.turn(9 * BURST / SHARE + 0.1)
        await many

    assert done == ["team", "mallory"]


async def test_work_counts_for_its_namespace() -> None:
    used, clock = HandClock(), HandClock()
    background = BackgroundThread(used.monotonic)
    with clock.driving():
        for _ in range(3):
            await background.run(lambda: used.turn(0.4 * BURST), MUCH, "mallory")
        await background.run(lambda: None, MUCH, "team")

    assert background.spent.wait("mallory", clock.monotonic()) == pytest.approx(0.2 * BURST / SHARE)
    assert background.spent.wait("team", clock.monotonic()) == 0
