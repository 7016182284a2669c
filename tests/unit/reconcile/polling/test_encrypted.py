"""End-to-end encrypted apps: one keyring call an account instead of probes, and reads with its keys."""

import tracemalloc
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.source.answer_memory import AnswerMemoryFull
from phase_operator.core.source.keyring import Decrypted, Keyring, Keys
from phase_operator.core.source.query import AppRef, Revision, SourceQuery
from phase_operator.reconcile.polling.accounts import AccountState
from phase_operator.reconcile.polling.app_state import AppState
from phase_operator.reconcile.polling.calls import Broken, Fresh, Policy, Read, ReadKeyring, Subscription, Unread
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.gates import Gates
from phase_operator.reconcile.polling.keyrings import KeyringIndex
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from support.builders import entry, query
from support.planning import DENIED, DOWN, ENCRYPTED, NO_LIST, Driver, Place, SimPhase, broken, fresh, key, kind

A, B, C = (entry(name) for name in "ABC")
HOUR = 3600.0
LIMITED = Transient(Reason.RATE_LIMITED, "too many calls for keyrings", after=20.0)
HTML = Transient(Reason.UNEXPECTED_ANSWER, "answers 404 with text/html")


def full(**fields: object) -> SourceQuery:
    """Make a question of an account that has keys."""
    return query(**{"account": "full", **fields})  # type: ignore[arg-type]  # fields of a query


def by_id(**fields: object) -> SourceQuery:
    """Make one that names the app by its id."""
    return replace(full(**fields), app=AppRef(id="app-1"))


def vault(*entries_: object, policy: Policy | None = None, **fields: object) -> Driver:
    """Make a driver whose app is encrypted."""
    driver = Driver(policy, SimPhase(encrypted={"app-1"}, **fields))  # type: ignore[arg-type]  # fields of a SimPhase
    driver.phase.holds(*entries_)  # type: ignore[arg-type]  # entries
    return driver


def settled(driver: Driver, asked: SourceQuery | None = None) -> Driver:
    """Return the driver after a PhaseSecret asked and was answered."""
    driver.ask("x", asked or full())
    driver.run()
    driver.woken_now()
    return driver


class TestModes:
    def test_a_listed_app_is_known_for_encrypted_and_never_probed(self) -> None:
        driver = vault(A)
        driver.ask("x", full())

        assert driver.run() == ["apps", "keyring", "read"]
        assert fresh(driver) == ["A"]
        assert driver.woken_now() == {"x"}

    def test_an_app_by_id_is_found_out_by_its_probe(self) -> None:
        driver = vault(A)
        driver.ask("x", by_id())

        assert driver.run() == ["probe", "keyring", "read"]
        assert fresh(driver) == ["A"]

    def test_an_app_that_may_not_be_probed_is_found_out_by_a_read(self) -> None:
        driver = vault(A, errors={"probe": DENIED})
        driver.ask("x", by_id())

        assert driver.run() == ["probe", "read", "keyring", "read"]
        assert fresh(driver) == ["A"]

    def test_an_app_that_is_not_encrypted_costs_what_it_costs_without_keys(self) -> None:
        made = []
        for has_keys in (False, True):
            driver = Driver()
            driver.phase.holds(A)
            driver.scheduler.subscribe(key("x"), query(), Subscription(60.0), driver.now, has_keys=has_keys)
            driver.run(2 * HOUR)
            made.append(driver.calls)

        assert made[0] == made[1]
        assert "keyring" not in map(kind, (call for _, call in made[1]))

    def test_a_second_app_needs_no_second_keyring(self) -> None:
        driver = vault(A, apps={"shop": "app-1", "other": "app-2"})
        driver.phase.encrypted.add("app-2")
        driver.phase.holds(B, app="app-2")
        settled(driver)
        driver.ask("y", full(app="other"))

        assert driver.run() == ["read"]
        assert fresh(driver, "y") == ["B"]

    def test_apps_by_id_that_are_found_out_one_after_another_share_a_keyring(self) -> None:
        apps = {f"shop{number}": f"app-{number}" for number in range(20)}
        driver = Driver(phase=SimPhase(apps=apps, places={}, encrypted=set(apps.values())))
        for ident in apps.values():
            driver.phase.holds(A, app=ident)
            driver.ask(ident, replace(full(), app=AppRef(id=ident)))

        probes = [driver.scheduler.next(driver.now) for _ in range(16)]
        begun = [call for call in probes if call is not None]
        driver.end(begun[0])
        driver.until("keyring")
        for call in begun[1:]:
            driver.end(call)
        driver.run()

        assert Counter(kind(call) for _, call in driver.calls) == {"probe": 20, "keyring": 1, "read": 20}

    def test_without_keys_it_is_told_kept_and_tried_slowly(self) -> None:
        driver = Driver()
        driver.phase.holds(A)
        settled(driver, query())
        driver.phase.encrypted.add("app-1")

        made = driver.run(600.0)

        state = driver.view("x")
        assert isinstance(state, Broken)
        assert state.error.reason is Reason.APP_ENCRYPTED
        assert state.full is not None
        assert [each.key for each in state.full.entries] == ["A"]
        assert set(made) == {"probe"}
        assert 12 <= len(made) <= 18
        assert driver.woken_now() == {"x"}
        assert driver.scheduler.events() == []

    @pytest.mark.parametrize("asked", [query(), replace(query(), app=AppRef(id="app-1"))], ids=["name", "id"])
    def test_without_keys_it_heals_within_a_minute_once_the_server_can_read_it(self, asked: SourceQuery) -> None:
        driver = settled(vault(A), asked)
        assert broken(driver) is Reason.APP_ENCRYPTED
        driver.phase.encrypted = set()

        driver.run(60.0)

        assert fresh(driver) == ["A"]
        assert driver.woken_now() == {"x"}

    def test_without_keys_another_trouble_takes_its_place(self) -> None:
        driver = settled(vault(A), query())
        driver.phase.errors = {"probe": DENIED, "read": DENIED}

        driver.run(60.0)

        assert broken(driver) is Reason.ACCESS_DENIED

    def test_the_full_token_is_another_account_and_reads_it(self) -> None:
        driver = settled(vault(A), query())
        driver.ask("x", full())

        assert driver.run() == ["apps", "keyring", "read"]
        assert fresh(driver) == ["A"]

    def test_server_side_encryption_turned_on_reads_nothing(self) -> None:
        driver = settled(vault(A))
        driver.run(61.0)
        driver.phase.encrypted = set()

        made = driver.run(600.0)

        assert made.count("read") == 0
        assert made.count("keyring") <= 1
        assert 9 <= made.count("probe") <= 12
        assert driver.woken_now() == set()
        assert isinstance(state := driver.view("x"), Fresh)
        assert state.revision == Revision("app-1", "moved 2")
        assert _keyring(driver) is None

    def test_a_list_that_is_out_of_date_costs_one_keyring(self) -> None:
        driver = vault(A)
        settled(driver)
        driver.scheduler.unsubscribe(key("x"))
        driver.phase.encrypted = set()
        driver.ask("x", full())

        assert driver.run(600.0)[:3] == ["keyring", "probe", "read"]
        assert Counter(kind(call) for _, call in driver.calls[-8:]) == {"probe": 8}

    def test_an_account_of_one_app_tries_the_public_api_once_an_hour(self) -> None:
        driver = settled(vault(A, tells_modes=False), by_id())

        quiet = driver.run(4 * HOUR)
        driver.phase.encrypted = set()
        driver.run(HOUR)
        after = driver.run(600.0)

        assert 4 <= quiet.count("probe") <= 5
        assert fresh(driver) == ["A"]
        assert set(after) == {"probe"}
        assert driver.woken_now() == set()

    def test_the_same_revision_is_told_on_both_routes(self) -> None:
        """Seals hold across the two, in both directions: nothing is written anew."""
        driver = vault(A)
        states = []
        for account in ("full", "none"):
            driver.ask("x", query(account=account), settled=True)
            driver.run()
            states.append(driver.view("x"))
            driver.phase.encrypted = set()

        assert states == [Unread(Revision("app-1", "moved 2"))] * 2


