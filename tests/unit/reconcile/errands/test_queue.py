"""Which errand begins next: fair among namespaces, one at a time for a resource, none before its account may call."""

from math import inf

import pytest

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.errands.queue import ErrandQueue

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


def test_a_namespace_with_many_errands_has_half_of_the_workers(gates: Gates) -> None:
    queue = ErrandQueue(4, gates)
    for name in "abcdef":
        queue.add(errand("greedy", name))

    assert begun(queue) == ["greedy/a", "greedy/b"]


def test_namespaces_take_turns(gates: Gates) -> None:
    queue = ErrandQueue(6, gates)
    for name in "abc":
        queue.add(errand("one", name))
    for name in "ab":
        queue.add(errand("two", name))

    assert begun(queue) == ["one/a", "two/a", "one/b", "two/b", "one/c"]


def test_an_errand_that_ends_makes_room_for_the_next_of_its_namespace(gates: Gates) -> None:
    queue = ErrandQueue(2, gates)
    queue.add(errand("one", "a"))
    queue.add(errand("one", "b"))
    first, _ = queue.look(0.0)
    assert first is not None
    assert begun(queue) == []

    queue.done(first)

    assert begun(queue) == ["one/b"]


def test_an_account_that_may_not_call_delays_nobody_else(gates: Gates) -> None:
    gates.at[SHUT] = 30.0
    queue = ErrandQueue(4, gates)
    queue.add(errand("one", "a", SHUT))
    queue.add(errand("one", "b"))
    queue.add(errand("two"))

    assert begun(queue) == ["one/b", "two/a"]
    assert queue.look(10.0) == (None, 30.0)
    assert begun(queue, 30.0) == ["one/a"]


def test_an_account_that_waits_for_the_end_of_a_call_is_looked_at_after_a_change(gates: Gates) -> None:
    gates.at[SHUT] = inf
    queue = ErrandQueue(4, gates)
    queue.add(errand("one", "a", SHUT))

    assert queue.look(0.0) == (None, None)


def test_a_resource_has_one_errand_at_a_time(gates: Gates) -> None:
    queue = ErrandQueue(4, gates)
    queue.add(errand("one"))
    with pytest.raises(ValueError, match="one errand"):
        queue.add(errand("one"))
    found, _ = queue.look(0.0)
    assert found is not None
    assert queue.is_under_way(found.subject)
    with pytest.raises(ValueError, match="one errand"):
        queue.add(errand("one"))
    queue.done(found)
    assert not queue.is_under_way(found.subject)


def test_an_errand_that_is_withdrawn_never_begins_and_one_that_has_begun_is_not_withdrawn(gates: Gates) -> None:
    queue = ErrandQueue(4, gates)
    queue.add(errand("one", "a"))
    queue.add(errand("one", "b"))
    begun_one, _ = queue.look(0.0)
    assert begun_one is not None

    queue.withdraw(ObjectKey("one", "a"))
    queue.withdraw(ObjectKey("one", "b"))
    queue.withdraw(ObjectKey("two", "b"))

    assert begun(queue) == []
    assert len(queue) == 0
    assert queue.is_under_way(begun_one.subject)
