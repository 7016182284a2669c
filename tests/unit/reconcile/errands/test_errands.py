"""However an errand ends, its place is given back, its resource runs again, and the host is judged fairly."""

import asyncio
from collections import Counter
from collections.abc import Callable
from math import inf

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand, Question
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.polling.gates import CallFacts, InFlightCall
from phase_operator.reconcile.polling.limits.rate_limit import RateLimit
from phase_operator.reconcile.queue.work_queue import QueueClosedError
from support.clock import HandClock, settle
from support.fakes import Loop

ACCOUNT = Account("https://phase.example", "one")
KEY = ObjectKey("team", "uploads")
AWAY = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be reached", had_no_effect=True)
SLOW = Transient(Reason.PHASE_UNAVAILABLE, "phase.example does not answer in time")


class Places:
    """Gates that are open, and what was told to them."""

    def __init__(self) -> None:
        self.under_way = self.let_in = 0
        self.told: list[tuple[CallFacts, ExpectedError | None]] = []
        self.has_bug = False
        # Until then they are closed, in seconds of the clock.
        self.opens = 0.0
        self.kept: Counter[Account] = Counter()

    def other_allowed_at(self, account: Account, now: float) -> float:
        return max(now, self.opens)

    def other_begins(self, account: Account, requests: int = 1) -> InFlightCall:
        self.under_way += 1
        limit = RateLimit(None)
        limit.begin(0.0, "ATTEMPT", requests)
        return InFlightCall("ATTEMPT", limit, host_trial=False, denials_trial=False, left=requests - 1)

    def other_is_let_in(self, account: Account, begun: InFlightCall) -> None:
        self.let_in += 1

    def other_ended(self, account: Account, begun: InFlightCall, asked: CallFacts, error: ExpectedError | None) -> None:
        if self.has_bug:
            raise RuntimeError("a bug")
        self.under_way -= 1
        self.told.append((asked, error))

    def keep_account(self, account: Account) -> None:
        self.kept[account] += 1

    def let_account_go(self, account: Account) -> None:
        self.kept[account] -= 1


class Bench:
    """Errands with all that they tell."""

    def __init__(self, quick: int = 2) -> None:
        self.places = Places()
        self.woken: list[ObjectKey] = []
        self.counted: list[tuple[str, str]] = []
        self.errands = Errands(self.places, HandClock(), self.woken.append, self._count, quick)

    def _count(self, errand: Errand, result: str) -> None:
        self.counted.append((errand.kind, result))

    async def make(self, error: ExpectedError | None = None, *, waits_for_others: bool = False) -> None:
        async def work(_: Callable[[], None]) -> ExpectedError | None:
            return error

        self.errands.plan(Errand(KEY, ACCOUNT, "lease", work, waits_for_others=waits_for_others))
        await self.errands.make(await self.errands.take())

    async def begin(self, *keys: ObjectKey) -> int:
        """Plan an errand of each resource, and return how many begin at once."""

        async def work(_: Callable[[], None]) -> ExpectedError | None:
            return None

        for key in keys:
            self.errands.plan(Errand(key, ACCOUNT, "look", work))
        takers = [asyncio.ensure_future(self.errands.take()) for _ in keys]
        await settle()
        begun = [each.result() for each in takers if each.done()]
        for each in takers:
            each.cancel()
        for errand in begun:
            await self.errands.make(errand)
        return len(begun)


async def test_the_time_an_account_took_is_known_until_its_last_user_goes() -> None:
    """A resource of one kind that goes must not make the account slow for one of another kind."""
    bench, keys = Bench(quick=4), (ObjectKey("team", "a"), ObjectKey("team", "b"))
    bench.errands.keep_account(ACCOUNT)
    bench.errands.keep_account(ACCOUNT)
    await bench.make()

    bench.errands.let_account_go(ACCOUNT)

    assert await bench.begin(*keys) == len(keys)
    bench.errands.let_account_go(ACCOUNT)
    assert not +bench.places.kept
    assert await bench.begin(*keys) == 1, "a namespace has one place for calls of an account that is not known"


