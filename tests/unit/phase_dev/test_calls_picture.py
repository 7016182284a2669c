"""The README's picture of calls: its figures come from the pages that give them, and from nowhere else."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from phase_dev.calls_picture import COMPARISON, FIGURES, OURS, Bar, bars, draw, picture

ROOT = Path(__file__).parents[3]

FIGURES_PAGE = """\
## 10,000 PhaseSecrets

| work | limit | before | ours |
|---|---|---|---|
| nothing changes for 60 s | 20 calls | 20, 0, 0 | 77, 0, 0 |

## 1,000 PhaseSecrets

| work | limit | before | ours |
|---|---|---|---|
| memory | 128 MiB | | 96.3 MiB |
| nothing changes for 60 s | 20 calls, 0 reads | 30, 0, 0 | 21, 0, 0 |
"""
COMPARISON_PAGE = """\
## Calls to Phase

Some words.

| operator | calls a minute | how it is known |
|---|---|---|
| phase-operator | 21 | measured by us |
| phase-operator, encrypted apps | 1 | counted by a test |
| another | 1,950 | computed from its source |

## Later
"""


def pages(figures: str = FIGURES_PAGE, comparison: str = COMPARISON_PAGE) -> Callable[[str], str]:
    return {FIGURES: figures, COMPARISON: comparison}.__getitem__


def texts(svg: str) -> list[str]:
    tree = ElementTree.fromstring(svg)
    return [each.text or "" for each in tree.iter("{http://www.w3.org/2000/svg}text")]


def test_bars_are_what_the_pages_say_ours_first() -> None:
    assert bars(pages()) == [Bar(OURS, 21, "measured"), Bar("another", 1950, "computed")]


@pytest.mark.parametrize(
    ("figures", "comparison", "missing"),
    [
        (FIGURES_PAGE.replace("## 1,000", "## 2,000"), COMPARISON_PAGE, 'no heading "1,000 PhaseSecrets"'),
        (FIGURES_PAGE.replace("for 60 s", "for 10 s"), COMPARISON_PAGE, 'has no row "nothing changes for 60 s"'),
        (FIGURES_PAGE.replace("21, 0, 0", "few"), COMPARISON_PAGE, '"few" does not begin with a number'),
        (FIGURES_PAGE, COMPARISON_PAGE.replace("| another | 1,950 |", "| another | |"), f"{COMPARISON}: "),
        (FIGURES_PAGE, COMPARISON_PAGE.split("| another")[0], "names no other operator"),
        (FIGURES_PAGE, "", f'{COMPARISON} has no heading "Calls to Phase"'),
    ],
)
def test_a_page_without_the_figure_is_named(figures: str, comparison: str, missing: str) -> None:
    with pytest.raises(click.ClickException) as found:
        bars(pages(figures, comparison))

    assert missing in found.value.message


def test_the_picture_names_its_sources_first_and_shows_every_figure() -> None:
    svg = picture(pages(), "Generated from two pages.")

    assert svg.splitlines()[0] == "<!-- Generated from two pages. -->"
    assert {OURS, "21 (measured)", "another", "1,950 (computed)"} <= set(texts(svg))


def test_the_same_figures_give_the_same_bytes_and_others_do_not() -> None:
    shown = [Bar(OURS, 20, "measured"), Bar("another", 999, "measured")]

    assert draw(shown) == draw(list(shown))
    assert draw(shown) != draw([shown[0], Bar("another", 500, "measured")])


def numbers(row: str) -> list[int]:
    """Return the number with which each cell of a row begins, but for the first."""
    return [int(each) for each in re.findall(r" \| (\d+)", row)]


def test_the_readme_and_the_comparison_say_what_the_picture_shows() -> None:
    shown = bars(lambda page: (ROOT / page).read_text())

    [row] = re.findall(r"^\| calls a minute, .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    [ours] = re.findall(r"^\| phase-operator \| (\d+) \|", (ROOT / COMPARISON).read_text(), re.MULTILINE)
    assert numbers(row) == [each.calls for each in shown]
    assert int(ours) == shown[0].calls
