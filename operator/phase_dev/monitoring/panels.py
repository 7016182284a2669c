"""What the dashboard's JSON says about its panels, as far as a picture of them needs it.

Rule: the JSON that people import is read, not what it is built from; what is not understood is an error, not a gap.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from phase_dev.shell.errors import ToolError


class Kind(Enum):
    """The types of panel that can be drawn, as Grafana names them."""

    ROW = "row"
    GRAPH = "timeseries"
    NUMBER = "stat"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel is on Grafana's grid."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Target:
    """One query of a panel, and the name of its lines."""

    expr: str
    legend: str
    instant: bool


@dataclass(frozen=True, slots=True)
class Threshold:
    """The color from a value on; the first one is below every value."""

    color: str
    start: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel."""

    kind: Kind
    title: str
    place: Place
    unit: str = ""
    lowest: float | None = None
    fill: float = 0.0
    shows_name: bool = False
    thresholds: tuple[Threshold, ...] = ()
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """The dashboard."""

    title: str
    # What one chooses at its top, and what is chosen.
    choices: tuple[str, ...]
    variables: Mapping[str, str]
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """What a query gave for one series: its name, and its values by seconds since 1970."""

    name: str
    points: tuple[tuple[float, float], ...]


def read_board(text: str) -> Board:
    """Read a dashboard."""
    document = json.loads(text)
    variables = document["templating"]["list"]
    return Board(
        document["title"],
        tuple(f"{each['label']}: {'All' if each.get('allValue') else 'Prometheus'}" for each in variables),
        {each["name"]: each["allValue"] for each in variables if each.get("allValue")},
        tuple(_panel(each) for each in document["panels"]),
    )


def fill(expr: str, variables: Mapping[str, str], scraped_every: float, step: float) -> str:
    """Fill in variables as Grafana does when all is chosen."""
    every, between = f"{rate_interval(scraped_every, step):g}s", f"{step:g}s"
    known = {**variables, "__rate_interval": every, "__interval": between}
    filled = re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found[1], found[0]), expr)
    if "$" in filled:
        raise ToolError(f"the dashboard has a variable that the picture does not know: {filled}")
    return filled


def rate_interval(scraped_every: float, step: float) -> float:
    """Return what Grafana takes for $__rate_interval."""
    return max(step + scraped_every, 4 * scraped_every)


def name_line(legend: str, labels: Mapping[str, str]) -> str:
    """Return the name of a line: the legend with its labels filled in, else the series as Prometheus writes it."""
    if legend:
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), legend).strip()
    inside = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels.get('__name__', '')}{{{inside}}}"


def _panel(document: Mapping[str, Any]) -> Panel:
    try:
        kind = Kind(document["type"])
    except ValueError:
        title, known = document["title"], ", ".join(each.value for each in Kind)
        raise ToolError(
            f'the panel "{title}" is of the type {document["type"]}, and the picture can only draw {known}'
        ) from None
    at = document["gridPos"]
    defaults = document.get("fieldConfig", {}).get("defaults", {})
    steps = defaults.get("thresholds", {}).get("steps", ())
    return Panel(
        kind,
        document["title"],
        Place(at["x"], at["y"], at["w"], at["h"]),
        unit=defaults.get("unit", ""),
        lowest=defaults.get("min"),
        fill=defaults.get("custom", {}).get("fillOpacity", 0) / 100,
        shows_name=document.get("options", {}).get("textMode") == "name",
        thresholds=tuple(
            Threshold(each["color"], float("-inf") if each["value"] is None else each["value"]) for each in steps
        ),
        targets=tuple(
            Target(each["expr"], each.get("legendFormat", ""), each.get("instant", False))
            for each in document.get("targets", ())
        ),
    )