async def test_an_errand_passes_the_gate_and_wakes_its_resource() -> None:
    bench = Bench()

    await bench.make()

    assert bench.woken == [KEY]
    assert bench.counted == [("lease", "ok")]
    assert bench.places.under_way == 0
    ((facts, error),) = bench.places.told
    assert error is None
    # A permission of its own: a refusal must not count against the account's reads.
    assert facts.is_probe
    assert not facts.proves_access


@pytest.mark.parametrize(
    ("error", "waits_for_others", "of_question"),
    [
        pytest.param(SLOW, True, True, id="a slow cloud provider is not the host's fault"),
        pytest.param(AWAY, True, False, id="a host that cannot be reached is"),
        pytest.param(SLOW, False, False, id="a list waits for nobody else"),
    ],
)
async def test_a_failure_counts_against_the_host_if_the_host_is_its_cause(
    error: Transient, waits_for_others: bool, of_question: bool
) -> None:
    bench = Bench()

    await bench.make(error, waits_for_others=waits_for_others)

    told = bench.places.told[0][1]
    assert isinstance(told, Transient)
    assert told.of_question is of_question
    assert bench.counted == [("lease", "PhaseUnavailable")]


async def test_a_quota_that_is_used_up_is_told_as_it_is() -> None:
    bench = Bench()

    await bench.make(Transient(Reason.RATE_LIMITED, "used up", after=30.0, had_no_effect=True), waits_for_others=True)

    told = bench.places.told[0][1]
    assert isinstance(told, Transient)
    assert (told.reason, told.after) == (Reason.RATE_LIMITED, 30.0)


async def test_a_bug_gives_the_place_back_and_wakes_the_resource() -> None:
    bench = Bench()

    async def work(_: Callable[[], None]) -> ExpectedError | None:
        raise ZeroDivisionError

    bench.errands.plan(Errand(KEY, ACCOUNT, "lease", work, waits_for_others=True))
    with pytest.raises(ZeroDivisionError):
        await bench.errands.make(await bench.errands.take())

    assert bench.woken == [KEY]
    assert bench.places.under_way == 0
    assert not bench.errands.is_under_way(KEY)
    assert bench.counted == [("lease", "InternalError")]


async def test_an_errand_that_is_planned_again_replaces_the_one_that_waits() -> None:
    bench = Bench()
    made: list[int] = []

    def planned(number: int) -> Errand:
        async def work(_: Callable[[], None]) -> ExpectedError | None:
            made.append(number)
            return Waiting(Reason.LEASE_REFUSED, "no")

        return Errand(KEY, ACCOUNT, "lease", work)

    bench.errands.plan(planned(1))
    bench.errands.plan(planned(2))
    assert bench.errands.depth() == 1
    await bench.errands.make(await bench.errands.take())

    assert made == [2]
    bench.errands.close()
    with pytest.raises(QueueClosedError):
        await asyncio.wait_for(bench.errands.take(), 1)


async def test_a_call_that_takes_long_is_counted_as_let_in_and_one_that_may_not_is_not() -> None:
    for waits_for_others in (True, False):
        clock = HandClock()
        with clock.driving():
            bench = Bench()
            may_end = asyncio.Event()

            async def work(_: Callable[[], None], may_end: asyncio.Event = may_end) -> ExpectedError | None:
                await may_end.wait()
                return None

            bench.errands.plan(Errand(KEY, ACCOUNT, "lease", work, waits_for_others=waits_for_others))
            making = asyncio.create_task(bench.errands.make(await bench.errands.take()))
            await settle()
            assert bench.places.let_in == 0
            clock.turn(6)
            await settle()

            assert bench.places.let_in == int(waits_for_others)
            assert bench.woken == []
            may_end.set()
            await making
            assert bench.woken == [KEY]


async def test_an_errand_that_is_broken_off_ends_its_call() -> None:
    bench = Bench()
    ended: list[bool] = []

    async def work(_: Callable[[], None]) -> ExpectedError | None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return None

    bench.errands.plan(Errand(KEY, ACCOUNT, "lease", work, waits_for_others=True))
    making = asyncio.create_task(bench.errands.make(await bench.errands.take()))
    await settle()

    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    await settle()

    assert ended == [True]
    assert bench.places.under_way == 0


