"""The invariant: never is more taken than there is, it is given back, and the next namespace finds room."""

import gc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation

TOTAL = 1_000
KIB = 1024
moves = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 4), st.integers(0, TOTAL)), max_size=40)


@given(moves)
def test_never_is_more_taken_than_there_is(
    steps: list[tuple[str, int, int]],
) -> None:
    memory = AnswerMemory(TOTAL)
    places: dict[tuple[str, int], Reservation] = {}
    sizes: dict[tuple[str, int], int] = {}

    for namespace, number, size in steps:
        place = places.setdefault((namespace, number), memory.open(namespace))
        try:
            place.resize(size)
        except Waiting:
            sizes[namespace, number] = 0
        else:
            sizes[namespace, number] = size
        assert memory.used == sum(sizes.values())
        assert memory.used <= TOTAL


def hoard(memory: AnswerMemory, namespaces: int, *sizes: int) -> list[Reservation]:
    """Let each of some namespaces take all it can get, in places of these sizes."""
    kept = []
    for number in range(namespaces):
        for size in sizes:
            while True:
                place = memory.open(f"mallory-{number}")
                try:
                    place.resize(size)
                except Waiting:
                    break
                kept.append(place)
    return kept


@pytest.mark.parametrize(
    ("others", "left"), [(1, 13 * MIB), (2, 4 * MIB), (20, 200 * KIB), (60, 200 * KIB), (128, 4 * KIB)]
)
def test_another_namespace_finds_room_however_much_others_have_taken(others: int, left: int) -> None:
    memory = AnswerMemory(80 * MIB)
    hoarded = hoard(memory, others, 16 * MIB, MIB, 64 * KIB, 4 * KIB)

    memory.open("team").resize(left)

    assert memory.used <= 80 * MIB
    assert hoarded


def test_one_namespace_alone_may_have_half() -> None:
    memory = AnswerMemory(80 * MIB)
    place = memory.open("team")
    place.resize(40 * MIB)

    with pytest.raises(Waiting):
        memory.open("team").resize(MIB)
    assert place.size == 40 * MIB


@pytest.mark.parametrize("others", [1, 3, 20, 60])
def test_a_namespace_that_holds_much_reads_it_again_however_much_others_have_taken_since(others: int) -> None:
    """And a little more: an answer that gained a key is no reason to lose all that comes after it."""
    memory = AnswerMemory(80 * MIB)
    large, small = memory.open("team"), memory.open("team")
    large.resize(30 * MIB)
    small.resize(100 * KIB)
    hoarded = hoard(memory, others, 16 * MIB, MIB, 64 * KIB, 4 * KIB)

    for _ in range(100):
        again = memory.open("team", instead_of=[small])
        again.resize(100 * KIB + 500)
        small = again

    assert hoarded


def test_an_answer_of_megabytes_is_read_again_as_long_as_few_do_so_at_once() -> None:
    memory = AnswerMemory(80 * MIB)
    place = memory.open("team")
    place.resize(4 * MIB)
    hoarded = hoard(memory, 20, 16 * MIB, MIB, 64 * KIB)

    again = memory.open("team", instead_of=[place])
    again.resize(4 * MIB)

    with pytest.raises(Waiting):
        memory.open("mallory-0", instead_of=hoarded[:1]).resize(16 * MIB)


def test_reading_again_and_again_a_little_more_takes_no_more_than_a_little() -> None:
    memory = AnswerMemory(80 * MIB)
    place = memory.open("mallory")
    place.resize(4 * MIB)
    hoarded = hoard(memory, 20, 16 * MIB, MIB, 64 * KIB)
    size = 4 * MIB

    for _ in range(200):
        again = memory.open("mallory", instead_of=[place])
        with suppress(Waiting):
            again.resize(size + 10 * KIB)
            place, size = again, size + 10 * KIB

    assert 4 * MIB < size <= 4 * MIB + 256 * KIB
    assert hoarded


def test_the_place_of_another_namespace_is_not_reused_for_a_second_read() -> None:
    memory = AnswerMemory(80 * MIB)
    place = memory.open("team")
    place.resize(30 * MIB)
    hoarded = hoard(memory, 20, 16 * MIB, MIB, 64 * KIB)

    with pytest.raises(Waiting):
        memory.open("mallory-21", instead_of=[place]).resize(2 * MIB)
    assert hoarded


def test_the_namespace_that_holds_least_is_found() -> None:
    memory = AnswerMemory(80 * MIB)
    place = memory.open("mallory")
    place.resize(MIB)

    assert memory.open_for_one(["mallory", "team"]).namespace == "team"
    assert memory.open_for_one([]).namespace == ""
    assert place.namespace == "mallory"


def test_a_place_that_nobody_keeps_is_given_back() -> None:
    memory = AnswerMemory(TOTAL)
    place = memory.open("team")
    place.resize(500)

    gc.disable()
    try:
        del place
        assert memory.used == 0
    finally:
        gc.enable()


def test_a_place_that_cannot_grow_is_given_back_at_once() -> None:
    memory = AnswerMemory(TOTAL)
    place = memory.open("team")
    place.resize(500)

    with pytest.raises(Waiting) as caught:
        place.resize(900)

    assert caught.value.reason is Reason.ANSWER_TOO_LARGE
    assert memory.used == 0