class TestKeyring:
    def test_while_nothing_moves_it_is_the_only_call(self) -> None:
        driver = settled(vault(A))

        made = driver.run(600.0)

        assert set(made) == {"keyring"}
        assert 10 <= len(made) <= 12
        assert driver.woken_now() == set()

    def test_a_change_is_read_once_for_all(self) -> None:
        driver = settled(vault(A))
        for number in range(100):
            driver.ask(f"y{number}", full(path=f"/{number % 10}"))
        driver.run(61.0)
        driver.woken_now()
        driver.phase.holds(A, B)

        assert driver.run(61.0).count("read") == 1
        assert driver.woken_now() == {"x"}
        assert fresh(driver) == ["A", "B"]

    def test_all_queries_of_an_environment_are_answered_by_one_read(self) -> None:
        driver = vault(A, entry("B", path="/b"), entry("C", tags=["t"]), entry("D", path="/b", tags=["t"]))
        asked = [full(), full(path="/b"), full(path=None), full(tags=("t",)), full(path="/b", tags=("t", "u"))]
        for number, each in enumerate(asked):
            driver.ask(f"x{number}", each)

        assert driver.run() == ["apps", "keyring", "read"]
        assert [fresh(driver, f"x{number}") for number in range(5)] == [
            ["A", "C"],
            ["B", "D"],
            ["A", "C", "B", "D"],
            ["C"],
            ["D"],
        ]
        read = driver.calls[-1][1]
        assert isinstance(read, Read)
        assert (read.path, read.tags, read.is_whole) == (None, (), True)

    @pytest.mark.parametrize("asked", [full(path="/b"), full(tags=("t",))], ids=["folder", "tag"])
    def test_a_part_of_an_environment_is_chosen_here(self, asked: SourceQuery) -> None:
        driver = settled(vault(A, entry("B", path="/b"), entry("C", tags=["t"])), asked)

        read = driver.calls[-1][1]
        assert isinstance(read, Read)
        assert (read.path, read.tags, read.is_whole) == (None, (), True)
        assert fresh(driver) == (["C"] if asked.tags else ["B"])

    @pytest.mark.parametrize("is_encrypted", [True, False])
    def test_an_environment_that_lost_its_date_is_read_at_its_interval(self, is_encrypted: bool) -> None:
        driver = vault(A)
        driver.phase.encrypted = {"app-1"} if is_encrypted else set()
        settled(driver)
        driver.phase.dates = False
        driver.run(61.0)
        driver.phase.holds(A, B)

        driver.run(61.0)

        assert fresh(driver) == ["A", "B"]

    def test_everything_is_read_once_an_hour_even_so(self) -> None:
        driver = settled(vault(A))
        for number in range(50):
            driver.ask(f"y{number}", full(path=f"/{number}"))
        driver.run()
        driver.phase.places["app-1", "production"].entries = (A, B)

        made = driver.run(4 * HOUR)

        assert 4 <= made.count("read") <= 5
        assert fresh(driver) == ["A", "B"]

    def test_one_call_tells_of_all_apps_at_the_shortest_interval(self) -> None:
        apps = {f"shop{number}": f"app-{number}" for number in range(20)}
        driver = Driver(phase=SimPhase(apps=apps, places={}, encrypted=set(apps.values())))
        for name, ident in apps.items():
            driver.phase.holds(A, app=ident)
            driver.ask(name, full(app=name), interval=60.0 if name == "shop7" else 3000.0)
        driver.run()

        made = driver.run(600.0)

        assert set(made) == {"keyring"}
        assert 10 <= len(made) <= 12

    @pytest.mark.parametrize("is_encrypted", [True, False])
    def test_a_thousand_subscribers_of_sixty_environments_cost_the_documented_calls(self, is_encrypted: bool) -> None:
        """docs/decisions/0015-one-keyring-an-account.md has these figures."""
        apps = {f"shop{number}": f"app-{number}" for number in range(20)}
        driver = Driver(phase=SimPhase(apps=apps, places={}, encrypted=set(apps.values()) if is_encrypted else set()))
        for ident in apps.values():
            for environment in ("development", "staging", "production"):
                driver.phase.holds(A, app=ident, environment=environment)
        for number in range(1000):
            environment = ("development", "staging", "production")[number // 20 % 3]
            driver.ask(f"x{number}", full(app=f"shop{number % 20}", environment=environment))

        start, idle = driver.run(), driver.run(600.0)

        assert Counter(start) == {
            "apps": 1,
            "keyring" if is_encrypted else "probe": 1 if is_encrypted else 20,
            "read": 60,
        }
        assert set(idle) == ({"keyring"} if is_encrypted else {"probe"})
        calls = 1 if is_encrypted else 20
        assert 9 * calls <= len(idle) <= 11 * calls

    def test_the_account_that_may_not_list_finds_names_in_the_keyring(self) -> None:
        driver = vault(A, apps={"shop": "app-1", "plain": "app-2"}, errors={"apps": NO_LIST})
        driver.phase.holds(B, app="app-2")
        driver.ask("x", full())
        driver.ask("y", full(app="plain"))
        driver.ask("z", full(app="shpo"))

        made = driver.run()
        assert (made[:2], sorted(made[2:])) == (["apps", "keyring"], ["probe", "read", "read"])
        assert (fresh(driver), fresh(driver, "y")) == (["A"], ["B"])
        assert broken(driver, "z") is Reason.APP_NOT_FOUND

    def test_a_keyring_that_only_told_names_is_not_kept(self) -> None:
        driver = Driver(phase=SimPhase(errors={"apps": NO_LIST}))
        driver.phase.holds(A)
        settled(driver)

        assert fresh(driver) == ["A"]
        assert _keyring(driver) is None
        assert driver.run(2 * HOUR).count("keyring") <= 3

    def test_the_account_that_may_not_list_and_has_no_keys_is_told_so(self) -> None:
        driver = settled(vault(A, errors={"apps": NO_LIST}), query())

        assert broken(driver) is Reason.ACCESS_DENIED
        assert "Apps: read" in driver.view("x").error.message  # type: ignore[union-attr]  # it is broken

    def test_without_list_and_keyring_the_advice_is_that_of_the_list(self) -> None:
        driver = settled(vault(A, errors={"apps": NO_LIST, "keyring": HTML}))

        assert broken(driver) is Reason.ACCESS_DENIED
        driver.phase.errors = {}
        driver.run(60.0)
        assert fresh(driver) == ["A"]

    def test_a_keyring_is_dropped_with_the_last_app_that_needs_it(self) -> None:
        driver = settled(vault(A, apps={"shop": "app-1", "plain": "app-2"}))
        driver.phase.holds(B, app="app-2")
        driver.ask("y", full(app="plain"))
        driver.run()
        assert _keyring(driver) is not None
        driver.scheduler.unsubscribe(key("x"))

        assert _keyring(driver) is None
        assert set(driver.run(600.0)) == {"probe"}

    def test_an_app_without_keys_is_told_by_its_read(self) -> None:
        driver = vault(A)
        driver.phase.places = {}
        driver.ask("x", full())
        driver.run()
        assert broken(driver) is Reason.ENVIRONMENT_NOT_FOUND
        driver.phase.holds(A)

        driver.run(60.0)

        assert fresh(driver) == ["A"]

    def test_an_environment_made_anew_is_read_with_its_new_keys_and_told_to_nobody(self) -> None:
        driver = settled(vault(A))
        driver.phase.places["app-1", "production"] = Place((A, B), moves=2, made=2)
        driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)

        assert driver.run() == ["read", "keyring", "read"]
        assert fresh(driver) == ["A", "B"]

    def test_access_that_was_withdrawn_is_told_after_a_second_look(self) -> None:
        driver = settled(vault(A))
        driver.phase.errors = {"read": DENIED}
        driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)

        assert driver.run() == ["read", "keyring", "read"]
        assert broken(driver) is Reason.ACCESS_DENIED

    def test_a_failed_decryption_keeps_the_answer_and_is_read_again_when_something_moved(self) -> None:
        driver = settled(vault(A))
        driver.run(61.0)
        place = driver.phase.places["app-1", "production"]
        driver.phase.holds(A, B)
        driver.phase.undecryptable = [place]
        driver.run(61.0)
        state = driver.view("x")
        assert isinstance(state, Broken)
        assert state.error.reason is Reason.DECRYPTION_FAILED
        assert state.full is not None
        assert [each.key for each in state.full.entries] == ["A"]

        quiet = driver.run(500.0)
        driver.phase.undecryptable = []
        driver.phase.writes()
        driver.run(61.0)

        assert quiet.count("read") == 0
        assert fresh(driver) == ["A", "B"]

    def test_a_failed_decryption_in_one_folder_holds_up_no_query_of_another(self) -> None:
        driver = vault(entry("A", path="/a"), entry("B", path="/b"))
        driver.ask("x", full(path="/a"))
        driver.ask("y", full(path="/b"))
        driver.ask("whole", full(path=None))
        driver.run(61.0)
        driver.woken_now()
        driver.phase.damaged = {"/a"}
        driver.phase.holds(entry("A", path="/a"), entry("C", path="/b"))

        driver.run(61.0)
        woken, quiet = driver.woken_now(), driver.run(500.0)

        assert fresh(driver, "y") == ["C"]
        for name in ("x", "whole"):
            state = driver.view(name)
            assert isinstance(state, Broken)
            assert state.error.reason is Reason.DECRYPTION_FAILED
            assert state.full is not None
            assert "A" in [each.key for each in state.full.entries]
        assert woken == {"x", "y", "whole"}
        assert quiet.count("read") == 0
        assert driver.woken_now() == set()
        driver.phase.damaged = set()
        driver.phase.writes()
        driver.run(61.0)
        assert fresh(driver, "whole") == ["A", "C"]

    def test_a_failed_decryption_is_read_again_when_keys_were_made_anew(self) -> None:
        driver = vault(A)
        driver.phase.undecryptable = [driver.phase.places["app-1", "production"]]
        settled(driver)
        assert broken(driver) is Reason.DECRYPTION_FAILED
        driver.phase.undecryptable, driver.phase.keys = [], Keys()

        driver.run(61.0)

        assert fresh(driver) == ["A"]

    def test_memory_that_others_took_is_asked_for_again_in_time(self) -> None:
        """That an answer finds no room says nothing of its content, and others may give theirs back at any moment."""
        driver = vault(A)
        driver.phase.errors["read"] = AnswerMemoryFull(Reason.ANSWER_TOO_LARGE, "no room")
        settled(driver)
        assert broken(driver) is Reason.ANSWER_TOO_LARGE
        driver.phase.errors = {}

        driver.run(61.0)

        assert fresh(driver) == ["A"]

    def test_requests_for_other_environments_count_for_the_quota(self) -> None:
        driver = vault(A, policy=Policy(quota=10))
        driver.phase.holds(B, environment="staging")
        driver.phase.places["app-1", "production"].refers = (("app-1", "staging"),)
        driver.ask("x", by_id())
        driver.run()

        limit = driver.scheduler.gates.of(full().account).rate_limit
        assert [type(call).__name__ for _, call in driver.calls] == ["Probe", "ReadKeyring", "Read"]
        # The probe, the read and its second request; the keyring is not counted by account.
        assert len(limit._ended) == 3


