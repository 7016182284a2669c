"""The store is complete before anybody calls us ready, and what vanished unseen is found."""

import asyncio
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any, cast

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings

from phase_operator.api import names
from phase_operator.api.crd import PHASE_SECRET
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.values import ObjectKey
from phase_operator.handlers.kind import Listing, ShownKind
from phase_operator.handlers.watcher import Watcher
from phase_operator.kube.kopf_requests import Take
from phase_operator.reconcile.store import Lifecycle, PhaseSecretStore
from support.any_json import any_metadata, deep, shallow
from support.builders import phase_secret
from support.clock import settle
from support.fakes import Loop


class Sweep:
    """A watcher whose list, sleep and store are in the test's hand."""

    def __init__(self, listed: list[ObjectKey], shows: list[list[str | dict[str, Any]]]) -> None:
        self.loop = Loop()
        self.listed = listed
        # What every list fails with.
        self.error: Exception | None = None
        # Those that are not at their first.
        self.generations: dict[ObjectKey, int] = {}
        # Namespaces that refuse us.
        self.left_out: set[str] = set()
        self.counts = 0
        self.lists = 0
        self.problems: list[str | None] = []
        self.pauses: list[float] = []
        # Whether our kinds are served, by each look; after the last one the test is over.
        self.served: list[bool | Exception] = []
        # How many seconds it takes when so many answers are left.
        self.lasts: dict[int, float] = {}
        # What the watch shows during each sleep; after the last one the test is over.
        self._shows = shows
        self.shown = ShownKind(
            definition=PHASE_SECRET,
            resources=self.loop.resources,
            changes=self.loop.triggers,
            not_understood=self.loop.events.not_understood,
            count=self._count,
            list_all=self._list,
            clock=self.loop.clock,
            internal_errors=self.loop.internal_errors,
        )
        self.watcher = Watcher(
            kinds=[self.shown],
            is_back=self.loop.workers.kubernetes_is_back,
            listed=asyncio.Event(),
            is_own_version=lambda _: True,
            session=lambda *_: aiohttp.ClientSession(),
            served=self._served,
            server="https://example",
            clock=self.loop.clock,
            has_lists=True,
            restarted=lambda _: None,
            sleep=self._sleep,
        )

    async def __aenter__(self) -> "Sweep":
        self._driving = self.loop.clock.driving()
        self._driving.__enter__()
        self._sweeping = asyncio.create_task(self.watcher.sweep())
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sweeping.cancel()
        await asyncio.wait({self._sweeping})
        self._driving.__exit__(None, None, None)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.clock.turn(seconds)
        await settle()

    async def _served(self) -> set[str]:
        self.loop.clock.turn(self.lasts.get(len(self.served), 0.0))
        answer = self.served.pop(0) if self.served else asyncio.CancelledError()
        if isinstance(answer, BaseException):
            raise answer
        return {"phasesecrets", "phasethings"} if answer else set()

    async def _count(self) -> int:
        self.counts += 1
        return len(self.listed)

    async def _list(self) -> Listing:
        self.lists += 1
        if self.error is not None:
            raise self.error
        found = [phase_secret(each, generation=self.generations.get(each, 1))["metadata"] for each in self.listed]
        return Listing([each for each in found if each["namespace"] not in self.left_out], self.left_out)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.problems.append(self.watcher.problem)
        if not self._shows:
            raise asyncio.CancelledError
        for name in self._shows.pop(0):
            body: dict[str, Any] = phase_secret(key(name)) if isinstance(name, str) else name
            self.shown.take("ADDED", body)


def key(name: str) -> ObjectKey:
    return ObjectKey("team", name)


async def test_the_first_list_is_complete_when_as_many_were_shown_as_there_are() -> None:
    async with Sweep([key("a"), key("b")], [["a"], [], ["b"]]) as sweep:
        assert (sweep.counts, sweep.lists, sweep.watcher.problem) == (4, 0, None)
        assert sweep.problems == [
            "2 PhaseSecrets not seen by the watch yet",
            "1 PhaseSecrets not seen by the watch yet",
            "1 PhaseSecrets not seen by the watch yet",
        ]


