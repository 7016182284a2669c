"""Timers name each thing once when it is due, like a table that is searched each time."""

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.reconcile.polling.timers import Timers

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc"), st.integers(0, 9)),
        st.tuples(st.just("forget"), st.sampled_from("abc"), st.just(0)),
        st.tuples(st.just("pop"), st.just(""), st.integers(0, 9)),
    ),
    max_size=40,
)


@given(STEPS)
def test_a_thing_is_named_when_it_is_due_and_the_first_first(steps: list[tuple[str, str, int]]) -> None:
    timers: Timers[str] = Timers()
    due: dict[str, float] = {}
    for step, thing, at in steps:
        match step:
            case "add":
                timers.add(thing, at)
                due[thing] = min(at, due.get(thing, at))
            case "forget":
                timers.forget(thing)
                due.pop(thing, None)
            case "pop":
                found = timers.pop(at)
                first = min(due.values(), default=at + 1)
                assert (found is None) == (first > at)
                assert found is None or due.pop(found) == first
        assert timers.next_due() == min(due.values(), default=None)
        assert timers.overdue(5.0) == max(0.0, 5.0 - min(due.values(), default=5.0))


def test_of_things_due_together_the_first_planned_is_first() -> None:
    timers: Timers[str] = Timers()
    for thing in "cab":
        timers.add(thing, 1.0)

    assert [timers.pop(1.0) for _ in range(4)] == ["c", "a", "b", None]
