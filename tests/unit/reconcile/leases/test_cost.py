"""What leases cost over time: the scenario of `python -m bench.leases`, small."""

import asyncio
from dataclasses import replace

import pytest

from bench.leases import WRITES, Cost, Fleet, Size, measured, told

# A life of two hours less up to a twentieth is over by two thirds after 76 to 80 minutes. When the day ends, the fifth
# roll-over is past and the sixth to come.
SIZE = Size(resources=20, secrets=2, namespaces=4, ttl=7200, overlap=300, interval=600, seconds=7.25 * 3600, step=60.0)
ROLL_OVERS = 5


@pytest.fixture(scope="module")
def outcome() -> tuple[Fleet, Cost, Cost]:
    """Run a third of a day, with five roll-overs, and a restart at its end."""
    return asyncio.run(measured(SIZE))


def test_a_lease_costs_four_calls(outcome: tuple[Fleet, Cost, Cost]) -> None:
    _, day, _ = outcome
    calls, made = day.calls, day.calls["lease"]

    assert made == (1 + ROLL_OVERS) * SIZE.resources
    assert calls["find"] == made
    assert calls["revoke"] == ROLL_OVERS * SIZE.resources
    assert day.living == day.ready == SIZE.resources


def test_each_list_is_asked_for_once_in_an_interval_however_many_resources_need_it(
    outcome: tuple[Fleet, Cost, Cost],
) -> None:
    fleet, day, _ = outcome
    looks = day.calls["list"] - day.calls["find"]

    assert fleet.phase.repeated == 0
    # One that a lease needed is as good as one of an interval.
    assert 0.5 * SIZE.secrets * SIZE.seconds / SIZE.interval <= looks <= SIZE.secrets * SIZE.seconds / SIZE.interval
    assert day.apps <= 4, "one for each worker at the start"


def test_nothing_is_written_but_for_a_lease(outcome: tuple[Fleet, Cost, Cost]) -> None:
    _, day, _ = outcome
    written = {each: day.cluster[each] for each in WRITES}
    made, gone = day.calls["lease"], day.calls["revoke"]

    assert written["make_record"] == written["carry_out"] == made
    assert written["drop_record"] == gone
    assert written["set_finalizer"] == SIZE.resources
    # Announced, active, its overlap begun, to be revoked, out.
    assert written["write_ledger"] <= 5 * made
    assert written["write_status"] <= 2 * made
    assert day.cluster["read_record"] == made


def test_a_restart_asks_phase_nothing_and_writes_nothing(outcome: tuple[Fleet, Cost, Cost]) -> None:
    fleet, day, restart = outcome

    assert not restart.calls
    assert restart.apps == 0
    assert not {each for each in (*WRITES, "read_record") if restart.cluster[each]}
    assert restart.ready == SIZE.resources
    assert restart.living == day.living
    assert fleet.ledgers() == fleet.phase.living()


def test_the_figures_are_told_in_a_table(outcome: tuple[Fleet, Cost, Cost]) -> None:
    fleet, day, restart = outcome

    table = told(SIZE, day, replace(restart, took=1.0), fleet)

    assert "| a restart: calls to Phase, leases, writes, reads of records | 0, 0, 0, 0 |" in table
    assert f"| leases made, given back | {day.calls['lease']}, {day.calls['revoke']} |" in table
