"""What changes together is looked at once, and nothing is put off for ever."""

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.reconcile.restarts.debounce import Debounce


def test_a_change_settles_after_the_window() -> None:
    debounce: Debounce[str] = Debounce(10.0)
    debounce.touch("team", 0.0)

    assert debounce.next_due() == 10.0
    assert debounce.take(9.9) == []
    assert debounce.take(10.0) == ["team"]
    assert debounce.next_due() is None


def test_two_changes_settle_as_one() -> None:
    debounce: Debounce[str] = Debounce(10.0)
    debounce.touch("team", 0.0)
    debounce.touch("team", 6.0)

    assert debounce.take(10.0) == []
    assert debounce.take(16.0) == ["team"]


def test_changes_without_end_are_looked_at_every_three_windows() -> None:
    debounce: Debounce[str] = Debounce(10.0)
    looks = []
    for second in range(120):
        debounce.touch("team", float(second))
        looks += [second for _ in debounce.take(float(second))]

    assert looks == [30, 61, 92]


def test_the_first_to_settle_goes_first_and_others_stay() -> None:
    debounce: Debounce[str] = Debounce(10.0)
    debounce.touch("b", 5.0)
    debounce.touch("a", 3.0)
    debounce.touch("late", 9.0)

    assert debounce.take(15.0) == ["a", "b"]
    assert len(debounce) == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5)), max_size=40))
def test_every_change_is_followed_by_a_look(changes: list[tuple[int, float]]) -> None:
    debounce: Debounce[int] = Debounce(2.0)
    now, changed, looked = 0.0, dict[int, float](), dict[int, float]()
    for key, pause in changes:
        now += pause
        debounce.touch(key, now)
        changed[key] = now
        looked |= dict.fromkeys(debounce.take(now), now)
    looked |= dict.fromkeys(debounce.take(now + 2.0), now + 2.0)

    assert all(looked[key] >= at for key, at in changed.items())
    assert len(debounce) == 0
