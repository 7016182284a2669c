"""What a refusal says of its effect is true: of each exchange that was recorded with Phase, played once more.

Invariant: a call whose error says `had_no_effect` has changed nothing that the server holds.
"""

from dataclasses import dataclass

import httpx
import pytest

from contract.phase_server.recording import Exchange, load_exchanges, load_left_out
from contract.phase_server.replay import play
from contract.phase_server.write_cases import WRITES, Case, before_writes, send
from phase_dev.server.model import Secret
from phase_operator.phase.errors import from_answer

# Phase makes an entry before it refuses its tag, and prolongs a lease before it sees that it was revoked.
HALF_DONE = {"tag longer than 64", "renew a revoked lease"}
# These changed nothing when they were recorded, with one entry. Of several, those before it would be written.
OF_ONE_ENTRY = {
    "id of another environment",
    "unknown id",
    "sealed: type change refused",
    "PUT of a rotating secret",
}


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

    assert {each.name for each in refused if not each.had_no_effect} == HALF_DONE | OF_ONE_ENTRY
    assert len(refused) > 60


def test_a_refusal_that_is_not_in_phases_words_may_have_had_an_effect(refusals: list[Refusal]) -> None:
    others = [each for each in refusals if each.status >= 500 or not each.in_phases_words]

    assert {each.status for each in others} >= {404, 500}
    assert not any(each.had_no_effect for each in others)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in WRITES if case.status >= 400])
async def test_a_write_that_is_refused_without_an_effect_has_changed_nothing(case: Case) -> None:
    installation = before_writes()
    held: list[Secret] = []
    answer = await send(installation, case, lambda: held.extend(installation.phase.state.secrets.values()))

    error = from_answer(answer, answer.content, "https://phase.test")

    assert error is not None
    changed = [*installation.phase.state.secrets.values()] != held
    assert not (error.had_no_effect and changed)
    assert not (answer.status_code >= 500 and error.had_no_effect)
