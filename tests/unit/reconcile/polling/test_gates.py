"""One gate for each account: whatever calls Phase with it shares quota, refusals and breakers with the polls."""

from dataclasses import replace

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.query import base_url
from phase_operator.reconcile.polling.calls import Policy
from phase_operator.reconcile.polling.fair_queue import Lane
from phase_operator.reconcile.polling.gates import AccountGate, CallFacts, Concern, Gates
from support.builders import entry, query
from support.planning import DOWN, Driver

ACCOUNT = query().account
OTHER = query(account="other").account
LIMITED = Transient(Reason.RATE_LIMITED, "too many requests", after=150.0)


def polled(policy: Policy | None = None) -> Driver:
    """Return a driver whose one query was answered: from now on there are probes alone."""
    driver = Driver(policy)
    driver.phase.holds(entry("A"))
    driver.ask("x", query())
    driver.run()
    return driver


def other_call(gate: AccountGate, now: float, error: ExpectedError | None, what: str = "lease") -> Concern:
    """Make a call that is no poll."""
    asked = CallFacts(what, "team", among=1, is_probe=False, proves_access=False)
    return gate.end(now, gate.begin(now, None), asked, error)


def test_an_account_has_one_gate_and_accounts_share_their_host() -> None:
    gates = Gates(None)

    gate, other = gates.of(ACCOUNT), gates.of(OTHER)

    assert gates.of(ACCOUNT) is gate
    assert other is not gate
    assert other.host is gate.host
    assert gate.host.accounts == {ACCOUNT, OTHER}


def test_a_host_is_forgotten_with_its_last_account() -> None:
    gates = Gates(None)
    gate = gates.of(ACCOUNT)
    gates.of(OTHER)

    gates.forget(OTHER)
    assert gates.hosts == {gate.host.name: gate.host}

    gates.forget(ACCOUNT)
    assert gates.hosts == {}


def test_polls_wait_after_another_call_was_refused_for_the_quota() -> None:
    untouched, driver = polled(), polled()

    concern = other_call(driver.scheduler.gates.of(ACCOUNT), driver.now, LIMITED)

    assert concern is Concern.UNANSWERED
    assert "probe" in untouched.run(140.0)
    assert driver.run(140.0) == []
    assert "probe" in driver.run(80.0)


def test_other_calls_use_up_the_quota_of_polls() -> None:
    driver = Driver(Policy(quota=10))
    driver.phase.holds(entry("A"))
    gate = driver.scheduler.gates.of(ACCOUNT)
    for _ in range(10):
        other_call(gate, driver.now, None)

    driver.ask("x", query())

    assert driver.run(1.0) == []
    assert driver.run(90.0)[:3] == ["apps", "probe", "read"]


def test_other_calls_open_the_breaker_that_holds_back_a_first_poll() -> None:
    driver = Driver()
    gate = driver.scheduler.gates.of(ACCOUNT)

    concerns = [other_call(gate, driver.now, DOWN, what) for what in ("a", "b", "c")]
    driver.ask("x", query())

    assert concerns == [Concern.NOBODY, Concern.NOBODY, Concern.HOST]
    assert driver.run(0.1) == []
    assert driver.scheduler.stats(driver.now).open_breakers == 1


def test_a_call_that_works_is_no_trial_of_an_open_breaker() -> None:
    gate = Gates(None).of(ACCOUNT)
    for what in ("a", "b", "c"):
        other_call(gate, 0.0, DOWN, what)

    works, attempt = gate.begin(60.0, Lane.READ), gate.begin(60.0, None)

    assert (works.host_trial, attempt.host_trial) == (False, True)


def test_an_account_that_is_refused_again_and_again_is_not_tried() -> None:
    gate = Gates(None).of(ACCOUNT)
    refused = Waiting(Reason.ACCESS_DENIED, "not allowed")

    tried = []
    for what in range(5):
        tried.append(gate.opens(0.0).attempt <= 0.0)
        other_call(gate, 0.0, refused, str(what))

    assert all(tried)
    assert gate.opens(0.0).attempt > 0.0
    assert gate.opens(60.0).attempt <= 60.0


def test_hosts_that_have_keyrings_from_one_server_share_its_limit() -> None:
    """Phase's cloud serves them at its console alone, whichever of its two hosts a PhaseSecret names."""
    gates = Gates(None)
    cloud = replace(ACCOUNT, base_url=base_url("https://api.phase.dev"))
    console = replace(OTHER, base_url=base_url("https://console.phase.dev"))

    api, own = gates.of(cloud).host, gates.of(ACCOUNT).host

    assert gates.of(console).host is not api
    assert gates.of(console).host.keyrings is api.keyrings
    assert own.keyrings is not api.keyrings
    api.keyrings.rate_limit.begin(1000.0)
    api.keyrings.rate_limit.refuse(1000.0, 60.0)
    gates.forget(cloud)
    assert gates.of(console).host.keyrings.rate_limit.closed_until == 1060.0
