"""What is asked of Phase, how often, and who hears of it."""

from dataclasses import replace

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.source.query import AppRef, Revision
from phase_operator.core.source.shrink_guard import Guard
from phase_operator.reconcile.polling.calls import Broken, Fresh, Policy, Probe, Read, Unread
from phase_operator.reconcile.polling.fair_queue import PollPriority
from support.builders import entry, query
from support.planning import DENIED, DOWN, Driver, Place, SimPhase, account, broken, fresh, key, kind

A, B, C, D = (entry(name) for name in "ABCD")
HOUR = 3600.0


def shop(*entries_: object, **fields: object) -> Driver:
    driver = Driver(**fields)  # type: ignore[arg-type]  # policy, phase
    driver.phase.holds(*entries_)  # type: ignore[arg-type]  # entries
    return driver


def settled(driver: Driver, name: str = "x", **fields: object) -> Driver:
    """Return the driver after a PhaseSecret asked and was answered."""
    driver.ask(name, query(**fields))  # type: ignore[arg-type]  # fields of a query
    driver.run()
    driver.woken_now()
    return driver


def quota_waits(driver: Driver, now: float) -> tuple[int, float]:
    """Return how many calls wait for the quota, and for how long the first of them has."""
    stats = driver.scheduler.stats(now)
    return stats.quota_calls, stats.quota_wait


class TestOneQuestionOneAnswer:
    def test_a_first_question_costs_a_list_a_probe_and_a_read(self) -> None:
        driver = shop(A)

        assert driver.ask("x", query()) == Unread(None)
        assert driver.run() == ["apps", "probe", "read"]
        assert fresh(driver) == ["A"]
        assert driver.woken_now() == {"x"}

    def test_an_app_by_id_needs_no_list(self) -> None:
        driver = shop(A)
        driver.ask("x", replace(query(), app=AppRef(id="APP-1")))

        assert driver.run() == ["probe", "read"]

    def test_a_thousand_who_ask_the_same_share_one_read(self) -> None:
        driver = shop(A)
        for number in range(1000):
            driver.ask(f"x{number}", query())

        assert driver.run() == ["apps", "probe", "read"]
        assert len(driver.woken_now()) == 1000

    def test_a_thousand_failures_are_one(self) -> None:
        driver = shop(A, phase=SimPhase(errors={"apps": DENIED}))
        for number in range(1000):
            driver.ask(f"x{number}", query())

        assert driver.run() == ["apps"]
        assert broken(driver, "x7") is Reason.ACCESS_DENIED

    def test_a_subscriber_that_comes_while_it_is_listed_or_read_shares_that_call(self) -> None:
        driver = shop(A, phase=SimPhase(apps={"shop": "app-1", "other": "app-2"}))
        driver.phase.holds(B, app="app-2")
        driver.ask("x0", query())
        for number, expected in ((1, "apps"), (2, "probe"), (3, "read")):
            call = driver.scheduler.next(driver.now)
            assert call is not None
            driver.ask(f"x{number}", query())
            if expected == "apps":
                driver.ask("y", query(app="other"))
            driver.end(call)

        made = [kind(call) for _, call in driver.calls] + driver.run()

        assert sorted(made) == ["apps", "probe", "probe", "read", "read"]
        assert fresh(driver, "x3") == ["A"]
        assert fresh(driver, "y") == ["B"]

    def test_a_first_read_that_outlasts_a_probe_is_not_made_again(self) -> None:
        """A probe lets reads go that waited for one; those under way do not need it."""
        driver = shop(A)
        driver.ask("x", query())
        for _ in range(2):
            call = driver.scheduler.next(driver.now)
            assert call is not None
            driver.end(call)
        read = driver.scheduler.next(driver.now)
        assert isinstance(read, Read)
        driver.now += 120.0
        probe = driver.scheduler.next(driver.now)
        assert isinstance(probe, Probe)
        driver.end(probe)
        driver.end(read)

        assert driver.run() == []
        assert fresh(driver) == ["A"]

    def test_a_later_subscriber_gets_the_answer_at_once(self) -> None:
        driver = settled(shop(A))

        assert isinstance(driver.ask("y", query()), Fresh)
        assert driver.run() == []

    def test_another_path_of_the_same_environment_is_read_without_another_probe(self) -> None:
        driver = settled(shop(A))
        driver.ask("y", query(path="/b"))

        assert driver.run() == ["read"]

    def test_an_app_that_is_in_the_list_already_needs_no_other_list(self) -> None:
        driver = shop(A, phase=SimPhase(apps={"shop": "app-1", "other": "app-2"}))
        driver.phase.holds(B, app="app-2")
        driver.ask("x", query())
        driver.run(25.0)
        driver.ask("y", query(app="other"))

        assert driver.run() == ["probe", "read"]

    def test_an_app_that_got_the_name_of_another_is_noticed_within_the_hour(self) -> None:
        driver = settled(shop(A))
        driver.phase.apps = {"shop": "app-2", "old shop": "app-1"}
        driver.phase.holds(B, app="app-2")

        driver.run(HOUR)

        assert fresh(driver) == ["B"]

    def test_accounts_do_not_share(self) -> None:
        driver = settled(shop(A))
        driver.ask("y", query(account="other"))

        assert driver.run() == ["apps", "probe", "read"]

    def test_more_than_four_questions_to_an_environment_become_one_read_of_it(self) -> None:
        driver = shop(A, entry("B", path="/b"), entry("C", tags=["t"]), entry("D", path="/b", tags=["t"]))
        asked = [query(), query(path="/b"), query(path=None), query(tags=("t",)), query(path="/b", tags=("t", "u"))]
        for number, each in enumerate(asked):
            driver.ask(f"x{number}", each)

        assert driver.run() == ["apps", "probe", "read"]
        assert [fresh(driver, f"x{number}") for number in range(5)] == [
            ["A", "C"],
            ["B", "D"],
            ["A", "C", "B", "D"],
            ["C"],
            ["D"],
        ]

    @pytest.mark.parametrize(("above", "reads"), [(4, 4), (3, 1), (0, 4)])
    def test_the_number_of_queries_for_a_wide_read_is_a_setting_and_none_turns_it_off(
        self, above: int, reads: int
    ) -> None:
        driver = shop(A, policy=Policy(wide_above=above))
        for number in range(4):
            driver.ask(f"x{number}", query(path=f"/{number}"))

        assert driver.run().count("read") == reads

    def test_a_question_that_nobody_asks_is_forgotten(self) -> None:
        driver = settled(shop(A))
        driver.scheduler.unsubscribe(key("x"))

        assert driver.run(2 * HOUR) == []
        assert driver.scheduler.stats(driver.now).queries == 0

    def test_an_edit_replaces_the_question(self) -> None:
        driver = settled(shop(A, entry("B", path="/b")))
        driver.ask("x", query(path="/b"))
        driver.run()

        assert driver.scheduler.stats(driver.now).queries == 1
        assert fresh(driver) == ["B"]


