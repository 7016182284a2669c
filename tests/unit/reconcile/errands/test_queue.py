"""Which errand begins next: fair among namespaces, one at a time for a resource, none before its account may call."""

from collections import Counter
from collections.abc import Hashable
from math import inf

import pytest

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.errands.queue import ErrandQueue
from phase_operator.reconcile.polling.limits.concurrency import ConcurrencyLimit

OPEN, SHUT = Account("https://phase.example", "open"), Account("https://phase.example", "shut")


async def _nothing(_: object) -> ExpectedError | None:
    return None


def errand(namespace: str, name: str = "a", account: Account = OPEN) -> Errand:
    return Errand(ObjectKey(namespace, name), account, "look", _nothing)


class Gates:
    """When accounts may call."""

    def __init__(self) -> None:
        self.at: dict[Account, float] = {}

    def __call__(self, account: Account, now: float) -> float:
        return max(now, self.at.get(account, now))


@pytest.fixture
def gates() -> Gates:
    return Gates()


def begun(queue: ErrandQueue, now: float = 0.0) -> list[str]:
    """Begin all that may begin, and return the resources."""
    found = []
    while (each := queue.look(now)[0]) is not None:
        found.append(str(each.subject))
    return found


def test_a_namespace_with_many_errands_has_few_of_the_slow_places(gates: Gates) -> None:
    queue = ErrandQueue(8, gates)
    for name in "abcdef":
        queue.add(errand("greedy", name), 0.0)

    assert begun(queue) == ["greedy/a", "greedy/b"]


def test_namespaces_take_turns(gates: Gates) -> None:
    queue = ErrandQueue(12, gates)
    for name in "abc":
        queue.add(errand("one", name), 0.0)
    for name in "ab":
        queue.add(errand("two", name), 0.0)

    assert begun(queue) == ["one/a", "two/a", "one/b", "two/b", "one/c"]


def test_an_errand_that_ends_makes_room_for_the_next_of_its_namespace(gates: Gates) -> None:
    queue = ErrandQueue(2, gates)
    queue.add(errand("one", "a"), 0.0)
    queue.add(errand("one", "b"), 0.0)
    first, _ = queue.look(0.0)
    assert first is not None
    assert begun(queue) == []

    queue.done(first, 0.0, was_answered=True)

    assert begun(queue) == ["one/b"]


def test_an_account_that_may_not_call_delays_nobody_else(gates: Gates) -> None:
    gates.at[SHUT] = 30.0
    queue = ErrandQueue(8, gates)
    queue.add(errand("one", "a", SHUT), 0.0)
    queue.add(errand("one", "b"), 0.0)
    queue.add(errand("two"), 0.0)

    assert begun(queue) == ["one/b", "two/a"]
    assert queue.look(10.0) == (None, 30.0)
    assert begun(queue, 30.0) == ["one/a"]


def test_an_account_that_waits_for_the_end_of_a_call_is_looked_at_after_a_change(gates: Gates) -> None:
    gates.at[SHUT] = inf
    queue = ErrandQueue(8, gates)
    queue.add(errand("one", "a", SHUT), 0.0)

    assert queue.look(0.0) == (None, None)


def test_a_resource_has_one_errand_at_a_time(gates: Gates) -> None:
    queue = ErrandQueue(8, gates)
    queue.add(errand("one"), 0.0)
    with pytest.raises(ValueError, match="one errand"):
        queue.add(errand("one"), 0.0)
    found, _ = queue.look(0.0)
    assert found is not None
    assert queue.is_under_way(found.subject)
    with pytest.raises(ValueError, match="one errand"):
        queue.add(errand("one"), 0.0)
    queue.done(found, 0.0, was_answered=True)
    assert not queue.is_under_way(found.subject)


