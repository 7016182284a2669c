"""A watch that hangs differs from one that has nothing to show."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any, cast

import pytest

from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.watch import Callbacks, Collection, CollectionWatch, Sink
from phase_operator.reconcile.internal_errors import InternalErrors
from support.clock import HandClock, settle


class Server:
    """An API server that lists nothing and shows what the test puts into its hand."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs
        self.listing = asyncio.Semaphore(1)
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def request(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer a list, or nothing."""
        if self.hangs:
            await asyncio.Event().wait()
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    @asynccontextmanager
    async def watch(self, *_: object) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Open a watch."""

        async def follow() -> AsyncIterator[dict[str, Any]]:
            while True:
                yield await self.events.get()

        yield follow()


class Nothing:
    """A sink that keeps nothing."""

    def seen(self, metadata: Any) -> None:
        """Keep nothing."""

    def gone(self, metadata: Any) -> None:
        """Keep nothing."""

    def listed(self, scope: str, present: Any) -> None:
        """Keep nothing."""

    def unreadable(self, key: ObjectKey) -> None:
        """Keep nothing."""


def watch_of(
    server: object,
    clock: HandClock,
    is_back: Callable[[], None] = lambda: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    sink: Sink | None = None,
    internal_errors: InternalErrors | None = None,
) -> CollectionWatch:
    """Return a watch of the Secrets of a server that is one as far as a watch can see."""
    return CollectionWatch(
        cast("KubeClient", server),
        Collection("secrets", "/api/v1/secrets"),
        Callbacks(sink or Nothing(), restarted=lambda _: None, is_back=is_back),
        clock,
        internal_errors or InternalErrors(),
        sleep,
    )


async def silence(server: Server, *events: dict[str, Any]) -> float:
    """Return for how long a watch is silent after 500 s, in the middle of which the server shows something."""
    clock = HandClock()
    watch = watch_of(server, clock)
    running = asyncio.create_task(watch.run())
    await settle()
    clock.turn(250.0)
    for event in events:
        server.events.put_nowait(event)
    await settle()
    clock.turn(250.0)
    running.cancel()
    return watch.silent()


async def test_a_watch_that_hangs_is_silent() -> None:
    assert await silence(Server(hangs=True)) == 500.0
    assert await silence(Server()) == 500.0


async def test_a_bookmark_is_a_sign_of_life() -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "2"}}}

    assert await silence(Server(), bookmark) == 250.0


async def test_a_watch_that_waits_for_others_to_list_is_not_silent() -> None:
    clock, server = HandClock(), Server(hangs=True)
    first, second = watch_of(server, clock), watch_of(server, clock)
    running = [asyncio.create_task(watch.run()) for watch in (first, second)]
    await settle()

    clock.turn(500.0)
    assert (first.silent(), second.silent()) == (500.0, 0.0)

    # Its own list counts from its beginning.
    running[0].cancel()
    await settle()
    clock.turn(100.0)
    assert second.silent() == 100.0
    running[1].cancel()


class Pages(Server):
    """An API server that takes its time for each part of a list, and hangs at the last one."""

    def __init__(self, clock: HandClock, parts: int) -> None:
        super().__init__()
        self._clock, self._left = clock, parts

    async def request(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer a part, after 25 s."""
        self._left -= 1
        if not self._left:
            await asyncio.Event().wait()
        self._clock.turn(25.0)
        return {"metadata": {"resourceVersion": "1", "continue": "more"}, "items": []}


async def test_each_part_of_a_list_is_a_sign_of_life() -> None:
    clock = HandClock()
    watch = watch_of(Pages(clock, 20), clock)
    running = asyncio.create_task(watch.run())
    await settle()

    assert watch.silent() == 0.0
    running.cancel()


BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "2"}}}


def error(code: int, reason: str) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"code": code, "reason": reason}}


class Script:
    """An API server whose watches show what the test says, each to its end; a watch may not open. Then it is over."""

    def __init__(self, *watches: list[dict[str, Any]] | ApiError) -> None:
        self.clock = HandClock()
        self.listing = asyncio.Semaphore(1)
        self.lists = 0
        self.pauses: list[float] = []
        self.back = 0
        self._watches = list(watches)
        self.watch_of_it = watch_of(self, self.clock, self._is_back, self._sleep)

    async def play(self) -> None:
        """Follow until the script is over."""
        await asyncio.wait({asyncio.create_task(self.watch_of_it.run())})

    async def request(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer a list."""
        self.lists += 1
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    @asynccontextmanager
    async def watch(self, *_: object) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Open the next watch."""
        if not self._watches:
            raise asyncio.CancelledError
        shown = self._watches.pop(0)
        if isinstance(shown, ApiError):
            raise shown

        async def follow() -> AsyncIterator[dict[str, Any]]:
            for event in shown:
                yield event

        yield follow()

    def _is_back(self) -> None:
        self.back += 1

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


async def test_errors_in_streams_make_no_storm() -> None:
    script = Script(*[[error(410, "Expired")]] * 10)

    await script.play()

    assert script.lists == 11
    assert all(pause > 1.3 for pause in script.pauses[4:])
    assert max(script.pauses) <= 2.0


async def test_a_watch_that_ends_at_once_is_not_opened_at_once() -> None:
    script = Script([], [], [], [])

    await script.play()

    assert len(script.pauses) == 4
    assert script.lists == 1


async def test_a_watch_that_shows_something_has_recovered() -> None:
    away = ApiError(503, "ServiceUnavailable", "")
    script = Script(*[away] * 8, [BOOKMARK, error(500, "InternalError")], away)

    await script.play()

    assert script.pauses[7] > 1.3
    assert script.pauses[8] < 0.3
    assert script.back == 1


async def test_an_outage_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    away, denied = ApiError(503, "ServiceUnavailable", ""), ApiError(403, "Forbidden", "")
    away_in_stream = error(503, "ServiceUnavailable")
    script = Script(
        away, away, [error(410, "Expired")], [error(410, "Expired")], denied, denied, [BOOKMARK, away_in_stream], away
    )

    await script.play()

    assert [(record.getMessage(), getattr(record, "reason", "")) for record in caplog.records] == [
        ("watch interrupted", "503 ServiceUnavailable"),
        ("watch interrupted", "410 Expired"),
        ("watch interrupted", "403 Forbidden"),
        ("watch works again", ""),
        ("watch interrupted", "503 ServiceUnavailable"),
    ]


async def test_a_watch_waits_as_long_as_the_api_server_asks() -> None:
    script = Script(ApiError(429, "TooManyRequests", "", after=7.0))

    await script.play()

    assert script.pauses == [7.0]


# What an exception may quote, and no log line.
QUOTED = "-".join(["a", "value"])


class Picky(Nothing):
    """A sink that cannot take some objects."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.unknown: list[ObjectKey] = []
        self.present: set[ObjectKey] = set()

    def seen(self, metadata: Any) -> None:
        """Fail for what is called bad."""
        if metadata["name"] == "bad":
            raise RecursionError(QUOTED)
        self.names.append(metadata["name"])

    def listed(self, scope: str, present: Any) -> None:
        """Keep what was listed."""
        self.present = set(present)

    def unreadable(self, key: ObjectKey) -> None:
        """Keep what is not known any more; this fails, too."""
        self.unknown.append(key)
        raise ValueError(QUOTED)


def shown(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "team", "name": name, "resourceVersion": "2"}}