class TestProbeThenRead:
    def test_while_nothing_moves_only_probes_are_made(self) -> None:
        driver = settled(shop(A))

        made = driver.run(600.0)

        assert set(made) == {"probe"}
        assert 10 <= len(made) <= 12
        assert driver.woken_now() == set()

    def test_a_change_is_read_once_for_all(self) -> None:
        driver = settled(shop(A))
        for number in range(100):
            driver.ask(f"y{number}", query())
        driver.run(1.0)
        driver.phase.holds(A, B)

        assert driver.run(61.0).count("read") == 1
        assert len(driver.woken_now()) == 101
        assert fresh(driver) == ["A", "B"]

    def test_a_move_without_a_change_wakes_nobody(self) -> None:
        driver = settled(shop(A))
        driver.run(61.0)
        driver.phase.holds(A)

        assert driver.run(61.0).count("read") == 1
        assert driver.woken_now() == set()

    def test_an_answer_that_may_have_been_newer_than_its_date_is_dated_anew_once(self) -> None:
        driver = settled(shop(A))
        driver.phase.holds(A)

        assert driver.run(61.0).count("read") == 1
        assert driver.woken_now() == {"x"}
        state = driver.view("x")
        assert isinstance(state, Fresh)
        assert (state.misdated, state.revision) == (Revision("app-1", "moved 2"), Revision("app-1", "moved 3"))

        driver.phase.holds(A)
        driver.run(61.0)
        assert driver.woken_now() == set()

    def test_a_date_that_no_probe_confirmed_is_taken_back_once(self) -> None:
        driver = settled(shop(A))
        driver.phase.errors = {"probe": DENIED}
        # Each interval it is read without a date.
        driver.run(130.0)
        assert driver.woken_now() == {"x"}
        state = driver.view("x")
        assert isinstance(state, Fresh)
        assert (state.misdated, state.revision) == (Revision("app-1", "moved 2"), None)

        driver.run(300.0)
        assert driver.woken_now() == set()

    def test_a_date_that_a_probe_confirmed_is_not_taken_back(self) -> None:
        driver = settled(shop(A))
        driver.run(61.0)
        driver.phase.errors = {"probe": DENIED}
        driver.run(130.0)

        state = driver.view("x")
        assert isinstance(state, Fresh)
        assert (state.misdated, state.revision) == (None, None)

    def test_a_forced_read_follows_a_probe(self) -> None:
        driver = settled(shop(A))
        driver.run(30.0)
        driver.phase.holds(A, B)
        driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)

        assert driver.run() == ["probe", "read"]
        state = driver.view("x")
        assert isinstance(state, Fresh)
        assert state.revision == Revision("app-1", "moved 3")
        assert "read" not in driver.run(61.0)

    def test_a_forced_read_does_not_wait_for_a_probe_that_fails(self) -> None:
        driver = settled(shop(A))
        driver.run(30.0)
        driver.phase.holds(A, B)
        driver.phase.errors = {"probe": DOWN}
        driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)

        assert driver.run()[:2] == ["probe", "read"]
        assert fresh(driver) == ["A", "B"]

    def test_a_forced_read_that_fails_as_before_is_told_to_who_asked_and_to_nobody_else(self) -> None:
        driver = settled(shop(A))
        driver.ask("y", query())
        driver.phase.errors = {"read": DOWN}
        driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)
        driver.run(1.0)
        driver.run(30.0)
        driver.woken_now()
        driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)

        assert "read" in driver.run(5.0)
        assert driver.woken_now() == {"x"}

    @pytest.mark.parametrize("interval", [60.0, 1000.0])
    def test_a_query_that_may_refer_to_a_moved_environment_is_read_after_a_probe_and_within_the_bound(
        self, interval: float
    ) -> None:
        driver = shop(A, phase=SimPhase(apps={f"app {each}": f"app-{each}" for each in range(12)}))
        for each in range(12):
            driver.phase.holds(A, app=f"app-{each}")
            driver.ask(f"x{each}", query(app=f"app {each}"), interval=interval)
        driver.run(2 * interval)
        driver.phase.holds(B, app="app-0")
        driver.until("read")
        moved_at = driver.now
        for each in range(1, 12):
            driver.phase.holds(B, app=f"app-{each}")
        driver.woken_now()

        driver.run(300.0)

        assert {f"x{each}" for each in range(1, 12)} <= driver.woken_now()
        probed: dict[AppRef, float] = {}
        for at, call in driver.calls:
            match call:
                case Probe():
                    probed[call.app] = at
                case Read() if at > moved_at:
                    assert at - probed[call.app] <= 10.0
                    assert call.revision == f"moved {driver.phase.places[call.app_id, 'production'].moves}"

    def test_only_the_environment_that_moved_is_read(self) -> None:
        driver = settled(shop(A, policy=Policy(reference_bound=0.0)))
        driver.phase.holds(B, environment="staging")
        driver.ask("y", query(environment="staging"))
        driver.run(61.0)
        driver.phase.holds(B, C, environment="staging")

        driver.run(61.0)

        read = [call for _, call in driver.calls if isinstance(call, Read)]
        assert [call.environment for call in read] == ["production", "staging", "staging"]

    def test_the_smallest_interval_counts(self) -> None:
        driver = settled(shop(A))
        driver.ask("y", query(path="/b"), interval=5.0)
        driver.run()

        assert len(driver.run(60.0)) >= 12

    def test_a_write_during_a_read_is_seen_by_the_next_probe(self) -> None:
        driver = shop(A)
        driver.ask("x", query())
        while not isinstance(call := driver.scheduler.next(driver.now), Read):
            assert call is not None
            driver.end(call)
        # Half of a batch is there, and the environment has not moved yet when the read is answered.
        driver.phase.places["app-1", "production"].entries = (A, B)
        driver.end(call)
        driver.phase.holds(A, B, C)

        driver.run(61.0)

        assert fresh(driver) == ["A", "B", "C"]

    def test_everything_is_read_once_an_hour_even_so(self) -> None:
        driver = settled(shop(A))
        driver.phase.places["app-1", "production"].entries = (A, B)

        made = driver.run(HOUR)

        assert made.count("read") == 1
        assert fresh(driver) == ["A", "B"]

    def test_no_hour_is_without_a_call_however_long_the_interval(self) -> None:
        """The alerts PhaseOperatorStalled and PhaseOperatorStale count on it."""
        driver = shop(A)
        driver.ask("x", query(), interval=365 * 24 * HOUR)

        for _ in range(24):
            assert driver.run(HOUR)
            assert driver.scheduler.stats(driver.now).staleness <= HOUR

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(DENIED, id="no permission"),
            pytest.param(Transient(Reason.UNEXPECTED_ANSWER, "answers 404 with text/html"), id="older server"),
        ],
    )
    def test_without_probes_it_is_read_at_its_interval_and_told_once(self, error: Transient | Waiting) -> None:
        driver = settled(shop(A, phase=SimPhase(errors={"environments": error, "probe": error})))

        made = driver.run(599.0)

        assert 9 <= made.count("read") <= 12
        assert made.count("probe") == 0
        assert [notice.reason for _, notice in driver.scheduler.events()] == ["ProbeUnavailable"]
        assert driver.scheduler.stats(driver.now).unprobed == 1
        assert fresh(driver) == ["A"]

    def test_probes_are_tried_again_and_taken_up(self) -> None:
        driver = settled(shop(A, phase=SimPhase(errors={"probe": DENIED})))
        driver.phase.errors = {}
        driver.run(700.0)

        made = driver.run(600.0)

        assert made.count("read") == 0
        assert driver.scheduler.stats(driver.now).unprobed == 0

    def test_a_revision_that_is_missing_means_reading(self) -> None:
        driver = settled(shop(A, phase=SimPhase(dates=False)))
        driver.phase.holds(A, B)

        assert driver.run(61.0).count("read") >= 1
        assert fresh(driver) == ["A", "B"]

    def test_a_clock_that_jumps_back_is_a_move(self) -> None:
        driver = settled(shop(A))
        driver.phase.places["app-1", "production"] = Place((A, B), moves=0)

        driver.run(61.0)

        assert fresh(driver) == ["A", "B"]

    def test_probes_that_fail_for_long_give_way_to_reads(self) -> None:
        driver = settled(shop(A))
        driver.phase.errors = {"probe": Transient(Reason.PHASE_UNAVAILABLE, "500")}
        driver.phase.holds(A, B)

        driver.run(200.0)

        assert fresh(driver) == ["A", "B"]