class TestNamesThatDifferInCaseAlone:
    def test_each_reads_the_one_that_it_spells(self) -> None:
        driver = vault()
        driver.phase.holds(A, environment="Prod")
        driver.phase.holds(B, environment="prod")
        driver.phase.names_as_they_are = True
        driver.ask("x", full(environment="prod", spelled="Prod"))
        driver.ask("y", full(environment="prod"))
        driver.ask("z", full(environment="prod", spelled="pROD"))
        driver.run()

        assert (fresh(driver, "x"), fresh(driver, "y")) == (["A"], ["B"])
        assert broken(driver, "z") is Reason.ENVIRONMENT_NOT_FOUND
        driver.phase.holds(C, environment="prod")
        driver.run(61.0)
        assert (fresh(driver, "x"), fresh(driver, "y")) == (["A"], ["C"])

    def test_environments_that_differ_in_case_are_read_apart_as_soon_as_there_are_two(self) -> None:
        driver = vault()
        driver.phase.names_as_they_are = True
        driver.phase.holds(A, environment="Prod")
        driver.ask("x", full(environment="prod", spelled="Prod"))
        driver.ask("y", full(environment="prod"))
        assert driver.run().count("read") == 1
        assert fresh(driver, "x") == fresh(driver, "y") == ["A"]

        driver.phase.holds(B, environment="prod")
        driver.run(130.0)

        assert (fresh(driver, "x"), fresh(driver, "y")) == (["A"], ["B"])

    @pytest.mark.parametrize("is_encrypted", [True, False])
    @pytest.mark.parametrize("path", [None, "/", "/net"])
    def test_spellings_of_one_environment_cost_one_read(self, is_encrypted: bool, path: str | None) -> None:
        driver = vault(A)
        driver.phase.encrypted = {"app-1"} if is_encrypted else set()
        for spelled in ("", "Production", "PRODUCTION"):
            driver.ask(f"x{spelled}".lower() + str(len(spelled)), full(spelled=spelled, path=path))
        driver.ask("y", full(spelled="pRODUCTION", path=path))

        assert driver.run().count("read") == 1
        driver.phase.writes()
        assert driver.run(61.0).count("read") == 1


