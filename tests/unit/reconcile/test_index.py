import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.index import IndexChange, ReverseIndex

A, B = ObjectKey("team", "a"), ObjectKey("team", "b")


def dependents(*said: tuple[ObjectKey, str]) -> ReverseIndex[str]:
    """Say what resources depend on, a letter a thing."""
    found: ReverseIndex[str] = ReverseIndex()
    for key, things in said:
        found.set(key, things)
    return found


def test_a_thing_knows_who_depends_on_it_sorted() -> None:
    found = dependents((B, "xy"), (A, "x"))

    assert (found.of("x"), found.of("y"), found.of("z")) == ([A, B], [B], [])


def test_the_dependencies_of_a_resource_are_replaced_as_a_whole() -> None:
    found = dependents((A, "xy"), (A, "yz"))

    assert (found.of("x"), found.of("y"), found.of("z")) == ([], [A], [A])


@pytest.mark.parametrize(
    ("said", "then", "orphans"),
    [
        pytest.param([], "x", (), id="new"),
        pytest.param([(A, "x")], "x", (), id="the same again"),
        pytest.param([(A, "xyz")], "y", ("x", "z"), id="some dropped"),
        pytest.param([(A, "xy"), (B, "x")], "", ("y",), id="dropped by one of two"),
        pytest.param([(A, "xy")], "yx", (), id="in another order"),
        pytest.param([(A, "xx")], "", ("x",), id="named twice"),
        pytest.param([(A, "xx")], "x", (), id="named twice, then once"),
    ],
)
def test_things_that_nobody_depends_on_any_more_are_returned(
    said: list[tuple[ObjectKey, str]], then: str, orphans: tuple[str, ...]
) -> None:
    assert dependents(*said).set(A, then).orphaned == orphans


def test_nothing_is_left_of_a_resource_that_depends_on_nothing() -> None:
    found = dependents((A, "xy"), (A, ""))

    assert found.things() == []
    assert "x" not in found
    assert found.set(A, "") == IndexChange()


@pytest.mark.parametrize("users", [1, 2])
def test_of_equal_things_the_one_that_is_kept_is_returned(users: int) -> None:
    found: ReverseIndex[ObjectKey] = ReverseIndex()
    one, other, stranger = ObjectKey("team", "a"), ObjectKey("team", "a"), ObjectKey("team", "b")
    for number in range(users):
        found.set(ObjectKey("team", f"user-{number}"), [one])

    assert found.kept(other) is one
    assert found.kept(stranger) is stranger


def test_every_thing_that_somebody_depends_on_is_listed_once() -> None:
    found = dependents((A, "xy"), (B, "yz"))

    assert sorted(found.things()) == ["x", "y", "z"]
    assert "z" in found


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.text("xyz", max_size=4)), max_size=8))
def test_both_sides_agree(said: list[tuple[ObjectKey, str]]) -> None:
    found: ReverseIndex[str] = ReverseIndex()
    now: dict[ObjectKey, set[str]] = {}
    for key, things in said:
        before = set().union(*now.values())
        now[key] = set(things)
        change = found.set(key, things)

        assert sorted(change.new) == sorted(set(things) - before)
        assert sorted(change.orphaned) == sorted(before - set().union(*now.values()))

    assert set(found.things()) == set().union(*now.values())
    for thing in "xyz":
        assert found.of(thing) == sorted(key for key, things in now.items() if thing in things)