class TestReferences:
    def test_a_move_elsewhere_reads_what_may_refer_to_it_within_the_bound(self) -> None:
        driver = settled(shop(A))
        driver.phase.holds(B, environment="staging")
        driver.run(61.0)
        driver.phase.holds(C, environment="staging")
        driver.phase.places["app-1", "production"].entries = (A, C)

        driver.run(61.0 + 300.0)

        assert fresh(driver) == ["A", "C"]

    def test_many_moves_cost_one_read_a_bound(self) -> None:
        driver = settled(shop(A))
        driver.phase.holds(B, environment="staging")
        driver.run(61.0)

        made = []
        for _ in range(50):
            driver.phase.holds(C, environment="staging")
            made += driver.run(60.0)

        assert made.count("read") <= 50 * 60.0 / 270.0 + 1

    def test_the_bound_of_references_can_be_turned_off(self) -> None:
        driver = settled(shop(A, policy=Policy(reference_bound=0.0)))
        driver.phase.holds(B, environment="staging")
        driver.run(61.0)
        driver.phase.holds(C, environment="staging")

        assert driver.run(1000.0).count("read") == 0


class TestQuota:
    def test_the_cloud_has_a_quota_and_others_have_none(self) -> None:
        many = [query(path=f"/{number}") for number in range(300)]
        cloud, own = (shop(A, policy=Policy(wide_above=0)) for _ in range(2))
        for number, each in enumerate(many):
            cloud.ask(f"x{number}", replace(each, account=account(base_url="https://api.phase.dev")))
            own.ask(f"x{number}", each)

        assert len(cloud.run()) == 119
        assert len(own.run()) == 302
        assert len(cloud.run(60.0)) in (119, 120)

    def test_never_synced_goes_before_changed_before_stale(self) -> None:
        driver = shop(A, policy=Policy(quota=30, wide_above=0))
        for number in range(20):
            driver.ask(f"old{number}", query(path=f"/{number}"))
        driver.run()
        driver.run(61.0)
        driver.phase.holds(A, B)
        driver.run(30.0)
        for number in range(5):
            driver.ask(f"new{number}", query(path=f"/new{number}"))
        began = len(driver.calls)

        driver.run(120.0)

        order = [call.path for _, call in driver.calls[began:] if isinstance(call, Read)]
        assert {f"/new{number}" for number in range(5)} <= set(order[:7])

    def test_a_refusal_stops_the_whole_account_and_no_other(self) -> None:
        driver = settled(shop(A))
        driver.ask("y", query(account="other"))
        driver.run()
        driver.phase.errors = {"read": Transient(Reason.RATE_LIMITED, "quota", after=30.0)}
        driver.ask("z", query(path="/z"))
        driver.run()
        driver.phase.errors = {}
        driver.ask("z2", query(path="/z2"))
        driver.ask("z3", query(path="/z2", account="other"))

        assert driver.run(29.0) == ["read"]
        assert broken(driver, "z2") is Reason.RATE_LIMITED
        assert fresh(driver, "z3") == []
        driver.run(2.0)
        assert fresh(driver, "z2") == []
        assert fresh(driver, "z") == []

    def test_one_refused_probe_does_not_trouble_who_has_an_answer(self) -> None:
        driver = settled(shop(A))
        driver.phase.errors = {"probe": Transient(Reason.RATE_LIMITED, "quota", after=5.0)}
        driver.until("probe")
        once = driver.view("x")
        driver.until("probe")

        assert isinstance(once, Fresh)
        assert broken(driver) is Reason.RATE_LIMITED
        driver.phase.errors = {}
        driver.run(30.0)
        assert fresh(driver) == ["A"]

    def test_probes_are_not_starved_by_reads(self) -> None:
        driver = shop(A, policy=Policy(quota=10, wide_above=0))
        for number in range(200):
            driver.ask(f"x{number}", query(path=f"/{number}"), interval=10.0)

        driver.run(600.0)

        assert sum(not isinstance(call, Read) for _, call in driver.calls) >= 10

    def test_forced_reads_are_limited(self) -> None:
        driver = settled(shop(A))

        made = []
        for _ in range(30):
            driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)
            made += driver.run(1.0)

        assert made.count("read") <= 4
        assert "x" in driver.woken_now()