class TestReferences:
    def shared(self) -> Driver:
        """Make three environments, of which production refers to another app's that nobody asks."""
        driver = vault(A, apps={"shop": "app-1", "shared": "app-2"})
        driver.phase.holds(B, environment="staging")
        driver.phase.holds(C, app="app-2", environment="common")
        driver.phase.places["app-1", "production"].refers = (("app-2", "common"),)
        driver.ask("x", full())
        driver.ask("y", full(environment="staging"))
        driver.run(61.0)
        driver.woken_now()
        return driver

    def test_a_move_elsewhere_reads_its_readers_at_the_next_keyring_and_nothing_else(self) -> None:
        driver = self.shared()
        driver.phase.writes("common", "app-2")
        began = len(driver.calls)

        driver.run(61.0)

        read = [call for _, call in driver.calls[began:] if isinstance(call, Read)]
        assert [call.environment for call in read] == ["production"]
        assert driver.woken_now() == {"x"}
        assert driver.run(600.0).count("read") == 0

    def test_a_move_while_it_is_read_is_not_lost(self) -> None:
        driver = self.shared()
        driver.phase.writes("production")
        while not isinstance(call := driver.scheduler.next(driver.now), Read):
            if call is not None:
                driver.end(call)
            driver.now += 1.0
        driver.phase.writes("common", "app-2")
        driver.end(call)

        driver.run(61.0)

        assert driver.run(600.0).count("read") == 0
        state = driver.view("x")
        assert isinstance(state, Fresh)
        assert {each.key: each.value.reveal() for each in state.answer.entries}["REF_common"] == "2"

    def test_a_missing_reference_is_looked_for_when_something_appears(self) -> None:
        driver = self.shared()
        driver.phase.places["app-1", "staging"].refers = (("app-2", "later"),)
        driver.phase.writes("staging")
        driver.run(61.0)
        assert fresh(driver, "y") == ["B"]
        driver.phase.holds(C, app="app-2", environment="later")

        driver.run(61.0)

        assert fresh(driver, "y") == ["B", "REF_later"]

    def test_after_a_restart_a_move_elsewhere_is_read_at_the_next_keyring_by_all_and_then_by_its_readers(self) -> None:
        """What answers are made of is not known until they are read, once."""
        driver = vault(apps={"shop": "app-1", "shared": "app-2"})
        driver.phase.holds(B, app="app-2", environment="common")
        driver.phase.holds(C, app="app-2", environment="unrelated")
        for number in range(5):
            driver.phase.holds(A, environment=f"e{number}")
            driver.ask(f"x{number}", full(environment=f"e{number}"), settled=True)
        driver.phase.places["app-1", "e0"].refers = (("app-2", "common"),)
        driver.run()
        for number in range(5):
            driver.scheduler.confirm(key(f"x{number}"), Revision("app-1", "moved 1"), driver.now)
        assert driver.run(600.0).count("read") == 0
        driver.phase.writes("common", "app-2")

        made = driver.run(61.0)

        assert made.count("read") == 5
        driver.phase.writes("unrelated", "app-2")
        assert driver.run(600.0).count("read") == 0
        driver.phase.writes("common", "app-2")
        assert driver.run(61.0).count("read") == 1

    def test_a_move_of_an_encrypted_app_reads_no_answer_of_the_public_api(self) -> None:
        driver = settled(vault(A, apps={"shop": "app-1", "plain": "app-2"}))
        driver.phase.holds(B, app="app-2")
        driver.ask("y", full(app="plain"))
        driver.run(61.0)
        driver.phase.writes()

        driver.run(600.0)

        read = [call.app_id for _, call in driver.calls if isinstance(call, Read)]
        assert read == ["app-1", "app-2", "app-1"]