class Bad(Script):
    """A server that lists and shows an object that the sink cannot take, among others that it can."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.sink, self.counted = Picky(), Counter[str]()
        events = [{"type": "MODIFIED", "object": shown(name)} for name in ("bad", "third")]
        super().__init__(events)
        self._answers = list(answers)
        internal_errors = InternalErrors(lambda task: self.counted.update([task]))
        self.watch_of_it = watch_of(
            self, self.clock, sleep=self._sleep, sink=self.sink, internal_errors=internal_errors
        )

    async def request(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer a list; before that what was asked for."""
        if self._answers:
            return self._answers.pop(0)
        items = [shown(name) for name in ("first", "bad", "second")]
        return {"metadata": {"resourceVersion": "1"}, "items": [*items, {}, {"metadata": "none"}]}


async def test_an_object_that_is_not_understood_costs_itself_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    script = Bad()

    await script.play()

    assert script.sink.names == ["first", "second", "third"]
    assert set(script.sink.unknown) == {ObjectKey("team", "bad")}
    assert script.counted["secrets"] == 4
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert {(each.getMessage(), getattr(each, "object", "")) for each in errors} == {
        ("object not understood", "team/bad")
    }
    assert QUOTED not in caplog.text + str([vars(each) for each in errors])


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"metadata": []}, id="no list's metadata"),
        pytest.param({"metadata": {"resourceVersion": 7}, "items": 3}, id="no version"),
    ],
)
async def test_an_answer_that_is_no_list_is_no_empty_list(answer: dict[str, Any]) -> None:
    script = Bad(answer)

    await script.play()

    assert len(script.pauses) == 2
    assert script.sink.names == ["first", "second", "third"]


async def test_a_bug_in_a_watch_is_outlived_with_growing_pauses(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Script):
        async def request(self, *_: object, **__: object) -> dict[str, Any]:
            self.lists += 1
            if self.lists < 9:
                raise KeyError(QUOTED)
            raise asyncio.CancelledError

    script = Broken()

    await script.play()

    assert script.pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert QUOTED not in caplog.text
    assert script.watch_of_it.problem == "secrets: internal error; the log has the trace"


class Slow(Nothing):
    """A sink that takes seconds for each object."""

    def __init__(self, clock: HandClock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self.count = 0

    def seen(self, metadata: Any) -> None:
        """Take the object, and as long."""
        self._clock.turn(self._seconds)
        self.count += 1


class Objects(Server):
    """A server that lists 40 objects."""

    async def request(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer a list."""
        return {"metadata": {"resourceVersion": "1"}, "items": [shown(str(number)) for number in range(40)]}


@pytest.mark.parametrize(("seconds", "most"), [(0.1, 1), (0.004, 3), (0.0, 40)])
async def test_the_loop_has_its_turn_while_a_list_is_taken_in(seconds: float, most: int) -> None:
    clock = HandClock()
    sink = Slow(clock, seconds)
    turns = [0]

    async def sleep(_: float) -> None:
        turns.append(sink.count)

    running = asyncio.create_task(watch_of(Objects(), clock, sleep=sleep, sink=sink).run())
    await settle()
    running.cancel()

    assert sink.count == 40
    turns.append(sink.count)
    assert max(after - before for before, after in pairwise(turns)) == most
