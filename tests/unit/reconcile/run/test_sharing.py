"""What one tenant asks slows, and troubles, nobody but himself.

Invariants, whatever the hosts of others do: a change at a good host is seen within the interval and 5 s, a new
PhaseSecret has its answer within 5 s, a good PhaseSecret is never told that anything is wrong, and nothing that could
be done waits.
"""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.reconcile.polling.calls import Broken, Call, Fresh, Policy, Probe, Read, Subscription
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.limits.concurrency import calls_at_once
from support.builders import entry, query
from support.examples import examples
from support.hosts import (
    GOOD_URL,
    HOSTILE,
    PLACES,
    Hosts,
    Manner,
    by_url,
    forbidden,
    page,
    quick,
    silent,
    tarpit,
)
from support.planning import SimPhase, key

A, B = entry("A"), entry("B")
GOOD = query(base_url=GOOD_URL)
INTERVAL = 5.0


def shop(manners: dict[str, Manner], **fields: object) -> Hosts:
    """Return hosts with a good PhaseSecret that has been in step for half a minute."""
    hosts = Hosts(manner_of=by_url(manners), **fields)  # type: ignore[arg-type]  # policy
    hosts.phase.holds(A)
    hosts.ask("good/x", GOOD, interval=INTERVAL)
    hosts.run(31.0)
    return hosts


def attack(hosts: Hosts, urls: list[str], *, namespaces: int = 1) -> None:
    """Let PhaseSecrets ask these hosts."""
    for number, url in enumerate(urls):
        hosts.ask(f"mallory-{number % namespaces}/m{number}", query(base_url=f"{url}/service/public", account="none"))


def must_hold(hosts: Hosts, rounds: int = 20, *, allowed: float = 5.0) -> None:
    """Look at the good tenant for some minutes, in which things change and PhaseSecrets are new."""
    began = hosts.now
    for number in range(rounds):
        hosts.phase.holds(A, entry("B", str(number)))
        changed, before = hosts.now, hosts.view("good/x")
        while hosts.view("good/x") == before:
            hosts.run(0.1)
            assert hosts.now - changed <= INTERVAL + allowed
        hosts.ask(f"good/new{number}", query(base_url=GOOD_URL, path=f"/{number}"), interval=INTERVAL)
        assert hosts.until_fresh(f"good/new{number}") <= allowed
        # A host, and an account, that were never asked before.
        newcomer = query(base_url=f"https://new{number}.example/service/public", account=f"new{number}")
        hosts.ask(f"other-{number}/new", newcomer)
        assert hosts.until_fresh(f"other-{number}/new") <= allowed
        hosts.run(7.0)
    assert [each for each in hosts.seen if each.namespace == "good" and hosts.complaints(str(each), began)] == []
    assert hosts.most_overdue <= 1.0


def many_hosts(count: int) -> list[str]:
    return [f"https://evil{number}.example" for number in range(count)]


def one_host(count: int) -> list[str]:
    return [f"https://evil.example/p{number}" for number in range(count)]