@pytest.mark.parametrize(
    ("shown", "is_own"),
    [
        pytest.param({"status": {"keys": 1}}, True, id="a status"),
        pytest.param({"generation": 2}, False, id="an edit that a write without effect was answered with"),
        pytest.param({"sync": "now"}, False, id="a sync that is asked for"),
        pytest.param({"deleting": True}, False, id="a deletion that waits for others"),
        pytest.param({"finalizers": [names.FINALIZER]}, False, id="a finalizer"),
        pytest.param({"uid": "another"}, False, id="another object of the same name"),
        pytest.param({"key": key("new")}, False, id="an unknown object"),
    ],
)
async def test_an_event_of_our_own_version_is_own_if_it_shows_nothing_new(shown: dict[str, Any], is_own: bool) -> None:
    async with Sweep([key("a")], [["a"]]) as sweep:
        body = phase_secret(**{"key": key("a"), **shown})

        assert sweep.watcher.is_own({"type": "MODIFIED", "object": body}) is is_own


async def test_a_resource_that_vanished_unseen_is_forgotten_in_time() -> None:
    async with Sweep([key("a")], [["a", "ghost"]]) as sweep:
        await sweep.pass_time(601.0)

        assert sweep.loop.resources.keys() == {key("a")}
        assert sweep.watcher.problem is None


async def test_a_resource_that_the_watch_misses_is_a_problem_until_it_comes() -> None:
    async with Sweep([], [[], ["late"]]) as sweep:
        sweep.listed = [key("late")]

        await sweep.pass_time(601.0)

        assert sweep.problems == [None, "1 PhaseSecrets not seen by the watch yet"]
        assert sweep.watcher.problem is None


async def test_a_deleted_resource_that_waits_for_us_is_kept_until_it_is_gone() -> None:
    async with Sweep([key("a")], [["a"]]) as sweep:
        ending = phase_secret(key("a"), finalizers=[names.FINALIZER, names.LEGACY_FINALIZER], deleting=True)
        sweep.shown.take("MODIFIED", ending)
        kept = sweep.loop.resources.get(key("a"))
        assert kept is not None
        assert kept.life is Lifecycle.DELETING

        sweep.shown.take("MODIFIED", phase_secret(key("a"), finalizers=["someone/else"], deleting=True))

        assert sweep.loop.resources.keys() == set()


async def test_a_deleted_resource_that_waits_for_another_finalizer_is_not_missed() -> None:
    leaving = phase_secret(key("a"), finalizers=["someone/else"], deleting=True)
    async with Sweep([key("a")], [[leaving]]) as sweep:
        await sweep.pass_time(601.0)

        assert sweep.watcher.problem is None
        assert not sweep.loop.resources.keys()


async def test_a_watch_that_does_not_show_an_edit_stands_still() -> None:
    async with Sweep([key("a")], [["a"], [], []]) as sweep:
        assert sweep.watcher.blind() == 0.0
        sweep.generations[key("a")] = 2

        await sweep.pass_time(601.0)
        assert sweep.watcher.problem == "1 PhaseSecrets not seen by the watch yet"
        sweep.loop.clock.turn(500.0)

        assert sweep.watcher.blind() == 500.0


async def test_an_api_server_that_is_away_is_no_standstill() -> None:
    async with Sweep([key("a")], [["a"], [], []]) as sweep:
        sweep.generations[key("a")] = 2
        await sweep.pass_time(601.0)
        sweep.loop.clock.turn(500.0)
        assert sweep.watcher.blind() == 500.0
        sweep.error = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")

        assert not await sweep.watcher._try(ShownKind.all_seen)

        assert sweep.watcher.blind() == 0.0


async def test_an_edit_that_the_watch_shows_after_a_moment_is_no_standstill() -> None:
    edited = phase_secret(key("a"), generation=2)
    async with Sweep([key("a")], [["a"], [edited]]) as sweep:
        sweep.generations[key("a")] = 2

        await sweep.pass_time(601.0)

        assert (sweep.watcher.problem, sweep.watcher.blind()) == (None, 0.0)


async def test_an_outage_is_followed_by_a_look_every_second() -> None:
    async with Sweep([key("a")], [["a"], *[[]] * 20]) as sweep:
        sweep.error = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
        sweep.pauses.clear()

        await sweep.pass_time(601.0)

        assert sweep.pauses
        assert set(sweep.pauses) == {1.0}


async def test_a_resource_that_is_missed_after_an_outage_is_looked_for_at_once_and_then_ever_more_seldom() -> None:
    async with Sweep([key("a")], [["a"], *[[]] * 8]) as sweep:
        sweep.generations[key("a")] = 2
        sweep.pauses.clear()

        await sweep.pass_time(601.0)

        assert sum(sweep.pauses[:4]) <= 3.0
        assert sweep.pauses[-1] == 10.0


