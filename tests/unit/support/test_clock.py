"""A wait until everything waits ends as soon as it does, and not before."""

import asyncio
import socket
import threading
from itertools import count

from support.clock import HandClock, settle
from support.fakes import AwaitedThread


async def counted(rounds: int = 300) -> int:
    """Let everything come to rest; return in how many rounds."""
    loop = asyncio.get_running_loop()
    read, times = loop.time, count()

    def time() -> float:
        next(times)
        return read()

    vars(loop)["time"] = time
    try:
        await settle(rounds)
    finally:
        del vars(loop)["time"]
    # The loop reads the clock once in each of its rounds.
    return next(times)


async def test_nothing_to_do_takes_a_round() -> None:
    assert await counted() <= 2


async def test_a_task_goes_on_for_as_long_as_it_needs_no_test() -> None:
    steps = 0

    async def work() -> None:
        nonlocal steps
        while steps < 200:
            steps += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    await settle()

    assert (steps, task.done()) == (200, True)


async def test_a_task_that_never_waits_is_left_after_some_rounds() -> None:
    event = asyncio.Event()

    async def spin() -> None:
        while not event.is_set():  # noqa: ASYNC110  # a task that spins is what is meant
            await asyncio.sleep(0)

    task = asyncio.create_task(spin())
    await settle(20)

    assert not task.done()
    event.set()
    await task


async def test_a_task_that_waits_for_another_goes_on_when_that_ends() -> None:
    done: list[int] = []

    async def link(number: int, before: asyncio.Future[None]) -> None:
        await before
        done.append(number)

    first = asyncio.get_running_loop().create_future()
    last: asyncio.Future[None] = first
    for number in range(50):
        last = asyncio.create_task(link(number, last))
    await settle()
    assert done == []

    first.set_result(None)
    await settle()

    assert done == list(range(50))


async def test_timers_that_the_turned_clock_makes_due_are_waited_for() -> None:
    clock = HandClock()
    woken: list[float] = []

    async def sleeper() -> None:
        for _ in range(3):
            await asyncio.sleep(5)
            woken.append(clock.monotonic())

    with clock.driving():
        task = asyncio.create_task(sleeper())
        await settle()
        for _ in range(3):
            clock.turn(5)
            await settle()

        assert woken == [1005.0, 1010.0, 1015.0]
        await task


async def test_a_computation_beside_the_loop_is_waited_for_until_it_ends() -> None:
    background, done = AwaitedThread(), list[int]()

    async def work() -> None:
        done.append(await background.run(lambda: sum(range(3_000_000)), 1_000_000, "team"))

    task = asyncio.create_task(work())
    await settle()

    assert len(done) == 1
    await task


async def test_a_thread_gets_all_rounds() -> None:
    event = threading.Event()
    work = asyncio.create_task(asyncio.to_thread(event.wait))

    assert await counted(50) >= 50

    event.set()
    await work


async def test_a_socket_gets_all_rounds() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        read = asyncio.create_task(asyncio.get_running_loop().sock_recv(one, 1))

        assert await counted(50) >= 50

        other.send(b"x")
        assert await read == b"x"