class TestFailures:
    def test_too_many_keyrings_close_no_account(self) -> None:
        driver = settled(vault(A, apps={"shop": "app-1", "plain": "app-2"}))
        driver.phase.holds(B, app="app-2")
        driver.ask("y", full(app="plain"))
        driver.run(61.0)
        driver.woken_now()
        driver.phase.errors = {"keyring": LIMITED}
        driver.phase.holds(B, C, app="app-2")

        made = driver.run(50.0)

        assert made.count("keyring") <= 3
        assert fresh(driver, "y") == ["B", "C"]
        assert fresh(driver) == ["A"]
        assert driver.woken_now() == {"y"}

    def test_too_many_keyrings_are_told_as_what_is_late(self) -> None:
        driver = settled(vault(A))
        driver.phase.errors = {"keyring": LIMITED}
        driver.run(200.0)

        assert broken(driver) is Reason.RATE_LIMITED
        driver.phase.errors = {}
        driver.woken_now()
        driver.run(90.0)
        assert fresh(driver) == ["A"]
        assert driver.woken_now() == {"x"}

    def test_a_read_that_works_does_not_hide_that_others_are_late(self) -> None:
        driver = settled(vault(A))
        driver.phase.holds(B, environment="staging")
        driver.ask("y", full(environment="staging"))
        driver.run(61.0)
        driver.phase.errors = {"keyring": LIMITED}
        driver.run(200.0)
        driver.phase.errors = {"keyring": replace_after(LIMITED, 300.0)}
        driver.until("keyring")
        driver.phase.holds(A, C)
        driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)

        assert driver.run(5.0) == ["read"]
        assert fresh(driver) == ["A", "C"]
        assert broken(driver, "y") is Reason.RATE_LIMITED

    def test_a_read_that_waits_for_a_keyring_is_made_when_that_is_refused(self) -> None:
        driver = settled(vault(A))
        driver.until("keyring")
        driver.run(20.0)
        driver.phase.holds(A, B)
        driver.phase.errors = {"keyring": LIMITED}
        driver.scheduler.want(key("x"), PollPriority.FORCED, driver.now)

        assert driver.run() == ["keyring", "read"]
        assert fresh(driver) == ["A", "B"]

    def test_a_query_that_waits_for_a_first_keyring_shows_its_error_at_once(self) -> None:
        driver = settled(vault(A, errors={"keyring": LIMITED}))

        assert broken(driver) is Reason.RATE_LIMITED
        driver.phase.errors = {}
        driver.run(30.0)
        assert fresh(driver) == ["A"]

    def test_all_accounts_of_a_host_wait_and_no_other_host(self) -> None:
        driver = vault(A)
        elsewhere = "https://other.example/service/public"
        for number in range(20):
            driver.ask(f"x{number}", full(account=f"full{number}"), interval=10.0)
        driver.ask("y", full(base_url=elsewhere), interval=10.0)
        driver.run(60.0)
        driver.phase.errors = {"keyring": LIMITED}
        driver.until("keyring")
        here, there = 0, 0
        began = len(driver.calls)

        driver.run(60.0)

        for _, call in driver.calls[began:]:
            here += call.account.base_url != elsewhere
            there += call.account.base_url == elsewhere
        assert here <= 4
        assert there <= 4

    def test_a_dead_token_is_final_until_it_is_replaced_and_asked_for_slowly(self) -> None:
        driver = settled(vault(A))
        driver.phase.errors = {"keyring": DENIED, "read": DENIED}
        driver.run(61.0)
        assert broken(driver) is Reason.ACCESS_DENIED

        made = driver.run(2 * HOUR)

        assert set(made) == {"keyring", "apps"}
        assert len(made) <= 2 * HOUR / 36 + 3
        driver.phase.errors = {}
        driver.run(60.0)
        assert fresh(driver) == ["A"]

    def test_a_host_without_the_route_is_told(self) -> None:
        driver = settled(vault(A, errors={"keyring": HTML}))

        assert broken(driver) is Reason.UNEXPECTED_ANSWER
        made = Counter(driver.run(600.0))
        assert set(made) == {"keyring", "probe"}
        assert max(made.values()) <= 600 / 36 + 3

    @pytest.mark.parametrize("error", [HTML, Waiting(Reason.TOKEN_INVALID, "the key fields are torn")], ids=str)
    @pytest.mark.parametrize("asked", [full(), by_id()], ids=["name", "id"])
    def test_without_a_keyring_it_heals_once_the_server_can_read_it(self, asked: SourceQuery, error: Waiting) -> None:
        driver = settled(vault(A, errors={"keyring": error}), asked)
        assert broken(driver) is error.reason
        driver.phase.encrypted = set()

        driver.run(90.0)

        assert fresh(driver) == ["A"]

    def test_an_outage_keeps_the_answer_and_heals_within_a_minute(self) -> None:
        driver = settled(vault(A))
        driver.phase.errors = dict.fromkeys(("apps", "keyring", "probe", "read"), DOWN)
        made = driver.run(600.0)
        state = driver.view("x")
        assert isinstance(state, Broken)
        assert state.full is not None
        assert len(made) <= 60

        driver.phase.errors = {}
        driver.phase.holds(A, B)
        driver.run(60.0)

        assert fresh(driver) == ["A", "B"]

    def test_keyrings_that_fail_for_long_give_way_to_reads_with_the_last_one(self) -> None:
        driver = settled(vault(A))
        driver.phase.errors = {"keyring": Transient(Reason.PHASE_UNAVAILABLE, "500")}
        driver.phase.holds(A, B)

        driver.run(200.0)

        assert fresh(driver) == ["A", "B"]


