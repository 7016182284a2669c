"""kopf sees every event of a watch but those of our own status writes, and where the watch stands after these too."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from kopf._cogs.clients.api import iter_jsonlines

from phase_operator.core.flow.paced_events import OBJECT_BURST, OBJECT_PAUSE, Event
from phase_operator.core.values import ObjectKey
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.own_writes import OwnVersions
from phase_operator.kube.raw_json import JsonReader
from phase_operator.kube.target_cache import TargetCache
from phase_operator.kube.watch_content import WatchContent, event_of, is_news
from support.any_json import any_object, shallow
from support.clock import HandClock
from unit.kube.test_client import client_of

KEY = ObjectKey("team", "shop")


def event(version: str, change: str = "MODIFIED", name: str = "shop") -> dict[str, Any]:
    return {"type": change, "object": {"kind": "PhaseSecret", "metadata": {"name": name, "resourceVersion": version}}}


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


def versions(*known: str) -> OwnVersions:
    own = OwnVersions()
    for version in known:
        own.add({"metadata": {"resourceVersion": version}})
    return own


class Chunks:
    """A body that arrives in these chunks; nothing comes for a number of seconds, and an error ends it."""

    def __init__(self, *chunks: bytes | float | Exception, clock: HandClock | None = None) -> None:
        self.chunks = list(chunks)
        self.clock = clock or HandClock()

    def at_eof(self) -> bool:
        """Say whether all has been read."""
        return not self.chunks

    def read_nowait(self, _: int) -> bytes:
        """Return nothing: it has not come yet."""
        return b""

    async def read(self, _: int) -> bytes:
        """Return the next chunk, in its time."""
        chunk = self.chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        if isinstance(chunk, bytes):
            return chunk
        self.clock.turn(chunk)
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # it is given up

    def exception(self) -> None:
        """Return no error."""


def news(own: OwnVersions) -> Callable[[Event], bool]:
    return partial(is_news, own.shown_by, own.has)


def content_of(body: Any, own: OwnVersions) -> Any:
    return WatchContent(body, JsonReader(), news(own))


async def seen(own: OwnVersions, *chunks: bytes) -> list[bytes]:
    """Return the lines that kopf's own reader makes of a watch."""
    return [line async for line in iter_jsonlines(content_of(Chunks(*chunks), own))]


def edit(number: int, change: str = "MODIFIED", name: str = "shop") -> bytes:
    """Return the event of an edit, as the API server writes it."""
    metadata = {"name": name, "namespace": "team", "resourceVersion": str(number), "uid": name}
    shown = {"apiVersion": "secrets.phase.dev/v1alpha1", "kind": "PhaseSecret", "metadata": metadata}
    return json.dumps({"type": change, "object": shown}, separators=(",", ":")).encode() + b"\n"


async def versions_seen(body: Chunks, own: OwnVersions) -> list[str]:
    """Return the versions that kopf sees, with a star for a bookmark, and what ended the watch."""
    found = []
    with body.clock.driving():
        try:
            async for line in iter_jsonlines(content_of(body, own)):
                event = json.loads(line)
                star = "*" if event["type"] == "BOOKMARK" else ""
                found.append(star + event["object"]["metadata"]["resourceVersion"])
        except ConnectionResetError:
            found.append("lost")
    return found


AT_ONCE = [str(number) for number in range(OBJECT_BURST)]
FAST = [edit(number) for number in range(100)]


