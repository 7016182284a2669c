"""kopf sees every event of a watch but those of our own status writes, and where the watch stands after these too."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from kopf._cogs.clients.api import iter_jsonlines

from phase_operator.core.values import ObjectKey
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.own_writes import BookmarkedContent, OwnVersions
from phase_operator.kube.raw_json import JsonReader
from phase_operator.kube.target_cache import TargetCache
from support.any_json import any_object, shallow
from unit.kube.test_client import client_of

KEY = ObjectKey("team", "shop")


def event(version: str, change: str = "MODIFIED") -> dict[str, Any]:
    return {"type": change, "object": {"kind": "PhaseSecret", "metadata": {"name": "shop", "resourceVersion": version}}}


def bookmark(version: str) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}


def versions(*known: str) -> OwnVersions:
    own = OwnVersions()
    for version in known:
        own.add({"metadata": {"resourceVersion": version}})
    return own


class Chunks:
    """A body that arrives in these chunks."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk

    def exception(self) -> None:
        """Return no error."""


async def seen(own: OwnVersions, *chunks: bytes) -> list[bytes]:
    """Return the lines that kopf's own reader makes of a watch."""
    body: Any = Chunks(*chunks)
    content = BookmarkedContent(body, JsonReader(), own.shown_by, own.may_be_in)
    return [line async for line in iter_jsonlines(content)]  # type: ignore[arg-type]  # it stands for a body


LINES = st.one_of(
    st.builds(event, st.sampled_from(["1", "2", "3"]), st.sampled_from(["ADDED", "MODIFIED", "DELETED"])).map(
        lambda found: json.dumps(found).encode()
    ),
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"")).filter(bool),
)


@given(st.lists(LINES, max_size=6), st.lists(st.integers(0, 600), max_size=6), st.booleans())
async def test_kopf_reads_each_line_whatever_the_chunks_and_a_bookmark_for_an_own_event(
    lines: list[bytes], cuts: list[int], is_ended: bool
) -> None:
    body = b"\n".join(lines) + (b"\n" if is_ended and lines else b"")
    places = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    chunks = [body[start:end] for start, end in pairwise(places)]

    found = await seen(versions("2"), *chunks)

    first = next((n for n, line in enumerate(lines) if line == json.dumps(event("2")).encode()), None)
    if first is not None and first < len(lines) - (not is_ended):
        lines[first] = json.dumps(bookmark("2")).encode()
    assert found == lines


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
def test_every_line_that_shows_an_own_version_may_be_own(found: object, separators: tuple[str, str]) -> None:
    shown = event("7")
    shown["object"] |= {"spec": found, "a": found}

    line = json.dumps(shown, separators=separators).encode()

    assert versions("7").may_be_in(line)
    assert not versions().may_be_in(line)
    assert versions("7").shown_by(json.loads(line))


def test_a_line_that_shows_another_version_is_not_own() -> None:
    shown = event("8")
    shown["object"]["metadata"]["annotations"] = {"x": json.dumps(event("7"))}

    assert not versions("7").may_be_in(json.dumps(shown).encode())


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
        client.session_for_watching(lambda: None, versions("7").shown_by) as session,
        session.get("/secrets", params={"watch": "true"}) as answer,
    ):
        if way == "lines":
            assert [line async for line in answer.content] == [body]
        else:
            assert await getattr(answer.content, way)() == body


async def test_the_watch_engine_reads_a_bookmark_of_its_session() -> None:
    body = json.dumps(event("7")).encode() + b"\n" + json.dumps(event("8")).encode() + b"\n"
    async with (
        client_of(lambda: web.Response(body=body)) as client,
        client.session_for_watching(lambda: None, versions("7").shown_by) as session,
        session.get("/secrets", params={"watch": "true"}) as answer,
    ):
        assert [json.loads(line) async for line in iter_jsonlines(answer.content)] == [bookmark("7"), event("8")]


async def test_an_event_that_is_nested_too_deeply_for_kopf_loses_its_depth() -> None:
    """Whoever may write a PhaseSecret may write managedFields of any depth into it."""
    depth = 5_000
    line = b'{"type": "ADDED", "object": {"metadata": {"name": "shop", "x": ' + b'{"a": ' * depth + b"1" + b"}" * depth
    line += b"}, " + json.dumps({"spec": "x" * 100_000}).encode()[1:] + b"}"

    [shown] = await seen(versions(), line + b"\n")

    found = json.loads(shown)
    assert found["object"]["metadata"]["name"] == "shop"
    assert found["object"]["spec"] == "x" * 100_000
