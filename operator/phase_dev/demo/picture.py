"""The demo's own words as a picture for the docs: an SVG that a browser draws without asking anybody for fonts."""

import io
from collections.abc import Iterable

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

_WIDTH = 120
_HEADING, _COMMAND = "bold bright_cyan", "bold"

_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def draw(said: Iterable[str], title: str) -> str:
    """Return an SVG of a terminal in which this was said."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in said:
        console.print(_styled(line), soft_wrap=True)
    return console.export_svg(title=title, theme=SVG_EXPORT_THEME, code_format=_SVG, unique_id="demo")


def _styled(line: str) -> Text:
    if line.startswith("== "):
        return Text(line, _HEADING)
    return Text(line, _COMMAND if line.lstrip().startswith("$ ") else "")