@pytest.mark.parametrize(
    ("chunks", "later"),
    [
        pytest.param([*FAST], ["99"], id="the watch ends"),
        pytest.param([*FAST, ConnectionResetError()], ["99", "lost"], id="the watch breaks"),
        pytest.param([*FAST, OBJECT_PAUSE, edit(100)], ["99", "100"], id="it is time"),
        pytest.param([*FAST, edit(100, name="other")], ["100", "99", "*100"], id="another object is edited"),
        pytest.param([*FAST, OBJECT_PAUSE, b"", edit(100)], ["99", "100"], id="it is time, and nothing comes"),
        pytest.param(
            [*FAST, edit(100, name="other"), ConnectionResetError()],
            ["100", "99", "*100", "lost"],
            id="the watch breaks after another object was edited",
        ),
        pytest.param([*FAST, edit(100, "DELETED")], ["100"], id="it is deleted"),
        pytest.param([*FAST, json.dumps(bookmark("100")).encode() + b"\n"], ["*100", "99"], id="a bookmark comes"),
    ],
)
async def test_of_an_object_that_is_edited_too_fast_kopf_sees_the_latest_state(
    chunks: list[Any], later: list[str]
) -> None:
    assert await versions_seen(Chunks(*chunks), versions()) == AT_ONCE + later


async def test_of_an_object_that_is_edited_before_kopf_has_taken_it_kopf_sees_the_latest_state() -> None:
    assert await versions_seen(Chunks(b"".join(FAST)), versions()) == ["99"]


async def test_an_own_write_that_follows_an_edit_that_waits_is_shown_in_its_place() -> None:
    """A bookmark would leave kopf with the edit as the latest state, and so with what is no more."""
    assert await versions_seen(Chunks(*FAST, edit(100), edit(101)), versions("100", "5")) == [
        *("*5" if each == "5" else each for each in AT_ONCE),
        str(OBJECT_BURST),
        "101",
    ]


def test_events_of_the_api_server_can_be_told_apart() -> None:
    assert event_of(edit(7).strip()) == Event("MODIFIED", ObjectKey("team", "shop"), "shop", "7", edit(7).strip())


LINES = st.one_of(
    st.tuples(st.sampled_from(["1", "2", "3"]), st.sampled_from(["ADDED", "MODIFIED", "DELETED"])),
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"")).filter(bool),
)


@given(st.lists(LINES, max_size=6), st.lists(st.integers(0, 600), max_size=6), st.booleans())
async def test_kopf_reads_each_line_whatever_the_chunks_and_a_bookmark_for_an_own_event(
    drawn: list[bytes | tuple[str, str]], cuts: list[int], is_ended: bool
) -> None:
    named = enumerate(drawn)
    lines = [each if isinstance(each, bytes) else json.dumps(event(*each, f"shop-{n}")).encode() for n, each in named]
    body = b"\n".join(lines) + (b"\n" if is_ended and lines else b"")
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    chunks = [body[start:end] for start, end in pairwise(places)]

    found = await seen(versions("2"), *chunks)

    first = next((n for n, each in enumerate(drawn) if each == ("2", "MODIFIED")), None)
    if first is not None and first < len(lines) - (not is_ended):
        lines[first] = json.dumps(bookmark("2")).encode()
    # Objects take turns with what is no event of an object.
    assert sorted(found) == sorted(lines)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(event("8"), id="another version"),
        pytest.param(event("7", "DELETED"), id="the end of the object"),
        pytest.param(event("7", "ADDED"), id="an object that is new to the watch"),
        pytest.param({"type": "MODIFIED", "object": None}, id="no object"),
        pytest.param({"type": "MODIFIED", "object": {"metadata": {}}}, id="no version"),
        pytest.param({"type": "ERROR", "object": {"kind": "Status", "code": 410}}, id="the end of the watch"),
        pytest.param(bookmark("7"), id="a bookmark"),
    ],
)
def test_an_event_that_shows_no_own_version_is_not_own(other: dict[str, Any]) -> None:
    own = versions("7", "")

    assert not own.shown_by(other)
    assert own.shown_by(event("7"))
    assert not own.shown_by(event("7"))


@given(any_object)
def test_no_answer_and_no_event_breaks_it(found: dict[str, Any]) -> None:
    own = versions("7")
    own.add(found)
    own.add({"metadata": found | {"resourceVersion": found}})

    assert not own.shown_by({"type": "MODIFIED", "object": {"metadata": {"name": found}}})
    assert not own.shown_by(found | {"type": "MODIFIED"})


