"""Who leads, whatever happens to clocks, answers and processes: never two at once."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phase_operator.core.flow.election import Election, Held, Terms, Wait, Write

TERMS = Terms(15.0)


def held(holder: str = "other", version: str = "1", transitions: int = 3) -> Held:
    return Held(holder, version, transitions, TERMS.duration)


def election() -> Election:
    return Election("me", TERMS)


def test_a_lease_that_is_not_there_is_made() -> None:
    assert election().judge(None, 0.0) == Write(None, 0, takes=True)


def test_a_lease_that_was_given_back_is_taken_at_once() -> None:
    assert election().judge(held(holder=""), 0.0) == Write("1", 4, takes=True)


def test_a_lease_is_taken_when_it_has_not_changed_for_as_long_as_it_lasts() -> None:
    found = election()

    assert found.judge(held(), 100.0) == Wait("other")
    assert found.judge(held(), 114.9) == Wait("other")
    assert found.judge(held(version="2"), 114.9) == Wait("other")
    assert found.judge(held(version="2"), 129.8) == Wait("other")
    assert found.judge(held(version="2"), 130.0) == Write("2", 4, takes=True)


def test_a_lease_that_was_deleted_is_left_alone_as_long_as_its_holder_may_not_know() -> None:
    found = election()
    found.judge(held(), 100.0)

    assert found.judge(None, 105.0) == Wait("")
    assert found.judge(None, 120.0) == Write(None, 0, takes=True)


def test_a_leader_makes_a_deleted_lease_again() -> None:
    found = election()
    found.written(0.0)

    again = found.judge(None, 1.0)

    assert again == Write(None, 0, takes=False)
    assert not found.is_lost(again)


def test_a_leader_may_write_until_the_deadline_and_counts_from_before_it_asked() -> None:
    found = election()
    assert found.left(0.0) == 0.0

    found.written(100.0)

    assert found.left(104.0) == 6.0
    assert found.left(110.0) == found.left(500.0) == 0.0


def test_a_leader_that_was_cut_off_goes_on_if_nobody_came_in_between() -> None:
    found = election()
    found.written(100.0)

    again = found.judge(held(holder="me"), 300.0)

    assert again == Write("1", 3, takes=False)
    assert not found.is_lost(again)


@pytest.mark.parametrize("holder", ["other", ""])
def test_a_leader_that_finds_another_holder_has_lost(holder: str) -> None:
    found = election()
    found.written(100.0)

    assert found.is_lost(found.judge(held(holder=holder), 101.0))


def test_an_answer_that_was_lost_is_no_loss() -> None:
    found = election()

    again = found.judge(held(holder="me"), 1.0)

    assert again == Write("1", 3, takes=True)
    assert not found.is_lost(again)


@pytest.mark.parametrize("seconds", [3.0, 15.0, 3600.0])
def test_a_leader_stops_before_a_standby_may_begin(seconds: float) -> None:
    terms = Terms(seconds)

    assert terms.renewal * 2 < terms.deadline < terms.duration
    assert terms.look <= 0.5


@dataclass
class Process:
    """One process: what it knows, and what it has asked and not heard of yet."""

    name: str
    # Its monotonic clock began somewhere.
    offset: float
    election: Election = field(init=False)
    asked: tuple[Write, float] | None = None

    def __post_init__(self) -> None:
        self.election = Election(self.name, TERMS)


class Leaders(RuleBasedStateMachine):
    """Three processes with clocks of their own, a Lease, and answers that come late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.lease: Held | None = None
        self.version = 0
        self.processes = [Process(f"p{number}", number * 1000.0) for number in range(3)]

    def now(self, process: Process) -> float:
        return self.time + process.offset

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 5.0, 9.0, 16.0]))
    def wait(self, seconds: float) -> None:
        self.time += seconds

    @rule(number=st.integers(0, 2))
    def look(self, number: int) -> None:
        """Read, and write if that is what is to be done; the answer is on its way."""
        process = self.processes[number]
        if process.asked is not None:
            return
        found = process.election.judge(self.lease, self.now(process))
        if process.election.is_lost(found):
            self.processes[number] = Process(f"{process.name}'", process.offset + 1.0)
        elif isinstance(found, Write):
            process.asked = (found, self.now(process))

    @rule(number=st.integers(0, 2), heard=st.booleans())
    def arrive(self, number: int, heard: bool) -> None:
        """Let the request reach the API server, which compares versions; the answer may get lost."""
        process = self.processes[number]
        if process.asked is None:
            return
        (write, asked), process.asked = process.asked, None
        version = None if self.lease is None else self.lease.version
        if version != write.version:
            return
        self.version += 1
        self.lease = Held(process.name, str(self.version), write.transitions, TERMS.duration)
        if heard:
            process.election.written(asked)

    @rule(number=st.integers(0, 2))
    def give_back(self, number: int) -> None:
        process = self.processes[number]
        if self.lease is not None and self.lease.holder == process.name and process.asked is None:
            self.version += 1
            self.lease = Held("", str(self.version), self.lease.transitions, 1.0)
            # It ends after that.
            self.processes[number] = Process(f"{process.name}'", process.offset + 1.0)

    @invariant()
    def at_most_one_may_write(self) -> None:
        writers = [each.name for each in self.processes if each.election.left(self.now(each)) > 0]
        assert len(writers) <= 1, writers


TestLeaders = Leaders.TestCase
TestLeaders.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=60)
