"""cli/rendering/entries.py: files of entries, as text and within bounds."""

import json

import pytest

from phase_operator.cli.common.manifests import ManifestError
from phase_operator.cli.rendering.entries import EntriesFormat, entries, format_of
from phase_operator.core.values import ConfigEntry, Entry
from support.canary import Canary

YAML, JSON, DOTENV = EntriesFormat


def plain(text: str, form: EntriesFormat) -> dict[str, str]:
    return {each.key: each.value.reveal() for each in entries(text.encode(), "file", form)}


def fields(entry: Entry) -> tuple[str, str, str, frozenset[str], str]:
    return entry.key, entry.value.reveal(), entry.path, entry.tags, entry.type


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.yaml", YAML),
        ("a.yml", YAML),
        ("a.json", JSON),
        ("a.env", DOTENV),
        (".env", DOTENV),
        ("b/.env.local", DOTENV),
        ("a.txt", None),
        ("-", None),
    ],
)
def test_the_name_of_a_file_says_its_format(name: str, form: EntriesFormat | None) -> None:
    assert format_of(name) is form


def test_a_value_is_text_as_it_is_written() -> None:
    yaml = "A: 0010\nB: yes\nC: 1.50\nD: 2026-11-29\nE:\nF: |\n  a\n  b\nG: 'true'\n"

    assert plain(yaml, YAML) == {
        "A": "0010", "B": "yes", "C": "1.50", "D": "2026-11-29", "E": "", "F": "a\nb\n", "G": "true",
    }  # fmt: skip
    assert plain('{"A": 1.50, "B": true, "C": 1e400, "D": "\\ud83d\\ude00"}', JSON) == {
        "A": "1.50", "B": "true", "C": "1e400", "D": "\U0001f600",
    }  # fmt: skip


def test_dotenv_is_read_as_python_dotenv_reads_it() -> None:
    text = "# note\nexport A=a # note\nB='a#$b'\nC=\"a\\nb\"\r\nD=\nE='x\ny'\n"

    assert plain(text, DOTENV) == {"A": "a", "B": "a#$b", "C": "a\nb", "D": "", "E": "x\ny"}


def test_an_entry_says_its_type_folder_and_tags() -> None:
    text = "- A: {value: a, type: config, path: deep//er/, tags: [x, 1]}\n  B: b\n- A: {value: c, type: sealed}\n"

    found = entries(text.encode(), "file", YAML)

    assert [*map(fields, found)] == [
        ("A", "a", "/deep/er", frozenset({"x", "1"}), "config"),
        ("B", "b", "/", frozenset(), "secret"),
        ("A", "c", "/", frozenset(), "sealed"),
    ]
    assert [type(each) for each in found] == [ConfigEntry, Entry, Entry]
    assert len({each.id for each in found}) == 3


@pytest.mark.parametrize("form", [YAML, DOTENV])
def test_an_empty_file_has_no_entries(form: EntriesFormat) -> None:
    assert entries(b"", "file", form) == ()


@pytest.mark.parametrize(
    ("form", "text", "words"),
    [
        (YAML, "A: a\nA: b\n", 'file:2: "A" is there twice'),
        (YAML, "A: a\nB: !!binary aGk=\n", "file:2: a binary value: write the text that Phase holds"),
        (YAML, "A: [a]\n", 'file: entry "A": value: has to be a text'),
        (YAML, "A: {valu: a}\n", 'file: entry "A": "valu" is no field of an entry'),
        (YAML, "A: {type: config}\n", 'file: entry "A": has no value'),
        (YAML, "'': a\n", 'file: entry "": has no key'),
        (YAML, "A: {value: a, type: text}\n", 'entry "A": type has to be one of secret, sealed, config'),
        (YAML, "A: {value: a, tags: x}\n", 'entry "A": tags have to be a list of texts'),
        (YAML, "a\n", "file: no entries: write KEY: value"),
        (YAML, "- a\n", "file: no entries: write KEY: value"),
        (YAML, "A: a\n---\nB: b\n", "file:3: several documents"),
        (YAML, "A: [\n", "not YAML"),
        (JSON, '{"A": null}', 'file: entry "A": value: null is no text'),
        (JSON, '{"A": "a", "A": "b"}', 'file: "A" is there twice'),
        (JSON, '{"A": "a",\n}', "file:2: not JSON: "),
        (JSON, "", "file:1: not JSON: "),
        (JSON, "[" * 100_000, "not JSON: no text in UTF-8, or too deep"),
        (DOTENV, "A=a\nB\n", "file:2: not KEY=value"),
        (DOTENV, "A='a\n", "file:1: not KEY=value"),
        (DOTENV, "A=a\nA=b\n", 'file:2: "A" is there twice'),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_key(form: EntriesFormat, text: str, words: str) -> None:
    with pytest.raises(ManifestError) as caught:
        entries(text.encode(), "file", form)

    assert words in str(caught.value)


@pytest.mark.parametrize("form", EntriesFormat)
def test_a_file_that_is_too_large_is_refused(form: EntriesFormat) -> None:
    with pytest.raises(ManifestError, match="file: larger than 8 MiB"):
        entries(b" " * (8 * 1024 * 1024 + 1), "file", form)


@pytest.mark.parametrize("form", EntriesFormat)
def test_bytes_that_are_no_text_are_refused(form: EntriesFormat) -> None:
    with pytest.raises(ManifestError):
        entries(b"A=\xff\xfe", "file", form)


def test_no_message_quotes_a_value(canary: Canary) -> None:
    value = canary.value("entry")
    bad = [
        (YAML, f"A: {{value: a, type: {json.dumps(value)}}}"),
        (YAML, f"A: {{value: [{json.dumps(value)}]}}"),
        (YAML, f"A: {{value: a, path: [{json.dumps(value)}]}}"),
        (YAML, f"A: [{json.dumps(value)}"),
        (YAML, json.dumps(value)),
        (JSON, f'{{"A": {json.dumps(value)}'),
        (DOTENV, f"A='{value}"),
        (DOTENV, f"A {value}"),
    ]

    for form, text in bad:
        with pytest.raises(ManifestError) as caught:
            entries(text.encode(), "file", form)
        canary.watch(f"{caught.value} {caught.value.__cause__}")
