"""The reasons of PhasePushSecrets: each has a meaning and a cure before a user sees it, and none is shown yet."""

import re
from pathlib import Path

from phase_operator.api.push_reasons import PUSH_CATALOGUE
from phase_operator.api.reasons import Reason
from phase_operator.core.push.problems import EntryReason

DOCS = Path(__file__).parents[3] / "docs"


def test_every_reason_of_an_entry_has_a_meaning_and_a_cure() -> None:
    assert set(EntryReason) <= PUSH_CATALOGUE.keys()
    assert all(each.meaning.endswith(".") and each.cure.endswith(".") for each in PUSH_CATALOGUE.values())


def test_each_is_one_word_that_no_other_reason_has() -> None:
    assert all(re.fullmatch(r"([A-Z][a-z]+)+", name) for name in PUSH_CATALOGUE)
    assert not PUSH_CATALOGUE.keys() & set(Reason)


def test_no_page_for_users_names_a_reason_that_nothing_sets() -> None:
    """Once the kind is in DEFINITIONS, these reasons are in the catalogue, and this test goes."""
    pages = [*DOCS.glob("*.md"), *DOCS.glob("api/**/*.md"), *DOCS.glob("operating/**/*.md")]
    assert pages

    assert not [(page.name, name) for page in pages for name in PUSH_CATALOGUE if name in page.read_text()]