async def test_hosts_that_hang_hold_up_no_errand_of_another_namespace() -> None:
    """A call for a lease may take two minutes: two namespaces with hosts that never answer held up all others."""
    never, made = asyncio.Event(), asyncio.Event()

    async def hang(_: Callable[[], None]) -> ExpectedError | None:
        await never.wait()
        return None

    async def answer(_: Callable[[], None]) -> ExpectedError | None:
        made.set()
        return None

    async with Loop() as loop:
        for namespace in ("hostile", "other-hostile"):
            for name in "abcdef":
                account = Account(f"https://{name}.{namespace}.example", "token")
                loop.errands.plan(Errand(ObjectKey(namespace, name), account, "lease", hang, waits_for_others=True))
        await loop.turn(2.0)
        waiting = loop.errands.depth()
        loop.errands.plan(Errand(KEY, ACCOUNT, "lease", answer, waits_for_others=True))
        await loop.turn(2.0)
        found = (made.is_set(), loop.errands.neglected(), loop.errands.hanging())
        never.set()

    assert waiting > 0
    assert found[:2] == (True, 0.0)
    assert found[2] == pytest.approx(2.0)


async def test_an_errand_begins_though_nobody_tells_that_its_account_may_call_again() -> None:
    """A read of the same account has ended, for example: that wakes those who read."""
    clock, places = HandClock(), Places()
    places.opens = inf
    errands = Errands(places, clock, lambda _: None, lambda *_: None, quick=2)
    began: list[ObjectKey] = []

    async def work(_: Callable[[], None]) -> ExpectedError | None:
        began.append(KEY)
        return None

    with clock.driving():
        errands.plan(Errand(KEY, ACCOUNT, "look", work))
        taken = asyncio.create_task(errands.take())
        await settle()
        places.opens = 0.0
        for _ in range(10):
            clock.turn(1.0)
            await settle()
        assert taken.done()
        await errands.make(await taken)

    assert began == [KEY]


async def test_errands_that_may_begin_at_one_moment_begin_at_it_for_all_who_wait() -> None:
    clock, places = HandClock(), Places()
    places.opens = clock.monotonic() + 3.0
    errands = Errands(places, clock, lambda _: None, lambda *_: None, quick=16)

    async def work(_: Callable[[], None]) -> ExpectedError | None:
        return None

    with clock.driving():
        for name in ("one", "two"):
            errands.plan(Errand(ObjectKey(name, "uploads"), ACCOUNT, "look", work))
        takers = [asyncio.create_task(errands.take()) for _ in range(2)]
        await settle()
        assert not any(each.done() for each in takers)
        clock.turn(3.0)
        await settle()

        assert all(each.done() for each in takers)


async def test_the_place_is_given_back_also_if_the_gate_has_a_bug() -> None:
    bench = Bench()
    bench.places.has_bug = True
    with pytest.raises(RuntimeError):
        await bench.make()

    assert not bench.errands.is_under_way(KEY)
    assert bench.woken == [KEY]


async def test_an_answer_is_given_to_those_alone_who_ask_the_same_with_the_same_account_for_their_namespace() -> None:
    bench, given = Bench(), list[tuple[str, object]]()

    async def nothing(_: Callable[[], None]) -> None:
        return None

    def asks(name: str, question: object = "q", namespace: str = "team", account: Account = ACCOUNT) -> Errand:
        def take(answer: object) -> None:
            given.append((name, answer))

        return Errand(ObjectKey(namespace, name), account, "look", nothing, question=Question(question, take))

    bench.errands.plan(asks("begun"))
    begun = await bench.errands.take()
    for each in (
        asks("same"),
        asks("other-question", "another"),
        asks("other-namespace", namespace="other"),
        asks("other-account", account=Account(ACCOUNT.base_url, "another")),
        Errand(ObjectKey("team", "asks-nothing"), ACCOUNT, "post", nothing),
    ):
        bench.errands.plan(each)

    bench.errands.share("team", ACCOUNT, "q", "answer")

    assert given == [("same", "answer")]
    assert bench.woken == [ObjectKey("team", "same")]
    assert bench.errands.depth() == 4
    await bench.errands.make(begun)