@pytest.mark.parametrize("manner", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("urls", [many_hosts(70), one_host(24)], ids=["70 hosts", "24 paths of one host"])
def test_bad_hosts_of_one_namespace_cost_nobody_else(urls: list[str], manner: Manner) -> None:
    hosts = shop({"https://evil": manner})
    attack(hosts, urls)

    must_hold(hosts)


@pytest.mark.thorough
@pytest.mark.parametrize("manner", HOSTILE.values(), ids=HOSTILE.keys())
def test_bad_hosts_of_twelve_namespaces_cost_nobody_else(manner: Manner) -> None:
    hosts = shop({"https://evil": manner})
    attack(hosts, many_hosts(120), namespaces=12)

    must_hold(hosts, rounds=10)


@pytest.mark.thorough
@pytest.mark.parametrize("manner", HOSTILE.values(), ids=HOSTILE.keys())
def test_bad_hosts_of_a_hundred_namespaces_cost_nobody_else(manner: Manner) -> None:
    hosts = shop({"https://evil": manner})
    attack(hosts, many_hosts(400), namespaces=100)

    must_hold(hosts, rounds=5)


@pytest.mark.thorough
@pytest.mark.parametrize(("namespaces", "moment"), [(1, 0.0), (20, 0.0), (100, 0.0), (100, 2.0)])
def test_hosts_that_answered_until_now_and_hang_together_cost_nobody_else(namespaces: int, moment: float) -> None:
    """Each began as quick, and so many that they would have taken all calls that there are."""
    turns_at = [float("inf")]
    hosts = shop({"https://evil": lambda *_: (0.05, None) if hosts.now < turns_at[0] else tarpit(*_)})
    attack(hosts, many_hosts(400), namespaces=namespaces)
    hosts.run(31.0 + moment)
    turns_at[0] = hosts.now

    must_hold(hosts, rounds=3)

    assert hosts.under_way() <= calls_at_once(PLACES)


@pytest.mark.parametrize("manner", HOSTILE.values(), ids=HOSTILE.keys())
def test_bad_paths_of_the_host_that_others_use_cost_nobody_else(manner: Manner) -> None:
    good = GOOD_URL.removesuffix("/service/public")
    hosts = shop({f"{good}/evil": manner})
    attack(hosts, [f"{good}/evil{number}" for number in range(24)])

    must_hold(hosts)


def test_the_calls_for_one_namespace_are_a_share_of_all() -> None:
    hosts = shop({"https://evil": tarpit})
    attack(hosts, many_hosts(500))

    hosts.run(600.0)

    assert hosts.under_way() <= 8


def test_an_owner_of_bad_hosts_hears_of_each_in_time_and_his_good_one_is_asked_on_time() -> None:
    hosts = shop({"https://evil": silent})
    hosts.ask("mallory-0/good", query(base_url=GOOD_URL, account="of mallory"), interval=INTERVAL)
    attack(hosts, many_hosts(16))
    began = hosts.now
    hosts.run(300.0)

    probes = [when for when, call in hosts.calls if call.account.name == "of mallory" and isinstance(call, Probe)]
    assert len([when for when in probes if when > began + 30.0]) >= 270.0 / INTERVAL - 2
    assert all(hosts.complaints(f"mallory-0/m{number}") for number in range(16))


class TestOneTokenForAll:
    """The account is shared: a refused environment concerns those alone who name it."""

    def shared(self, apps: int, *, quota: int | None = None) -> Hosts:
        names = {"shop": "app-1"} | {f"secret-{number}": f"app-x{number}" for number in range(apps)}
        phase = SimPhase(apps=names)
        hosts = Hosts(Policy(quota=quota), phase)

        def manner_of(call: Call) -> Manner:
            return forbidden if getattr(call, "app_id", "").startswith("app-x") else quick

        hosts.manner_of = manner_of
        phase.holds(A)
        hosts.ask("good/x", GOOD, interval=INTERVAL)
        hosts.run(31.0)
        for number in range(apps):
            hosts.ask(f"mallory/m{number}", query(base_url=GOOD_URL, app=f"secret-{number}"), interval=INTERVAL)
        return hosts

    @pytest.mark.parametrize("apps", [5, 10, 20, 200])
    def test_forbidden_apps_cost_nobody_else(self, apps: int) -> None:
        hosts = self.shared(apps)

        must_hold(hosts)

        assert all(isinstance(hosts.view(f"mallory/m{number}"), Broken) for number in range(apps))

    def test_forbidden_apps_leave_of_the_quota_what_others_need(self) -> None:
        hosts = self.shared(100, quota=120)
        hosts.run(120.0)
        began = hosts.now

        hosts.run(600.0)

        mine = [when for when, call in hosts.calls if call.account == GOOD.account and when > began]
        probes = [
            when for when, call in hosts.calls if isinstance(call, Probe) and call.app == GOOD.app and when > began
        ]
        assert max(later - sooner for sooner, later in pairwise(probes)) <= INTERVAL + 5.0
        assert len(mine) <= 10 * 120

    @pytest.mark.parametrize("count", [20, 100])
    def test_environments_that_change_and_reads_that_are_forced_all_the_time_delay_nobody_else(
        self, count: int
    ) -> None:
        hosts = Hosts(Policy(quota=120))
        hosts.phase.holds(A)
        hosts.ask("good/x", GOOD, interval=INTERVAL)
        for number in range(count):
            hosts.phase.holds(A, environment=f"e{number}")
            hosts.ask(f"mallory/m{number}", query(base_url=GOOD_URL, environment=f"e{number}"), interval=INTERVAL)
        hosts.run(120.0)

        for each in range(10):
            changed, before = hosts.now, hosts.view("good/x")
            hosts.phase.holds(A, entry("B", str(each)))
            while hosts.now - changed < 20.0:
                if hosts.view("good/x") == before:
                    assert hosts.now - changed <= INTERVAL + 5.0
                hosts.run(1.0)
                for number in range(count):
                    hosts.phase.holds(A, entry("M", str(hosts.now)), environment=f"e{number}")
                    hosts.scheduler.want(key(f"mallory/m{number}"), PollPriority.FORCED, hosts.now)

    def test_access_that_is_granted_again_is_seen_soon_beside_many_that_are_refused(self) -> None:
        hosts = self.shared(20)
        refuse = hosts.manner_of
        hosts.manner_of = lambda call: forbidden if isinstance(call, Read) else refuse(call)
        hosts.phase.holds(A, B)
        hosts.run(60.0)
        assert isinstance(hosts.view("good/x"), Broken)

        hosts.manner_of = refuse

        assert hosts.until_fresh("good/x") <= 50.0


class TestPages:
    def test_questions_that_a_proxy_refuses_trouble_those_who_ask_them(self) -> None:
        hosts = shop({})
        hosts.manner_of = lambda call: page if call.account.name == "none" and isinstance(call, Read) else quick
        for number in range(12):
            hosts.ask(f"mallory/m{number}", query(base_url=GOOD_URL, account="none", environment=f"e{number}"))

        must_hold(hosts)

        assert all(hosts.complaints(f"mallory/m{number}") for number in range(12))
        assert hosts.scheduler.stats(hosts.now).open_breakers == 0


class TestOutage:
    def test_everybody_says_so_within_an_interval_and_is_well_soon_after(self) -> None:
        names = {f"shop{number}": f"app-{number}" for number in range(40)}
        hosts = Hosts(phase=SimPhase(apps=names))
        for ident in names.values():
            hosts.phase.holds(A, app=ident)
        for number, name in enumerate(names):
            account = f"account-{number % 10}"
            hosts.ask(f"ns{number % 10}/{name}", query(base_url=GOOD_URL, account=account, app=name), interval=60.0)
        hosts.run(200.0)
        everybody = [f"ns{number % 10}/shop{number}" for number in range(40)]

        hosts.manner_of = lambda _: HOSTILE["broken"]
        hosts.run(60.0 + 35.0)
        unaware = [name for name in everybody if not isinstance(hosts.view(name), Broken)]
        before = len(hosts.calls)
        hosts.run(600.0)
        paced = len(hosts.calls) - before
        hosts.manner_of = lambda _: quick
        hosts.run(62.0)

        assert unaware == []
        assert paced <= 40
        assert [name for name in everybody if not isinstance(hosts.view(name), Fresh)] == []

    def test_a_single_failed_call_is_reported_to_nobody(self) -> None:
        hosts = shop({})
        began = hosts.now
        failures: Iterator[ExpectedError] = iter([Transient(Reason.PHASE_UNAVAILABLE, "answers 502")])
        hosts.manner_of = lambda _: lambda *_: (0.05, next(failures, None))

        hosts.run(60.0)

        assert hosts.complaints("good/x", began) == []

    def test_a_probe_that_hangs_is_told_when_it_is_late(self) -> None:
        """Two failures, a minute each, before anything else would show it."""
        hosts = shop({})
        hosts.manner_of = lambda _: tarpit
        began = hosts.now

        hosts.run(100.0)

        assert {reason for _, reason in hosts.complaints("good/x", began)} == {Reason.PHASE_UNAVAILABLE}


class TestQuota:
    """A server that counts as Phase does, and an account that asks for about as much as it allows."""

    def asking(self, limit: int, interval: float) -> tuple[Hosts, list[tuple[float, float]]]:
        """Return hosts with three apps of three environments, and the refusals: when, and for how long."""
        names = {f"shop{number}": f"app-{number}" for number in range(3)}
        hosts = Hosts(phase=SimPhase(apps=names))
        counted: list[float] = []
        refusals: list[tuple[float, float]] = []

        def answer(_: Call, now: float) -> tuple[float, ExpectedError | None]:
            counted[:] = [at for at in counted if at > now - 60.0]
            if len(counted) < limit:
                counted.append(now)
                return 0.05, None
            after = float(max(1, int(counted[0] + 60.0 - now)))
            refusals.append((now, after))
            return 0.05, Transient(Reason.RATE_LIMITED, "quota", after=after)

        hosts.manner_of = lambda _: answer
        for number, (name, ident) in enumerate(names.items()):
            for environment in ("development", "production", "staging"):
                hosts.phase.holds(A, app=ident, environment=environment)
                asked = query(base_url=GOOD_URL, app=name, environment=environment)
                hosts.ask(f"ns{number}/{environment}", asked, interval=interval)
        return hosts, refusals

    @pytest.mark.parametrize(("limit", "interval"), [(20, 10.0), (20, 5.0), (60, 10.0), (12, 60.0)])
    def test_a_window_has_one_refusal_and_a_rate_that_is_known_has_none(self, limit: int, interval: float) -> None:
        hosts, refusals = self.asking(limit, interval)
        for number in range(60):
            hosts.run(10.0)
            hosts.phase.holds(A, entry("B", str(number)), app=f"app-{number % 3}", environment="production")

        for told, after in refusals:
            assert [at for at, _ in refusals if told < at < told + after] == []
        assert len(refusals) <= 3
        assert [at for at, _ in refusals if at > 1000.0 + 180.0] == []


class TestClosedAccount:
    def closed(self, after: float, interval: float = INTERVAL) -> Hosts:
        """Return hosts whose next probe is refused for the quota, once."""
        hosts = shop({})
        hosts.ask("good/x", GOOD, interval=interval)
        refusals: Iterator[ExpectedError] = iter([Transient(Reason.RATE_LIMITED, "quota", after=after)])
        hosts.manner_of = lambda call: (lambda *_: (0.05, next(refusals, None))) if isinstance(call, Probe) else quick
        return hosts

    def test_trouble_is_reported_when_sources_cannot_be_confirmed_for_long(self) -> None:
        hosts = self.closed(300.0)
        began = hosts.now

        hosts.run(60.0)
        told = hosts.complaints("good/x", began)
        hosts.run(300.0)

        assert {reason for _, reason in told} == {Reason.RATE_LIMITED}
        assert isinstance(hosts.view("good/x"), Fresh)

    def test_trouble_is_reported_also_to_resources_that_come_later(self) -> None:
        hosts = self.closed(300.0)
        hosts.run(60.0)

        hosts.ask("other/x", GOOD)

        state = hosts.view("other/x")
        assert isinstance(state, Broken)
        assert state.error.reason is Reason.RATE_LIMITED

    def test_trouble_is_reported_also_after_a_restart_to_resources_that_were_in_step(self) -> None:
        hosts = Hosts()
        hosts.manner_of = lambda _: lambda *_: (0.05, Transient(Reason.RATE_LIMITED, "quota", after=80.0))
        hosts.scheduler.subscribe(key("good/x"), GOOD, Subscription(INTERVAL, settled=True), hosts.now)

        hosts.run(60.0)

        assert {reason for _, reason in hosts.complaints("good/x")} == {Reason.RATE_LIMITED}

    def test_a_short_pause_is_told_to_nobody(self) -> None:
        hosts = self.closed(20.0, interval=60.0)
        began = hosts.now

        hosts.run(200.0)

        assert hosts.complaints("good/x", began) == []

    def test_a_forced_sync_that_cannot_be_done_is_answered(self) -> None:
        hosts = self.closed(60.0, interval=60.0)
        hosts.run(61.0)
        hosts.phase.holds(A, B)
        hosts.scheduler.want(key("good/x"), PollPriority.FORCED, hosts.now)

        state = hosts.view("good/x")

        assert isinstance(state, Broken)
        assert state.error.reason is Reason.RATE_LIMITED
        hosts.run(65.0)
        assert isinstance(hosts.view("good/x"), Fresh)


class TestBookkeeping:
    def test_hosts_and_accounts_that_nobody_asks_are_forgotten(self) -> None:
        hosts = shop({"https://evil": tarpit})
        for number in range(200):
            hosts.ask("mallory/m", query(base_url=f"https://evil{number}.example/service/public"))
            hosts.run(2.0)
        hosts.scheduler.unsubscribe(key("mallory/m"))
        hosts.run(600.0)

        hosts.ask("good/x", query(base_url=GOOD_URL, account="rotated"), interval=INTERVAL)
        hosts.run(1.0)

        assert len(hosts.scheduler.gates.hosts) == 1
        assert len(hosts.scheduler._account_states) <= 2

    def test_the_end_of_a_call_counts_once_whoever_tells_it(self) -> None:
        hosts = shop({})
        hosts.manner_of = lambda _: quick
        hosts.phase.holds(A, B)
        while not isinstance(call := hosts.scheduler.next(hosts.now), Read):
            if call is not None:
                hosts._look(hosts._end(call, None))
            hosts.now += 0.5

        with pytest.raises(AttributeError):
            hosts.scheduler.was_read(call, object(), hosts.now)  # type: ignore[arg-type]  # what nobody expects
        hosts.scheduler.failed(call, Transient(Reason.INTERNAL_ERROR, "bug"), hosts.now)

        rate_limit = hosts.scheduler._account_states[GOOD.account].gate.rate_limit
        assert rate_limit._under_way == 0
        assert (hosts.scheduler.stats(hosts.now).quick, hosts.scheduler.stats(hosts.now).slow) == (0, 0)
        assert hosts.until_fresh("good/x") <= 5.0


manners = st.sampled_from(sorted(HOSTILE))
moves = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), manners, st.floats(0.0, 40.0)), max_size=25)


