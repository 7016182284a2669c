"""The README's picture: how many calls Phase's API gets in a minute from each operator, as bars.

Rule: no figure is written here. Ours is the one on the page of figures; those of others are in the comparison, each
with its source and its date.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from phase_dev.monitoring.drawing import as_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAGE = "docs/calls.svg"
FIGURES, COMPARISON = "docs/operating/figures.md", "docs/comparison.md"
OURS = "phase-operator"
_TITLE = "Calls to Phase's API in a minute"
_LOAD = "1,000 resources in 20 apps, checked every 60 s, while nothing changes"
_WIDTH, _ROW, _HEAD, _FOOT, _NAMES, _NUMBERS = 900, 44, 78, 34, 290, 150
_PAGE, _TEXT, _FAINT, _MINE, _OTHERS = "#ffffff", "#1f2328", "#59636e", "#2da44e", "#afb8c1"
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "phase-operator",  # the same figures give the same bytes
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # which matplotlib brings
    "text.color": _TEXT,
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One operator: its calls in a minute, and how that is known."""

    name: str
    calls: int
    known: str


def picture(read: Callable[[str], str], note: str) -> str:
    """Return the picture as SVG; the note, which says where it comes from, is its first line."""
    _, svg, drawn = draw(bars(read)).partition("<svg")
    return f"<!-- {note} -->\n{svg}{drawn}"


def bars(read: Callable[[str], str]) -> list[Bar]:
    """Return what the pages say, ours first; fail if one of them does not say it."""
    ours = _cell(FIGURES, read(FIGURES), "1,000 PhaseSecrets", "nothing changes for 60 s", -1)
    rows = _rows(_section(COMPARISON, read(COMPARISON), "Calls to Phase"))
    others = [Bar(name, _number(COMPARISON, calls), known.split(" ")[0]) for name, calls, known, *_ in rows]
    theirs = [each for each in others if not each.name.startswith(OURS)]
    if not theirs:
        raise click.ClickException(f'{COMPARISON}: the table "Calls to Phase" names no other operator')
    return [Bar(OURS, _number(FIGURES, ours), "measured"), *theirs]


def draw(shown: Sequence[Bar]) -> str:
    """Return bars as SVG, in their order from the top."""
    from matplotlib import rc_context  # most of a second, and only what draws needs it
    from matplotlib.figure import Figure

    height = _HEAD + _ROW * len(shown) + _FOOT
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH / 72, height / 72), facecolor=_PAGE)
        figure.text(24 / _WIDTH, 1 - 32 / height, _TITLE, size=18, weight="bold")
        figure.text(24 / _WIDTH, 1 - 56 / height, _LOAD, size=12, color=_FAINT)
        figure.text(24 / _WIDTH, 16 / height, f"Sources and dates: {COMPARISON}", size=11, color=_FAINT)
        box = (_NAMES / _WIDTH, _FOOT / height, 1 - (_NAMES + _NUMBERS) / _WIDTH, 1 - (_HEAD + _FOOT) / height)
        _bars(figure.add_axes(box), shown)
        return as_svg(figure, _TITLE)


def _bars(axes: "Axes", shown: Sequence[Bar]) -> None:
    most = max(each.calls for each in shown)
    axes.set_axis_off()
    axes.set_xlim(0, most)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    for number, each in enumerate(shown):
        is_ours = each.name == OURS
        axes.barh(number, each.calls, height=0.62, color=_MINE if is_ours else _OTHERS)
        weight = "bold" if is_ours else "normal"
        axes.text(-most * 0.02, number, each.name, ha="right", va="center", size=13, weight=weight)
        said = f"{each.calls:,} ({each.known})"
        axes.text(each.calls + most * 0.015, number, said, ha="left", va="center", size=13, weight=weight)


def _section(page: str, text: str, heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise click.ClickException(f'{page} has no heading "{heading}"')
    return found[1]


def _rows(section: str) -> list[list[str]]:
    """Return the cells of the section's first table, without its head."""
    tables = [block.strip() for block in section.split("\n\n") if block.strip().startswith("|")]
    lines = tables[0].splitlines()[2:] if tables else []
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _cell(page: str, text: str, heading: str, row: str, column: int) -> str:
    for cells in _rows(_section(page, text, heading)):
        if cells[0] == row:
            return cells[column]
    raise click.ClickException(f'{page}: the table "{heading}" has no row "{row}"')


def _number(page: str, cell: str) -> int:
    """Return the number with which a cell begins."""
    found = re.match(r"\d[\d,]*\b", cell)
    if found is None:
        raise click.ClickException(f'{page}: "{cell}" does not begin with a number')
    return int(found[0].replace(",", ""))