class TestNothingIsLost:
    """The read of every hour finds what no revision shows; whatever keeps it from being made, it is made later."""

    def silently(self, driver: Driver) -> None:
        """Let the environment hold more, without a sign."""
        driver.phase.places["app-1", "production"].entries = (A, B)

    def test_a_read_that_is_due_while_nothing_can_be_read(self) -> None:
        driver = settled(vault(A))
        driver.phase.errors = {"keyring": DENIED}
        driver.run(2 * HOUR)
        self.silently(driver)
        driver.phase.errors = {}

        driver.run(HOUR)

        assert fresh(driver) == ["A", "B"]

    def test_a_read_that_is_due_while_the_app_is_looked_for(self) -> None:
        driver = Driver()
        driver.phase.holds(A)
        settled(driver)
        driver.run(61.0)
        gone = Waiting(Reason.APP_NOT_FOUND, "Phase answers 404: App with ID app-1 not found")
        driver.phase.errors = {"probe": gone, "apps": DOWN, "read": DOWN}
        driver.run(2 * HOUR)
        self.silently(driver)
        driver.phase.errors = {}

        driver.run(HOUR)

        assert fresh(driver) == ["A", "B"]

    def test_a_read_that_waits_for_a_keyring_which_is_refused(self) -> None:
        driver = settled(vault(A))
        app = driver.scheduler._account_states[full().account].apps[full().app]
        while not app.waiting:
            driver.run(1.0)
        driver.phase.errors = {"keyring": DENIED}
        driver.run(100.0)
        assert broken(driver) is Reason.ACCESS_DENIED
        self.silently(driver)
        driver.phase.errors = {}

        driver.run(HOUR)

        assert fresh(driver) == ["A", "B"]

    def test_a_read_that_is_refused_since_the_app_is_encrypted_now(self) -> None:
        driver = Driver()
        driver.phase.holds(A)
        settled(driver)
        driver.run(61.0)
        while not isinstance(call := driver.scheduler.next(driver.now), Read):
            if call is not None:
                driver.end(call)
                continue
            driver.now += 1.0
        driver.phase.encrypted = {"app-1"}
        self.silently(driver)
        driver.end(call)

        driver.run(60.0)

        assert fresh(driver) == ["A", "B"]


