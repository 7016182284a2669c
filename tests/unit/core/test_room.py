"""The invariant: never is more taken than there is, it is given back, and whoever comes next finds room."""

import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.room import Place, Room

TOTAL = 1_000
moves = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 4), st.integers(0, TOTAL)), max_size=40)


@given(moves)
def test_never_is_more_taken_than_there_is_and_something_is_free(
    steps: list[tuple[str, int, int]],
) -> None:
    room = Room(TOTAL)
    places: dict[tuple[str, int], Place] = {}
    sizes: dict[tuple[str, int], int] = {}

    for namespace, number, size in steps:
        place = places.setdefault((namespace, number), room.open(namespace))
        try:
            place.resize(size)
        except Waiting:
            sizes[namespace, number] = 0
        else:
            sizes[namespace, number] = size
        assert room.used == sum(sizes.values())
        assert room.used < TOTAL


@given(st.integers(1, 6))
def test_whoever_comes_next_finds_room_however_much_others_have_taken(others: int) -> None:
    room = Room(TOTAL)
    kept = []
    for number in range(others):
        for _ in range(TOTAL):
            place = room.open(f"mallory-{number}")
            try:
                place.resize(10)
            except Waiting:
                break
            kept.append(place)

    room.open("team").resize(TOTAL // 2 ** (others + 2))


def test_a_place_that_nobody_keeps_is_given_back() -> None:
    room = Room(TOTAL)
    place = room.open("team")
    place.resize(500)

    gc.disable()
    try:
        del place
        assert room.used == 0
    finally:
        gc.enable()


def test_a_place_that_cannot_grow_is_given_back_at_once() -> None:
    room = Room(TOTAL)
    place = room.open("team")
    place.resize(500)

    with pytest.raises(Waiting) as caught:
        place.resize(900)

    assert caught.value.reason is Reason.ANSWER_TOO_LARGE
    assert room.used == 0