async def test_the_watch_is_not_begun_where_its_crd_is_not_served(caplog: pytest.LogCaptureFixture) -> None:
    sweep = Sweep([], [[]] * 20)
    sweep.served = [False] * 10

    await asyncio.wait({asyncio.create_task(sweep.watcher.watch(lambda: None))})

    assert sweep.problems[-1] == "PhaseSecrets are not watched: their CRD is not there"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == ["watch interrupted"]
    assert len(sweep.pauses) == 10
    assert max(sweep.pauses) <= 2.0


async def test_a_watch_that_breaks_again_and_again_is_begun_ever_more_slowly_until_one_lasted() -> None:
    down = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
    sweep = Sweep([], [[]] * 20)
    sweep.served = [down] * 9
    # Only the last one is asked for so long.
    sweep.lasts = {1: 60.0}

    await asyncio.wait({asyncio.create_task(sweep.watcher.watch(lambda: None))})

    assert sweep.pauses[7] > 1.3
    assert sweep.pauses[8] < 0.3


async def test_a_list_that_is_read_anew_is_followed_by_a_look_for_what_vanished() -> None:
    # kopf reports nothing of objects that are not in its list any more.
    async with Sweep([key("a")], [["a", "ghost"]]) as sweep:
        sweep.watcher.listed_anew()
        await settle()

        assert sweep.loop.resources.keys() == {key("a")}


class Storm(Sweep):
    """Somebody edits without a pause: each list has an edit that the watch shows right after it."""

    async def _list(self) -> Listing:
        name = f"s{self.lists % 3}"
        shown, self._on_its_way = self._on_its_way, key(name)
        if shown is not None:
            self.shown.take("MODIFIED", phase_secret(shown, generation=self.generations[shown]))
        self.generations[key(name)] = self.generations.get(key(name), 1) + 1
        return await super()._list()

    _on_its_way: ObjectKey | None = None


async def test_a_storm_of_edits_that_all_arrive_is_no_standstill_and_keeps_nobody_from_being_ready() -> None:
    names = ["s0", "s1", "s2"]
    shown: list[list[str | dict[str, Any]]] = [[*names], *[[]] * 200]
    async with Storm([key(name) for name in names], shown) as sweep:
        for _ in range(10):
            await sweep.pass_time(601.0)

            assert (sweep.watcher.problem, sweep.watcher.blind()) == (None, 0.0)
        assert sweep.lists < 40


async def test_an_edit_that_is_not_shown_among_many_that_are_is_a_standstill() -> None:
    names = ["s0", "s1", "s2"]
    shown: list[list[str | dict[str, Any]]] = [[*names, "lost"], *[[]] * 300]
    async with Storm([key(name) for name in (*names, "lost")], shown) as sweep:
        sweep.generations[key("lost")] = 7
        await sweep.pass_time(601.0)
        for _ in range(50):
            await sweep.pass_time(10.0)

        assert sweep.watcher.problem == "1 PhaseSecrets not seen by the watch yet"
        assert sweep.watcher.blind() > 420.0


async def test_a_resource_of_a_namespace_that_refuses_us_is_not_forgotten() -> None:
    async with Sweep([key("a")], [["a"]]) as sweep:
        sweep.left_out = {"team"}

        await sweep.pass_time(601.0)

        assert sweep.loop.resources.keys() == {key("a")}


async def test_a_phase_secret_that_cannot_be_taken_costs_itself_and_is_told() -> None:
    broken: Any = phase_secret(key("bad"))
    broken["spec"] = {"deep": deep()}
    async with Sweep([key("bad"), key("a")], [[broken, "a"], *[[]] * 20]) as sweep:
        sweep.shown.take("MODIFIED", broken)
        sweep.shown.take("MODIFIED", {"metadata": 7})
        await sweep.pass_time(601.0)

        assert sweep.loop.resources.keys() == {key("a")}
        assert sweep.watcher.blind() == 0.0
        assert [notice.reason for notice in sweep.loop.cluster.notices] == ["InternalError"] * 2
        assert set(sweep.loop.faulty) == {"phasesecrets"}


