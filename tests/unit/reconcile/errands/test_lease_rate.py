"""How often an account is asked for leases, and how namespaces that share it share its rate."""

from collections import Counter

from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.lease_rate import LeaseRate

ACCOUNT, OTHER = Account("https://phase.example", "one"), Account("https://phase.example", "two")


def asked(rate: LeaseRate, keys: list[ObjectKey], seconds: int) -> list[tuple[int, ObjectKey]]:
    """Let resources that all want a lease ask whenever it is their turn; return who asked when."""
    left, found = list(keys), []
    for now in range(seconds):
        for key in list(left):
            if rate.allowed_at(ACCOUNT, key, float(now)) <= now:
                rate.asked(ACCOUNT, key, float(now))
                left.remove(key)
                found.append((now, key))
    return found


def most_in_a_minute(times: list[int]) -> int:
    return max(sum(1 for each in times if begin <= each < begin + 60) for begin in times)


def test_the_first_lease_of_an_account_is_asked_for_at_once() -> None:
    assert LeaseRate(20).allowed_at(ACCOUNT, ObjectKey("one", "a"), 7.0) == 7.0


def test_a_mass_start_is_spread_over_time() -> None:
    found = asked(LeaseRate(20), [ObjectKey("one", str(number)) for number in range(100)], 400)

    assert len(found) == 100
    assert most_in_a_minute([at for at, _ in found]) <= 20
    assert found[-1][0] <= 310


def test_a_namespace_with_many_resources_leaves_others_their_part() -> None:
    rate = LeaseRate(20)
    greedy = [ObjectKey("greedy", str(number)) for number in range(500)]
    modest = [ObjectKey("modest", str(number)) for number in range(5)]
    for key in greedy:
        rate.allowed_at(ACCOUNT, key, 0.0)

    found = asked(rate, [*greedy, *modest], 120)

    counted = Counter(key.namespace for _, key in found)
    assert counted["modest"] == 5
    assert max(at for at, key in found if key.namespace == "modest") <= 60
    assert most_in_a_minute([at for at, _ in found]) <= 20


def test_a_turn_is_kept_for_who_has_it_and_accounts_do_not_share_turns() -> None:
    rate = LeaseRate(1)
    rate.asked(ACCOUNT, ObjectKey("one", "a"), 0.0)

    first = rate.allowed_at(ACCOUNT, ObjectKey("one", "b"), 1.0)

    assert first == 60.0
    assert rate.allowed_at(ACCOUNT, ObjectKey("one", "b"), 30.0) == first
    assert rate.allowed_at(OTHER, ObjectKey("one", "b"), 1.0) == 1.0


def test_an_account_with_nothing_to_remember_is_forgotten() -> None:
    rate = LeaseRate(20)
    key = ObjectKey("one", "a")
    rate.allowed_at(ACCOUNT, key, 0.0)
    rate.prune(0.0)
    rate.forget(ACCOUNT, key)
    rate.asked(ACCOUNT, key, 0.0)

    rate.prune(30.0)
    assert rate.allowed_at(ACCOUNT, key, 30.0) >= 30.0
    rate.forget(ACCOUNT, key)
    rate.prune(200.0)

    assert not vars(rate)["_accounts"]
