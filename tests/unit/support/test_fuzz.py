"""Every case that fuzzing ever kept holds today."""

from pathlib import Path

import pytest

pytest.importorskip("atheris", reason="atheris has no wheel for this platform")

from fuzz.targets import TARGETS, run

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_the_corpus_fails_again(name: str) -> None:
    cases = sorted((CORPUS / name).iterdir())

    assert cases
    for case in cases:
        run(name, case.read_bytes())


def test_every_corpus_has_a_target() -> None:
    assert {each.name for each in CORPUS.iterdir()} == set(TARGETS)