@given(any_metadata(), shallow, shallow)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_object_of_a_list_keeps_what_follows_from_being_taken(metadata: Any, odd: Any, other: Any) -> None:
    async def scenario() -> None:
        sweep = Sweep([], [])
        named = {**metadata, "namespace": "team", "name": "odd"}
        for each in (metadata, named, {**named, "uid": odd, "generation": other}, {**named, "deletionTimestamp": odd}):
            sweep.shown.take("LISTED", {"metadata": each, "spec": odd, "status": other})

        sweep.shown.take("LISTED", phase_secret(key("a")))

        assert key("a") in sweep.loop.resources

    asyncio.run(scenario())


class Known:
    """A store for a kind, the events that reached it, and the objects of a list."""

    def __init__(self, kind: str, listed: list[str], sweep: Sweep) -> None:
        self.resources = PhaseSecretStore("" if kind == PHASE_SECRET.kind else kind)
        self.listed = listed
        self.error: Exception | None = None
        self.changed: list[ObjectKey] = []
        self.gone: list[ObjectKey] = []
        self.shown = ShownKind(
            definition=replace(PHASE_SECRET, kind=kind, plural=f"{kind.lower()}s"),
            resources=self.resources,
            changes=self,
            not_understood=self.not_understood,
            count=self._count,
            list_all=self._list,
            clock=sweep.loop.clock,
            internal_errors=sweep.loop.internal_errors,
            why_unserved=self._why_unserved,
        )
        # What keeps it from being watched, and what each look at that was told to be served.
        self.lacks: str | ExpectedError | None = None
        self.looks: list[Set[str]] = []

    async def _why_unserved(self, served: Set[str]) -> str | None:
        self.looks.append(served)
        if isinstance(self.lacks, ExpectedError):
            raise self.lacks
        return self.lacks

    def resource_changed(self, key: ObjectKey, *, is_first: bool) -> None:
        self.changed.append(key)

    def resource_gone(self, key: ObjectKey) -> None:
        self.gone.append(key)

    def not_understood(self, key: ObjectKey, uid: str) -> None:
        raise AssertionError(f"{key} {uid}")

    async def _count(self) -> int:
        if self.error is not None:
            raise self.error
        return len(self.listed)

    async def _list(self) -> Listing:
        await self._count()
        return Listing([phase_secret(key(name))["metadata"] for name in self.listed])


def two_kinds(sweep: Sweep) -> tuple[Watcher, Known, Known]:
    """Watch two kinds, each with a resource of the same name."""
    one, other = Known("PhaseSecret", ["shop"], sweep), Known("PhaseThing", ["shop"], sweep)
    watcher = Watcher(
        kinds=[one.shown, other.shown],
        is_back=sweep.loop.workers.kubernetes_is_back,
        listed=asyncio.Event(),
        is_own_version=lambda _: True,
        session=lambda *_: aiohttp.ClientSession(),
        served=sweep._served,
        server="https://example",
        clock=sweep.loop.clock,
        has_lists=True,
        restarted=lambda _: None,
        sleep=sweep._sleep,
    )
    return watcher, one, other


async def test_each_kind_has_a_watch_of_its_own_and_a_store_of_its_own() -> None:
    watcher, one, other = two_kinds(Sweep([], []))
    registry = watcher._registry()

    every = registry._watching.get_all_handlers()
    handlers: dict[str, Any] = {str(each.selector.any_name): each for each in every if each.selector is not None}
    assert handlers.keys() == {"phasesecrets", "phasethings"}
    event = {"type": "ADDED", "object": phase_secret(key("shop"))}
    assert handlers["phasethings"].when(event=event)
    await handlers["phasethings"].fn(event=event)

    assert (one.changed, other.changed) == ([], [ObjectKey("team", "shop", "PhaseThing")])
    assert (list(one.resources.keys()), list(other.resources.keys())) == ([], other.changed)
    assert not handlers["phasethings"].when(event=event)
    assert handlers["phasesecrets"].when(event=event)


