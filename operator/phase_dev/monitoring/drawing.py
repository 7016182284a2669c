"""The dashboard as an SVG: every panel at its place on Grafana's grid, with the lines that its queries gave.

Rule: nothing is drawn that Prometheus did not answer; a panel without an answer says so, as in Grafana.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

from phase_dev.monitoring import units
from phase_dev.monitoring.panels import Board, Kind, Line, Panel, Place
from phase_dev.monitoring.prometheus import Span

WIDTH = 1600
_COLUMNS, _UNIT, _GAP, _MARGIN = 24, 36, 8, 16
_HEAD, _FOOT = 64, 44
_FONT = "Inter, 'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_PAGE, _PANEL, _BORDER, _GRID = "#111217", "#181b1f", "#2a2d33", "#2a2d33"
_TEXT, _FAINT = "#ccccdc", "#9a9aa6"
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
    "#447ebc",
    "#c15c17",
)
_SMALL, _NORMAL, _LARGE = 12, 14, 22
_LEGEND_LINE, _LEGEND_LINES, _DASH = 18, 3, 20
_TIME_LABEL = 90


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of its lower side."""
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Item:
    """A line in a legend: where its name is, and what of it fits."""

    x: float
    row: int
    text: str
    number: int


@dataclass(slots=True)
class Canvas:
    """The elements that were drawn so far."""

    elements: list[str] = field(default_factory=list)

    def rectangle(self, box: Box, color: str, *, border: str = "none", round_by: int = 0) -> None:
        """Draw a rectangle."""
        self.elements.append(
            f'<rect x="{_number(box.x)}" y="{_number(box.y)}" width="{_number(box.width)}" '
            f'height="{_number(box.height)}" rx="{round_by}" fill="{color}" stroke="{border}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        said: str,
        *,
        size: int = _SMALL,
        color: str = _TEXT,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        """Write a text; y is that of its base line."""
        weight = ' font-weight="500"' if bold else ""
        at = "" if anchor == "start" else f' text-anchor="{anchor}"'
        place = f'x="{_number(x)}" y="{_number(y)}"{at}'
        self.elements.append(f'<text {place} font-size="{size}" fill="{color}"{weight}>{escape(said)}</text>')

    def path(self, points: Sequence[tuple[float, float]], color: str, *, width: float = 1.5) -> None:
        """Draw a line."""
        self.elements.append(f'<path d="{_path(points)}" stroke="{color}" stroke-width="{width:g}" fill="none"/>')

    def area(self, points: Sequence[tuple[float, float]], base: float, color: str, opacity: float) -> None:
        """Fill what is between a line and a base."""
        closed = [(points[0][0], base), *points, (points[-1][0], base)]
        self.elements.append(f'<path d="{_path(closed)}z" fill="{color}" fill-opacity="{opacity:g}"/>')

    def dot(self, x: float, y: float, color: str) -> None:
        """Draw a point that has no neighbours."""
        self.elements.append(f'<circle cx="{_number(x)}" cy="{_number(y)}" r="2" fill="{color}"/>')


def draw(board: Board, answers: Mapping[Panel, Sequence[Line]], span: Span, note: str) -> str:
    """Return the picture; the note stands below it."""
    canvas = Canvas()
    height = _HEAD + max(each.place.y + each.place.height for each in board.panels) * _UNIT + _FOOT
    canvas.rectangle(Box(0, 0, WIDTH, height), _PAGE)
    _draw_head(canvas, board, span)
    for panel in board.panels:
        box = box_of(panel.place)
        lines = answers.get(panel, ())
        match panel.kind:
            case Kind.ROW:
                canvas.text(box.x, box.bottom - 8, panel.title, size=16, bold=True)
            case Kind.NUMBER:
                _draw_frame(canvas, panel, box)
                _draw_numbers(canvas, panel, box, lines)
            case Kind.GRAPH:
                _draw_frame(canvas, panel, box)
                _draw_graph(canvas, panel, box, lines, span)
    canvas.text(_MARGIN, height - 18, note, color=_FAINT)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="{_FONT}" role="img">',
            f"<title>{escape(board.title)}</title>",
            *canvas.elements,
            "</svg>\n",
        ]
    )