@given(shallow, st.sampled_from([(",", ":"), (", ", ": ")]))
def test_the_version_of_an_event_is_told_without_parsing_it(found: object, separators: tuple[str, str]) -> None:
    shown = event("7")
    shown["object"] |= {"spec": found, "a": found}

    told = event_of(json.dumps(shown, separators=separators).encode())

    assert told is not None
    assert versions("7").has(told.version)
    assert not versions("8").has(told.version)


@pytest.mark.parametrize(
    ("labels", "known", "times"),
    [
        pytest.param({}, "100", 1, id="a write that changed nothing, and so has the version of an edit"),
        pytest.param({"resourceVersion": "7"}, "7", 0, id="a label that names a version of ours"),
    ],
)
async def test_an_edit_that_waits_for_its_turn_is_parsed_once_at_most(
    labels: dict[str, str], known: str, times: int
) -> None:
    parsed, own = list[bool](), versions(known)
    shown = json.loads(edit(100))
    shown["object"]["metadata"]["labels"] = labels
    body = Chunks(*FAST[50:], OBJECT_PAUSE, json.dumps(shown).encode() + b"\n", OBJECT_PAUSE, b"")

    def is_own(event: Any) -> bool:
        parsed.append(own.shown_by(event))
        return False

    content: Any = WatchContent(body, JsonReader(), partial(is_news, is_own, own.has))  # type: ignore[arg-type]  # a body
    with body.clock.driving():
        found = [line async for line in iter_jsonlines(content)]

    assert json.loads(found[-1]) == shown
    assert len(parsed) == times


def test_versions_that_no_event_shows_are_forgotten() -> None:
    own = versions(*map(str, range(5000)))

    known = sum(own.shown_by(event(str(number))) for number in range(5000))

    assert known == 1000


async def test_a_status_write_makes_its_version_known() -> None:
    async with client_of(lambda: web.json_response({"metadata": {"resourceVersion": "7"}})) as client:
        cluster = KubeCluster(client, TargetCache(), None, lambda _: None)  # type: ignore[arg-type]  # no Events here
        await cluster.write_status(KEY, "uid", {})

        assert cluster.own_versions.shown_by(event("7"))


@pytest.mark.parametrize("way", ["lines", "readline", "read"])
async def test_a_reader_that_takes_a_watch_in_another_way_than_kopf_gets_it_as_it_is(way: str) -> None:
    body = json.dumps(event("7")).encode() + b"\n"
    async with (
        client_of(lambda: web.Response(body=body)) as client,
        client.session_for_watching(lambda: None, news(versions("7"))) as session,
        session.get("/secrets", params={"watch": "true"}) as answer,
    ):
        if way == "lines":
            assert [line async for line in answer.content] == [body]
        else:
            assert await getattr(answer.content, way)() == body


async def test_the_watch_engine_reads_a_bookmark_of_its_session() -> None:
    body = json.dumps(event("7")).encode() + b"\n" + json.dumps(event("8", name="other")).encode() + b"\n"
    async with (
        client_of(lambda: web.Response(body=body)) as client,
        client.session_for_watching(lambda: None, news(versions("7"))) as session,
        session.get("/secrets", params={"watch": "true"}) as answer,
    ):
        assert [json.loads(line) async for line in iter_jsonlines(answer.content)] == [
            bookmark("7"),
            event("8", name="other"),
        ]


async def test_an_event_that_is_nested_too_deeply_for_kopf_loses_its_depth() -> None:
    """Whoever may write a PhaseSecret may write managedFields of any depth into it."""
    depth = 5_000
    line = b'{"type": "ADDED", "object": {"metadata": {"name": "shop", "x": ' + b'{"a": ' * depth + b"1" + b"}" * depth
    line += b"}, " + json.dumps({"spec": "x" * 100_000}).encode()[1:] + b"}"

    [shown] = await seen(versions(), line + b"\n")

    found = json.loads(shown)
    assert found["object"]["metadata"]["name"] == "shop"
    assert found["object"]["spec"] == "x" * 100_000
