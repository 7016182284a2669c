"""The embedded server answers as Phase console v2.73.2 was recorded to answer, exchange by exchange, over a socket."""

from collections.abc import Iterator

import pytest

from contract.phase_server.recording import Exchange, load_exchanges, load_left_out
from contract.phase_server.replay import Session, play

EXCHANGES = load_exchanges()
LEFT_OUT = load_left_out()
REPLAYED = [exchange for exchange in EXCHANGES if exchange.number not in LEFT_OUT]


@pytest.fixture(scope="module")
def differences() -> dict[int, list[str]]:
    return play(EXCHANGES, LEFT_OUT)


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


@pytest.mark.parametrize("exchange", REPLAYED, ids=[f"{e.number} {e.name}" for e in REPLAYED])
def test_the_answer_is_the_recorded_one(exchange: Exchange, differences: dict[int, list[str]]) -> None:
    assert differences[exchange.number] == []


def test_every_exchange_is_replayed_or_left_out_with_a_reason(differences: dict[int, list[str]]) -> None:
    assert len(EXCHANGES) == 204
    assert {e.number for e in EXCHANGES} == differences.keys() | LEFT_OUT.keys()
    assert len(differences) + len(LEFT_OUT) == 204
    assert all(LEFT_OUT.values())


def test_a_mixed_case_key_of_an_encrypting_client_is_listed_as_it_was_written(session: Session) -> None:
    session.phase.phase.set_secret("backend", "development", "mixedCase", "m", keep_case=True)

    rows = session.call("GET", "operator")

    assert [row["key"] for row in rows] == ["mixedCase"]
