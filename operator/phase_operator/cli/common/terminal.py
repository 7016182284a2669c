"""What is printed: tables, colours for people, plain text for other programs.

Rule: text of others is made safe before it is printed; it could contain sequences that a terminal obeys.
"""

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import click
from tabulate import tabulate

from phase_operator.api.crd import as_yaml
from phase_operator.cli.common.failures import Failure, ended_by_ctrl_c
from phase_operator.core.text import clean
from phase_operator.settings import wants_no_colour

_GAP = 3
_SHORTEST = 20
MASK = "********"


class Tone(Enum):
    """What a colour says; without colours the words say it alone."""

    GOOD = "green"
    BAD = "red"
    NOTE = "yellow"
    FAINT = "bright_black"


def is_for_people() -> bool:
    """Return whether a person reads the output on a terminal, and wants it made for the eye."""
    return sys.stdout.isatty() and not wants_no_colour()


def toned(text: str, tone: Tone | None) -> str:
    """Return a text in the colour of a tone, if people read it on a terminal."""
    if tone is None or not is_for_people():
        return text
    return click.style(text, fg=tone.value)


def shown(value: object) -> str:
    """Return a value from an object as one bounded line that is safe to print; `-` for none."""
    return clean(str(value)) if value not in (None, "") else "-"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, header: bool = True) -> None:
    """Print a table as kubectl does: on a terminal its last column is cut where the line ends."""
    if sys.stdout.isatty():
        rows = _fitted(head, rows, shutil.get_terminal_size().columns)
    lines = tabulate(rows, headers=head if header else (), tablefmt="plain", disable_numparse=True).splitlines()
    for line in lines:
        click.echo(line.rstrip())


def _fitted(head: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    columns = [[*column] for column in zip(*[head, *rows], strict=True)]
    taken = sum(max(len(click.unstyle(cell)) for cell in column) + _GAP for column in columns[:-1])
    left = max(width - taken, _SHORTEST)
    return [[*row[:-1], cut(row[-1], left)] for row in rows]


def cut(text: str, longest: int) -> str:
    """Return a text without colours of at most so many characters; it ends in `…` if it was longer."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def print_yaml(documents: Sequence[Mapping[str, Any]]) -> None:
    """Print objects as a YAML stream."""
    print_documents(map(as_yaml, documents))


def print_documents(written: Iterable[str]) -> None:
    """Print documents of YAML as a stream."""
    for number, each in enumerate(written):
        if number:
            click.echo("---")
        click.echo(each, nl=False)


def say(text: str) -> None:
    """Tell a person what goes on: on the error stream, so that it does not mix with what is printed."""
    click.echo(text, err=True)


def confirmed(question: str, *, yes: bool) -> None:
    """Go on if the person agrees, on a terminal, or said --yes before; raise Failure otherwise."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Failure("nothing was done: give --yes, since nobody can be asked here")
    with ended_by_ctrl_c():
        click.confirm(question, abort=True, err=True)
