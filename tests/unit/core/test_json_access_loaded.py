"""JSON is read by a faster parser exactly as Python reads it, also where it is refused."""

import json
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phase_operator.core.json_access import loaded
from support.any_json import nested

# What JSON is made of, whole and broken.
_PARTS = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"-", b".", b"e", b"0", b"1", b"9" * 20]
_PARTS += [
    b'"a"',
    b'"a":',
    b'"b":1,',
    b'"\\u0061":',
    b"\\ud83d",
    b"\\ude00",
    b"\xc3\xa9",
    b"\xed\xa0\x80",
    b"\xff",
    b"\x00",
]
_PARTS += [b"true", b"null", b"NaN", b"-Infinity", b"\xef\xbb\xbf"]
TEXTS = st.lists(st.sampled_from(_PARTS), max_size=8).map(b"".join)
VALUES = nested(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=5) | st.dictionaries(st.text(), part, max_size=5),
    4,
)


def read(parse: Any, raw: bytes) -> str:
    """Return what a parser makes of a text, with its types, the order of its keys and the bits of its numbers."""
    try:
        return "".join(_bits(parse(raw)))
    except (ValueError, RecursionError) as error:
        # Either parser's words are nobody's business.
        return "depth" if isinstance(error, RecursionError) else "refused"


def _bits(value: Any) -> list[str]:
    match value:
        case dict():
            return ["{", *(part for key, each in value.items() for part in (repr(key), *_bits(each))), "}"]
        case list():
            return ["[", *(part for each in value for part in _bits(each)), "]"]
        case float():
            return [struct.pack(">d", value).hex()]
        case _:
            return [type(value).__name__, ascii(value)]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"-0",
        b"-0.0",
        b"0e5",
        b"1e400",
        b"1e-400",
        b"2.2250738585072011e-308",
        b"0.1e99999999999999999999",
        b"0." + b"0" * 400 + b"1",
        b"9223372036854775808",
        b"-" + b"9" * 4300,
        b"9" * 4301,
        b"01",
        b"1.",
        b"NaN",
        b"[-Infinity]",
        b'"\\ud800"',
        b'"\\ud83d\\ude00"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\\u0000"',
        b'"\x1f"',
        b'"\x7f\xe2\x80\xa8"',
        b'{"a":1,"b":2,"a":3}',
        b'{"\\u0061":1,"a":2}',
        b'{"a":1,}',
        b"[1]\x00",
        b"[1] x",
        b" [1]\r\n\t",
        b"\xef\xbb\xbf[1]",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        *(b"[" * depth + b"]" * depth for depth in (199, 200, 201, 202, 900, 100_000)),
    ],
    ids=lambda raw: ascii(raw[:24]),
)
def test_a_text_is_read_as_python_reads_it(raw: bytes) -> None:
    assert read(loaded, raw) == read(json.loads, raw)


@given(TEXTS)
@example(b'"\\ud83d\\ude00"')
def test_any_text_is_read_or_refused_as_python_does_it(raw: bytes) -> None:
    assert read(loaded, raw) == read(json.loads, raw)


@given(VALUES, st.booleans())
def test_any_value_is_read_as_python_reads_it(value: Any, is_ascii: bool) -> None:
    raw = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")

    assert read(loaded, raw) == read(json.loads, raw)


@given(st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?", fullmatch=True))
def test_any_number_is_read_as_python_reads_it(number: str) -> None:
    assert read(loaded, number.encode()) == read(json.loads, number.encode())
