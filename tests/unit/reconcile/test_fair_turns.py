"""Owners take turns: nobody waits for another one's many items, and nobody saves up turns."""

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.reconcile.queue.fair_turns import FairTurns


def test_an_owner_with_many_items_has_every_second_turn_beside_another() -> None:
    turns = FairTurns()
    order = sorted([(turns.give("many"), "many") for _ in range(5)] + [(turns.give("few"), "few") for _ in range(2)])

    assert [owner for _, owner in order] == ["few", "many", "few", "many", "many", "many", "many"]


def test_an_owner_that_was_away_gets_no_turns_for_that_time() -> None:
    turns = FairTurns()
    for _ in range(10):
        turns.serve(turns.give("busy"))

    assert turns.give("new") == 9


def test_an_owner_that_comes_again_does_not_get_ahead_of_those_who_wait() -> None:
    turns = FairTurns()
    waits = turns.give("waits")
    turns.serve(turns.give("comes and goes"))

    assert turns.give("comes and goes") > waits


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=60))
def test_owners_that_are_forgotten_get_the_same_turns(steps: list[tuple[str, bool]]) -> None:
    forgetful, all_known = FairTurns(most=2), FairTurns(most=1000)
    given_out: list[int] = []
    for owner, is_served in steps:
        turn = forgetful.give(owner)
        assert turn == all_known.give(owner)
        given_out.append(turn)
        if is_served:
            first = min(given_out)
            given_out.remove(first)
            forgetful.serve(first)
            all_known.serve(first)
