"""Slow calls take no place of quick ones, a namespace has its share of both, and the last places are for newcomers."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.reconcile.polling.limits.concurrency import (
    OVERDUE_CALLS,
    QUICK,
    SLOW_CALLS,
    ConcurrencyLimit,
    ConcurrencyShares,
)

PLACES = 16


@dataclass
class Office:
    """Shares, and the numbers of the calls that were begun."""

    shares: ConcurrencyShares = field(default_factory=lambda: ConcurrencyShares(PLACES))
    now: float = 0.0
    serial: int = 0
    under_way: list[int] = field(default_factory=list)

    def begin(self, account: str, host: str = "host", namespace: str = "team") -> ConcurrencyLimit | None:
        """Begin a call, or return what it has to wait for."""
        gate = self.shares.gate(account, host, namespace)
        if gate is None:
            self.serial += 1
            self.shares.begin(self.serial, account, host, namespace, self.now)
            self.under_way.append(self.serial)
        return gate

    def end(self, *, was_answered: bool = True) -> list[ConcurrencyLimit]:
        """End the call that began last."""
        return self.shares.end(self.under_way.pop(), self.now, was_answered=was_answered)

    def proven(self, account: str, host: str = "host") -> "Office":
        """Let an account have been answered quickly."""
        self.begin(account, host)
        self.end()
        return self

    def fill(self, account: str, host: str = "host", namespace: str = "team") -> int:
        """Begin as many calls as there may be; return their number."""
        count = 0
        while self.begin(account, host, namespace) is None:
            count += 1
        return count


def test_a_host_of_which_nothing_is_known_has_few_calls_and_more_once_it_answers() -> None:
    assert Office().fill("new") == 3
    assert Office().proven("old").fill("new") == 6


def test_a_namespace_has_a_share_of_slow_calls_whatever_its_hosts() -> None:
    office = Office()

    assert sum(office.begin("x", f"host{number}") is None for number in range(100)) == PLACES // 4


def test_a_slow_call_gives_up_its_place_and_its_account_begins_as_slow_from_then_on() -> None:
    office = Office().proven("good")
    office.fill("good")
    full = office.shares.gate("good", "host", "other")

    office.now += QUICK + 0.1
    freed = office.shares.settle(office.now)

    assert full is None or full in freed
    assert office.shares.count(is_slow=False) == 0
    assert office.shares.is_slow("good", "host")


def test_an_account_that_was_never_asked_is_what_others_of_its_host_are() -> None:
    office = Office().proven("good")
    assert not office.shares.is_slow("new", "host")

    office.begin("good")
    office.end(was_answered=False)

    assert office.shares.is_slow("new", "host")
    assert office.shares.is_slow("new", "another")


def test_the_last_places_are_for_namespaces_that_have_none() -> None:
    office = Office()
    for number in range(1000):
        office.begin("x", f"host{number}", f"hostile-{number % 12}")
    assert office.shares.count(is_slow=True) == PLACES * SLOW_CALLS * 3 // 4

    assert office.begin("new", "new", "good") is None


def test_a_host_that_never_answered_gets_no_last_place_again() -> None:
    office = Office()
    for number in range(12 * PLACES):
        office.begin("x", f"host{number}", f"hostile-{number % 12}")
    office.begin("never", "host", "mallory")
    office.end(was_answered=False)

    assert office.begin("never", "host", "mallory") is not None
    assert office.begin("another", "other", "mallory") is not None
    assert office.begin("another", "other", "good") is None


def test_slow_calls_beyond_the_places_are_broken_off_and_the_oldest_of_many_first() -> None:
    office = Office()
    for number in range(8):
        office.proven(f"good{number}", f"host{number}")
        for namespace in range(8):
            office.begin(f"good{number}", f"host{number}", f"team{namespace}")
        office.now += QUICK + 0.1
        office.shares.settle(office.now)

    surplus = office.shares.surplus(office.now)

    assert office.shares.count(is_slow=True) - len(surplus) == PLACES * SLOW_CALLS * 3 // 4
    assert set(surplus) == set(sorted(office.under_way)[: len(surplus)])


def all_answer(office: Office, hosts: int) -> None:
    """Let so many hosts have been answered quickly."""
    for number in range(hosts):
        office.proven(f"good{number}", f"host{number}")


def hang_together(office: Office, hosts: range) -> None:
    """Begin a call at each of these hosts, of a namespace of its own, as far as there is room."""
    for number in hosts:
        office.begin(f"good{number}", f"host{number}", f"team{number}")


def test_an_overdue_call_lets_another_begin_if_places_are_short() -> None:
    office = Office()
    all_answer(office, 100)
    hang_together(office, range(50))
    assert office.shares.count(is_slow=False) == PLACES

    for number in range(50, 100):
        office.now += QUICK / 60
        office.shares.settle(office.now)
        hang_together(office, range(number, number + 1))

    assert office.shares.count(is_slow=False) == PLACES * (1 + OVERDUE_CALLS)
    assert office.shares.count(is_slow=True) == 0


def test_no_call_is_overdue_while_places_are_left() -> None:
    office = Office()
    all_answer(office, PLACES)
    hang_together(office, range(PLACES // 2))

    office.now += 0.9 * QUICK
    office.shares.settle(office.now)

    assert office.shares._overdue == 0


def test_a_call_that_takes_its_time_as_it_did_before_is_not_overdue() -> None:
    office = Office()
    for number in range(100):
        office.begin(f"good{number}", f"host{number}", f"team{number}")
        office.now += 0.5 * QUICK
        office.end()
        office.now -= 0.5 * QUICK
    for number in range(100):
        office.begin(f"good{number}", f"host{number}", f"team{number}")

    office.now += 0.9 * QUICK
    office.shares.settle(office.now)

    assert office.shares._overdue == 0


def test_an_account_whose_last_call_was_in_vain_gets_none_of_the_last_places() -> None:
    office = Office()
    all_answer(office, PLACES)
    office.proven("mine", "mine")
    hang_together(office, range(PLACES * 3 // 4))
    office.begin("hangs", "hangs", "team")
    office.end(was_answered=False)

    assert office.begin("mine", "mine", "team") == ConcurrencyLimit("all", "", False)
    assert office.begin("mine", "mine", "another") is None


def test_an_account_of_several_namespaces_is_counted_for_the_one_that_has_least() -> None:
    office = Office()
    office.begin("x", "host", "a")

    assert office.shares.payer(["a", "b"]) == "b"


def test_a_gate_is_full_when_not_even_the_first_call_of_a_namespace_may_begin() -> None:
    office = Office()
    all_answer(office, PLACES + 1)
    everywhere = ConcurrencyLimit("all", "", False)
    for number in range(PLACES):
        assert not office.shares.is_full(everywhere)
        assert office.begin(f"good{number}", f"host{number}", f"team{number}") is None

    assert office.shares.is_full(everywhere)
    assert office.begin(f"good{PLACES}", f"host{PLACES}", "another") == everywhere


steps = st.lists(
    st.tuples(st.sampled_from("bet"), st.integers(0, 3), st.integers(0, 3), st.integers(0, 5), st.booleans()),
    max_size=200,
)


@given(steps)
def test_every_count_ends_where_it_began(plan: list[tuple[str, int, int, int, bool]]) -> None:
    office = Office()
    for what, account, host, namespace, was_answered in plan:
        if what == "b":
            office.begin(f"a{account}", f"h{host}", f"n{namespace}")
        elif what == "e" and office.under_way:
            office.end(was_answered=was_answered)
        elif what == "t":
            office.now += 0.3
            office.shares.settle(office.now)
        assert office.shares.count(is_slow=False) <= PLACES * (1 + OVERDUE_CALLS)
        assert office.shares.count(is_slow=True) <= PLACES * (SLOW_CALLS + 1)
        assert office.shares.count(is_slow=False) + office.shares.count(is_slow=True) == len(office.under_way)
        gates = [ConcurrencyLimit("all", "", is_slow) for is_slow in (False, True)]
        gates += [ConcurrencyLimit("host", f"h{host}", is_slow) for is_slow in (False, True)]
        full = [each for each in gates if office.shares.is_full(each)]
        assert not [each for each in full if office.shares.has_room(each, f"a{account}", f"n{namespace}")]
    while office.under_way:
        office.end()

    assert not office.shares._counts
    assert office.shares._overdue == 0
