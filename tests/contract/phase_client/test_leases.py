"""The operator's client leases dynamic secrets of the embedded server, which leases as the real one was recorded to.

Invariant: an error that says `had_no_effect` has made no lease.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contract.phase_server.recording import HERE
from phase_dev.server import EmbeddedPhase
from phase_operator.core.errors import ExpectedError
from phase_operator.core.leases.facts import DynamicSecret, IssuedLease, ListedLease
from phase_operator.core.leases.ledger import LeasePlace
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.lease_wire import seconds
from phase_operator.phase.leases import LeaseClient
from phase_operator.phase.session import Session


@pytest.fixture
def phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(HERE / "lease_seed.yaml") as phase:
        yield phase


class Lessee:
    """The operator's client with one account's token, which leases `bucket` of the app `backend`."""

    def __init__(self, phase: EmbeddedPhase, session: Session, account: str) -> None:
        self.phase = phase
        self._client = LeaseClient(session)
        self._credential = PhaseClient(session, b"k" * 32).credential(SecretValue(phase.token(account)))
        self._memory = AnswerMemory(64 * MIB)

    async def find(self, name: str = "bucket", path: str = "/aws") -> DynamicSecret | None:
        place = {"app_id": self.phase.app_id("backend"), "environment": "development"}
        return await self._client.find(
            self.phase.url, self._credential, path=path, name=name, memory=self._memory.open("team"), **place
        )

    async def place(self) -> LeasePlace:
        found = await self.find()
        assert found is not None
        return LeasePlace(self.phase.url, self.phase.app_id("backend"), "development", found.id)

    async def lease(self, ttl: int = 300) -> IssuedLease:
        return await self.lease_at(await self.place(), ttl)

    async def lease_at(self, place: LeasePlace, ttl: int = 300, sent_within: float = 30.0) -> IssuedLease:
        memory = self._memory.open("team")
        return await self._client.lease(self.phase.url, self._credential, place, ttl, memory, sent_within=sent_within)

    async def listed(self) -> tuple[ListedLease, ...]:
        return await self._client.leases(
            self.phase.url, self._credential, await self.place(), self._memory.open("team")
        )

    async def revoke(self, lease_id: str) -> None:
        place = await self.place()
        await self._client.revoke(self.phase.url, self._credential, place, lease_id, self._memory.open("team"))


@asynccontextmanager
async def leasing(phase: EmbeddedPhase, account: str = "operator") -> AsyncIterator[Lessee]:
    session = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
    try:
        yield Lessee(phase, session, account)
    finally:
        await session.close()


async def test_a_dynamic_secret_is_found_by_its_exact_name_in_its_folder(phase: EmbeddedPhase) -> None:
    async with leasing(phase) as lessee:
        found = await lessee.find()
        others = [await lessee.find("Bucket"), await lessee.find(path="/"), await lessee.find("nothing")]

    assert found is not None
    assert (found.default_ttl, found.longest_ttl) == (300, 900)
    assert others == [None, None, None]
    assert phase.leases.all() == []


async def test_a_lease_is_one_lease_of_the_life_that_was_asked_for(phase: EmbeddedPhase) -> None:
    async with leasing(phase) as lessee:
        lease = await lessee.lease(71)
        (listed,) = await lessee.listed()

    credentials = dict(lease.credentials)
    assert set(credentials) == {"BUCKET_USER", "BUCKET_ID", "BUCKET_KEY"}
    assert phase.leases.opens(credentials["BUCKET_ID"].reveal(), credentials["BUCKET_KEY"].reveal()) is not None
    assert listed == ListedLease(lease.id, 71, is_revoked=False, owner=lease.owner)
    assert [each.id for each in phase.leases.live()] == [lease.id]
    assert credentials["BUCKET_KEY"].reveal() not in repr(lease)


async def test_leases_are_listed_newest_first_also_when_they_have_ended(phase: EmbeddedPhase) -> None:
    async with leasing(phase) as lessee:
        first, second = await lessee.lease(60), await lessee.lease(120)
        await lessee.revoke(first.id)
        listed = await lessee.listed()

    assert [(each.id, each.is_revoked) for each in listed] == [(second.id, False), (first.id, True)]


async def test_a_lease_is_revoked_once_or_twice(phase: EmbeddedPhase) -> None:
    async with leasing(phase) as lessee:
        lease = await lessee.lease()
        await lessee.revoke(lease.id)
        await lessee.revoke(lease.id)

    assert phase.leases.live() == []
    assert phase.leases.users() == []


async def test_a_lease_that_phase_does_not_know_cannot_be_revoked(phase: EmbeddedPhase) -> None:
    async with leasing(phase) as lessee:
        with pytest.raises(ExpectedError) as refused:
            await lessee.revoke("00000000-0000-4000-8000-000000000000")

    assert "Lease not found" in refused.value.message
    assert refused.value.had_no_effect


@pytest.mark.parametrize(("ttl", "words"), [(901, "exceeds the maximum TTL"), (59, "at least 60 seconds")])
async def test_a_life_out_of_bounds_is_refused_and_makes_nothing(phase: EmbeddedPhase, ttl: int, words: str) -> None:
    async with leasing(phase) as lessee:
        with pytest.raises(ExpectedError) as refused:
            await lessee.lease(ttl)

    assert words in refused.value.message
    assert refused.value.had_no_effect
    assert phase.leases.all() == []


async def test_a_failure_of_the_cloud_provider_may_have_had_an_effect(phase: EmbeddedPhase) -> None:
    phase.leases.fail("refuse", "TagUser")

    async with leasing(phase) as lessee:
        with pytest.raises(ExpectedError) as failed:
            await lessee.lease()

    assert not failed.value.had_no_effect
    assert len(phase.leases.leaked()) == 1


def on_another_plan(phase: EmbeddedPhase) -> None:
    phase.set_plan("pro")


def of_another_provider(phase: EmbeddedPhase) -> None:
    phase.change_dynamic("backend", "development", "bucket", old_path="/aws", provider="azure")


@pytest.mark.parametrize("prepare", [on_another_plan, of_another_provider])
async def test_a_plan_and_a_provider_without_leases_are_server_errors_that_do_not_say_why(
    phase: EmbeddedPhase, prepare: Callable[[EmbeddedPhase], None]
) -> None:
    prepare(phase)

    async with leasing(phase) as lessee:
        found = await lessee.find()
        with pytest.raises(ExpectedError) as failed:
            await lessee.lease()

    assert found is not None
    assert found.provider in ("aws", "azure")
    assert (failed.value.reason, failed.value.had_no_effect) == ("PhaseUnavailable", False)
    assert " answers 500: An internal error occurred" in failed.value.message
    assert phase.leases.all() == []
    assert phase.leases.users() == []


async def test_a_lease_whose_answer_is_lost_is_asked_for_once_and_listed(phase: EmbeddedPhase) -> None:
    async with leasing(phase) as lessee:
        phase.fail("lost", lease=True, times=1)
        with pytest.raises(ExpectedError) as lost:
            await lessee.lease(77)
        listed = await lessee.listed()

    assert not lost.value.had_no_effect
    assert [each.ttl for each in listed] == [77]


@pytest.mark.parametrize("is_kept_alive", [False, True])
async def test_a_call_that_could_not_be_sent_in_time_is_never_sent(phase: EmbeddedPhase, is_kept_alive: bool) -> None:
    """Another process takes it for settled by then."""
    async with leasing(phase) as lessee, leasing(phase) as other:
        place = await lessee.place()
        before = phase.calls()
        with pytest.raises(ExpectedError) as late:
            await (lessee if is_kept_alive else other).lease_at(place, sent_within=0.0)
        assert phase.calls() == before
        lease = await lessee.lease()

    assert late.value.had_no_effect
    assert [each.id for each in phase.leases.all()] == [lease.id]


async def test_leasing_needs_an_account_that_reads_the_environment(phase: EmbeddedPhase) -> None:
    async with leasing(phase) as lessee, leasing(phase, "narrow") as other:
        place = await lessee.place()
        with pytest.raises(ExpectedError) as refused:
            await other.lease_at(place)

    assert refused.value.had_no_effect
    assert phase.leases.all() == []


@pytest.mark.parametrize("part", LeasePlace._fields)
async def test_a_place_without_a_part_is_never_asked_for(phase: EmbeddedPhase, part: str) -> None:
    """An empty id would lease every dynamic secret of the environment."""
    async with leasing(phase) as lessee:
        place = (await lessee.place())._replace(**{part: ""})
        before = phase.calls()
        with pytest.raises(ValueError, match="every dynamic secret"):
            await lessee.lease_at(place)

    assert phase.calls() == before


def test_durations_are_read_as_phase_writes_them() -> None:
    said: dict[str, Any] = {"00:01:11": 71, "1 01:01:01": 90061, "00:09:32.500000": 572, "PT1H": 0, "": 0}

    assert {text: seconds(text) for text in said} == said
