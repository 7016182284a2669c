"""Calls that wait for hosts are broken off when there are too many of them, and end as calls that are not answered."""

import asyncio

from phase_operator.api.reasons import Reason
from phase_operator.core.query import Account
from phase_operator.core.values import SecretValue
from phase_operator.reconcile.ports import Credential
from phase_operator.reconcile.questions import Broken, Call, Policy, Subscription
from phase_operator.reconcile.sources import Sources
from support.builders import query
from support.clock import HandClock, settle
from support.fakes import FakeObserver, FakePhase
from support.planning import key

CREDENTIAL = Credential("none", SecretValue("none"))


async def test_the_oldest_of_too_many_slow_calls_are_broken_off() -> None:
    clock, phase = HandClock(), FakePhase()
    phase.hold_back()
    sources = Sources(phase, clock, lambda _: None, FakeObserver(), lambda *_: None, Policy(places=2))
    # Eight slow places, of which two are kept for those who come next.
    for number in range(8):
        asked = query(base_url=f"https://host{number}.example/service/public", account="none")
        sources.subscribe(key(f"team-{number}/x"), asked, CREDENTIAL, Subscription(60.0))

    async with asyncio.TaskGroup() as group:
        begun: list[Call] = []
        for _ in range(8):
            begun.append(await sources.take())
            group.create_task(sources.make(begun[-1]))
            await settle()
            clock.turn(0.1)
        waiting = group.create_task(sources.take())
        await settle()

        oldest = key(f"team-{_number(begun[0].account)}/x")
        state = sources._planner.view(oldest)
        assert isinstance(state, Broken)
        assert state.error.reason is Reason.PHASE_UNAVAILABLE
        assert sources.under_way(is_slow=True) == 6
        waiting.cancel()
        phase.let_go()


def _number(account: Account) -> str:
    return account.base_url.removeprefix("https://host").partition(".")[0]
