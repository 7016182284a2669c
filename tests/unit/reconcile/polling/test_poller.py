"""The shell around the scheduler: too many slow calls are broken off, and a shared answer counts for one namespace."""

import asyncio

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.source.apps import App
from phase_operator.core.source.keyring import Keys
from phase_operator.core.source.query import Account
from phase_operator.core.values import SecretValue
from phase_operator.reconcile.polling.calls import Broken, Call, Policy, Subscription
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.ports import Credential
from support.builders import query
from support.clock import HandClock, settle
from support.fakes import FakeObserver, FakePhase
from support.planning import key

CREDENTIAL = Credential("none", SecretValue("none"))


async def test_the_oldest_of_too_many_slow_calls_are_broken_off() -> None:
    clock, phase = HandClock(), FakePhase()
    phase.defer_event()
    poller = Poller(phase, clock, lambda _: None, FakeObserver(), lambda *_: None, Policy(places=2))
    # Eight slow places, of which two are kept for those who come next.
    for number in range(8):
        asked = query(base_url=f"https://host{number}.example/service/public", account="none")
        poller.subscribe(key(f"team-{number}/x"), asked, CREDENTIAL, Subscription(60.0))

    async with asyncio.TaskGroup() as group:
        begun: list[Call] = []
        for _ in range(8):
            begun.append(await poller.take())
            group.create_task(poller.make(begun[-1]))
            await settle()
            clock.turn(0.1)
        waiting = group.create_task(poller.take())
        await settle()

        oldest = key(f"team-{_number(begun[0].account)}/x")
        state = poller._scheduler.view(oldest)
        assert isinstance(state, Broken)
        assert state.error.reason is Reason.PHASE_UNAVAILABLE
        assert poller.stats().slow == 6
        waiting.cancel()
        phase.let_go()


class Oversized(FakePhase):
    """Answers lists that are too large: by themselves, or for the memory that all answers share."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    async def apps(self, base_url: str, credential: Credential, place: Reservation) -> list[App]:
        """Take the place, and refuse what is found in it."""
        place.resize(self.size)
        raise Waiting(Reason.ANSWER_TOO_LARGE, "one answer is too large")


@pytest.mark.parametrize(("size", "limit"), [(1, "answer"), (MIB, "memory")])
async def test_an_answer_that_is_too_large_is_counted_by_the_limit_that_it_met(size: int, limit: str) -> None:
    observer, memory = FakeObserver(), AnswerMemory(MIB)
    poller = Poller(Oversized(size), HandClock(), lambda _: None, observer, lambda *_: None, Policy(), memory)
    poller.subscribe(key("team/x"), query(), CREDENTIAL, Subscription(60.0))

    await poller.make(await poller.take())

    assert observer.refused == {limit: 1}
    assert memory.used == 0


class Placed(FakePhase):
    """Takes down for which namespace each list is held."""

    def __init__(self) -> None:
        super().__init__()
        self.held_for: list[str] = []

    async def apps(self, base_url: str, credential: Credential, place: Reservation) -> list[App]:
        """Return the apps, and note the place."""
        self.held_for.append(place.namespace)
        return await super().apps(base_url, credential, place)


async def test_a_shared_answer_is_held_for_the_namespace_that_holds_least() -> None:
    """Whoever asks first may have taken all that he gets: that is no reason to refuse the others."""
    memory, phase = AnswerMemory(MIB), Placed()
    taken = memory.open("mallory")
    taken.resize(MIB // 2)
    poller = Poller(phase, HandClock(), lambda _: None, FakeObserver(), lambda *_: None, Policy(), memory)
    for namespace in ("mallory", "team"):
        poller.subscribe(key(f"{namespace}/x"), query(), CREDENTIAL, Subscription(60.0))

    await poller.make(await poller.take())

    assert phase.held_for == ["team"]
    assert taken.size == MIB // 2


async def test_the_memory_of_a_keyring_is_given_back_with_the_last_encrypted_app() -> None:
    memory, phase, clock, observer = AnswerMemory(MIB), FakePhase(), HandClock(), FakeObserver()
    phase.is_encrypted = True
    credential = Credential("full", SecretValue("full"), Keys())
    poller = Poller(phase, clock, lambda _: None, observer, lambda *_: None, Policy(), memory)
    poller.subscribe(key("team/x"), query(account="full"), credential, Subscription(60.0))
    for _ in range(3):
        await poller.make(await poller.take())
    held = memory.used
    for _ in range(5):
        clock.turn(70.0)
        await poller.make(await poller.take())

    assert memory.used == held >= 1000
    assert observer.calls["keyring", "ok"] == 6
    poller.unsubscribe(key("team/x"))
    assert memory.used == 0


def _number(account: Account) -> str:
    return account.base_url.removeprefix("https://host").partition(".")[0]
