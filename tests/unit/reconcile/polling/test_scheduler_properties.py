"""The scheduler under random arrivals, writes, faults, delays, clock steps, and an app that is encrypted or not.

Invariants: no two equal calls are under way; no minute holds more calls of an account than the quota; once an answer
had entries, entries are at hand; when the faults are over, every PhaseSecret has been woken with what Phase holds, or
says that its token has no keys; and then an account makes no more calls than its intervals ask for.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.source.selection import answering
from phase_operator.core.source.shrink_guard import Guard
from phase_operator.core.values import Entry, ObjectKey, Snapshot
from phase_operator.reconcile.polling.calls import Broken, Call, Fresh, Policy, Read, Subscription, Unread
from support.builders import entry, query
from support.examples import examples
from support.planning import DENIED, DOWN, NO_LIST, Driver, Place, SimPhase, key, kind, tell

ENVIRONMENTS = ("production", "staging")
# The second account has keys.
ACCOUNTS = ("account", "full")
KINDS = ("apps", "keyring", "probe", "read")
QUESTIONS = [
    query(account=account, environment=name, path=path, tags=tags)
    for account in ACCOUNTS
    for name in ENVIRONMENTS
    for path, tags in (("/", ()), ("/b", ()), (None, ()), ("/", ("t",)), ("/", ("u",)))
]
POOL = [entry("A"), entry("B", tags=["t"]), entry("C", path="/b"), entry("D", path="/b", tags=["t"])]
FAULTS: list[ExpectedError] = [
    DOWN,
    DENIED,
    Transient(Reason.UNEXPECTED_ANSWER, "HTML"),
    Transient(Reason.RATE_LIMITED, "quota", after=20.0),
    NO_LIST,
    Waiting(Reason.REQUEST_REFUSED, "400"),
]
QUOTA = 12

Op = tuple[Any, ...]
resources = st.integers(0, 5).map(lambda number: f"ns{number % 2}/x{number}")
ops = st.one_of(
    st.tuples(
        st.just("ask"),
        resources,
        st.sampled_from(QUESTIONS),
        st.sampled_from([5.0, 60.0, 600.0]),
        st.booleans(),
    ),
    st.tuples(st.just("leave"), resources),
    st.tuples(st.just("write"), st.sampled_from(ENVIRONMENTS), st.sets(st.sampled_from(POOL))),
    st.tuples(st.just("fault"), st.sampled_from(KINDS), st.sampled_from([None, *FAULTS])),
    st.tuples(st.just("mode"), st.booleans(), st.booleans()),
    st.tuples(st.just("refer"), st.sampled_from(ENVIRONMENTS), st.sampled_from([*ENVIRONMENTS, "nowhere"])),
    st.tuples(st.just("time"), st.floats(0.0, 90.0), st.integers(0, 7), st.booleans()),
)


@dataclass
class Machine:
    """PhaseSecrets that look whenever they are woken, and calls that take their time."""

    driver: Driver
    asked: dict[ObjectKey, SourceQuery] = field(default_factory=dict)
    # What a PhaseSecret would have written, by its last look.
    written: dict[ObjectKey, tuple[Entry, ...]] = field(default_factory=dict)
    # With the time of their beginning.
    under_way: list[tuple[float, Call]] = field(default_factory=list)
    # Calls that Phase counted for each account: all but those refused for the quota, and those for keyrings.
    counted: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in ACCOUNTS})
    had_entries: set[SourceQuery] = field(default_factory=set)
    made: list[Call] = field(default_factory=list)

    def do(self, op: Op) -> None:
        match op:
            case ("ask", str(name), SourceQuery() as question, float(interval), bool(settled)):
                self.asked[key(name)] = question
                self.written.pop(key(name), None)
                guard = Guard(shrink=50)
                subscription = Subscription(interval, guard=guard, settled=settled)
                has_keys = question.account.name == "full"
                self.driver.scheduler.subscribe(key(name), question, subscription, self.driver.now, has_keys=has_keys)
                self.look(key(name))
            case ("leave", str(name)):
                self.driver.scheduler.unsubscribe(key(name))
                self.asked.pop(key(name), None)
                self.written.pop(key(name), None)
            case ("write", str(environment), set(entries)):
                self.driver.phase.holds(*entries, environment=environment)
            case ("fault", str(call), error):
                self.driver.phase.errors.pop(call, None)
                if error is not None:
                    self.driver.phase.errors[call] = error
            case ("mode", bool(is_encrypted), bool(tells_modes)):
                self.driver.phase.encrypted = {"app-1"} if is_encrypted else set()
                self.driver.phase.tells_modes = tells_modes
            case ("refer", str(environment), str(other)):
                place = self.driver.phase.places["app-1", environment]
                place.refers, place.moves = (("app-1", other),), place.moves + 1
            case ("time", float(seconds), int(which), bool(lingers)):
                self.run(seconds, which, lingers=lingers)
        self.check()

    def run(self, seconds: float, which: int, *, lingers: bool = False) -> None:
        end = self.driver.now + seconds
        while True:
            while len(self.under_way) < 3 and (call := self.driver.scheduler.next(self.driver.now)) is not None:
                self.under_way.append((self.driver.now, call))
                self.check()
            due = self.driver.scheduler.next_due()
            if self.under_way and not (lingers and len(self.under_way) < 3 and self.driver.now < end):
                began, call = self.under_way.pop(which % len(self.under_way))
                refused = self.driver.phase.errors.get(kind(call))
                self.made.append(call)
                if kind(call) != "keyring" and (refused is None or refused.reason is not Reason.RATE_LIMITED):
                    self.counted[call.account.name].append(began)
                for each in sorted(tell(self.driver.scheduler, self.driver.phase, call, self.driver.now)):
                    self.look(each)
            elif due is not None and due <= end:
                self.driver.now = max(self.driver.now, due)
            else:
                break
        self.driver.now = end

    def look(self, who: ObjectKey) -> None:
        if who not in self.asked:
            return
        question = self.asked[who]
        match self.driver.scheduler.view(who):
            case Unread(revision=revision) if revision is not None:
                # Whether its targets are in step: those that never looked are not.
                self.driver.scheduler.want(who, Subscription(1.0).urgency, self.driver.now)
            case Fresh(answer=answer):
                self.written[who] = tuple(answering(answer.entries, question))
                if answer.entries:
                    self.had_entries.add(question)

    def check(self) -> None:
        equal = Counter(
            (call.account, call.app, call.environment, call.path, call.tags) if isinstance(call, Read) else call
            for _, call in self.under_way
        )
        assert max(equal.values(), default=0) <= 1, equal
        for calls in self.counted.values():
            counted = sorted(calls[-2 * QUOTA :])
            for first, last in zip(counted, counted[QUOTA:], strict=False):
                assert last - first >= 60.0 - 1e-6
        for who, question in self.asked.items():
            match self.driver.scheduler.view(who):
                case Fresh(answer=answer, full=full) if question in self.had_entries and not answer.entries:
                    assert full is None or full.entries

    def truth(self, question: SourceQuery) -> tuple[Entry, ...]:
        place = self.driver.phase.places["app-1", question.environment]
        return Snapshot.of("app-1", answering(self.driver.phase.content(place), question)).entries


def machine() -> Machine:
    places = {("app-1", name): Place(tuple(POOL)) for name in ENVIRONMENTS}
    policy = Policy(quota=QUOTA, wide_above=2, reference_bound=300.0)
    return Machine(Driver(policy, SimPhase(places=places)))


@settings(max_examples=examples(150))
@given(st.lists(ops, max_size=40))
def test_any_course_of_events_ends_with_the_entries_that_phase_holds(plan: list[Op]) -> None:
    world = machine()

    for op in plan:
        world.do(op)
    world.driver.phase.errors = {}
    # The longest wait: an app without probes is probed again after ten minutes, at a quota of twelve calls a minute.
    world.run(1500.0, 0)
    world.run(600.0, 0)

    for who, question in world.asked.items():
        state = world.driver.scheduler.view(who)
        if question.account.name != "full" and world.driver.phase.encrypted:
            assert isinstance(state, Broken)
            assert state.error.reason is Reason.APP_ENCRYPTED
            continue
        assert not isinstance(state, Broken), (who, state)
        assert world.written[who] == world.truth(question), who
    world.made = []
    world.run(300.0, 0)
    quiet = Counter((call.account.name, kind(call)) for call in world.made)
    # One beat of 5 s at most; a read now and then is the hour's.
    assert max((quiet[name, each] for name in ACCOUNTS for each in KINDS), default=0) <= 300 / 5 + 2
    assert all(quiet[name, "read"] <= len(world.asked) for name in ACCOUNTS)
    if not world.driver.phase.encrypted:
        assert quiet["full", "keyring"] <= 1


@settings(max_examples=examples(100))
@given(
    st.booleans(),
    st.lists(ops, max_size=30),
    st.lists(st.tuples(st.floats(1.0, 400.0), st.sampled_from(FAULTS)), max_size=6),
)
def test_entries_once_seen_are_at_hand_whatever_fails(
    is_encrypted: bool, plan: list[Op], internal_errors: list[tuple[float, ExpectedError]]
) -> None:
    world = machine()
    world.driver.phase.encrypted = {"app-1"} if is_encrypted else set()
    question = query(account="full")
    world.driver.scheduler.subscribe(key("keeper"), question, Subscription(5.0), world.driver.now, has_keys=True)
    world.asked[key("keeper")] = question
    world.run(1.0, 0)
    assert world.written[key("keeper")]

    for op in plan:
        world.do(op)
    for seconds, error in internal_errors:
        world.driver.phase.errors = dict.fromkeys(KINDS, error)
        world.run(seconds, 0)
        match world.driver.scheduler.view(key("keeper")):
            case Fresh(full=full) | Broken(full=full):
                assert full is not None
                assert full.entries
            case state:
                raise AssertionError(state)


def test_the_machine_sees_calls_of_every_kind() -> None:
    world = machine()
    full = query(account="full")
    world.do(("ask", "ns0/x0", QUESTIONS[0], 5.0, False))
    world.run(10.0, 0)
    assert world.written[key("ns0/x0")] == world.truth(QUESTIONS[0])
    world.do(("mode", True, True))
    world.do(("refer", "production", "staging"))
    world.do(("ask", "ns0/x1", full, 5.0, False))
    world.run(10.0, 0)
    world.do(("write", "staging", set()))
    world.run(10.0, 0)

    assert world.written[key("ns0/x1")] == world.truth(full)
    assert "REF_staging" in {each.key for each in world.written[key("ns0/x1")]}
    assert {kind(call) for call in world.made} == {"apps", "keyring", "probe", "read"}
    assert len(world.counted["account"]) >= 3
