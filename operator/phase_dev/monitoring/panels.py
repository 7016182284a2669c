"""What the dashboard's JSON says about its panels, as far as a picture of them needs it.

Rule: the JSON that people import is read, not what it is built from; what is not understood is an error, not a gap.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from phase_dev.shell.errors import ToolError

_DEFAULTS = ("fieldConfig", "defaults")


class Kind(Enum):
    """The types of panel that can be drawn, as Grafana names them."""

    ROW = "row"
    GRAPH = "timeseries"
    NUMBER = "stat"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Place(_Part):
    """Where a panel is on Grafana's grid."""

    x: int
    y: int
    width: int = Field(validation_alias="w")
    height: int = Field(validation_alias="h")


class Target(_Part):
    """One query of a panel, and the name of its lines."""

    expr: str
    legend: str = Field("", validation_alias="legendFormat")
    instant: bool = False


class Threshold(_Part):
    """The color from a value on; the first one is below every value."""

    color: str
    start: Annotated[float, BeforeValidator(lambda value: float("-inf") if value is None else value)] = Field(
        validation_alias="value"
    )


class Panel(_Part):
    """One panel."""

    kind: Kind = Field(validation_alias="type")
    title: str
    place: Place = Field(validation_alias="gridPos")
    unit: str = Field("", validation_alias=AliasPath(*_DEFAULTS, "unit"))
    lowest: float | None = Field(None, validation_alias=AliasPath(*_DEFAULTS, "min"))
    fill: float = Field(0.0, validation_alias=AliasPath(*_DEFAULTS, "custom", "fillOpacity"))
    """In percent."""
    text_mode: str = Field("", validation_alias=AliasPath("options", "textMode"))
    thresholds: tuple[Threshold, ...] = Field((), validation_alias=AliasPath(*_DEFAULTS, "thresholds", "steps"))
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
        tuple(map(_panel, document["panels"])),
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
        return Panel.model_validate(document)
    except ValidationError as e:
        found = e.errors()[0]
        where = ".".join(map(str, found["loc"]))
        raise ToolError(f'cannot draw the panel "{document["title"]}": {where} is {found["input"]}') from None
