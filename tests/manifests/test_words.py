"""The pages are in plain English: the words that we wrote once and nobody says are gone, and each has its plain one."""

import re
from collections.abc import Iterator

import pytest

from manifests.test_docs import faults, without_code

# What not to write, as it may be spelled, and what to write instead.
PLAIN = {
    "told": "shown, said, named or reported",
    "whoever": "anyone who, or the noun",
    "somebody": "a person, another program, others",
    "mend(s|ed|ing)?": "repair, correct or fix",
    "seldom": "rarely, or a number",
    "besides": "also, except, beyond",
    "he": "they, or the noun",
    "his": "their, or the noun",
    "him": "them, or the noun",
    "himself": "themselves, or the noun",
    "of yours": "your",
}


def house_words(text: str) -> Iterator[str]:
    """Yield each word of the list in a text, with what to write instead; code is not prose."""
    prose = re.sub(r"\]\([^)]*\)", "]", without_code(text))
    for spelled, instead in PLAIN.items():
        for found in re.finditer(rf"(?<![\w-]){spelled}(?![\w-])", prose, re.IGNORECASE):
            yield f"{found[0]}: write {instead}"


def test_no_page_has_a_word_that_only_this_house_uses() -> None:
    assert faults(lambda page: house_words(page.read_text())) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("The status is told, and somebody mends it.", ["told", "somebody", "mends"], id="in a sentence"),
        pytest.param("Whoever may read it", ["Whoever"], id="at the beginning"),
        pytest.param("Run `git blame somebody` and see [him](besides.md).", ["him"], id="code and links are not prose"),
        pytest.param("The header, the hysteresis and the recommended chime", [], id="in other words"),
    ],
)
def test_the_check_of_words_finds_them_in_prose(text: str, found: list[str]) -> None:
    assert [each.split(":")[0] for each in house_words(text)] == found
