"""When a PhaseSecret was last known to be in step, told to those who know its uid."""

from collections.abc import AsyncIterator

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.telemetry.freshness import Freshness
from support.builders import KEY, UID, entry, phase_secret
from support.fakes import Loop

SHOP = f"{KEY}/{UID}"


@pytest.fixture
async def loop() -> AsyncIterator[Loop]:
    """Give the loop at work, with one entry in Phase."""
    async with Loop() as started:
        started.phase.holds(entry("A", "1"))
        yield started


def ages(loop: Loop, *asked: str) -> dict[str, int | None]:
    return Freshness(loop.resources, loop.poller, loop.clock).ages(asked)


async def test_an_age_grows_until_phase_is_asked_again(loop: Loop) -> None:
    await loop.show(phase_secret())
    begun = loop.clock.monotonic()
    assert ages(loop, SHOP) == {UID: 0}

    await loop.turn(20)
    assert ages(loop, SHOP) == {UID: 20}

    await loop.refresh()
    assert (ages(loop, SHOP)[UID] or 0) < loop.clock.monotonic() - begun - 20


async def test_a_resource_that_is_out_of_step_is_as_old_as_the_moment_when_it_was_in_step(loop: Loop) -> None:
    await loop.show(phase_secret())
    loop.phase.fails(Transient(Reason.PHASE_UNAVAILABLE, "Phase answers 503"))
    for _ in range(30):
        await loop.turn(10)

    found = ages(loop, SHOP)[UID]
    await loop.turn(10)

    assert found is not None
    assert found > 60
    assert ages(loop, SHOP) == {UID: found + 10}


async def test_a_resource_that_never_was_in_step_has_no_age(loop: Loop) -> None:
    loop.cluster.tokens.clear()

    await loop.show(phase_secret())

    assert ages(loop, SHOP) == {UID: None}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(f"{KEY}/another-uid", id="another uid"),
        pytest.param(f"{KEY}/", id="no uid"),
        pytest.param(f"{KEY.namespace}/{KEY.name}", id="no third part"),
        pytest.param(f"other/{KEY.name}/{UID}", id="another namespace"),
        pytest.param(f"{KEY.namespace}/{UID}", id="no name"),
        pytest.param(f"PhasePushSecret:{KEY}/{UID}", id="a kind"),
        pytest.param("", id="nothing"),
        pytest.param("/" * 1000, id="slashes"),
    ],
)
async def test_nobody_learns_of_a_resource_whose_uid_is_not_known_to_him(loop: Loop, asked: str) -> None:
    await loop.show(phase_secret())

    assert ages(loop, asked) == {}
