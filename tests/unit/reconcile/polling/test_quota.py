"""Twenty apps with three environments each, read by PhaseSecrets of ten namespaces with one account, under a quota."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.reconcile.polling.calls import Call, Policy, Read, Unread
from support.builders import entry, query
from support.planning import Answer, Driver, Place, SimPhase, key

APPS, ENVIRONMENTS = 20, ("development", "staging", "production")
PLACES = APPS * len(ENVIRONMENTS)
INTERVAL, MINUTE = 60.0, 60.0
BEFORE, AFTER = entry("A", "before"), entry("A", "after")


@dataclass
class QuotaPhase(SimPhase):
    """Answers so many calls in any minute and refuses the others, as Phase does."""

    quota: int = 120
    counted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    now: float = 0.0

    def answer(self, call: Call) -> Answer:
        self.counted = [at for at in self.counted if at > self.now - MINUTE]
        if len(self.counted) >= self.quota:
            self.refused.append(self.now)
            raise Transient(Reason.RATE_LIMITED, "quota", after=max(1.0, self.counted[0] + MINUTE - self.now))
        self.counted.append(self.now)
        return super().answer(call)


class Fleet(Driver):
    """PhaseSecrets that read every environment; `told` is the quota that the operator knows of."""

    def __init__(self, told: int, quota: int, namespaces: int) -> None:
        apps = {f"app-{number}": f"id-{number}" for number in range(APPS)}
        places = {(app, name): Place((BEFORE,)) for app in apps.values() for name in ENVIRONMENTS}
        self.quota_phase = QuotaPhase(apps=apps, places=places, quota=quota)
        super().__init__(Policy(quota=told), self.quota_phase)
        # The first call that concerns what happened last.
        self.first_call = 0
        self.names = [f"ns{number % namespaces}/cr-{number}" for number in range(10 * PLACES)]

    def end(self, call: Call) -> None:
        self.quota_phase.now = self.now
        super().end(call)

    def begin(self, *, settled: bool) -> None:
        """Let every PhaseSecret ask; `settled`: its targets are in step, as after a restart."""
        for number, name in enumerate(self.names):
            environment = ENVIRONMENTS[number // APPS % len(ENVIRONMENTS)]
            self.ask(name, query(app=f"app-{number % APPS}", environment=environment), settled=settled)
        self.run()
        for name in self.names if settled else ():
            state = self.view(name)
            assert isinstance(state, Unread)
            assert state.revision is not None
            self.scheduler.confirm(key(name), state.revision, self.now)

    def change(self) -> None:
        """Let every environment move in the same moment."""
        self.first_call = len(self.calls)
        for app, environment in self.phase.places:
            self.phase.holds(AFTER, app=app, environment=environment)

    def until_read(self, within: float) -> float:
        """Return the seconds until every environment has been read since it changed, or since the start."""
        began, read = self.now, set()
        while self.now < began + within:
            self.run(0.5)
            read = {(call.app, call.environment) for _, call in self.calls[self.first_call :] if isinstance(call, Read)}
            if len(read) == PLACES:
                return self.now - began
        raise AssertionError(f"{len(read)} of {PLACES} environments were read within {within:g} s")


@pytest.mark.parametrize("namespaces", [1, 10])
@pytest.mark.parametrize("pause", [0.0, 20.0, 45.0, 200.0])
def test_a_change_everywhere_at_once_is_read_within_an_interval(namespaces: int, pause: float) -> None:
    fleet = Fleet(120, 120, namespaces)
    fleet.begin(settled=True)
    fleet.run(pause)
    fleet.change()

    assert fleet.until_read(300.0) <= INTERVAL + 1.0
    assert fleet.quota_phase.refused == []


def test_a_small_quota_is_used_to_the_end() -> None:
    """A minute has 60 calls: twenty for probes, seven kept for what is new, and the rest for the reads."""
    fleet = Fleet(60, 60, 10)
    fleet.begin(settled=True)
    fleet.run(200.0)
    fleet.change()

    assert fleet.until_read(300.0) <= INTERVAL + MINUTE * (PLACES - 33) / 33 + 1.0


@pytest.mark.parametrize("namespaces", [1, 10])
def test_a_first_start_is_as_quick_as_its_quota_allows(namespaces: int) -> None:
    fleet = Fleet(60, 60, namespaces)
    fleet.begin(settled=False)

    # A list, twenty probes, and 39 reads at once; the others with the next minute.
    assert fleet.until_read(300.0) <= MINUTE + 1.0


@pytest.mark.parametrize("quota", [60, 120])
def test_a_quota_that_nobody_told_refuses_once_in_a_window_and_not_once_it_is_known(quota: int) -> None:
    fleet = Fleet(0, quota, 10)
    fleet.begin(settled=True)
    fleet.run(70.0)
    for _ in range(4):
        fleet.change()
        fleet.run(5 * MINUTE)
    learned = len(fleet.quota_phase.refused)
    fleet.change()

    fleet.until_read(300.0)
    assert len(fleet.quota_phase.refused) == learned
    assert all(after - before >= MINUTE / 2 for before, after in pairwise(fleet.quota_phase.refused))
