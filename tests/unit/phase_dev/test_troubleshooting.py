"""The page about troubleshooting: every reason has its causes, and its messages are what the code writes."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from phase_dev.troubleshooting import page
from phase_dev.troubleshooting.cases import CASES
from phase_operator.api.reasons import CATALOGUE, Reason

PRODUCT = Path(__file__).parents[3] / "operator/phase_operator"
# What a status says in Phase's or the API server's own words, or as a name of the reader's.
FOREIGN = re.compile(r'"[^"]*"|\([^)]*\)$|\bUser .*|\S+\.example\.com|console\.phase\.dev')
# What Phase says itself, after the status of its answer.
QUOTED = re.compile(r"(answers \d+): [^;)]*")
# Shorter parts of a message are found in any text.
SHORTEST = 8


@cache
def templates() -> tuple[tuple[str, ...], ...]:
    """Return the fixed parts of every text in the product, longest text first; what is filled in is between them."""
    found = {
        parts
        for file in PRODUCT.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if sum(map(len, parts := tuple(fixed(node)))) >= SHORTEST
    }
    return tuple(sorted(found, key=lambda parts: -sum(map(len, parts))))


def fixed(node: ast.AST) -> Iterator[str]:
    """Yield the fixed parts of a literal."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield from (each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str))


def unwritten(message: str) -> str:
    """Return what is left of a message without the texts that the product writes, and without foreign words."""
    left = QUOTED.sub(r"\1", message)
    for parts in templates():
        if not all(part in left for part in parts):
            continue  # most of them; to compile the pattern of each one takes half a second
        pattern = "(.*?)".join(map(re.escape, parts))
        left = re.sub(pattern, lambda found: " ".join(filter(None, found.groups())), left, count=1)
    return " ".join(re.findall(r"[A-Za-z]{3,}", FOREIGN.sub(" ", left)))


def test_every_reason_has_a_case_with_causes() -> None:
    assert set(CASES) == set(Reason)
    assert [reason for reason, case in CASES.items() if not case.causes] == []


@pytest.mark.parametrize("reason", Reason)
def test_a_sample_message_has_the_words_of_the_code(reason: Reason) -> None:
    left = unwritten(CASES[reason].message)

    # Names of the reader, such as a Secret's, remain.
    assert len(left) <= len(CASES[reason].message) / 4, left


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("the account can find no app of that name anywhere", id="other words"),
        pytest.param("Secret shop/token is absent, please create one", id="half of them"),
    ],
)
def test_the_check_of_messages_notices_words_that_nobody_writes(message: str) -> None:
    assert len(unwritten(message)) > len(message) / 4


def test_the_page_marks_the_reasons_that_wait_for_a_person() -> None:
    text = page.page("note")
    for reason, entry in CATALOGUE.items():
        section = text.split(f"\n### {reason.value}\n")[1].split("\n### ")[0]
        assert ("**Action needed.**" in section) == entry.stalled


def test_no_cause_sends_the_reader_back_to_the_message() -> None:
    texts = chain(
        (entry.cure for entry in CATALOGUE.values()),
        (cause.fix for case in CASES.values() for cause in case.causes),
    )

    assert [text for text in texts if re.search(r"\b[Ff]ollow (the|Phase's)\b", text)] == []


def test_every_symptom_of_the_first_table_has_a_way_to_verify() -> None:
    text = page.page("note")
    symptoms = text.split("\n## By symptom\n")[1].split("\n## By reason\n")[0].split("\n### ")[1:]
    lacking = [each.split("\n")[0] for each in symptoms if "**Verify:**" not in each or "```console" not in each]

    assert len(symptoms) > 10
    assert lacking == []