class TestHostile:
    def test_a_host_that_says_both_makes_no_loop(self) -> None:
        """The list and the keyring deny what every probe says."""
        driver = vault(A)
        driver.phase.keyring = lambda: replace(  # type: ignore[method-assign]  # this host lies
            SimPhase.keyring(driver.phase),
            apps=tuple(replace(each, is_encrypted=False) for each in SimPhase.keyring(driver.phase).apps),
        )
        driver.ask("x", by_id(), interval=5.0)

        made = driver.run(600.0)

        assert len(made) <= 3 * 600 / 5
        assert made.count("probe") <= 600 / 40 * 2 + 2

    def test_an_app_that_changes_sides_with_every_answer_makes_no_loop(self) -> None:
        driver = vault(A)
        driver.ask("x", by_id(), interval=60.0)
        made = []
        for _ in range(600):
            made += driver.run(1.0)
            driver.phase.encrypted ^= {"app-1"}

        assert len(made) <= 120

    def test_the_list_of_a_keyring_is_kept_once_however_many_queries_use_it(self) -> None:
        """One app has many spellings: each would otherwise take as much memory and time as the whole keyring."""
        driver = Driver(phase=SimPhase(apps={"abcdefgh": "app-1"}, encrypted={"app-1"}, places={}))
        for number in range(1_000):
            driver.phase.places["app-1", f"e{number}"] = Place((A,))
        for number in range(200):
            spelt = "".join(char.upper() if number >> at & 1 else char for at, char in enumerate("abcdefgh"))
            driver.ask(f"x{number}", full(app=spelt, environment="e1"))
        while not isinstance(call := driver.scheduler.next(driver.now), ReadKeyring):
            assert call is not None
            driver.end(call)
        index = KeyringIndex(driver.phase.keyring())
        tracemalloc.start()

        driver.scheduler.keyring_read(call, index, driver.now)

        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown < 1_000_000

    def test_apps_that_all_change_sides_at_once_are_gone_through_a_few_times(self) -> None:
        """A namespace may ask for thousands of apps, and its host may say of all of them what it likes."""
        apps = {f"app{number}": f"app-{number}" for number in range(300)}
        driver = Driver(phase=SimPhase(apps=apps, encrypted=set(apps.values()), places={}))
        for name, ident in apps.items():
            driver.phase.holds(A, app=ident)
            driver.ask(name, full(app=name))
        driver.run(120.0)
        account_state = driver.scheduler._account_states[full().account]
        account_state.apps = counted = Counted(account_state.apps)
        driver.phase.encrypted = set()

        driver.until("keyring")

        assert counted.number < 20


class Counted(dict[AppRef, AppState]):
    """Counts how often all apps are gone through."""

    number = 0

    def values(self):  # type: ignore[no-untyped-def]  # the view of a dict
        """Count, and return what a dict does."""
        self.number += 1
        return super().values()


def replace_after(error: Transient, after: float) -> Transient:
    """Return the error with another pause."""
    return Transient(error.reason, error.message, after=after)


def _keyring(driver: Driver) -> object:
    return driver.scheduler._account_states[full().account].keys.index


def test_the_error_of_a_refusal_has_its_own_reason() -> None:
    assert isinstance(ENCRYPTED, Waiting)
    assert ENCRYPTED.reason is Reason.APP_ENCRYPTED


class Throttled(SimPhase):
    """Counts calls for keyrings by address, of all accounts together: so many in a minute, and no more."""

    def __init__(self, limit: int, **fields: object) -> None:
        super().__init__(encrypted={"app-1"}, **fields)  # type: ignore[arg-type]  # fields of a SimPhase
        self.limit = limit
        self.driver: Driver | None = None
        self.passed: list[float] = []
        self.refused = 0

    def keyring(self) -> Keyring:
        """Return the keys, or refuse."""
        assert self.driver is not None
        now = self.driver.now
        window = [at for at in self.passed if now - at < 60.0]
        if len(window) >= self.limit:
            self.refused += 1
            raise Transient(Reason.RATE_LIMITED, "throttled", after=60.0 - (now - window[0]))
        self.passed.append(now)
        return super().keyring()


class TestAddress:
    def test_many_accounts_that_start_together_are_late_for_minutes_at_most(self) -> None:
        """The limit is met before a minute has passed, so that it is not known yet."""
        phase = Throttled(40)
        phase.holds(A)
        driver = phase.driver = Driver(phase=phase)
        for number in range(60):
            driver.ask(f"team-{number}/x{number}", full(account=f"full{number}"), interval=60.0)

        driver.run(240.0)
        began = len(driver.calls)
        driver.run(300.0)

        assert all(isinstance(driver.view(f"team-{number}/x{number}"), Fresh | Broken) for number in range(60))
        assert sum(isinstance(call, ReadKeyring) for _, call in driver.calls[began:]) >= 5 * 40 * 0.7
        assert phase.refused <= 20

    @pytest.mark.parametrize("accounts", [30, 200])
    def test_a_namespace_with_many_accounts_delays_its_own_keyrings(self, accounts: int) -> None:
        phase = Throttled(60)
        phase.holds(A)
        driver = phase.driver = Driver(phase=phase)
        for number in range(accounts):
            driver.ask(f"mallory/x{number}", full(account=f"full{number}"), interval=5.0)
        driver.ask("team/y", full(account="full of team"), interval=60.0)
        driver.run(1500.0)
        began, refused = len(driver.calls), phase.refused

        driver.run(1800.0)

        ours = [
            at
            for at, call in driver.calls[began:]
            if isinstance(call, ReadKeyring) and call.account.name == "full of team"
        ]
        assert max(after - before for before, after in pairwise(ours)) <= 90.0
        assert phase.refused - refused <= 60


