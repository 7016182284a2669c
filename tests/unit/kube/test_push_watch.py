"""What the watches show of Secrets and ConfigMaps wakes those that take the object: soon, seldom, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from phase_operator.core.label_selector import parse_selector
from phase_operator.core.push.readers import CROWD, MOST_KEPT, PushReaders
from phase_operator.core.push.sources import Rule
from phase_operator.core.push.spec import PushSpec, SpecSource
from phase_operator.core.refs import Kind
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import KubeClient
from phase_operator.kube.push_watch import PushSink, PushWakes
from phase_operator.kube.watch import Callbacks, Collection, CollectionWatch
from phase_operator.reconcile.internal_errors import InternalErrors
from support.clock import HandClock, settle

API = {"tier": "api"}
HOME = ObjectKey("shop", "made")


def push_key(name: str = "one", namespace: str = "shop") -> ObjectKey:
    return ObjectKey(namespace, name, "PhasePushSecret")


def selecting(number: int = 0) -> PushSpec:
    selector = parse_selector(f"tier in (api,t{number})")
    return PushSpec("/", (SpecSource(Kind.SECRET, Rule("/"), selector=selector),))


def naming(name: str = "db", kind: Kind = Kind.SECRET) -> PushSpec:
    return PushSpec("/", (SpecSource(kind, Rule("/"), name),))


def shown(name: str = "db", version: int = 1, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "uid": f"u-{name}", "resourceVersion": str(version)} | more


class Watched:
    """The sinks of both kinds, with whom they wake in how many seconds."""

    def __init__(self) -> None:
        self.clock, self.readers = HandClock(), PushReaders()
        self.woken: list[tuple[ObjectKey, float]] = []
        self.later: list[tuple[float, Callable[[], None]]] = []
        wake = lambda key, delay: self.woken.append((key, delay))  # noqa: E731
        self.wakes = PushWakes(self.readers, wake, lambda *call: self.later.append(call), self.clock)
        self.secrets, self.config_maps = (PushSink(kind, self.wakes) for kind in (Kind.SECRET, Kind.CONFIG_MAP))

    def add(self, push: PushSpec, name: str = "one", namespace: str = "shop") -> ObjectKey:
        """Add a resource whose first run has found nothing."""
        key = push_key(name, namespace)
        self.readers.put(key, push)
        self.readers.found(key, {})
        return key

    def taken(self) -> list[ObjectKey]:
        """Return who was woken since the last call."""
        keys, self.woken = sorted(key for key, _ in self.woken), []
        return keys


def test_a_change_wakes_those_who_take_the_object_at_once_and_nobody_else() -> None:
    watched = Watched()
    one, two = watched.add(naming()), watched.add(naming("settings", Kind.CONFIG_MAP), "two")
    watched.add(naming(), namespace="team")

    watched.secrets.seen(shown())
    watched.secrets.seen(shown("settings"))
    assert watched.woken == [(one, 0.0)]
    watched.config_maps.seen(shown("settings"))

    assert watched.taken() == [one, two]


@pytest.mark.parametrize("end", ["gone", "unreadable", "label", "made anew", "missed deletion", "missed change"])
def test_an_object_that_is_taken_no_more_wakes_whoever_took_it(end: str) -> None:
    watched = Watched()
    one = watched.add(selecting())
    watched.secrets.seen(shown(labels=API))
    assert watched.taken() == [one]

    match end:
        case "gone":
            watched.secrets.gone(shown(version=2))
        case "unreadable":
            watched.secrets.unreadable(ObjectKey("shop", "db"))
        case "label":
            watched.secrets.seen(shown(version=2))
        case "made anew":
            watched.secrets.seen(shown(uid="u-2"))
        case "missed deletion":
            watched.secrets.listed("", {ObjectKey("team", "db")})
        case "missed change":
            watched.secrets.seen(shown(version=2))
            watched.secrets.listed("shop", {ObjectKey("shop", "db")})

    assert watched.taken() == [one]


def test_a_list_of_another_scope_or_one_that_shows_the_same_wakes_nobody() -> None:
    watched = Watched()
    watched.add(selecting())
    watched.secrets.seen(shown(labels=API))
    watched.taken()

    watched.secrets.listed("team", set())
    watched.config_maps.listed("", set())
    watched.secrets.seen(shown(labels=API))
    watched.secrets.listed("", {ObjectKey("shop", "db")})

    assert watched.taken() == []


@pytest.mark.parametrize("event_first", [True, False])
def test_our_own_write_of_a_home_wakes_others_who_take_it_and_not_its_resource(event_first: bool) -> None:
    watched = Watched()
    watched.add(PushSpec("/", generate_into="made"))
    other = watched.add(naming("made"), "other")

    with watched.wakes.writing(HOME, push_key()) as wrote:
        if event_first:
            watched.secrets.seen(shown("made", 5))
        wrote(shown("made", 5))
    watched.secrets.seen(shown("made", 5))

    assert watched.taken() == [other]
    watched.secrets.seen(shown("made", 6))
    assert watched.taken() == [push_key(), other]


@pytest.mark.parametrize("answered", [True, False])
def test_a_write_of_others_beside_ours_wakes_the_resource_of_a_home(answered: bool) -> None:
    watched = Watched()
    one = watched.add(PushSpec("/", generate_into="made"))

    with watched.wakes.writing(HOME, one) as wrote:
        watched.secrets.seen(shown("made", 6))
        if answered:
            wrote(shown("made", 5))

    assert watched.taken() == [one]


def test_an_object_that_changes_all_the_time_wakes_at_a_bounded_pace_and_delays_nobody_else() -> None:
    watched = Watched()
    hostile, good = watched.add(naming()), watched.add(naming("calm"), "good")
    for version in range(1000):
        watched.secrets.seen(shown(version=version))
    watched.secrets.seen(shown("calm"))

    delays = [delay for key, delay in watched.woken if key == hostile]
    # All that is planned for the same moment is one run.
    assert (delays.count(0.0), set(delays[5:])) == (5, {5.0})
    assert watched.woken[-1] == (good, 0.0)


def test_a_hostile_namespace_costs_itself_and_a_good_one_beside_it_is_woken_at_once() -> None:
    watched = Watched()
    good = watched.add(naming(), "good", "team")
    crowd = [watched.add(selecting(number), f"r{number}", "evil") for number in range(CROWD // 2 + 1)]
    for number in range(2000):
        watched.secrets.seen(shown(f"s{number}", namespace="evil", labels=API))
    watched.secrets.seen(shown(namespace="team"))

    # Of two thousand events, none was judged for each of the crowd; they share one answer.
    assert watched.woken == [(good, 0.0)]
    evil = watched.readers.of("evil")
    assert evil is not None
    assert len(evil) == 0
    [(delay, call)] = watched.later
    assert delay == 5.0
    watched.taken()
    call()
    assert watched.taken() == sorted(crowd)
    watched.secrets.seen(shown("s7", namespace="evil"))
    assert len(watched.later) == 2

    # What was not judged is not forgotten when the crowd leaves.
    watched.clock.turn(5.0)
    for key in crowd[1:]:
        watched.readers.drop(key)
    watched.secrets.seen(shown("s7", 2, "evil"))
    assert watched.taken() == crowd[:1]


def test_a_namespace_that_is_full_of_objects_takes_bounded_memory_and_leaves_others_theirs() -> None:
    watched = Watched()
    watched.add(selecting(), "evil", "evil")
    good = watched.add(selecting(), "good", "team")
    for number in range(2 * MOST_KEPT):
        watched.clock.turn(0.01)
        watched.secrets.seen(shown(f"s{number}", namespace="evil", labels=API))
    watched.secrets.seen(shown(namespace="team", labels=API))
    evil = watched.readers.of("evil")
    assert evil is not None
    assert len(evil) == MOST_KEPT // 2
    watched.taken()

    watched.secrets.seen(shown(version=2, namespace="team"))
    watched.secrets.seen(shown("foreign", namespace="team"))

    assert watched.taken() == [good]


def test_an_event_that_was_not_judged_is_not_taken_for_known_when_the_next_one_is() -> None:
    watched = Watched()
    watched.add(selecting())
    web = watched.add(PushSpec("/", (SpecSource(Kind.SECRET, Rule("/"), selector=parse_selector("tier=web")),)), "web")
    watched.secrets.seen(shown(labels=API))
    crowd = [watched.add(selecting(), f"r{number}") for number in range(CROWD // 2)]
    watched.secrets.seen(shown(version=2, labels={"tier": "web"}))
    for key in crowd:
        watched.readers.drop(key)
    watched.taken()

    watched.secrets.seen(shown(version=3))

    assert web in watched.taken()


class Broken:
    """An API server whose lists are given, and whose watches end because they are too old."""

    def __init__(self, *lists: list[dict[str, Any]]) -> None:
        self.lists = list(lists)
        self.listing = asyncio.Semaphore(1)

    async def request(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer the next list."""
        items = [{"metadata": each} for each in self.lists.pop(0)]
        return {"metadata": {"resourceVersion": "1"}, "items": items}

    @asynccontextmanager
    async def watch(self, *_: object) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Open a watch that says that its version is gone; the last one shows nothing."""

        async def follow() -> AsyncIterator[dict[str, Any]]:
            if not self.lists:
                await asyncio.Event().wait()
            yield {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}

        yield follow()


async def test_a_watch_that_broke_wakes_for_what_changed_and_what_went_meanwhile_and_for_nothing_else() -> None:
    watched = Watched()
    changed, went, came, _ = (watched.add(naming(each), each) for each in ("changed", "went", "came", "same"))
    before = [shown("changed"), shown("went"), shown("same")]
    server = Broken(before, [shown("changed", 2), shown("came"), shown("same")])
    calls = Callbacks(watched.secrets, restarted=lambda _: watched.woken.clear(), is_back=lambda: None)
    collection = Collection("secrets", "/api/v1/secrets")

    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    watch = CollectionWatch(cast("KubeClient", server), collection, calls, watched.clock, InternalErrors(), no_pause)
    running = asyncio.create_task(watch.run())
    await settle()
    running.cancel()

    assert server.lists == []
    assert watched.taken() == sorted([changed, went, came])


def test_a_namespace_without_pushes_leaves_no_trace() -> None:
    watched = Watched()
    watched.secrets.seen(shown(labels={"tier": "api"}))
    watched.secrets.gone(shown())
    watched.secrets.unreadable(ObjectKey("shop", "db"))
    watched.secrets.listed("", {ObjectKey("shop", "db")})

    assert (watched.woken, watched.later, watched.readers.of("shop")) == ([], [], None)
