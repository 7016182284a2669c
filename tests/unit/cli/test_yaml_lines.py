"""cli/common/yaml_lines.py: YAML as kubectl reads it, with lines and within bounds."""

import json
import tracemalloc
from typing import Any

import pytest

from phase_operator.cli.common.yaml_lines import YamlError, as_text, read_all


def value(text: str) -> Any:
    [read] = read_all(text.encode())
    return read.value


def problem(raw: bytes) -> YamlError:
    with pytest.raises(YamlError) as caught:
        list(read_all(raw))
    return caught.value


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-29", "2026-11-29"),
        ("2026-11-29T12:00:00Z", "2026-11-29T12:00:00Z"),
        ("12:30", "12:30"),
        ("1:30.5", "1:30.5"),
        ("y", True),
        ("N", False),
        ("'y'", "y"),
        ("yes", True),
        ("off", False),
        ("=", "="),
        ("5", 5),
        ("12e3", 12000),
        ("12e45678", "12e45678"),
        ("089", 89),
        (".5e-1", 0.05),
        ("0o17", 15),
        ("017", 15),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("~", None),
        ("'5'", "5"),
        ("[a, {b: c}]", ["a", {"b": "c"}]),
    ],
)
def test_a_value_is_what_kubectl_makes_of_it(text: str, read: Any) -> None:
    found = value(f"a: {text}")["a"]

    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize("text", [".nan", ".inf", "!!binary aGk="])
def test_a_value_that_json_does_not_have_is_refused_with_its_line(text: str) -> None:
    error = problem(f"a: 1\nb: {text}\n".encode())

    assert (error.problem, error.line) == ("a value that JSON does not have; put it in quotes", 2)


def test_lines_are_those_of_the_keys() -> None:
    [read] = read_all(b"spec:\n  keys:\n  - a\n  -\n    b: 1\n")

    assert read.lines == {
        (): 1,
        ("spec",): 1,
        ("spec", "keys"): 2,
        ("spec", "keys", 0): 3,
        ("spec", "keys", 1): 5,
        ("spec", "keys", 1, "b"): 5,
    }


def test_a_missing_field_is_in_the_line_of_what_should_hold_it() -> None:
    [read] = read_all(b"a: 1\nspec:\n  b: 2\n")

    assert [read.line(path) for path in (("spec", "c", "d"), ("x",), ("spec", "b"))] == [2, 1, 3]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_do_on_any_system(end: str) -> None:
    [read] = read_all(end.join(["a: 1", "b:", "  c: 2", ""]).encode())

    assert (read.value, read.lines["b", "c"]) == ({"a": 1, "b": {"c": 2}}, 3)


def test_letters_that_json_escapes_in_two_halves_are_read() -> None:
    given = {"a": "\U0001f600", "b": "\\\U0001f511\U0001f511", "c": "\\ud83d\\ude00"}

    assert value(json.dumps(given)) == given
    assert "not YAML" in problem(b'{"a": "\\ud83d"}').problem


def test_documents_come_one_after_another_and_empty_ones_too() -> None:
    reads = list(read_all("\ufeffa: 1\n---\n---\nb: 2\n".encode()))

    assert [each.value for each in reads] == [{"a": 1}, None, {"b": 2}]
    assert reads[2].lines["b",] == 4


@pytest.mark.parametrize(
    ("raw", "words", "line"),
    [
        (b"a: 1\na: 2\n", '"a" is there twice', 2),
        (b"yes: 1\n", "a key that is no text", 1),
        (b"y: 1\n", "a key that is no text", 1),
        (b"1: 1\n", "a key that is no text", 1),
        (b"? [a]\n: 1\n", "a key that is no text", 1),
        (b"a: 1\n b: [\n", "not YAML: mapping values", 2),
        (b"a: !Ref b\n", "not YAML: could not determine a constructor", 1),
        (b"a: *b\n", "not YAML: found undefined alias", 1),
        (b"a: {<<: 1}\n", "<< takes over from mappings only", 1),
        (b"\xff\xfe\xfd", "not YAML", None),
        (b"a: \x00", "not YAML", None),
    ],
)
def test_a_bad_stream_is_refused_with_the_line(raw: bytes, words: str, line: int | None) -> None:
    error = problem(raw)

    assert words in error.problem
    assert line is None or error.line == line


def test_a_mapping_takes_over_from_others_and_its_own_keys_win() -> None:
    text = "a: &a {x: 1, y2: 1}\nb: &b {x: 2, z: 2}\nc:\n  <<: [*a, *b]\n  z: 3\n"

    assert value(text)["c"] == {"x": 1, "y2": 1, "z": 3}


def laughs(first: str, form: str) -> str:
    """Return twelve values, of which each has the one before nine times."""
    return f"a0: &a0 {first}\n" + "".join(f"a{n}: &a{n} {form.format(f'*a{n - 1},' * 9)}\n" for n in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(laughs("[x]", "[{}]"), id="laughs"),
        pytest.param(laughs("{x: 1}", "{{<<: [{}]}}"), id="laughs by merging"),
        pytest.param("a: &a [*a]\n", id="a list that holds itself"),
        pytest.param("a: " + "[" * 65 + "]" * 65, id="too deep"),
        pytest.param("[" + "a," * 200_001 + "]", id="too many"),
    ],
)
def test_a_file_that_would_take_long_or_much_is_refused(text: str) -> None:
    assert "too many values, or too deep" in problem(text.encode()).problem


@pytest.mark.thorough
def test_a_file_that_is_refused_for_its_size_takes_little_memory() -> None:
    raw = b"[" + b"a," * 1_000_000 + b"]"

    tracemalloc.start()
    try:
        assert problem(raw).problem
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 64 * 1024 * 1024


@pytest.mark.timeout(20)
def test_an_abyss_is_refused_and_ends_nothing() -> None:
    assert problem(b"[" * 1_000_000).problem


def test_text_is_what_is_written_and_bytes_are_refused() -> None:
    [read] = read_all(b"a: 0010\nb: yes\nc: 1e3\nd:\ne: 2026-11-29\n", as_text)

    assert read.value == {"a": "0010", "b": "yes", "c": "1e3", "d": "", "e": "2026-11-29"}
    with pytest.raises(YamlError, match="a binary value"):
        list(read_all(b"a: !!binary aGk=\n", as_text))
