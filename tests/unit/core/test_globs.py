"""The invariant: compiled patterns match as `fnmatchcase` does, and those that are tried letter by letter are known."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.globs import effort, matcher

patterns = st.lists(st.text(alphabet="AB_*?[]!-\n", min_size=1, max_size=6), max_size=4).map(tuple)
keys = st.text(alphabet="AB_*[]-\n", max_size=8)


@dataclass
class Keys:
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = field(default=())


@given(patterns, patterns, keys)
def test_a_key_is_wanted_as_if_every_pattern_had_been_tried(
    include: tuple[str, ...], exclude: tuple[str, ...], key: str
) -> None:
    taken = not include or any(fnmatchcase(key, pattern) for pattern in include)
    refused = any(fnmatchcase(key, pattern) for pattern in exclude)

    assert matcher(Keys(include, exclude))(key) == (taken and not refused)


@pytest.mark.parametrize(
    ("pattern", "letters"),
    [("DB_HOST", 0), ("DB_*", 0), ("*_HOST", 0), ("*", 0), ("*_DB_*", 6), ("D?", 2), ("[AB]*", 5), ("A*B", 3)],
)
def test_only_signs_elsewhere_than_at_an_end_are_an_effort(pattern: str, letters: int) -> None:
    assert effort(Keys((pattern,))) == letters
