"""Who watches an environment has its app probed and nothing read, and is woken when the environment moves."""

import pytest

from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.source.apps import Environment
from phase_operator.core.source.query import Account, AppRef
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.polling.calls import Policy, Probe, Subscription
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.polling.watches import Watch
from phase_operator.reconcile.ports import Credential
from phase_operator.reconcile.pushes.ports import Gates, Probes
from support.builders import entry, query
from support.clock import HandClock
from support.fakes import FakeObserver, FakePhase
from support.planning import DENIED, DOWN, Driver, account, fresh, key, kind

SHOP = AppRef(name="shop")
A = entry("A")
CREDENTIAL = Credential("none", SecretValue("none"))


def watch(
    driver: Driver,
    name: str,
    *,
    interval: float = 60.0,
    of: Account | None = None,
    app: AppRef = SHOP,
    environment: str = "production",
) -> None:
    """Let a resource watch an environment."""
    whose = of or account()
    has_keys = whose.name.startswith("full")
    driver.scheduler.watches.begin(key(name), Watch(whose, app, environment), interval, driver.now, has_keys=has_keys)


def moved(driver: Driver) -> set[str]:
    """Return who is to be woken."""
    return {each.name for each in driver.scheduler.watches.moved()}


def seen(driver: Driver, *, of: Account | None = None, app_id: str = "app-1", name: str = "production") -> str | None:
    """Return what the last probe has shown."""
    return driver.scheduler.watches.revision(of or account(), app_id, name)


def watching(*names: str, interval: float = 60.0) -> Driver:
    """Return a driver after these have begun to watch, and have seen what there is."""
    driver = Driver()
    for name in names:
        watch(driver, name, interval=interval)
    driver.run()
    moved(driver)
    return driver


class TestProbes:
    def test_a_watch_alone_has_its_app_probed_at_its_interval_and_nothing_read(self) -> None:
        driver = Driver()
        watch(driver, "x")

        assert driver.run() == ["apps", "probe"]
        driver.phase.writes()
        later = driver.run(600.0)

        assert set(later) == {"probe"}
        assert 9 <= len(later) <= 11

    def test_a_watch_of_what_a_phase_secret_asks_costs_no_call(self) -> None:
        alone, shared = Driver(), Driver()
        for driver in (alone, shared):
            driver.phase.holds(A)
            driver.ask("x", query(account="account"))
            driver.run()
        watch(shared, "x")
        watch(shared, "y")

        alone.run(600.0)
        shared.run(600.0)

        assert shared.calls == alone.calls

    def test_a_phase_secret_that_asks_of_a_watched_app_is_answered_by_one_read(self) -> None:
        driver = Driver()
        driver.phase.holds(A)
        watch(driver, "x")
        driver.run()

        driver.ask("x", query(account="account"))

        assert driver.run(60.0) == ["read", "probe"]
        assert fresh(driver) == ["A"]

    def test_the_shortest_interval_counts_until_its_watch_ends(self) -> None:
        driver = watching("slow", interval=60.0)
        watch(driver, "quick", interval=10.0)
        driver.run(60.0)

        assert len(driver.run(600.0)) >= 50
        driver.scheduler.watches.end(key("quick"))
        driver.run(60.0)
        assert len(driver.run(600.0)) <= 11

    def test_another_interval_of_the_same_watch_counts_at_once(self) -> None:
        driver = watching("x", interval=3600.0)

        watch(driver, "x", interval=10.0)

        assert len(driver.run(100.0)) >= 8

    def test_an_encrypted_app_is_probed_by_the_keyring_that_its_readers_share(self) -> None:
        full = account("full")
        driver = Driver()
        driver.phase.encrypted.add("app-1")
        watch(driver, "x", of=full)
        driver.run()
        moved(driver)
        driver.phase.writes()

        assert "read" not in driver.run(120.0)
        assert moved(driver) == {"x"}

    def test_a_keyring_that_is_new_tells_of_one_more_encrypted_app_at_once(self) -> None:
        full, other = account("full"), AppRef(id="app-2")
        driver = Driver()
        driver.phase.apps["other"] = "app-2"
        driver.phase.encrypted |= {"app-1", "app-2"}
        driver.phase.holds(app="app-2")
        watch(driver, "x", of=full)
        driver.run()

        watch(driver, "y", of=full, app=other)

        assert seen(driver, of=full, app_id="app-2") == "moved 1"
        assert driver.run() == []


