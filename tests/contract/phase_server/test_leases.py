"""The embedded server leases as Phase console v2.73.2 was recorded to lease, with its worker and with AWS failing."""

import pytest

from contract.phase_server.lease_replay import (
    AROUND,
    IN_THE_CONSOLE,
    INSTALLATIONS,
    LEFT,
    LeaseExchange,
    load_lease_exchanges,
    play_leases,
)

EXCHANGES = load_lease_exchanges()


@pytest.fixture(scope="module")
def differences() -> dict[int, list[str]]:
    return play_leases(EXCHANGES)


@pytest.mark.parametrize("exchange", EXCHANGES, ids=[f"{e.number} {e.part}: {e.name}" for e in EXCHANGES])
def test_the_answer_is_the_recorded_one(exchange: LeaseExchange, differences: dict[int, list[str]]) -> None:
    assert differences[exchange.number] == []


def test_every_exchange_is_replayed_and_every_turn_belongs_to_one() -> None:
    names = {exchange.name for exchange in EXCHANGES}

    assert len(EXCHANGES) == 110
    assert {exchange.part for exchange in EXCHANGES} == {part for parts in INSTALLATIONS for part in parts}
    assert AROUND.keys() | IN_THE_CONSOLE.keys() | LEFT.keys() <= names
    unanswered = {exchange.name for exchange in EXCHANGES if exchange.response is None}
    assert unanswered == {name for name in names if name.startswith("client ")}