class TestBreaker:
    def test_a_host_that_is_down_is_asked_with_one_call_at_a_time(self) -> None:
        driver = settled(shop(A, policy=Policy(wide_above=0)))
        for number in range(50):
            driver.ask(f"y{number}", query(path=f"/{number}", environment="production"))
        driver.run()
        driver.phase.errors = dict.fromkeys(("apps", "probe", "read"), DOWN)
        driver.phase.holds(A, B)

        made = driver.run(300.0)

        assert len(made) <= 25
        assert broken(driver) is Reason.PHASE_UNAVAILABLE
        assert broken(driver, "y7") is Reason.PHASE_UNAVAILABLE

    def test_an_app_that_failed_heals_within_a_minute(self) -> None:
        driver = settled(shop(A))
        driver.phase.errors = dict.fromkeys(("apps", "probe", "read"), DOWN)
        driver.run(1000.0)
        driver.phase.errors = {}
        driver.phase.holds(A, B)
        driver.woken_now()

        driver.run(60.0)

        assert fresh(driver) == ["A", "B"]
        assert driver.woken_now() == {"x"}
        assert driver.scheduler.stats(driver.now).open_breakers == 0

    def test_the_last_good_answer_stands_beside_the_failure(self) -> None:
        driver = settled(shop(A))
        driver.phase.errors = dict.fromkeys(("apps", "probe", "read"), DOWN)
        driver.run(300.0)

        state = driver.view("x")

        assert isinstance(state, Broken)
        assert state.full is not None
        assert [each.key for each in state.full.entries] == ["A"]

    def test_a_failure_that_lasts_wakes_nobody_again(self) -> None:
        driver = settled(shop(A))
        driver.phase.errors = dict.fromkeys(("apps", "probe", "read"), DOWN)
        driver.run(300.0)
        driver.woken_now()

        driver.run(600.0)

        assert driver.woken_now() == set()

    def test_a_dead_token_is_asked_for_slowly_however_many_use_it(self) -> None:
        driver = shop(A, policy=Policy(wide_above=0), phase=SimPhase(errors={"probe": DENIED, "read": DENIED}))
        for number in range(200):
            driver.ask(f"x{number}", query(path=f"/{number}"))
        driver.run()

        made = driver.run(300.0)

        assert len(made) <= 25
        assert {broken(driver, f"x{number}") for number in range(200)} == {Reason.ACCESS_DENIED}
        driver.phase.errors = {}
        driver.run(60.0)
        assert all(isinstance(driver.view(f"x{number}"), Fresh) for number in range(200))

    def test_an_account_without_permission_for_probes_is_not_taken_for_a_dead_one(self) -> None:
        apps = {f"shop{number}": f"app-{number}" for number in range(20)}
        places = {(ident, "production"): Place((A,)) for ident in apps.values()}
        driver = Driver(phase=SimPhase(apps=apps, places=places, errors={"probe": DENIED}))
        for name in apps:
            driver.ask(name, query(app=name))

        driver.run()

        assert all(fresh(driver, name) == ["A"] for name in apps)

    def test_a_rotated_token_starts_afresh(self) -> None:
        driver = settled(shop(A, phase=SimPhase(errors=dict.fromkeys(("apps", "probe", "read"), DENIED))))
        driver.phase.errors = {}
        driver.ask("x", query(account="rotated"))
        driver.run()

        assert fresh(driver) == ["A"]