def box_of(place: Place) -> Box:
    """Return where a panel is in the picture."""
    column = (WIDTH - 2 * _MARGIN + _GAP) / _COLUMNS
    return Box(
        _MARGIN + place.x * column,
        _HEAD + place.y * _UNIT,
        place.width * column - _GAP,
        place.height * _UNIT - _GAP,
    )


def width_of(text: str, size: int = _SMALL) -> float:
    """Return about how wide a text is; whoever looks at the picture brings the font."""
    return sum(_width_of(letter) for letter in text) * size


def shortened(text: str, width: float, size: int = _SMALL) -> str:
    """Return as much of a text as fits."""
    if width_of(text, size) <= width:
        return text
    while text and width_of(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def legend(names: Iterable[str], width: float) -> list[Item]:
    """Lay a legend out in rows, as many as there may be; the last item tells how many did not fit."""
    items: list[Item] = []
    all_names = list(names)
    x, row = 0.0, 0
    for number, name in enumerate(all_names):
        text = shortened(name, width - _DASH)
        needed = _DASH + width_of(text) + 16
        if x > 0 and x + needed - 16 > width:
            x, row = 0.0, row + 1
        if row == _LEGEND_LINES:
            last = items.pop()
            items.append(Item(last.x, last.row, f"… and {len(all_names) - number + 1} more", -1))
            break
        items.append(Item(x, row, text, number))
        x += needed
    return items


def color_of(panel: Panel, value: float) -> str:
    """Return the color that the thresholds give a value."""
    names = [each.color for each in panel.thresholds if each.start <= value]
    return _COLORS.get(names[-1], names[-1]) if names else _TEXT


def runs(points: Sequence[tuple[float, float]], step: float) -> Iterator[list[tuple[float, float]]]:
    """Take a line apart where a value is missing or is no number."""
    run: list[tuple[float, float]] = []
    for when, value in points:
        if run and (when - run[-1][0] > step * 1.5 or math.isnan(value)):
            yield run
            run = []
        if not math.isnan(value):
            run.append((when, value))
    if run:
        yield run


def _draw_head(canvas: Canvas, board: Board, span: Span) -> None:
    canvas.text(_MARGIN, 40, board.title, size=_LARGE, bold=True)
    x = _MARGIN + width_of(board.title, _LARGE) + 32
    for said in board.choices:
        box = Box(x, 20, width_of(said, _NORMAL) + 20, 28)
        canvas.rectangle(box, _PANEL, border=_BORDER, round_by=2)
        canvas.text(x + 10, 39, said, size=_NORMAL)
        x = box.right + 8
    start, end = _time(span.start), _time(span.end)
    said = f"{start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC"
    canvas.text(WIDTH - _MARGIN, 39, said, size=_NORMAL, anchor="end")


def _draw_frame(canvas: Canvas, panel: Panel, box: Box) -> None:
    canvas.rectangle(box, _PANEL, border=_BORDER, round_by=3)
    canvas.text(box.x + 12, box.y + 22, shortened(panel.title, box.width - 24, _NORMAL), size=_NORMAL, bold=True)


def _draw_numbers(canvas: Canvas, panel: Panel, box: Box, lines: Sequence[Line]) -> None:
    if not lines:
        _say_no_data(canvas, box)
        return
    each = box.width / len(lines)
    for number, line in enumerate(lines):
        values = [value for _, value in line.points if not math.isnan(value)]
        last = values[-1] if values else math.nan
        said = line.name if panel.shows_name else units.write(panel.unit, last)
        size = next(size for size in range(44, 0, -1) if size == 10 or width_of(said, size) <= each - 24)
        color = color_of(panel, last) if values else _FAINT
        middle = box.x + each * (number + 0.5)
        canvas.text(middle, box.y + 18 + box.height / 2 + size * 0.3, said, size=size, color=color, anchor="middle")


def _draw_graph(canvas: Canvas, panel: Panel, box: Box, lines: Sequence[Line], span: Span) -> None:
    if not lines:
        _say_no_data(canvas, box)
        return
    items = legend([line.name for line in lines], box.width - 24)
    values = [value for line in lines for _, value in line.points if not math.isnan(value)]
    low = panel.lowest if panel.lowest is not None else min(values, default=0.0)
    high = max(values, default=low)
    marks = units.marks(panel.unit, low, high if high > low else low + 1)
    left = box.x + 18 + max(width_of(each) for each in marks.values())
    top, bottom = box.y + 40, box.bottom - 34 - _LEGEND_LINE * (items[-1].row + 1)
    plot = Box(left, top, box.right - 14 - left, bottom - top)
    _draw_axes(canvas, plot, marks, span)
    floor, ceiling = min(marks), max(marks)

    def at(when: float, value: float) -> tuple[float, float]:
        share = (when - span.start) / (span.end - span.start)
        return plot.x + share * plot.width, plot.bottom - (value - floor) / (ceiling - floor) * plot.height

    for number, line in enumerate(lines):
        color = _PALETTE[number % len(_PALETTE)]
        for run in runs(line.points, span.step):
            points = [at(*point) for point in run]
            if len(points) == 1:
                canvas.dot(*points[0], color)
                continue
            if panel.fill:
                canvas.area(points, plot.bottom, color, panel.fill)
            canvas.path(points, color)
    for item in items:
        x, y = box.x + 12 + item.x, box.bottom - 12 - _LEGEND_LINE * (items[-1].row - item.row)
        if item.number >= 0:
            canvas.rectangle(Box(x, y - 6, 14, 4), _PALETTE[item.number % len(_PALETTE)], round_by=1)
        canvas.text(x + _DASH, y, item.text)


def _draw_axes(canvas: Canvas, plot: Box, marks: Mapping[float, str], span: Span) -> None:
    low, high = min(marks), max(marks)
    for value, said in marks.items():
        y = plot.bottom - (value - low) / (high - low) * plot.height
        canvas.path([(plot.x, y), (plot.right, y)], _GRID, width=1)
        canvas.text(plot.x - 6, y + 4, said, color=_FAINT, anchor="end")
    step = units.time_step(span.end - span.start, max(2, int(plot.width / _TIME_LABEL)))
    for number in range(math.ceil(span.start / step), math.floor(span.end / step) + 1):
        x = plot.x + (number * step - span.start) / (span.end - span.start) * plot.width
        canvas.path([(x, plot.y), (x, plot.bottom)], _GRID, width=1)
        said = f"{_time(number * step):{'%H:%M' if step >= 60 else '%H:%M:%S'}}"
        # A label that would hang over the side is left out, as in Grafana.
        if x + width_of(said) / 2 <= plot.right + 14:
            canvas.text(x, plot.bottom + 16, said, color=_FAINT, anchor="middle")


def _say_no_data(canvas: Canvas, box: Box) -> None:
    middle = box.x + box.width / 2
    canvas.text(middle, box.y + box.height / 2 + 10, "No data", size=_NORMAL, color=_FAINT, anchor="middle")


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Spell a line; on a stretch that is level its ends are enough."""
    spelt = [(_number(x), _number(y)) for x, y in points]
    kept = [
        point
        for number, point in enumerate(spelt)
        if number in (0, len(spelt) - 1) or not spelt[number - 1][1] == point[1] == spelt[number + 1][1]
    ]
    return "M" + " ".join(f"{x} {y}" for x, y in kept)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _width_of(letter: str) -> float:
    if letter in "iljtfrI.,:;'|!()[]/ -":
        return 0.34
    if letter in "mwMW%@":
        return 0.9
    return 0.68 if letter.isupper() else 0.57


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
