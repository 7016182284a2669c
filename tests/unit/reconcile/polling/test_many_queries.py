"""However many queries one large answer is for, no turn of the loop takes long."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from phase_operator.core.source.shrink_guard import Guard
from phase_operator.core.values import Entry, SecretValue
from phase_operator.reconcile.polling.calls import Policy, Subscription
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.ports import Credential
from support.builders import entry, query
from support.clock import HandClock
from support.fakes import FakeObserver, FakePhase
from support.measured_reads import Turns
from support.planning import key

CREDENTIAL = Credential("none", SecretValue("none"))
TAGS = [f"t{number:02}" for number in range(30)]
# In all answers together these are 180,000 entries; a namespace has the memory for several times as many.
MANY = 6_000
FEW = [entry(f"KAB{number}", "x") for number in range(50)]
Next = Callable[[Entry], Entry]
NEXT: dict[str, tuple[int, Next]] = {
    "other values": (MANY, lambda each: replace(each, value=SecretValue("y"))),
    "other tags": (MANY, lambda each: replace(each, tags=each.tags | {"other"})),
    "one left": (1, lambda each: each),
    "others instead": (MANY, lambda each: replace(each, id=f"other-{each.id}", key=f"OTHER_{each.key}")),
    "nothing": (0, lambda each: each),
}
# In CPU time of the loop's thread. What is to be found takes seconds.
TURN = 0.25


@pytest.mark.thorough
@pytest.mark.parametrize(("left", "change"), NEXT.values(), ids=NEXT)
def test_a_large_answer_to_many_queries_takes_no_long_turn_of_the_loop(left: int, change: Next) -> None:
    before = [replace(entry(f"K{number}", "x"), tags=frozenset(TAGS)) for number in range(MANY)]
    turns = Turns()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
        runner.run(read_twice(before, [change(each) for each in before[:left]]))

    assert turns.longest < TURN


def test_a_small_answer_to_many_who_select_of_it_takes_no_long_turn_of_the_loop() -> None:
    """Each has patterns of its own, by which it is judged whether too much of the answer is gone."""
    turns = Turns()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
        runner.run(read_for_many(FEW, [replace(FEW[0], value=SecretValue("y")), *FEW[1:]]))

    assert turns.longest < TURN


async def read_for_many(*answers: Sequence[Entry]) -> None:
    """Read an environment again and again, for PhaseSecrets that take different parts of it."""
    phase, clock = FakePhase(), HandClock()
    poller = Poller(phase, clock, lambda _: None, FakeObserver(), lambda *_: None, Policy())
    for number in range(500):
        guard = Guard(tuple(f"*{number}A*B*{pattern}" for pattern in range(32)))
        subscription = Subscription(5.0, guard=guard)
        poller.subscribe(key(f"team/{number}"), query(path=None), CREDENTIAL, subscription)
    await read(poller, phase, clock, answers)


async def read_twice(before: Sequence[Entry], after: Sequence[Entry]) -> None:
    """Read an environment for all queries, and again, and once more to see whether it stays so."""
    phase, clock = FakePhase(), HandClock()
    poller = Poller(phase, clock, lambda _: None, FakeObserver(), lambda *_: None, Policy())
    for tag in TAGS:
        poller.subscribe(key(f"team/{tag}"), query(path=None, tags=(tag,)), CREDENTIAL, Subscription(5.0))
    await read(poller, phase, clock, (before, after, after))


async def read(poller: Poller, phase: FakePhase, clock: HandClock, answers: Iterable[Sequence[Entry]]) -> None:
    """Let Phase hold these, one after another, and read each."""
    for held in answers:
        phase.holds(*held)
        reads = len(phase.reads)
        while len(phase.reads) == reads:
            call, _ = poller._look(clock.monotonic())
            if call is None:
                clock.turn(1.0)
            else:
                await asyncio.sleep(0)
                await poller.make(call)
