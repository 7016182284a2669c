"""Answers about pushed entries that no server should give, and what is made of them."""

import json
from typing import Any

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import EntryType
from phase_operator.core.errors import ExpectedError
from phase_operator.core.push.desired import Wanted
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.looks import Look
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.steps import Post
from phase_operator.core.values import SecretValue
from phase_operator.phase.push_wire import PushedEntries
from phase_operator.phase.pushes import PushClient
from support.canary import Canary
from support.traced import taken
from unit.phase.builders import APP_ID, URL, credential, place, session

AT = PushPlace(URL, APP_ID, "production")
ENTRY = {"id": "id-1", "key": "A", "path": "/", "version": 1, "comment": "", "type": "secret", "tags": []}


def client(answer: Any, status: int = 200) -> PushClient:
    return PushClient(session(httpx.MockTransport(lambda _: httpx.Response(status, json=answer))))


async def look(answer: Any) -> Look:
    return await client(answer).look(credential(), AT, 1.0, place())


@pytest.mark.parametrize(
    "answer",
    [
        {},
        "x",
        [1],
        [ENTRY | {"version": 0}],
        [ENTRY | {"version": "x"}],
        [ENTRY | {"key": None}],
        [ENTRY | {"tags": 1}],
    ],
)
async def test_a_list_that_is_not_phases_is_no_look(answer: Any) -> None:
    """A look that lacks entries would have them made again, or taken for deleted."""
    with pytest.raises(ExpectedError) as refused:
        await look(answer)

    assert refused.value.reason is Reason.UNEXPECTED_ANSWER


async def test_fields_that_are_missing_or_unknown_are_no_reason_to_refuse() -> None:
    entry = {"id": "id-1", "key": "a", "version": 4, "lifecycle": 7, "createdAt": None, "comment": None, "new": {}}

    found = await look([entry, {"id": "id-2", "type": "dynamic", "keyMap": [{"keyName": "b"}], "path": "/x/"}])

    [listed] = found.entries[EntryPlace("/", "A")]
    assert (listed.version, listed.type, listed.is_rotating) == (4, "secret", False)
    assert found.dynamic == {EntryPlace("/x", "B")}


@pytest.mark.parametrize(
    "fields",
    [
        {"comment": " ".join(Mark("east", "shop", f"name-{number}").comment for number in range(5_000))},
        {"comment": "x" * 100_000},
        {"type": "x" * 100_000},
        {"createdAt": "x" * 100_000},
        {"tags": [f"tag-{number}" for number in range(5_000)]},
    ],
    ids=["marks", "note", "type", "time", "tags"],
)
def test_entries_take_no_more_memory_than_is_counted(fields: dict[str, Any]) -> None:
    """People write comments and tags, and their namespace has a share of the memory."""
    entries = 20
    body = json.dumps(ENTRY | fields)
    tried = []

    def made() -> list[object]:
        tried.append(PushedEntries("phase.example"))
        return [tried[-1].made(json.loads(body)) for _ in range(entries)]

    made()

    # Many at once: what Python has in stock, or puts there meanwhile, is some hundred bytes, however many are made.
    assert taken(made) <= tried[0].weight


async def test_a_message_about_an_answer_has_no_word_of_it(canary: Canary) -> None:
    with pytest.raises(ExpectedError) as refused:
        await look([ENTRY | {"value": canary.value("value"), "comment": [canary.value("comment")]}])

    canary.see("message", refused.value.message)


@pytest.mark.parametrize(
    "answer", [[], [ENTRY | {"key": "B"}], [ENTRY, ENTRY | {"key": "B"}], [{"id": "id-1", "key": "A"}], {"id": "id-1"}]
)
async def test_an_answer_to_a_write_that_names_other_entries_leaves_it_unclear(answer: Any) -> None:
    wanted = Wanted(EntryPlace("/", "A"), EntryType.SECRET, SourceState("Secret/db", "7"), SecretValue("v"))
    step = Post(AT, "a", (wanted,), 0.0)

    with pytest.raises(ExpectedError) as unclear:
        await client(answer).post(credential(), step, Mark("east", "shop", "p"), place(), sent_within=30.0)

    assert not unclear.value.had_no_effect