class TestNames:
    def test_an_unknown_app_is_told_and_looked_for_slowly(self) -> None:
        driver = shop(A)
        driver.ask("x", query(app="shopp"))
        driver.run()

        assert broken(driver) is Reason.APP_NOT_FOUND
        assert len(driver.run(300.0)) <= 10
        driver.phase.apps["shopp"] = "app-1"
        driver.run(60.0)
        assert fresh(driver) == ["A"]

    def test_an_app_that_was_made_anew_is_found_again(self) -> None:
        driver = settled(shop(A))
        driver.run(100.0)
        driver.phase.apps["shop"] = "app-2"
        driver.phase.holds(B, app="app-2")
        del driver.phase.places["app-1", "production"]
        driver.phase.errors = {"probe": Waiting(Reason.APP_NOT_FOUND, "Phase answers 404: App with ID x not found")}
        driver.run(61.0)
        driver.phase.errors = {}

        driver.run(120.0)

        assert fresh(driver) == ["B"]

    def test_an_unknown_environment_is_told_by_name_and_found_by_probes(self) -> None:
        driver = shop(A)
        driver.ask("x", query(environment="prod"))
        driver.run()
        state = driver.view("x")

        made = driver.run(300.0)
        driver.phase.holds(B, environment="prod")
        driver.run(60.0)

        assert isinstance(state, Broken)
        assert '"Production"' in state.error.message
        assert made.count("read") == 0
        assert fresh(driver) == ["B"]

    def test_an_environment_that_goes_is_told_in_phases_words_and_keeps_the_answer(self) -> None:
        driver = settled(shop(A))
        kept = driver.phase.places.pop(("app-1", "production"))
        driver.run(61.0)
        state = driver.view("x")
        driver.phase.places["app-1", "production"] = kept
        driver.run(61.0)

        assert isinstance(state, Broken)
        assert state.error.reason is Reason.ENVIRONMENT_NOT_FOUND
        assert state.full is not None
        assert fresh(driver) == ["A"]