@pytest.mark.thorough
@settings(max_examples=examples(40))
@given(moves)
def test_the_good_host_is_served_whatever_others_do(plan: list[tuple[int, int, str, float]]) -> None:
    manners: dict[str, Manner] = {}
    hosts = shop(manners)
    began = hosts.now
    for number, (host, namespace, manner, seconds) in enumerate(plan):
        manners[f"https://evil{host}.example"] = HOSTILE[manner]
        for each in range(6):
            account = f"token-{number % 3}"
            url = f"https://evil{host}.example/p{each}/service/public"
            hosts.ask(f"mallory-{namespace}/m{each}", query(base_url=url, account=account), interval=INTERVAL)
        hosts.run(seconds)

    must_hold(hosts, rounds=3)

    assert hosts.complaints("good/x", began) == []


mixes = st.lists(st.tuples(manners, st.floats(0.0, 10.0)), min_size=4, max_size=12)


@pytest.mark.thorough
@settings(max_examples=4)
@given(mixes, st.integers(20, 100), st.integers(1, 4))
def test_the_good_host_is_served_whatever_mix_of_hosts_turns_bad(
    mix: list[tuple[str, float]], namespaces: int, each: int
) -> None:
    """Hosts of up to a hundred namespaces answer at first; each sort turns bad at a moment of its own, and stays so."""
    began = [float("inf")]

    def manner_of(call: Call) -> Manner:
        url = call.account.base_url
        if not url.startswith("https://evil"):
            return quick
        name, seconds = mix[int(url.removeprefix("https://evil").partition(".")[0]) % len(mix)]
        return HOSTILE[name] if hosts.now >= began[0] + seconds else quick

    hosts = shop({})
    hosts.manner_of = manner_of
    attack(hosts, many_hosts(namespaces * each), namespaces=namespaces)
    hosts.run(60.0)
    began[0] = hosts.now

    must_hold(hosts, rounds=4)
