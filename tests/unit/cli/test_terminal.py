"""What is printed is safe for a terminal, fits it, and is plain for other programs."""

import click
import pytest
from click.testing import CliRunner

from phase_operator.cli.common.terminal import Tone, confirmed, cut, print_table, print_yaml, say, shown, toned

HOSTILE = "a\x1b[2J\x1b]0;gone\x07\nb\tc\u202ed"


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_shown_as_a_dash(value: object) -> None:
    assert shown(value) == "-"


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (False, "False"), ("a b", "a b"), ({"a": 1}, "{'a': 1}")])
def test_a_value_is_shown_as_text(value: object, text: str) -> None:
    assert shown(value) == text


def test_text_of_others_is_one_printable_line() -> None:
    assert shown(HOSTILE).isprintable()


def test_a_token_in_text_of_others_is_not_shown() -> None:
    assert "pss_" not in shown("a pss_service:v1:0123456789abcdef b")


def test_a_long_text_is_bounded() -> None:
    assert len(shown("x" * 100_000)) <= 300


@pytest.mark.parametrize(("text", "longest", "left"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("", 3, "")])
def test_a_text_is_cut_with_a_sign(text: str, longest: int, left: str) -> None:
    assert cut(text, longest) == left


def test_a_table_has_columns_and_no_spaces_at_line_ends(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "READY", "MESSAGE"), [["shop", "True", ""], ["checkout", "False", "no token"]])

    assert capsys.readouterr().out == (
        "NAME      READY    MESSAGE\n"  #
        "shop      True\n"
        "checkout  False    no token\n"
    )


def test_a_table_without_a_header_has_rows_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "B"), [["1e5", "0x10"]], header=False)

    assert capsys.readouterr().out == "1e5  0x10\n"


def test_no_colour_reaches_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert toned("fine", Tone.GOOD) == "fine"
    assert toned("fine", None) == "fine"


def test_objects_are_one_stream_of_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    print_yaml([{"a": 1}, {"b": 2}])

    assert capsys.readouterr().out == "a: 1\n---\nb: 2\n"


def test_words_to_a_person_are_not_in_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    say("waiting")

    assert capsys.readouterr() == ("", "waiting\n")


def test_nobody_is_asked_where_nobody_is() -> None:
    @click.command()
    def command() -> None:
        confirmed("Delete it?", yes=False)

    result = CliRunner().invoke(command, input="y\n")

    assert result.exit_code == 1
    assert "nothing was done: give --yes" in result.output


def test_yes_asks_nothing() -> None:
    confirmed("Delete it?", yes=True)