class TestManyMove:
    def test_a_move_of_everything_reads_each_query_once_and_dates_it_by_its_own_probe(self) -> None:
        names = {f"app-{number}": f"id-{number}" for number in range(200)}
        places = {(ident, "production"): Place((A,)) for ident in names.values()}
        driver = Driver(Policy(), SimPhase(apps=names, places=places))
        for name in names:
            driver.ask(name, query(app=name))
        driver.run(600.0)

        for ident in names.values():
            driver.phase.holds(A, B, app=ident)
        made = driver.run(61.0)

        assert made.count("read") == 200
        for name in names:
            state = driver.view(name)
            assert isinstance(state, Fresh)
            assert state.revision == Revision(names[name], "moved 2")


class TestSpread:
    def test_after_a_common_start_apps_are_probed_once_an_interval_each_at_a_time_of_its_own(self) -> None:
        names = {f"app {number}": f"app-{number}" for number in range(20)}
        places = {(ident, "production"): Place((A,)) for ident in names.values()}
        driver = Driver(Policy(reference_bound=0), SimPhase(apps=names, places=places))
        for name in names:
            driver.ask(name.replace(" ", "-"), query(app=name))
        driver.run(120.0)
        settled_at = driver.now

        driver.run(600.0)

        at = [when for when, call in driver.calls if when > settled_at]
        assert len(at) == 200
        assert max(sum(start <= when < start + 3 for when in at) for start in at) < 10


class TestNeverLose:
    def test_an_answer_that_lost_everything_is_asked_for_twice(self) -> None:
        driver = settled(shop(A, B))
        driver.phase.holds()
        driver.until("read")
        doubted = driver.view("x")

        driver.run(10.0)

        assert isinstance(doubted, Broken)
        assert doubted.error.reason is Reason.ANSWER_DOUBTED
        state = driver.view("x")
        assert isinstance(state, Fresh)
        assert state.answer.entries == ()
        assert state.full is not None
        assert [each.key for each in state.full.entries] == ["A", "B"]

    def test_an_answer_that_was_wrong_once_changes_nothing(self) -> None:
        driver = settled(shop(A, B))
        driver.phase.holds()
        while isinstance(driver.view("x"), Fresh):
            driver.run(1.0)
        driver.phase.holds(A, B)

        driver.run(10.0)

        assert fresh(driver) == ["A", "B"]

    def test_a_share_is_the_resources_own(self) -> None:
        driver = shop(A, B, C, D)
        driver.ask("x", query(), guard=Guard(shrink=50))
        driver.run()
        driver.phase.holds(A)
        while isinstance(driver.view("x"), Fresh):
            driver.run(1.0)

        assert broken(driver) is Reason.ANSWER_DOUBTED
        driver.run(10.0)
        assert fresh(driver) == ["A"]

    def test_a_loss_that_differs_each_time_is_doubted_each_time(self) -> None:
        driver = shop(A, B, C, D)
        driver.ask("x", query(), guard=Guard(shrink=10))
        driver.run()
        for left in ((A, B), (C,), (D,)):
            driver.phase.holds(*left)
            driver.until("read")

        assert broken(driver) is Reason.ANSWER_DOUBTED