class Counting(SimPhase):
    """Counts all requests of an account in a sliding minute, and refuses those above 120; a request takes a moment."""

    def __init__(self, environments: int, referenced: int) -> None:
        super().__init__(encrypted={"app-1"}, apps={"shop": "app-1", "shared": "app-2"}, places={})
        self.passed: list[float] = []
        self.refused = 0
        shared = [f"shared-{number}" for number in range(referenced)]
        for name in shared:
            self.holds(B, app="app-2", environment=name)
        for number in range(environments):
            self.holds(A, environment=f"e{number}")
            self.places["app-1", f"e{number}"].refers = tuple(("app-2", name) for name in shared)

    def takes(self, now: float) -> bool:
        """Take a request, or refuse it."""
        self.passed = [at for at in self.passed if now - at < 60.0]
        if len(self.passed) >= 120:
            self.refused += 1
            return False
        self.passed.append(now)
        return True

    @property
    def retry_after(self) -> Transient:
        """The refusal that is due now."""
        return Transient(Reason.RATE_LIMITED, "quota", after=60.0)


class Concurrent:
    """A driver whose reads take a request at a time, many at once."""

    def __init__(self, phase: Counting, policy: Policy) -> None:
        self.phase = phase
        self.driver = Driver(policy, phase)
        # A read, and how many requests of it are still to be made.
        self.under_way: list[tuple[Read, int]] = []

    def step(self) -> None:
        """Let every read make a request, then begin what may begin."""
        driver, going = self.driver, self.under_way
        self.under_way = []
        for call, left in going:
            if not self.phase.takes(driver.now):
                driver.scheduler.failed(call, self.phase.retry_after, driver.now)
            elif left == 1:
                answer = self.phase.answer(call)
                assert isinstance(answer, Decrypted)
                driver.scheduler.was_read(call, SharedAnswer(call.app_id, answer.entries), driver.now, answer)
            else:
                driver.scheduler.goes_on(call, driver.now)
                self.under_way.append((call, left - 1))
        while (begun := driver.scheduler.next(driver.now)) is not None:
            if isinstance(begun, Read):
                self.under_way.append((begun, 1 + len(self.phase.places[begun.app_id, begun.environment].refers)))
            else:
                if not isinstance(begun, ReadKeyring):
                    self.phase.takes(driver.now)
                driver.end(begun)
        driver.now += 0.25

    def answered(self) -> int:
        """Return how many PhaseSecrets have an answer."""
        return sum(isinstance(self.driver.view(str(number)), Fresh) for number in range(30))


class TestQuota:
    def test_reads_with_many_references_use_the_quota_up_and_are_not_refused(self) -> None:
        """630 requests take five minutes and a quarter, at 120 a minute."""
        there = Concurrent(Counting(30, 20), Policy(quota=120))
        for number in range(30):
            there.driver.ask(str(number), full(environment=f"e{number}"))
        began = there.driver.now

        while there.answered() < 30 and there.driver.now - began < 1200.0:
            there.step()

        assert there.answered() == 30
        assert there.driver.now - began <= 400.0
        assert there.phase.refused <= 5

    def test_reads_without_references_do_not_wait_for_room_that_they_do_not_need(self) -> None:
        """Only the first few wait for each other: they tell that there are none."""
        there = Concurrent(Counting(30, 0), Policy(quota=120))
        for number in range(30):
            there.driver.ask(str(number), full(environment=f"e{number}"))
        began = there.driver.now

        while there.answered() < 30 and there.driver.now - began < 1200.0:
            there.step()

        assert there.driver.now - began <= 3.0
        assert there.phase.refused == 0

    def test_many_reads_that_wait_for_room_look_again_a_few_at_a_time(self) -> None:
        gate = Gates(120).of(full().account)
        account_state, now = AccountState(gate), 1000.0
        gate.rate_limit.begin(now, number=110)

        again = sorted(account_state.room_at(21, now) - now for _ in range(1000))

        assert again[0] <= 1.1
        assert max(sum(second <= each < second + 1 for each in again) for second in range(30)) <= 51

    def test_one_read_begins_in_each_window_without_the_room_that_it_may_need(self) -> None:
        """Others may use up whatever becomes free."""
        gate = Gates(120).of(full().account)
        account_state, now = AccountState(gate), 1000.0
        for _ in range(100):
            gate.rate_limit.begin(now)
            gate.rate_limit.end(now)
        assert account_state.room_at(1, now) == now

        assert account_state.room_at(21, now) > now
        assert account_state.room_at(21, now + 59.0) > now + 59.0
        for _ in range(100):
            gate.rate_limit.begin(now + 60.0)
            gate.rate_limit.end(now + 60.0)

        assert account_state.room_at(21, now + 60.0) == now + 60.0
        assert account_state.room_at(21, now + 61.0) > now + 61.0
