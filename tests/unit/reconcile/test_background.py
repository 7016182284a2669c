"""What takes long is done beside the loop, one piece after another, and namespaces take turns."""

import asyncio
import threading

import pytest

from phase_operator.reconcile.background import BackgroundThread

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
