"""What a refusal says of its effect is true: of each exchange that was recorded with Phase, played once more.

Invariant: a call whose error says `had_no_effect` has changed nothing that the server holds.
"""

from dataclasses import dataclass

import httpx
import pytest

from contract.phase_server.recording import Exchange, load_exchanges, load_left_out
from contract.phase_server.replay import play
from phase_operator.phase.errors import from_answer

# Phase makes an entry before it refuses its tag, and prolongs a lease before it sees that it was revoked.
HALF_DONE = {"tag longer than 64", "renew a revoked lease"}


@dataclass(frozen=True)
class Refusal:
    """A refused request."""

    name: str
    status: int
    in_phases_words: bool
    had_no_effect: bool
    changed: bool


@pytest.fixture(scope="module")
def refusals() -> list[Refusal]:
    found: list[Refusal] = []

    def look(exchange: Exchange, answer: httpx.Response, changed: bool) -> None:
        error = from_answer(answer, answer.content, "https://phase.test")
        if error is not None:
            has_words = '"error"' in answer.text
            found.append(Refusal(exchange.name, answer.status_code, has_words, error.had_no_effect, changed))

    play(load_exchanges(), load_left_out(), look)
    return found


def test_a_refusal_without_an_effect_has_changed_nothing(refusals: list[Refusal]) -> None:
    assert [each for each in refusals if each.had_no_effect and each.changed] == []
    assert {each.name for each in refusals if each.changed} == HALF_DONE


def test_every_other_refusal_in_phases_own_words_is_one_without_an_effect(refusals: list[Refusal]) -> None:
    refused = [each for each in refusals if 400 <= each.status < 500 and each.in_phases_words]

    assert {each.name for each in refused if not each.had_no_effect} == HALF_DONE
    assert len(refused) > 60


def test_a_refusal_that_is_not_in_phases_words_may_have_had_an_effect(refusals: list[Refusal]) -> None:
    others = [each for each in refusals if each.status >= 500 or not each.in_phases_words]

    assert {each.status for each in others} >= {404, 500}
    assert not any(each.had_no_effect for each in others)