class TestRestart:
    def test_a_settled_resource_is_told_the_revision_and_costs_no_read(self) -> None:
        driver = shop(A)
        driver.ask("x", query(), settled=True)

        assert driver.run() == ["apps", "probe"]
        assert driver.woken_now() == {"x"}
        assert driver.view("x") == Unread(Revision("app-1", "moved 2"))

    def test_once_confirmed_it_is_read_when_it_moves(self) -> None:
        driver = shop(A)
        driver.ask("x", query(), settled=True)
        driver.run()
        driver.scheduler.confirm(key("x"), Revision("app-1", "moved 2"), driver.now)
        quiet = driver.run(600.0)
        driver.phase.holds(A, B)
        driver.run(61.0)

        assert set(quiet) == {"probe"}
        assert fresh(driver) == ["A", "B"]

    def test_a_move_between_the_probe_and_the_confirmation_is_seen(self) -> None:
        driver = shop(A)
        driver.ask("x", query(), settled=True)
        driver.run()
        driver.phase.holds(A, B)
        driver.run(61.0)
        driver.scheduler.confirm(key("x"), Revision("app-1", "moved 2"), driver.now)

        driver.run(61.0)

        assert fresh(driver) == ["A", "B"]

    def test_resources_that_are_not_in_step_after_all_share_one_read(self) -> None:
        driver = shop(A)
        for number in range(10):
            driver.ask(f"x{number}", query(), settled=True)
        driver.run()
        for number in range(3):
            driver.scheduler.want(key(f"x{number}"), PollPriority.EDITED, driver.now)

        assert driver.run() == ["read"]

    def test_a_resource_that_asks_for_a_read_under_way_waits_for_it(self) -> None:
        driver = shop(A)
        for number in range(2):
            driver.ask(f"x{number}", query(), settled=True)
        driver.run()
        driver.scheduler.want(key("x0"), PollPriority.EDITED, driver.now)
        call = driver.scheduler.next(driver.now)
        assert call is not None
        driver.scheduler.want(key("x1"), PollPriority.EDITED, driver.now)
        driver.end(call)
        driver.scheduler.want(key("x1"), PollPriority.EDITED, driver.now)

        assert driver.run() == []
        assert fresh(driver, "x1") == ["A"]

    def test_without_probes_it_is_read(self) -> None:
        driver = shop(A, phase=SimPhase(errors={"probe": DENIED}))
        driver.ask("x", query(), settled=True)
        driver.run()

        assert fresh(driver) == ["A"]

    def test_intervals_do_not_stay_in_step(self) -> None:
        apps = {f"shop{number}": f"app-{number}" for number in range(20)}
        driver = Driver(phase=SimPhase(apps=apps, places={(ident, "production"): Place() for ident in apps.values()}))
        for name in apps:
            driver.ask(name, query(app=name))
        driver.run()
        driver.run(600.0)
        began = len(driver.calls)

        driver.run(60.0)

        times = [round(at) for at, _ in driver.calls[began:]]
        assert max(times.count(each) for each in times) <= 5


def reads(driver: Driver) -> list[tuple[str | None, tuple[str, ...]]]:
    """Return what was read, and forget it."""
    found = [(call.path, call.tags) for _, call in driver.calls if isinstance(call, Read)]
    driver.calls = []
    return found


def near(driver: Driver, name: str = "x") -> tuple[str, ...]:
    state = driver.view(name)
    assert isinstance(state, Fresh), state
    assert not state.answer.entries
    return state.tags


NARROW, WIDE = ("/", ("dbs",)), (None, ())


class TestTagsThatNothingHas:
    def test_one_read_more_tells_which_tags_there_are(self) -> None:
        driver = shop(entry("A", tags=["db"]), entry("B", tags=["web", "db"]), entry("C"))
        driver.ask("x", query(tags=("dbs",)))

        assert driver.run() == ["apps", "probe", "read", "read"]
        assert reads(driver) == [NARROW, WIDE]
        assert near(driver) == ("db", "web")
        assert driver.woken_now() == {"x"}

    def test_nothing_is_told_before_both_are_read(self) -> None:
        driver = shop(entry("A", tags=["db"]))
        driver.ask("x", query(tags=("dbs",)))

        driver.until("read")
        assert (isinstance(driver.view("x"), Unread), driver.woken_now()) == (True, set())
        driver.until("read")
        assert (near(driver), driver.woken_now()) == (("db",), {"x"})

    def test_as_long_as_nothing_has_them_everything_is_read_and_nothing_twice(self) -> None:
        driver = settled(shop(entry("A", tags=["db"])), tags=("dbs",))
        driver.run(60.0)
        reads(driver)
        driver.phase.holds(entry("A", tags=["db"]), B)

        driver.run(60.0)

        assert reads(driver) == [WIDE]
        assert driver.woken_now() == set()

    def test_another_tag_is_news(self) -> None:
        driver = settled(shop(entry("A", tags=["db"])), tags=("dbs",))
        driver.phase.holds(entry("A", tags=["database"]))

        driver.run(60.0)

        assert near(driver) == ("database",)
        assert driver.woken_now() == {"x"}

    def test_tags_that_something_has_again_are_read_alone_again(self) -> None:
        driver = settled(shop(entry("A", tags=["db"])), tags=("dbs",))
        reads(driver)
        driver.phase.holds(entry("A", tags=["dbs"]))
        driver.run(60.0)
        assert fresh(driver) == ["A"]
        driver.phase.holds(entry("A", "new", tags=["dbs"]))
        driver.run(60.0)

        assert reads(driver) == [WIDE, NARROW]
        state = driver.view("x")
        assert isinstance(state, Fresh)
        assert state.tags == ()

    def test_a_loss_is_doubted_and_the_second_look_tells_the_tags(self) -> None:
        driver = settled(shop(entry("A", tags=["dbs"])), tags=("dbs",))
        reads(driver)
        driver.phase.holds(entry("A", tags=["db"]))

        driver.until("read")
        assert broken(driver) is Reason.ANSWER_DOUBTED
        driver.run(60.0)

        assert reads(driver) == [NARROW, WIDE]
        assert near(driver) == ("db",)

    def test_a_failure_of_the_second_read_is_told_and_repeated(self) -> None:
        driver = shop(entry("A", tags=["db"]))
        driver.ask("x", query(tags=("dbs",)))
        driver.until("read")
        driver.phase.errors["read"] = DOWN
        driver.until("read")
        assert broken(driver) is Reason.PHASE_UNAVAILABLE
        reads(driver)
        driver.phase.errors.clear()

        driver.run(60.0)

        assert reads(driver) == [WIDE]
        assert near(driver) == ("db",)

    def test_tags_of_other_folders_are_not_told(self) -> None:
        driver = settled(shop(entry("A", tags=["db"], path="/b"), entry("B", tags=["web"])), tags=("dbs",))

        assert near(driver) == ("web",)

    def test_two_who_ask_for_tags_that_nothing_has_share_the_read_of_everything(self) -> None:
        driver = settled(shop(entry("A", tags=["db"])), tags=("dbs",))
        driver.ask("y", query(tags=("data",)))
        driver.run()
        reads(driver)
        driver.phase.holds(entry("A", tags=["db"]), B)

        driver.run(60.0)

        assert reads(driver) == [WIDE]
        assert (near(driver), near(driver, "y")) == (("db",), ("db",))

    def test_a_wide_read_finds_near_tags_at_no_cost(self) -> None:
        driver = shop(entry("A", tags=["db"]), policy=Policy(wide_above=1))
        driver.ask("x", query(tags=("dbs",)))
        driver.ask("y", query())
        driver.run()

        assert reads(driver) == [WIDE]
        assert near(driver) == ("db",)


