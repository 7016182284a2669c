"""`phase-dev dashboard`: let the operator work under a Prometheus, and draw the dashboard of it.

Rule: what goes wrong is one sentence and a non-zero exit; nothing is left running.
"""

import os
import sys
import time
from pathlib import Path

import click

from phase_dev.demo.stage import CHECKOUT
from phase_dev.monitoring.drawing import draw
from phase_dev.monitoring.panels import read_board
from phase_dev.monitoring.prometheus import Span
from phase_dev.monitoring.work import EVERY, live, world
from phase_dev.shell.terminal import Progress, one_sentence

_BOARD = CHECKOUT / "deploy/monitoring/dashboard.json"
_POINTS = 240


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--board",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=_BOARD,
    help="The dashboard's JSON; default: deploy/monitoring/dashboard.json.",
)
@click.option(
    "--minutes", type=click.FloatRange(2, 60), default=8.0, show_default=True, help="For how long the operator works."
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("dashboard.svg"),
    show_default=True,
    help="Draw an SVG to this file.",
)
def dashboard(board: Path, minutes: float, picture: Path) -> None:
    """Let the operator work on a cluster of its own, collect its metrics, and draw the dashboard without a Grafana."""
    with one_sentence():
        progress = Progress(sys.stderr)
        drawn = read_board(board.read_text())
        with world(os.environ, progress) as made:
            start = time.time()
            live(made, minutes * 60, progress)
            end = time.time()
            span = Span(start, end, max(EVERY, round((end - start) / _POINTS)), EVERY)
            with progress.step("asking Prometheus what every panel asks"):
                answers = made.prometheus.answers(drawn, span)
        picture.write_text(draw(drawn, answers, span, _note(minutes)))
        click.echo(f"{picture}: {sum(bool(panel.targets) for panel in drawn.panels)} panels")


def _note(minutes: float) -> str:
    return (
        f"Drawn by `make dashboard` from the dashboard's own queries over {minutes:g} minutes of a real run, in which "
        "Phase and the cluster are made to fail. No screenshot of Grafana."
    )
