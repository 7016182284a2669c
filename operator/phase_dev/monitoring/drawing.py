"""The dashboard as an SVG: every panel at its place on Grafana's grid, with the lines that its queries gave.

Rule: nothing is drawn that Prometheus did not answer; a panel without an answer says so, as in Grafana. matplotlib is
imported by what draws: it takes most of a second, and a module that is imported for its names draws nothing.
"""

import io
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from phase_dev.monitoring import units
from phase_dev.monitoring.panels import Board, Kind, Line, Panel, Place
from phase_dev.monitoring.prometheus import Span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# All lengths are pixels of the picture, which are matplotlib's points.
WIDTH = 1600
_COLUMNS, _UNIT, _GAP, _MARGIN, _HEAD, _FOOT = 24, 36, 8, 16, 64, 44
_PAGE, _PANEL, _LINES, _TEXT, _FAINT = "#111217", "#181b1f", "#2a2d33", "#ccccdc", "#9a9aa6"
_COLORS = {"green": "#73bf69", "red": "#f2495c", "yellow": "#fade2a", "orange": "#ff9830", "blue": "#5794f2"}
# Grafana's classic palette.
_PALETTE = (
    "#7eb26d",
    "#eab839",
    "#6ed0e0",
    "#ef843c",
    "#e24d42",
    "#1f78c1",
    "#ba43a9",
    "#705da0",
    "#508642",
    "#cca300",
)
_LEGEND_LINE, _LEGEND_LINES = 18, 3
_DAY = 86400.0  # matplotlib counts time in days since 1970
_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "phase-operator",  # the same answers give the same bytes
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # which matplotlib brings
    "font.size": 12,
    "text.color": _TEXT,
    "text.parse_math": False,
    "axes.facecolor": "none",
    "axes.edgecolor": "none",
    "axes.grid": True,
    "grid.color": _LINES,
    "xtick.color": _LINES,
    "ytick.color": _LINES,
    "xtick.labelcolor": _FAINT,
    "ytick.labelcolor": _FAINT,
}


def draw(board: Board, answers: Mapping[Panel, Sequence[Line]], span: Span, note: str) -> str:
    """Return the picture; the note is below it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    height = _HEAD + max(each.place.y + each.place.height for each in board.panels) * _UNIT + _FOOT
    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH / 72, height / 72), facecolor=_PAGE)
        _head(figure, board, span, height)
        for panel in board.panels:
            axes = _panel(figure, panel, height)
            lines = answers.get(panel, ())
            if panel.kind is Kind.ROW:
                continue
            if not lines:
                axes.text(0.5, 0.5, "No data", ha="center", va="center", color=_FAINT, size=14)
            elif panel.kind is Kind.NUMBER:
                _numbers(axes, panel, lines)
            else:
                _graph(figure, box_of(panel.place), height, panel, lines, span)
        figure.text(_MARGIN / WIDTH, 18 / height, note, color=_FAINT)
        return as_svg(figure, board.title)


def as_svg(figure: "Figure", title: str) -> str:
    """Return a figure as SVG; the same figure gives the same text."""
    picture = io.StringIO()
    figure.savefig(picture, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    # A tenth of a pixel is as much as anybody sees.
    short = re.sub(r"\d+\.\d{2,}", lambda found: f"{float(found[0]):.1f}", picture.getvalue())
    return "\n".join(line.rstrip() for line in short.splitlines()) + "\n"


def box_of(place: Place) -> tuple[float, float, float, float]:
    """Return where a panel is in the picture: left, top, width and height."""
    column = (WIDTH - 2 * _MARGIN + _GAP) / _COLUMNS
    return (
        _MARGIN + place.x * column,
        _HEAD + place.y * _UNIT,
        place.width * column - _GAP,
        place.height * _UNIT - _GAP,
    )


def color_of(panel: Panel, value: float) -> str:
    """Return the color that the thresholds give a value."""
    names = [each.color for each in panel.thresholds if each.start <= value]
    return _COLORS.get(names[-1], names[-1]) if names else _TEXT


def broken(points: Sequence[tuple[float, float]], step: float) -> list[tuple[float, float]]:
    """Put a value that is no number where values are missing, so that no line is drawn across."""
    whole: list[tuple[float, float]] = []
    for when, value in points:
        if whole and when - whole[-1][0] > step * 1.5:
            whole.append((whole[-1][0] + step, math.nan))
        whole.append((when, value))
    return whole


def alone(values: Sequence[float]) -> list[int]:
    """Return which values have no neighbour on either side: a line does not show them."""
    around = [math.nan, *values, math.nan]
    return [
        number
        for number, value in enumerate(values)
        if not math.isnan(value) and math.isnan(around[number]) and math.isnan(around[number + 2])
    ]


def legend(names: Sequence[str], width: float) -> tuple[list[str], int]:
    """Return the names that a legend has room for, and its columns; the last name tells how many were left out."""
    columns = max(1, int(width / (24 + 6.6 * max(map(len, names)))))
    room = columns * _LEGEND_LINES
    if len(names) > room:
        names = [*names[: room - 1], f"… and {len(names) - room + 1} more"]
    return list(names), columns


def _axes(figure: "Figure", height: float, left: float, top: float, wide: float, high: float) -> "Axes":
    return figure.add_axes((left / WIDTH, 1 - (top + high) / height, wide / WIDTH, high / height))


def _head(figure: "Figure", board: Board, span: Span, height: float) -> None:
    start, end = _time(span.start), _time(span.end)
    at = 1 - 40 / height
    figure.text(_MARGIN / WIDTH, at, "   ".join([board.title, *(f"[{each}]" for each in board.choices)]), size=18)
    when = f"{start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC"
    figure.text(1 - _MARGIN / WIDTH, at, when, size=14, ha="right")


def _panel(figure: "Figure", panel: Panel, height: float) -> "Axes":
    """Draw a panel's frame and title, and return the place inside."""
    from matplotlib.patches import Rectangle

    left, top, wide, high = box_of(panel.place)
    axes = _axes(figure, height, left, top, wide, high)
    axes.set_axis_off()
    if panel.kind is Kind.ROW:
        figure.text(left / WIDTH, 1 - (top + high - 8) / height, panel.title, size=16)
        return axes
    axes.add_patch(Rectangle((0, 0), 1, 1, facecolor=_PANEL, edgecolor=_LINES, transform=axes.transAxes))
    axes.text(12 / wide, 1 - 22 / high, panel.title, size=14)
    return axes


