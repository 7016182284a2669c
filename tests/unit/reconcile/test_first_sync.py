"""Of a start that brings many resources in step for the first time, only Warnings become Events."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from phase_operator.core.values import ObjectKey
from support.builders import entry, phase_secret, secret_ref
from support.fakes import Loop

MANY = 30


def numbered(number: int) -> ObjectKey:
    return ObjectKey("team", f"shop-{number}")


def targets(number: int) -> list[dict[str, str]]:
    return [{"secretName": f"shop-{number}"}]


async def start(loop: Loop, numbers: Sequence[int], statuses: Mapping[ObjectKey, Mapping[str, Any]] = {}) -> None:
    """Show what was there before the process began, all of it before anything runs."""
    loop.is_starting = True
    for number in numbers:
        status = statuses.get(numbered(number))
        body = phase_secret(numbered(number), managedSecretReferences=targets(number), status=status)
        loop.cluster.bodies[numbered(number)] = body
        assert loop.resources.upsert(body)
    for number in numbers:
        loop.triggers.resource_changed(numbered(number), is_first=True)
    await loop.turn(0)
    loop.is_starting = False


def posted(loop: Loop) -> list[tuple[str, str]]:
    return [(event.type, event.reason) for event in loop.cluster.notices]


def logged(caplog: pytest.LogCaptureFixture, message: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage() == message]


async def test_a_first_sync_of_many_posts_no_normal_events_and_is_summed_up_in_the_log(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    loop.phase.holds(entry("A", "1"))

    await start(loop, range(MANY))

    assert len(loop.cluster.applied) == MANY
    assert posted(loop) == []
    assert len(logged(caplog, "resource changed")) == MANY
    (summary,) = logged(caplog, "first sync ended")
    assert (vars(summary)["resources"], vars(summary)["ready"], vars(summary)["not_ready"]) == (MANY, MANY, 0)


async def test_a_resource_that_is_made_after_it_has_its_events(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))
    await start(loop, range(MANY))

    await loop.show(phase_secret(numbered(MANY), managedSecretReferences=targets(MANY)))

    assert posted(loop) == [("Normal", "TargetWritten"), ("Normal", "Synced")]


async def test_a_first_sync_of_few_has_its_events(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))

    await start(loop, range(20))

    assert sorted(posted(loop)) == [("Normal", "Synced")] * 20 + [("Normal", "TargetWritten")] * 20


async def test_warnings_are_posted_and_the_end_of_the_problem_too(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))
    loop.cluster.refused.add((secret_ref("shop-7"), "Opaque"))

    await start(loop, range(MANY))
    assert posted(loop) == [("Warning", "TargetRefused")]

    loop.cluster.refused.clear()
    loop.cluster.notices.clear()
    await loop.turn(3600)
    assert posted(loop) == [("Normal", "TargetWritten"), ("Normal", "Synced")]


async def test_a_start_with_many_in_step_has_the_events_of_what_changed_meanwhile(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))
    await start(loop, range(MANY))
    statuses = dict(loop.cluster.statuses)
    async with Loop(lambda: loop.phase, cluster=loop.cluster) as restarted:
        restarted.phase.holds(entry("A", "2"))
        loop.cluster.notices.clear()

        await start(restarted, range(MANY), statuses)

        assert posted(restarted) == [("Normal", "TargetWritten")] * MANY


async def test_a_resource_of_the_start_that_goes_before_its_verdict_does_not_hold_up_the_end(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    loop.phase.holds(entry("A", "1"))
    lost = ObjectKey("team", "lost")
    loop.is_starting = True
    assert loop.resources.upsert(phase_secret(lost))
    await start(loop, range(MANY))
    assert not logged(caplog, "first sync ended")

    await loop.bury(lost)
    await loop.show(phase_secret(numbered(MANY), managedSecretReferences=targets(MANY)))

    assert len(logged(caplog, "first sync ended")) == 1
