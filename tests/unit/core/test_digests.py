"""Digests keep their parts apart, and what is spelled is read again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.digests import framed, keyed, pack, unpack

KEY = b"k" * 32
parts = st.lists(st.binary(max_size=20), max_size=5)


@given(parts, parts, st.sampled_from([4, 8]))
def test_no_two_lists_of_framed_parts_are_the_same_bytes(one: list[bytes], other: list[bytes], width: int) -> None:
    same = b"".join(framed(one, width)) == b"".join(framed(other, width))

    assert same == (one == other)


def test_key_purpose_size_and_parts_make_another_digest() -> None:
    made = {
        keyed(KEY, b"one", [b"a"], size=8),
        keyed(b"", b"one", [b"a"], size=8),
        keyed(KEY, b"other", [b"a"], size=8),
        keyed(KEY, b"one", [b"b"], size=8),
        keyed(KEY, b"one", [b"a"], size=16)[:8],
    }

    assert len(made) == 5
    assert all(len(each) == 8 for each in made)


@given(st.binary(max_size=100))
def test_unpack_returns_what_pack_encoded(raw: bytes) -> None:
    assert unpack(pack(raw)) == raw
    assert set(pack(raw)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("text", ["A", "====", "a b", "\u00fc\u00fc\u00fc\u00fc", "AA=A"])
def test_unpack_returns_nothing_for_a_text_that_pack_never_makes(text: str) -> None:
    assert unpack(text) is None
