"""Nobody's flood costs anybody else his turn, whatever is added and taken in whichever order."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.flow.turns import Turns

LIMIT = 12
# A namespace that adds an item, or None: an item is taken.
STEPS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", None]), max_size=200)


@given(STEPS)
def test_nothing_is_lost_by_who_keeps_to_an_even_part(steps: list[str | None]) -> None:
    turns: Turns[tuple[str, int]] = Turns(LIMIT)
    waiting: dict[str, deque[int]] = {}
    for number, step in enumerate(steps):
        if step is not None:
            waiting.setdefault(step, deque()).append(number)
            dropped = turns.add(step, (step, number))
            if dropped is not None:
                namespace, oldest = dropped
                assert sum(map(len, waiting.values())) == LIMIT + 1
                assert len(waiting[namespace]) == max(map(len, waiting.values()))
                assert len(waiting[namespace]) > LIMIT // len(waiting)
                assert waiting[namespace].popleft() == oldest
        elif waiting:
            namespace, oldest = turns.take()
            assert waiting[namespace].popleft() == oldest
        waiting = {each: items for each, items in waiting.items() if items}
        assert len(turns) == sum(map(len, waiting.values())) <= LIMIT


@given(STEPS)
def test_each_waiting_namespace_has_its_turn_before_another_has_a_second(steps: list[str | None]) -> None:
    turns = Turns[str]()
    waiting: dict[str, int] = {}
    # How many turns others had, by namespace, since each began to wait or had its own.
    passed: dict[str, dict[str, int]] = {}
    for step in steps:
        if step is not None:
            turns.add(step, step)
            waiting[step] = waiting.get(step, 0) + 1
            passed.setdefault(step, {})
        elif any(waiting.values()):
            taken = turns.take()
            waiting[taken] -= 1
            del passed[taken]
            for others in passed.values():
                others[taken] = others.get(taken, 0) + 1
                assert others[taken] == 1
            if waiting[taken]:
                passed[taken] = {}


def test_an_empty_queue_has_nothing_to_take() -> None:
    with pytest.raises(LookupError):
        Turns[int]().take()


def test_a_namespace_that_is_passed_over_keeps_its_turn() -> None:
    turns = Turns[str]()
    for namespace in ("a", "a", "b", "b", "c"):
        turns.add(namespace, namespace)

    assert list(turns) == ["a", "b", "c"]
    assert [turns.take_of("b"), *(turns.take() for _ in range(4))] == ["b", "a", "c", "b", "a"]
    assert len(turns) == 0
