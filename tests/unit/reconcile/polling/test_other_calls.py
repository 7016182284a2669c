"""Calls that are no reads share quota, 429 and breakers with those that are, and the account's gate outlives reads."""

from math import inf

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.query import Account
from phase_operator.reconcile.polling.calls import Policy
from phase_operator.reconcile.polling.gates import CallFacts
from phase_operator.reconcile.polling.scheduler import PollScheduler

ACCOUNT = Account("https://phase.example/service/public", "one")
OTHER = Account("https://phase.example/service/public", "two")
AWAY = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be reached", had_no_effect=True)


def call(
    scheduler: PollScheduler, now: float, error: ExpectedError | None = None, account: Account = ACCOUNT, what: int = 0
) -> None:
    """Make one call that is no read."""
    begun = scheduler.others.begin(account, now)
    facts = CallFacts(("lease", what), "team", 1, is_probe=True, proves_access=False)
    scheduler.others.end(account, begun, facts, error, now)


def test_a_quota_counts_these_calls() -> None:
    scheduler = PollScheduler(Policy(quota=10))
    scheduler.others.keep(ACCOUNT)
    for _ in range(10):
        call(scheduler, 0.0)

    assert scheduler.others.allowed_at(ACCOUNT, 1.0) >= 60.0
    assert scheduler.gates.of(ACCOUNT).opens(1.0).read >= 60.0


def test_a_429_of_such_a_call_pauses_reads_as_well() -> None:
    scheduler = PollScheduler(Policy())
    scheduler.others.keep(ACCOUNT)

    call(scheduler, 0.0, Transient(Reason.RATE_LIMITED, "used up", after=30.0))

    assert scheduler.others.allowed_at(ACCOUNT, 1.0) >= 30.0
    assert scheduler.gates.of(ACCOUNT).opens(1.0).read >= 30.0
    assert scheduler.others.allowed_at(OTHER, 1.0) == 1.0


def test_a_host_that_cannot_be_reached_is_asked_by_one_trial_at_a_time() -> None:
    scheduler = PollScheduler(Policy())
    for account in (ACCOUNT, OTHER):
        scheduler.others.keep(account)
    for what in range(6):
        call(scheduler, 0.0, AWAY, account=(ACCOUNT, OTHER)[what % 2], what=what)
    opens = scheduler.others.allowed_at(ACCOUNT, 0.0)
    assert 0.0 < opens <= 30.0

    begun = scheduler.others.begin(ACCOUNT, opens)
    assert scheduler.others.allowed_at(OTHER, opens) == inf
    facts = CallFacts("trial", "team", 1, is_probe=True, proves_access=False)
    scheduler.others.end(ACCOUNT, begun, facts, None, opens)

    assert scheduler.others.allowed_at(OTHER, opens) == opens


def test_a_refusal_of_a_lease_does_not_hold_back_what_else_the_account_tries() -> None:
    scheduler = PollScheduler(Policy())
    scheduler.others.keep(ACCOUNT)
    for what in range(20):
        call(scheduler, 0.0, Waiting(Reason.ACCESS_DENIED, "no permission to lease"), what=what)

    assert scheduler.gates.of(ACCOUNT).denials.error is None


def test_an_account_that_nobody_reads_with_is_kept_as_long_as_somebody_calls_with_it() -> None:
    scheduler = PollScheduler(Policy())
    scheduler.others.keep(ACCOUNT)
    gate = scheduler.gates.of(ACCOUNT)

    scheduler.gates.forget(ACCOUNT)
    call(scheduler, 0.0)
    assert scheduler.gates.of(ACCOUNT) is gate
    scheduler.others.let_go(ACCOUNT)

    assert scheduler.gates.hosts == {}


def test_an_account_that_is_read_with_outlives_the_last_other_call() -> None:
    scheduler = PollScheduler(Policy())
    scheduler.others.keep(ACCOUNT)
    gate = scheduler.gates.of(ACCOUNT, is_read=True)

    scheduler.others.let_go(ACCOUNT)

    assert scheduler.gates.of(ACCOUNT) is gate


def test_a_call_that_waits_for_a_cloud_provider_holds_up_no_other_while_the_quota_is_not_known() -> None:
    scheduler = PollScheduler(Policy())
    scheduler.others.keep(ACCOUNT)
    call(scheduler, 0.0, Transient(Reason.RATE_LIMITED, "used up", after=10.0))
    begun = scheduler.others.begin(ACCOUNT, 20.0)
    assert scheduler.gates.of(ACCOUNT).opens(20.0).read == inf

    scheduler.others.let_in(ACCOUNT, begun, 25.0)

    assert scheduler.gates.of(ACCOUNT).opens(25.0).read == 25.0
    facts = CallFacts("lease", "team", 1, is_probe=True, proves_access=False)
    scheduler.others.end(ACCOUNT, begun, facts, None, 60.0)
    assert scheduler.gates.of(ACCOUNT).opens(60.0).read == 60.0
    assert not scheduler.gates.of(ACCOUNT).rate_limit.is_in_use


def test_a_call_that_is_refused_after_all_counts_as_refused() -> None:
    scheduler = PollScheduler(Policy())
    scheduler.others.keep(ACCOUNT)
    begun = scheduler.others.begin(ACCOUNT, 0.0)
    scheduler.others.let_in(ACCOUNT, begun, 5.0)
    facts = CallFacts("lease", "team", 1, is_probe=True, proves_access=False)

    late = Transient(Reason.RATE_LIMITED, "used up", after=30.0)
    scheduler.others.end(ACCOUNT, begun, facts, late, 20.0)

    assert scheduler.gates.of(ACCOUNT).opens(20.0).read >= 50.0
    assert not scheduler.gates.of(ACCOUNT).rate_limit.is_in_use