class TestMeasures:
    def test_the_entries_of_all_answers_are_counted_as_long_as_somebody_asks(self) -> None:
        driver = settled(shop(A, B, policy=Policy(wide_above=0)))
        settled(driver, "y", path=None)
        assert driver.scheduler.stats(driver.now).entries == 4

        driver.scheduler.unsubscribe(key("y"))
        assert driver.scheduler.stats(driver.now).entries == 2

    def test_nothing_waits_where_there_is_no_quota(self) -> None:
        driver = shop(A, policy=Policy(quota=0))
        for number in range(50):
            driver.ask(f"x{number}", query(path=f"/{number}"))

        assert quota_waits(driver, driver.now + 60.0) == (0, 0.0)

    def test_calls_that_are_due_wait_for_the_quota_and_say_how_long(self) -> None:
        driver = shop(A, policy=Policy(quota=10, wide_above=0))
        for number in range(30):
            driver.ask(f"x{number}", query(path=f"/{number}"), interval=HOUR)
        driver.run()
        made = len(driver.calls)

        driver.run(20.0)
        assert quota_waits(driver, driver.now) == (32 - made, 20.0)

        driver.run(300.0)
        assert quota_waits(driver, driver.now) == (0, 0.0)

    def test_a_refusal_lets_wait_what_is_due(self) -> None:
        driver = shop(A, policy=Policy(quota=0))
        driver.phase.errors = {"read": Transient(Reason.RATE_LIMITED, "quota", after=30.0)}
        driver.ask("x", query())
        driver.run()
        driver.phase.errors = {}

        driver.run(29.0)
        calls, seconds = quota_waits(driver, driver.now)
        assert (calls, seconds > 0) == (1, True)

        driver.run(31.0)
        assert quota_waits(driver, driver.now) == (0, 0.0)

    def test_a_host_that_is_down_is_no_wait_for_the_quota(self) -> None:
        driver = settled(shop(A, policy=Policy(quota=1000, wide_above=0)))
        for number in range(50):
            driver.ask(f"y{number}", query(path=f"/{number}"))
        driver.phase.errors = dict.fromkeys(("apps", "probe", "read"), DOWN)

        driver.run(600.0)

        assert driver.scheduler.stats(driver.now).open_breakers == 1
        assert quota_waits(driver, driver.now) == (0, 0.0)

    def test_a_question_says_when_it_was_confirmed_once_it_was(self) -> None:
        driver = shop(A)
        driver.ask("x", query())
        assert (list(driver.scheduler.confirmed()), driver.scheduler.confirmed_at(key("x"))) == ([], None)

        driver.run()
        assert list(driver.scheduler.confirmed()) == [("team", query(), driver.now)]
        assert driver.scheduler.confirmed_at(key("x")) == driver.now
        assert driver.scheduler.confirmed_at(key("nobody")) is None
