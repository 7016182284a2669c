"""The mark of an entry: it is read as it was written, beside whatever a person adds, and never out of half a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.push.marks import Mark, holder, installation, mark_of, marks_in, with_mark, without_marks
from phase_operator.core.values import ObjectKey

OURS = Mark("east", "shop", "to-phase")
THEIRS = Mark("west", "shop", "to-phase")


def test_a_comment_with_a_mark_tells_a_person_who_keeps_the_entry() -> None:
    assert with_mark("", OURS) == "managed by phase-operator: east/shop/to-phase"


@given(note=st.text(max_size=80).map(str.strip).filter(lambda each: not marks_in(each)))
def test_a_note_outlives_a_mark_that_comes_and_goes(note: str) -> None:
    comment = with_mark(note, OURS)

    assert marks_in(comment) == (OURS,)
    assert without_marks(comment) == note


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "made in Phase",
        "managed by phase-operator",
        "managed by phase-operator: east/shop",
        "managed by phase-operator: east/shop/to-phase/more",
        "managed by phase-operator: east/shop/To-Phase",
        "managed by phase-operator: east/shop/-",
        "Managed by phase-operator: east/shop/to-phase",
    ],
)
def test_a_comment_that_only_resembles_a_mark_is_none(comment: str) -> None:
    assert OURS not in marks_in(comment)


def test_a_longer_name_is_no_mark_of_a_shorter_one() -> None:
    longer = Mark("east", "shop", "to-phase-2")

    assert marks_in(f"{longer.comment}\nsays Ada") == (longer,)


def test_an_entry_with_several_marks_is_not_ours() -> None:
    both = marks_in(f"{OURS.comment}\n{THEIRS.comment}")

    assert holder(both, OURS) == holder(both[::-1], OURS) == THEIRS
    assert holder(marks_in(f"{OURS.comment} {OURS.comment}"), OURS) == OURS
    assert holder((), OURS) is None


def test_two_clusters_without_names_have_different_marks() -> None:
    first, again, second = (installation("", key) for key in (b"a" * 32, b"a" * 32, b"b" * 32))

    assert first == again != second
    assert marks_in(with_mark("", mark_of(first, ObjectKey("shop", "db.main")))) == (Mark(first, "shop", "db.main"),)


def test_a_cluster_with_a_name_finds_its_entries_after_it_was_built_anew() -> None:
    assert installation("east", b"a" * 32) == installation("east", b"b" * 32) == "east"


def test_a_long_comment_is_read_in_one_pass() -> None:
    """Whoever may write in Phase writes comments of any length; this one takes minutes if the search goes back."""
    assert marks_in("managed by phase-operator: " + "a-" * 500_000 + "/b") == ()


def test_a_comment_full_of_marks_says_that_others_keep_it_and_no_more() -> None:
    """Each mark takes six times the memory of its text, and a comment may have a hundred thousand."""
    others = [Mark("east", "shop", f"other-{number}") for number in range(1_000)]
    found = marks_in(" ".join(each.comment for each in (*others, Mark("east", "shop", "db"))))

    assert found == tuple(others[:8])
    assert holder(found, Mark("east", "shop", "db")) == others[0]