def _numbers(axes: "Axes", panel: Panel, lines: Sequence[Line]) -> None:
    for number, line in enumerate(lines):
        values = [value for _, value in line.points if not math.isnan(value)]
        last = values[-1] if values else math.nan
        said = line.name if panel.text_mode == "name" else units.write(panel.unit, last)
        size = min(44.0, (box_of(panel.place)[2] / len(lines) - 24) / (0.62 * max(1, len(said))))
        color = color_of(panel, last) if values else _FAINT
        axes.text((number + 0.5) / len(lines), 0.4, said, size=size, color=color, ha="center", va="center")


def _draw_line(axes: "Axes", panel: Panel, line: Line, color: str, factor: float, step: float) -> None:
    points = broken(line.points, step)
    times, scaled = [when / _DAY for when, _ in points], [value / factor for _, value in points]
    axes.plot(times, scaled, color=color, lw=1.5, marker="o", ms=3, markevery=alone(scaled), label=line.name)
    if panel.fill:
        axes.fill_between(times, scaled, panel.lowest or 0.0, color=color, alpha=panel.fill / 100, lw=0)


def _graph(
    figure: "Figure",
    box: tuple[float, float, float, float],
    height: float,
    panel: Panel,
    lines: Sequence[Line],
    span: Span,
) -> None:
    from matplotlib.dates import AutoDateLocator, DateFormatter
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    left, top, wide, high = box
    shown, columns = legend([line.name for line in lines], wide - 24)
    below = 34 + _LEGEND_LINE * math.ceil(len(shown) / columns)
    axes = _axes(figure, height, left + 76, top + 38, wide - 92, high - 38 - below)
    values = [value for line in lines for _, value in line.points if not math.isnan(value)]
    scale = units.scale_for(panel.unit, max(values, default=0.0))
    for number, line in enumerate(lines):
        _draw_line(axes, panel, line, _PALETTE[number % len(_PALETTE)], scale.factor, span.step)
    axes.set_xlim(span.start / _DAY, span.end / _DAY)
    axes.set_ylim(bottom=panel.lowest)
    if panel.lowest is not None and max(values, default=panel.lowest) <= panel.lowest:
        axes.set_ylim(top=panel.lowest + 1)
    axes.tick_params(length=0, labelsize=12)
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=max(4, int(wide / 60))))
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M" if span.end - span.start >= 180 else "%H:%M:%S"))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: scale.write(f"{value:g}")))
    _legend(figure, axes, shown, columns, at=((left + 4) / WIDTH, 1 - (top + high - 2) / height))


def _legend(figure: "Figure", axes: "Axes", shown: Sequence[str], columns: int, at: tuple[float, float]) -> None:
    figure.legend(
        axes.get_lines()[: len(shown)],
        shown,
        loc="lower left",
        bbox_to_anchor=at,
        ncols=columns,
        frameon=False,
        handlelength=1.0,
        columnspacing=1.0,
        labelspacing=0.3,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
