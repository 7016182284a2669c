"""Namespaces are looked at when they have settled; who waits for one is not woken by each write."""

import asyncio

from phase_operator.reconcile.restarts.looks import LookSchedule
from support.clock import HandClock, settle

WINDOW = 5.0


class CountedClock(HandClock):
    """Counts how often it is read: once for each touch, and once for each look."""

    reads = 0

    def monotonic(self) -> float:
        self.reads += 1
        return super().monotonic()


async def test_a_write_wakes_nobody_before_its_namespace_has_settled() -> None:
    clock = CountedClock()
    schedule = LookSchedule(clock, WINDOW, lambda _: None)
    taken = asyncio.create_task(schedule.take(lambda: True))
    await settle()
    clock.reads = 0

    for number in range(10):
        schedule.touch(f"team-{number % 2}")
        await settle()

    assert (clock.reads, taken.done()) == (10, False)
    taken.cancel()
    await asyncio.gather(taken, return_exceptions=True)


async def test_a_namespace_is_taken_as_soon_as_it_has_settled() -> None:
    clock = HandClock()
    schedule = LookSchedule(clock, WINDOW, lambda _: None)
    with clock.driving():
        takers = [asyncio.create_task(schedule.take(lambda: True)) for _ in range(2)]
        await settle()
        schedule.touch("one")
        clock.turn(2)
        schedule.touch("two")
        schedule.touch("one")
        await settle()

        clock.turn(4.9)
        await settle()
        assert not any(each.done() for each in takers)
        clock.turn(0.1)
        await settle()

        assert sorted(each.result() for each in takers) == ["one", "two"]
