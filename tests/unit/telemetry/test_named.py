"""What is exported of each PhaseSecret and each source: as long as it is there, and nothing but names."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.telemetry.named import Named
from support.builders import KEY, TOKEN, entry, phase_secret, query
from support.canary import Canary
from support.clock import HandClock
from support.fakes import Loop

SHOP = {"namespace": "team", "name": "shop"}
ROOT = {"namespace": "team", "app": "shop", "environment": "production", "path": "/"}
READY = "phase_operator_resource_ready"
SUCCESS = "phase_operator_resource_last_success_timestamp_seconds"
CONFIRMED = "phase_operator_source_confirmed_timestamp_seconds"
DOWN = Transient(Reason.PHASE_UNAVAILABLE, "Phase answers 503")


@pytest.fixture
async def loop() -> AsyncIterator[Loop]:
    """Give the loop at work, with one entry in Phase."""
    async with Loop() as started:
        started.phase.holds(entry("A", "1"))
        yield started


def scraped(loop: Loop) -> CollectorRegistry:
    """Return what a scrape shows of a loop."""
    registry = CollectorRegistry()
    registry.register(Named(loop.resources, loop.poller, loop.clock, loop.internal_errors))
    return registry


def value(loop: Loop, name: str, labels: dict[str, str]) -> float | None:
    return scraped(loop).get_sample_value(name, labels)


def series(loop: Loop) -> int:
    return sum(len(family.samples) for family in scraped(loop).collect())


def now(clock: HandClock) -> float:
    """Return the time in seconds since 1970."""
    return datetime.fromisoformat(clock.now()).timestamp()


async def test_named_metrics_come_and_go_with_the_resource(loop: Loop) -> None:
    assert series(loop) == 0

    await loop.show(phase_secret(phaseAppEnvPath="/"))
    assert (value(loop, READY, SHOP), value(loop, SUCCESS, SHOP)) == (1, now(loop.clock))
    assert value(loop, CONFIRMED, ROOT) == now(loop.clock)
    assert series(loop) == 3

    await loop.bury()
    assert series(loop) == 0


async def test_success_is_as_old_as_the_last_word_of_phase(loop: Loop) -> None:
    await loop.show(phase_secret(phaseAppEnvPath="/"))
    begun = now(loop.clock)

    await loop.turn(20)
    assert (value(loop, SUCCESS, SHOP), value(loop, CONFIRMED, ROOT)) == (begun, begun)

    # A probe says that nothing has changed.
    await loop.refresh()
    for found in (value(loop, SUCCESS, SHOP), value(loop, CONFIRMED, ROOT)):
        assert found is not None
        assert found > begun + 20


async def test_a_resource_that_is_out_of_step_succeeded_until_it_was(loop: Loop) -> None:
    await loop.show(phase_secret(phaseAppEnvPath="/"))
    begun = now(loop.clock)
    loop.phase.fails(DOWN)
    for _ in range(30):
        await loop.turn(10)

    assert value(loop, READY, SHOP) == 0
    ended = value(loop, SUCCESS, SHOP)
    assert ended is not None
    assert begun < ended < now(loop.clock) - 60
    assert value(loop, CONFIRMED, ROOT) == begun


async def test_a_resource_that_never_was_in_step_has_no_success(loop: Loop) -> None:
    loop.cluster.tokens.clear()

    await loop.show(phase_secret())

    assert (value(loop, READY, SHOP), value(loop, SUCCESS, SHOP)) == (0, None)
    assert series(loop) == 1


async def test_a_suspended_resource_is_ready_and_asks_nothing(loop: Loop) -> None:
    await loop.show(phase_secret(suspend=True))

    assert (value(loop, READY, SHOP), value(loop, SUCCESS, SHOP)) == (1, None)


async def test_a_resource_that_is_not_judged_yet_is_not_ready(loop: Loop) -> None:
    loop.phase.defer_event()

    await loop.show(phase_secret())

    assert (value(loop, READY, SHOP), value(loop, SUCCESS, SHOP)) == (0, None)


async def test_every_folder_has_a_name_that_no_folder_has(loop: Loop) -> None:
    await loop.show(phase_secret(phaseAppEnvPath="/", recursive=True))

    assert value(loop, CONFIRMED, ROOT | {"path": "*"}) == now(loop.clock)


def test_the_metric_of_equal_names_shows_the_one_furthest_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [(query(account="a"), 5.0), (query(account="b"), 60.0), (query(tags=("x",)), 9.0), (query(path="/x"), 1.0)]
    # Of another namespace, by the same names, on a host of its own: it says nothing of the source here.
    ages = [*(("team", *each) for each in asked), ("mallory", query(account="c"), 9000.0)]
    monkeypatch.setattr(Poller, "ages", lambda _: ages)
    loop = Loop()

    assert value(loop, CONFIRMED, ROOT) == now(loop.clock) - 60
    assert value(loop, CONFIRMED, ROOT | {"path": "/x"}) == now(loop.clock) - 1
    assert value(loop, CONFIRMED, ROOT | {"namespace": "mallory"}) == now(loop.clock) - 9000
    assert series(loop) == 3


async def test_no_label_is_a_key_a_value_or_a_token(loop: Loop, canary: Canary) -> None:
    loop.cluster.tokens[TOKEN] = canary.token("pss_service:v2:of-a-test")
    loop.phase.holds(entry("A_KEY", canary.value("value")))

    await loop.show(phase_secret(phaseAppEnvPath="/", phaseAppEnvTags=["a-tag"]))
    await loop.show(phase_secret(ObjectKey("team", "other"), managedSecretReferences=[{"secretName": "other"}]))
    text = generate_latest(scraped(loop)).decode()

    canary.watch(text)
    assert KEY.name in text
    assert "A_KEY" not in text
    assert "a-tag" not in text