async def test_each_kind_takes_the_objects_of_its_own_list() -> None:
    sweep = Sweep([], [])
    watcher, one, other = two_kinds(sweep)
    given: list[Mapping[str, Take]] = []

    def session(_: object, __: object, listed: Mapping[str, Take]) -> aiohttp.ClientSession:
        given.append(listed)
        return aiohttp.ClientSession()

    watcher._session = session
    [login] = watcher._registry()._activities.get_all_handlers()
    made: Any = await cast("Any", login.fn)()
    await made.aiohttp_session.close()
    [taken] = given

    for plural in ("phasethings", "phasesecrets", "phasethings"):
        assert taken[plural](phase_secret(key("shop")))
        assert not taken[plural](phase_secret(key("old"), finalizers=[names.FINALIZER, names.LEGACY_FINALIZER]))

    assert taken.keys() == {"phasesecrets", "phasethings"}
    assert (one.changed, other.changed) == ([key("shop")], [ObjectKey("team", "shop", "PhaseThing")])
    assert list(one.resources.keys()) == one.changed


async def test_one_look_at_what_is_served_is_for_all_kinds() -> None:
    sweep = Sweep([], [])
    watcher, one, other = two_kinds(sweep)
    sweep.served = [True]
    # The watch ends before kopf begins.
    other.lacks = Transient(Reason.KUBERNETES_UNAVAILABLE, "it is away")

    with pytest.raises(Transient):
        await watcher._watch_once(lambda: None)

    assert sweep.served == []
    assert one.looks == other.looks == [{"phasesecrets", "phasethings"}]


async def test_one_look_shows_which_of_all_missing_kinds_can_be_served() -> None:
    sweep = Sweep([], [])
    watcher, one, other = two_kinds(sweep)
    sweep.served = [True] * 3
    one.lacks = other.lacks = "their CRD is not there"
    for known in (one, other):
        assert not await watcher._is_any_served([known.shown])
    other.lacks = None

    assert await watcher._can_serve_more()

    assert (sweep.served, watcher.unserved()) == ([], 1)


async def test_a_kind_that_is_not_served_holds_up_no_other_one() -> None:
    sweep = Sweep([], [])
    watcher, one, other = two_kinds(sweep)
    sweep.served = [True]
    other.error, other.lacks = Transient(Reason.KUBERNETES_UNAVAILABLE, "refused"), "their CRD is not there"
    one.shown.take("ADDED", phase_secret(key("shop")))

    assert await watcher._try(ShownKind.first_seen)
    watcher._listed.set()

    assert (watcher.problem, watcher.unserved(), watcher.is_complete()) == (None, 1, True)
    assert watcher.note() == "PhaseThings are not served: their CRD is not there"
    every = watcher._registry()._watching.get_all_handlers()
    assert {str(each.selector.any_name) for each in every if each.selector is not None} == {"phasesecrets"}


async def test_a_kind_is_watched_as_soon_as_it_can_be_and_is_complete_when_it_was_seen() -> None:
    sweep = Sweep([], [])
    watcher, one, other = two_kinds(sweep)
    sweep.served = [True] * 2
    one.shown.take("ADDED", phase_secret(key("shop")))
    other.lacks = "their CRD is not there"
    assert not await other.shown.look_whether_served(set())
    assert await watcher._try(ShownKind.first_seen)
    watcher._listed.set()
    assert not await watcher._can_serve_more()

    other.lacks = None
    assert await watcher._can_serve_more()

    assert (watcher.note(), watcher.unserved(), watcher.is_complete()) == (None, 0, False)
    assert not await watcher._try(ShownKind.all_seen)
    other.shown.take("ADDED", phase_secret(key("shop")))
    assert await watcher._try(ShownKind.all_seen)
    assert watcher.is_complete()


async def test_every_kind_is_seen_before_anybody_is_ready() -> None:
    watcher, one, other = two_kinds(Sweep([], []))

    assert not await watcher._try(ShownKind.first_seen)
    one.shown.take("ADDED", phase_secret(key("shop")))
    assert not await watcher._try(ShownKind.first_seen)
    assert watcher.problem == "1 PhaseThings not seen by the watch yet"
    other.shown.take("ADDED", phase_secret(key("shop")))

    assert await watcher._try(ShownKind.first_seen)


async def test_a_kind_that_cannot_be_listed_keeps_no_other_from_being_looked_at() -> None:
    sweep = Sweep([], [])
    watcher, one, other = two_kinds(sweep)
    sweep.served = [True]
    one.error = Transient(Reason.KUBERNETES_UNAVAILABLE, "it is away")
    for name in ("shop", "ghost"):
        other.shown.take("ADDED", phase_secret(key(name)))

    assert not await watcher._try(ShownKind.all_seen)

    assert watcher.problem == "PhaseSecrets cannot be listed: it is away"
    assert other.gone == [ObjectKey("team", "ghost", "PhaseThing")]