class TestEnds:
    def test_the_last_watch_that_ends_ends_the_probes(self) -> None:
        driver = watching("x", "y")
        driver.scheduler.watches.end(key("x"))
        assert driver.run(120.0)

        driver.scheduler.watches.end(key("y"))

        assert driver.run(7200.0) == []
        assert seen(driver) is None

    def test_a_watch_goes_on_without_reads_when_the_phase_secret_goes_that_has_its_key(self) -> None:
        driver = watching("x")
        driver.ask("x", query(account="account"))
        driver.run()

        driver.scheduler.unsubscribe(key("x"))
        driver.phase.writes()

        assert set(driver.run(120.0)) == {"probe"}
        assert moved(driver) == {"x"}

    def test_a_phase_secret_goes_on_when_a_watch_of_its_app_ends(self) -> None:
        driver = watching("x")
        driver.ask("x", query(account="account"))
        driver.run()

        driver.scheduler.watches.end(key("x"))
        driver.phase.holds(A)
        driver.run(60.0)

        assert fresh(driver) == ["A"]

    def test_a_watcher_of_something_else_hears_no_more_of_what_was_watched(self) -> None:
        driver = watching("x")
        driver.phase.holds(environment="staging")
        driver.phase.writes()
        driver.run(60.0)

        watch(driver, "x", environment="staging")
        driver.run(120.0)
        moved(driver)
        driver.phase.writes()
        driver.run(120.0)

        assert moved(driver) == set()
        driver.phase.writes("staging")
        driver.run(120.0)
        assert moved(driver) == {"x"}

    def test_a_watcher_that_ends_is_not_woken_for_what_moved_before(self) -> None:
        driver = watching("x")
        driver.phase.writes()
        driver.run(60.0)

        driver.scheduler.watches.end(key("x"))

        assert moved(driver) == set()

    def test_an_end_without_a_beginning_does_nothing(self) -> None:
        driver = watching("x")

        driver.scheduler.watches.end(key("nobody"))

        assert driver.run(60.0) == ["probe"]


class TestWakes:
    def test_a_watcher_is_woken_once_for_each_move_of_the_environment(self) -> None:
        driver = watching("x", "y")
        driver.run(300.0)
        assert moved(driver) == set()

        driver.phase.writes()
        driver.run(60.0)

        assert moved(driver) == {"x", "y"}
        driver.run(300.0)
        assert moved(driver) == set()

    def test_a_move_of_another_environment_wakes_nobody(self) -> None:
        driver = watching("x")
        driver.phase.holds(environment="staging")
        driver.run(120.0)
        driver.phase.writes("staging")
        driver.run(120.0)

        assert moved(driver) == set()

    def test_a_revision_that_was_known_when_a_watch_began_wakes_nobody(self) -> None:
        driver = watching("x")

        watch(driver, "y")
        driver.run(300.0)

        assert moved(driver) == set()

    @pytest.mark.parametrize("error", [DOWN, DENIED])
    def test_probes_that_fail_wake_nobody_and_show_nothing_if_that_lasts(self, error: Exception) -> None:
        driver = watching("x")
        driver.phase.errors["probe"] = error  # type: ignore[assignment]  # each is an expected one
        driver.run(300.0)
        assert seen(driver) is None

        driver.phase.errors.clear()
        driver.run(1200.0)

        assert seen(driver) == "moved 1"
        assert moved(driver) == set()

    def test_an_environment_that_is_hidden_for_a_while_wakes_nobody(self) -> None:
        driver = watching("x")
        place = driver.phase.places.pop(("app-1", "production"))
        driver.run(120.0)
        assert seen(driver) is None

        driver.phase.places["app-1", "production"] = place
        driver.run(120.0)

        assert seen(driver) == "moved 1"
        assert moved(driver) == set()

    def test_an_app_that_is_made_anew_under_its_name_wakes_who_watches_it(self) -> None:
        driver = watching("x")
        driver.phase.apps["shop"] = "app-2"
        driver.phase.holds(app="app-2")
        driver.phase.writes(app="app-2")

        driver.run(7200.0)

        assert moved(driver) == {"x"}
        assert seen(driver, app_id="app-1") is None


class TestRevisions:
    def test_a_revision_is_what_the_last_probe_has_shown_of_the_environment(self) -> None:
        driver = Driver()
        watch(driver, "x")
        assert seen(driver) is None
        driver.run()
        assert seen(driver) == "moved 1"

        driver.phase.writes()
        assert seen(driver) == "moved 1"
        driver.run(60.0)

        assert seen(driver) == "moved 2"

    def test_nothing_is_shown_of_another_account_app_or_environment(self) -> None:
        driver = watching("x")

        assert seen(driver, of=account("other")) is None
        assert seen(driver, app_id="app-2") is None
        assert seen(driver, name="staging") is None

    def test_a_probe_for_a_phase_secret_shows_it_as_well(self) -> None:
        driver = Driver()
        driver.ask("x", query(account="account"))
        driver.run()

        assert seen(driver) == "moved 1"

    @pytest.mark.parametrize("quick", [SHOP, AppRef(id="APP-1")])
    def test_of_an_app_that_is_probed_by_name_and_by_id_the_later_probe_tells(self, quick: AppRef) -> None:
        driver = Driver()
        for app in (SHOP, AppRef(id="APP-1")):
            watch(driver, app.name or "id", app=app, interval=10.0 if app == quick else 3600.0)
        driver.run()

        driver.phase.writes()
        driver.run(30.0)

        assert seen(driver) == "moved 2"


