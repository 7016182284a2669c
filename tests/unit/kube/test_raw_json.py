"""JSON of any depth and size is read, and what is no deeper than objects are is read as it is."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kopf._cogs.clients.api import iter_jsonlines

from phase_operator.kube.raw_json import JsonReader, json_object, shallow
from phase_operator.kube.watch_content import WatchContent, is_news
from support.any_json import nested
from support.measured_reads import Turns
from support.vast_objects import deep, managed, wide, wide_and_deep
from unit.kube.test_watch_content import Chunks

DEPTHS = [150, 199, 200, 201, 202, 999, 1_000, 5_000, 20_000]
BRACKETS = pytest.mark.parametrize(
    ("opening", "closing"), [('{"a\\"{": ', "}"), ("[", "]"), ('[{}, "[", ', "]")], ids=["objects", "lists", "both"]
)
NAME = b'"managedFields":'
# Longer than what is read at once.
LONG = "x" * 70_000

NOT_DEEP = nested(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part, max_size=5) | st.dictionaries(st.text(), part, max_size=5),
    4,
)


@pytest.mark.parametrize("depth", DEPTHS)
@BRACKETS
async def test_json_beside_deep_json_is_read(depth: int, opening: str, closing: str) -> None:
    raw = f'{{"first": 1, "deep": {opening * depth}1{closing * depth}, "last": "}}{{"}}'.encode()

    short, long = json_object(raw), await JsonReader().object(raw + b" " * len(LONG))
    text = await JsonReader().parsable(raw)

    assert short is not None
    assert (short["first"], short["last"]) == (1, "}{")
    assert long is not None
    assert (long["first"], long["last"]) == (1, "}{")
    assert json.loads(text)["last"] == "}{"
    assert depth > 900 or text == raw


@given(st.dictionaries(st.text(), NOT_DEEP))
async def test_json_that_is_not_deep_stays_as_it_is(found: dict[str, Any]) -> None:
    raw = json.dumps(found).encode()

    assert shallow(raw) == raw
    assert json_object(raw) == found
    assert await JsonReader().parsable(raw) == raw
    assert await JsonReader().object(raw + b" " * len(LONG)) == found


@pytest.mark.parametrize("raw", [b"", b"[]", b"1", b"{", b"[" * 5_000, b"}" * 5_000, b'{"a": ' * 5_000, b"\xff"])
async def test_a_text_that_is_no_object_is_none(raw: bytes) -> None:
    assert json_object(raw) is None
    assert await JsonReader().object(raw + b" " * len(LONG)) is None


@given(
    st.lists(st.dictionaries(st.text(), NOT_DEEP) | st.integers(), max_size=5),
    st.sampled_from(["kind apiVersion metadata items", "apiVersion items kind metadata", "items"]),
)
async def test_a_long_list_is_read_item_by_item_as_if_at_once(items: list[Any], order: str) -> None:
    document = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items}
    ordered = {name: document[name] for name in order.split()} | {"long": LONG}

    for separators in ((",", ":"), (", ", ": ")):
        raw = json.dumps(ordered, separators=separators).encode()
        assert await JsonReader().object(raw) == ordered


@pytest.mark.parametrize("end", ["", "]", "1]}", "{]}", "{}{}]}", "]}]"])
async def test_a_long_list_that_is_cut_is_none(end: str) -> None:
    raw = ('{"kind":"List","items":[{"a":"' + LONG + '"}' + end).encode()

    assert await JsonReader().object(raw) is None


@pytest.mark.parametrize("fields", [wide(10), wide(5_000), deep(5_000)], ids=["some", "wide", "deep"])
async def test_large_objects_lose_their_managed_fields_and_nothing_else(fields: str) -> None:
    annotations = {"managedFields": LONG, "x": NAME.decode() + "[[["}
    large = {"metadata": {"annotations": annotations, "managedFields": [], "name": "large"}, "spec": {"a": [{}, [1]]}}
    small = {"metadata": {"managedFields": [{"fieldsV1": {"f:a": {}}}], "name": "small"}}
    raw = json.dumps({"items": [small, large]}, separators=(",", ":")).encode()
    raw = raw.replace(NAME + b"[]", NAME + managed(fields).encode(), 1)

    found = await JsonReader().object(raw, has_managers=False)

    assert found is not None
    assert found["items"][1] == large
    assert found["items"][0]["metadata"]["name"] == "small"


async def test_managed_fields_stay_if_they_are_read() -> None:
    raw = f'{{"metadata":{{"managedFields":{managed(wide(20_000))}}}}}'.encode()

    found = await JsonReader().object(raw)

    assert found is not None
    assert len(found["metadata"]["managedFields"][0]["fieldsV1"]) == 20_000


WIDE = 40_000
OBJECTS = {
    "wide": lambda: wide(WIDE),
    "deep first": lambda: wide_and_deep(WIDE, 5_000, is_deep_first=True),
    "deep last": lambda: wide_and_deep(WIDE, 5_000, is_deep_first=False),
}
Work = Callable[[bytes], Coroutine[Any, Any, None]]


def event(fields: str) -> bytes:
    metadata = f'{{"managedFields":{managed(fields)},"name":"shop","resourceVersion":"7"}}'
    return f'{{"type":"MODIFIED","object":{{"metadata":{metadata}}}}}'.encode()


def listed(fields: str) -> bytes:
    item = f'{{"metadata":{{"managedFields":{managed(fields)},"name":"shop"}}}}'
    return f'{{"kind":"List","metadata":{{"resourceVersion":"7"}},"items":[{",".join([item] * 5)}]}}'.encode()


async def watched_by_kopf(line: bytes) -> None:
    body: Any = Chunks(line + b"\n")
    content: Any = WatchContent(body, JsonReader(), partial(is_news, lambda _: False, lambda _: True))
    found = [json.loads(each) async for each in iter_jsonlines(content)]
    assert found[0]["object"]["metadata"]["name"] == "shop"


async def read(raw: bytes) -> None:
    assert await JsonReader().object(raw) is not None


async def read_without_managers(raw: bytes) -> None:
    assert await JsonReader().object(raw, has_managers=False) is not None


def longest_turn(work: Work, raw: bytes) -> float:
    turns = Turns()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
        runner.run(work(raw))
    return turns.longest


@pytest.mark.parametrize("fields", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize(
    ("work", "body"),
    [(watched_by_kopf, event), (read, event), (read, listed), (read_without_managers, listed)],
    ids=["an event for kopf", "an event", "a list", "a list for kopf"],
)
def test_no_turn_of_the_loop_takes_longer_than_to_parse_one_object(
    work: Work, body: Callable[[str], bytes], fields: Callable[[], str]
) -> None:
    raw, one = body(fields()), event(OBJECTS["wide"]())

    # Others may use the machine meanwhile: one of some tries is enough.
    assert any(longest_turn(work, raw) < 2 * parsing(one) for _ in range(5))


def parsing(raw: bytes) -> float:
    began = time.thread_time()
    json.loads(raw)
    return time.thread_time() - began
