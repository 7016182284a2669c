"""The operator's client pushes entries to the embedded server, which takes them as the real one was recorded to.

Invariant: an error that says `had_no_effect` has changed nothing, and no value ever comes back.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from phase_dev.server import EmbeddedPhase
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import EntryType
from phase_operator.core.errors import ExpectedError
from phase_operator.core.push.answers import after_delete, after_post, after_put
from phase_operator.core.push.desired import Wanted
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.looks import Listed, Look, Written
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import SourceState
from phase_operator.core.push.steps import Change, Delete, Post, Put
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.pushes import PushClient
from phase_operator.phase.session import Session
from support.canary import Canary

OURS = Mark("east", "shop", "to-phase")
A, B = EntryPlace("/cluster", "A"), EntryPlace("/cluster/deep", "B")
SOURCE = SourceState("Secret/db", "7")
NOW = 1_800_000_000.0
SEED = {
    "apps": [{"name": "shop", "environments": [{"name": "Production"}, {"name": "Staging"}]}],
    "accounts": [
        {"name": "pusher", "access": {"shop": ["*"]}},
        {"name": "narrow", "access": {"shop": ["Staging"]}},
    ],
}


@pytest.fixture
def phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(SEED) as phase:
        yield phase


class Pusher:
    """The operator's client with one account's token, which pushes to production of the app `shop`."""

    def __init__(self, phase: EmbeddedPhase, session: Session, account: str) -> None:
        self.at = PushPlace(phase.url, phase.app_id("shop"), "Production")
        self._client = PushClient(session)
        self._credential = PhaseClient(session, b"k" * 32).credential(SecretValue(phase.token(account)))
        self._memory = AnswerMemory(64 * MIB)

    async def look(self) -> Look:
        return await self._client.look(self._credential, self.at, NOW, self._memory.open("team"))

    async def post(self, *entries: Wanted, sent_within: float = 30.0) -> tuple[Post, list[Written]]:
        step = Post(self.at, "a", entries, NOW)
        memory = self._memory.open("team")
        return step, await self._client.post(self._credential, step, OURS, memory, sent_within=sent_within)

    async def put(self, *changes: Change, sent_within: float = 30.0) -> tuple[Put, list[Written]]:
        step = Put(self.at, "a", changes, NOW)
        memory = self._memory.open("team")
        return step, await self._client.put(self._credential, step, OURS, memory, sent_within=sent_within)

    async def delete(self, *entries: Listed) -> Delete:
        step = Delete(self.at, entries)
        await self._client.delete(self._credential, step, self._memory.open("team"))
        return step


@asynccontextmanager
async def pushing(phase: EmbeddedPhase, account: str = "pusher") -> AsyncIterator[Pusher]:
    session = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
    try:
        yield Pusher(phase, session, account)
    finally:
        await session.close()


def wanted(place: EntryPlace = A, value: str = "v", **fields: Any) -> Wanted:
    found: dict[str, Any] = {"type": EntryType.SECRET, "source": SOURCE, "tags": frozenset({"k8s"})} | fields
    return Wanted(place, value=SecretValue(value), **found)


def found(look: Look, place: EntryPlace = A) -> Listed:
    [entry] = look.entries[place]
    return entry


def plain(look: Look) -> dict[EntryPlace, list[Listed]]:
    """Return a look in the form in which an answer and a listing have to be the same."""
    return {
        place: [replace(each, written_from=None, created_at="") for each in several]
        for place, several in look.entries.items()
    }


def stored(phase: EmbeddedPhase, place: EntryPlace = A) -> Any:
    [secret] = [each for each in phase.phase.state.secrets.values() if (each.path, each.key) == place]
    return secret


async def test_entries_are_made_with_our_mark_in_their_folders(phase: EmbeddedPhase) -> None:
    async with pushing(phase) as pusher:
        before = await pusher.look()
        step, written = await pusher.post(wanted(), wanted(B, "w", type=EntryType.SEALED))
        after = await pusher.look()

    assert before.entries == {}
    assert plain(after_post(before, step, OURS, written)) == plain(after)
    assert {place: (each.version, each.type, each.marks, each.tags) for place, [each] in after.entries.items()} == {
        A: (1, "secret", (OURS,), frozenset({"k8s"})),
        B: (1, "sealed", (OURS,), frozenset({"k8s"})),
    }
    assert stored(phase).comment == "managed by phase-operator: east/shop/to-phase"


async def test_a_change_says_only_what_changes(phase: EmbeddedPhase) -> None:
    phase.set("shop", "Production", "A", "old", path="/cluster", comment="says Ada", tags=["db"], type="config")
    async with pushing(phase) as pusher:
        first = await pusher.look()
        step, written = await pusher.put(Change(found(first), SOURCE, SecretValue("new"), is_marked=True))
        second = await pusher.look()
        await pusher.put(Change(found(second), None, tags=frozenset({"k8s"}), type="secret"))
        await pusher.put(Change(found(second), None, is_marked=False))
        third = await pusher.look()

    assert plain(after_put(first, step, OURS, written)) == plain(second)
    assert (found(second).marks, found(second).tags, found(second).type) == ((OURS,), frozenset({"db"}), "config")
    assert (found(third).marks, found(third).tags, found(third).type) == ((), frozenset({"k8s"}), "secret")
    assert (stored(phase).value, stored(phase).comment, found(third).version) == ("new", "says Ada", 4)


async def test_entries_are_deleted_all_or_none(phase: EmbeddedPhase) -> None:
    async with pushing(phase) as pusher:
        await pusher.post(wanted(), wanted(B))
        look = await pusher.look()
        entries = [found(look, A), found(look, B)]
        with pytest.raises(ExpectedError) as refused:
            await pusher.delete(*entries, replace(entries[0], id="00000000-0000-4000-8000-000000000000"))
        same = await pusher.look()
        step = await pusher.delete(*entries)
        after = await pusher.look()

    assert refused.value.had_no_effect
    assert same.entries == look.entries
    assert after_delete(look, step).entries == after.entries == {}


async def test_no_value_comes_back(phase: EmbeddedPhase, canary: Canary) -> None:
    """The echo of a write resolves references without a check of access, and so do values of a list."""
    phase.set("shop", "Production", "B", canary.value("theirs"), comment=canary.value("note"))
    async with pushing(phase) as pusher:
        step, written = await pusher.post(wanted(value=canary.value("ours")))
        look = await pusher.look()

    canary.see("answer", repr(written))
    canary.see("look", repr(look))
    canary.see("step", repr(step))


async def test_a_duplicate_is_refused_and_nothing_of_its_batch_is_made(phase: EmbeddedPhase) -> None:
    phase.set("shop", "Production", "A", "theirs", path="/cluster")
    async with pushing(phase) as pusher:
        with pytest.raises(ExpectedError) as refused:
            await pusher.post(wanted(B), wanted())
        look = await pusher.look()

    assert refused.value.had_no_effect
    assert set(look.entries) == {A}


async def test_a_key_of_a_dynamic_secret_is_seen_before_it_is_refused(phase: EmbeddedPhase) -> None:
    phase.add_dynamic("shop", "Production", "bucket", path="/cluster", keyMap={"username": "A"})
    async with pushing(phase) as pusher:
        look = await pusher.look()
        with pytest.raises(ExpectedError) as refused:
            await pusher.post(wanted())

    assert A in look.dynamic
    assert refused.value.had_no_effect


async def test_a_batch_that_is_refused_may_be_half_done(phase: EmbeddedPhase) -> None:
    async with pushing(phase) as pusher:
        await pusher.post(wanted())
        entry = found(await pusher.look())
        unknown = replace(entry, id="00000000-0000-4000-8000-000000000000")
        with pytest.raises(ExpectedError) as of_many:
            await pusher.put(Change(entry, SOURCE, SecretValue("new")), Change(unknown, SOURCE, SecretValue("new")))

    assert of_many.value.reason is Reason.REQUEST_REFUSED
    assert not of_many.value.had_no_effect


@pytest.mark.parametrize("kind", ["lost", "cut", "reset"])
async def test_an_answer_that_is_lost_leaves_it_unclear_and_is_not_asked_for_again(
    phase: EmbeddedPhase, kind: Any
) -> None:
    async with pushing(phase) as pusher:
        phase.fail(kind, method="POST", times=1)
        before = phase.calls()
        with pytest.raises(ExpectedError) as lost:
            await pusher.post(wanted())
        assert phase.calls() == before + 1
        look = await pusher.look()

    assert not lost.value.had_no_effect
    assert kind == "reset" or found(look).version == 1


async def test_a_call_that_could_not_be_sent_in_time_is_never_sent(phase: EmbeddedPhase) -> None:
    async with pushing(phase) as pusher:
        before = phase.calls()
        with pytest.raises(ExpectedError) as late:
            await pusher.post(wanted(), sent_within=0.0)
        assert phase.calls() == before

    assert late.value.had_no_effect


async def test_an_account_that_may_not_write_there_is_refused_for_certain(phase: EmbeddedPhase) -> None:
    async with pushing(phase, "narrow") as pusher:
        with pytest.raises(ExpectedError) as refused:
            await pusher.post(wanted(), wanted(B))

    assert (refused.value.reason, refused.value.had_no_effect) == (Reason.ACCESS_DENIED, True)


async def test_a_quota_that_is_used_up_refuses_for_certain(phase: EmbeddedPhase) -> None:
    async with pushing(phase) as pusher:
        phase.fail("quota", method="POST", times=1)
        with pytest.raises(ExpectedError) as refused:
            await pusher.post(wanted(), wanted(B))

    assert (refused.value.reason, refused.value.had_no_effect) == (Reason.RATE_LIMITED, True)


async def test_a_page_of_a_proxy_leaves_it_unclear(phase: EmbeddedPhase) -> None:
    """One such refuses a body over its limit in HTML, another one a caller that it does not know."""
    async with pushing(phase) as pusher:
        phase.fail("html", status=413, method="POST", times=1)
        with pytest.raises(ExpectedError) as refused:
            await pusher.post(wanted())

    assert not refused.value.had_no_effect


async def test_an_id_that_was_deleted_takes_writes_and_is_not_listed(phase: EmbeddedPhase) -> None:
    async with pushing(phase) as pusher:
        await pusher.post(wanted())
        entry = found(await pusher.look())
        phase.delete("shop", "Production", "A", path="/cluster")
        await pusher.put(Change(entry, SOURCE, SecretValue("new")))
        after = await pusher.look()

    assert after.entries == {}


async def test_a_sealed_entry_keeps_its_value_silently(phase: EmbeddedPhase) -> None:
    async with pushing(phase) as pusher:
        await pusher.post(wanted(type=EntryType.SEALED))
        entry = found(await pusher.look())
        _, [written] = await pusher.put(Change(entry, SOURCE, SecretValue("new")))

    assert written.version == 2
    assert stored(phase).value == "v"


async def test_twins_are_listed_both_and_the_older_one_first(phase: EmbeddedPhase) -> None:
    """Keys that differ in case alone are one key; only an app that was encrypted once has such."""
    phase.set("shop", "Production", "a", "1", path="/cluster", keep_case=True)
    phase.set("shop", "Production", "A", "2", path="/cluster", keep_case=True)
    async with pushing(phase) as pusher:
        look = await pusher.look()

    older, newer = look.entries[A]
    assert (older.created_at, older.id) < (newer.created_at, newer.id)