class TestShares:
    def test_many_watches_of_a_namespace_whose_host_hangs_hold_up_no_watch_of_another(self) -> None:
        driver = Driver(Policy(places=16))
        for number in range(200):
            watch(driver, f"mallory/x{number}", of=account(f"m{number}"), app=AppRef(id=f"m{number}"))
        while driver.scheduler.next(driver.now) is not None:
            pass

        watch(driver, "team/x", of=account("team"), app=AppRef(id="app-1"))
        call = driver.scheduler.next(driver.now)

        assert isinstance(call, Probe)
        assert call.account.name == "team"

    def test_many_watches_of_one_app_are_one_probe_at_a_time(self) -> None:
        driver = watching(*(f"x{number}" for number in range(500)))

        assert driver.run(600.0).count("probe") <= 11

    def test_a_probe_is_made_for_the_namespaces_of_all_who_watch_or_ask(self) -> None:
        driver = Driver()
        driver.ask("a/x", query(account="account"))
        watch(driver, "b/x")
        apps = driver.scheduler.next(driver.now)
        assert apps is not None
        assert driver.scheduler.namespaces(apps) == {"a", "b"}
        driver.end(apps)
        probe = driver.scheduler.next(driver.now)

        assert isinstance(probe, Probe)
        assert driver.scheduler.namespaces(probe) == {"a", "b"}
        driver.end(probe)
        read = driver.scheduler.next(driver.now)
        assert read is not None
        assert kind(read) == "read"
        assert driver.scheduler.namespaces(read) == {"a"}


class Placed(FakePhase):
    """Takes down for which namespace each probe is held."""

    def __init__(self) -> None:
        super().__init__()
        self.held_for: list[str] = []

    async def environments(
        self, base_url: str, credential: Credential, app_id: str, place: Reservation
    ) -> list[Environment]:
        """Return the environments, and note the place."""
        self.held_for.append(place.namespace)
        return await super().environments(base_url, credential, app_id, place)


class TestPoller:
    @staticmethod
    async def _calls(poller: Poller, number: int) -> None:
        for _ in range(number):
            await poller.make(await poller.take())

    async def test_a_watcher_is_woken_and_not_the_phase_secret_of_the_same_name(self) -> None:
        phase, clock = Placed(), HandClock()
        asked: list[ObjectKey] = []
        woken: list[ObjectKey] = []
        memory = AnswerMemory(MIB)
        poller = Poller(phase, clock, asked.append, FakeObserver(), lambda *_: None, Policy(), memory)
        base = query().account.base_url
        at = PushPlace(base, "app-1", "production")
        whose = Account(base, "none")
        gates: Gates = poller
        probes: Probes = poller

        probes.watch(key("team/x"), Watch(whose, SHOP, "production"), 60.0, CREDENTIAL, woken.append)
        assert gates.revision(whose, at) is None
        await self._calls(poller, 2)

        assert (phase.lists, phase.probes, phase.reads) == (1, 1, [])
        assert phase.held_for == ["team"]
        assert woken == [key("team/x")]
        assert asked == []
        first = gates.revision(whose, at)
        assert first is not None
        assert gates.revision(whose, at._replace(host="https://else.example/service/public")) is None
        assert gates.other_allowed_at(whose, clock.monotonic()) == clock.monotonic()

        phase.holds(A)
        clock.turn(90.0)
        await self._calls(poller, 1)

        assert gates.revision(whose, at) not in (None, first)
        assert woken == [key("team/x")] * 2

    async def test_a_watcher_that_ends_has_nothing_probed_and_is_not_woken(self) -> None:
        phase, clock, woken = FakePhase(), HandClock(), list[ObjectKey]()
        poller = Poller(phase, clock, lambda _: None, FakeObserver(), lambda *_: None, Policy())
        whose = query(account="none").account
        poller.watch(key("team/x"), Watch(whose, SHOP, "production"), 60.0, CREDENTIAL, woken.append)
        poller.subscribe(key("team/x"), query(account="none"), CREDENTIAL, Subscription(60.0))
        await self._calls(poller, 3)
        woken.clear()

        poller.unwatch(key("team/x"))
        phase.holds(A)
        clock.turn(90.0)
        await self._calls(poller, 1)

        assert woken == []