def test_an_errand_that_is_withdrawn_never_begins_and_one_that_has_begun_is_not_withdrawn(gates: Gates) -> None:
    queue = ErrandQueue(8, gates)
    queue.add(errand("one", "a"), 0.0)
    queue.add(errand("one", "b"), 0.0)
    begun_one, _ = queue.look(0.0)
    assert begun_one is not None

    queue.withdraw(ObjectKey("one", "a"))
    queue.withdraw(ObjectKey("one", "b"))
    queue.withdraw(ObjectKey("two", "b"))

    assert begun(queue) == []
    assert len(queue) == 0
    assert queue.is_under_way(begun_one.subject)


@pytest.mark.parametrize("hostile", [2, 4, 8, 20])
@pytest.mark.parametrize("is_known", [True, False], ids=["its account was answered quickly", "its account is new"])
def test_hosts_that_do_not_answer_hold_up_no_other_namespace(gates: Gates, hostile: int, is_known: bool) -> None:
    """Each hostile namespace has a host of its own for each of its resources, and no call to one ever ends."""
    queue = ErrandQueue(8, gates)
    if is_known:
        queue.add(errand("good"), 0.0)
        first, _ = queue.look(0.0)
        assert first is not None
        queue.done(first, 0.1, was_answered=True)
    for number in range(hostile):
        for name in "abcdef":
            host = Account(f"https://{name}{number}.example", "token")
            queue.add(errand(f"hostile-{number}", name, host), 1.0)
    begun(queue, 1.0)

    queue.add(errand("good"), 2.5)

    assert begun(queue, 2.5) == ["good/a"]


def test_a_call_that_lasts_gives_its_place_up(gates: Gates) -> None:
    queue = ErrandQueue(8, gates)
    all_of_them = [errand(f"of-{each}", account=Account(f"https://{each}.example", "token")) for each in range(12)]
    for each in all_of_them:
        queue.add(each, 0.0)
        assert queue.look(0.0)[0] is each
        queue.done(each, 0.0, was_answered=True)
    for each in all_of_them:
        queue.add(each, 0.0)
    assert len(begun(queue)) == 8

    found, again = queue.look(0.1)

    assert found is None
    assert again is not None
    assert again <= 1.0
    assert len(begun(queue, 1.0)) == 4


def test_the_oldest_is_told_and_what_might_begin_and_does_not(gates: Gates) -> None:
    gates.at[SHUT] = inf
    queue = ErrandQueue(8, gates)
    queue.look(0.0)
    queue.add(errand("one", "a", SHUT), 10.0)
    queue.add(errand("one", "b"), 20.0)

    assert (queue.oldest(50.0), queue.neglected(50.0)) == (30.0, 30.0)

    assert begun(queue, 50.0) == ["one/b"]
    assert (queue.oldest(60.0), queue.neglected(60.0)) == (0.0, 0.0)
    gates.at[SHUT] = 0.0
    queue.withdraw(ObjectKey("one", "a"))
    assert (queue.oldest(60.0), len(queue)) == (0.0, 0)


def test_errands_of_one_account_are_judged_once(gates: Gates) -> None:
    """A namespace may have ten thousand resources; each plan and each probe of health looks at what waits."""
    queue, asked = ErrandQueue(4, gates), Counter[str]()
    for number in range(1_000):
        queue.add(errand("crowd", f"{number}"), 0.0)
    while queue.look(0.0)[0] is not None:
        pass
    shares = queue._shares
    gate = shares.gate

    def counted(account: Hashable, host: str, namespace: str) -> ConcurrencyLimit | None:
        asked["gate"] += 1
        return gate(account, host, namespace)

    shares.gate = counted  # type: ignore[method-assign]
    queue.neglected(9.0)
    assert asked["gate"] <= 1

    gates.at[OPEN] = 60.0
    look_at = gates.__class__.__call__

    def opens(account: Account, now: float) -> float:
        asked["opens"] += 1
        return look_at(gates, account, now)

    queue._allowed_at = opens
    queue.look(9.0)
    queue.oldest(9.0)
    queue.neglected(9.0)
    assert asked["opens"] <= 3
