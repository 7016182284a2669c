"""`phase-dev demo`: the main job, shown.

Rule: it ends with exit 0 and a clean machine, or with one sentence; only --keep leaves something, and says what.
"""

import dataclasses
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import click

from phase_dev.demo.picture import draw
from phase_dev.demo.show import Show
from phase_dev.demo.stage import NAMESPACE, Stage, prepare, put_up
from phase_dev.shell.background import Background
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import Folders
from phase_dev.shell.terminal import Progress, one_sentence

_STOP = ".venv/bin/phase-dev demo --stop"
_GRACE = 180.0  # a cluster of the user's takes a while to remove a namespace


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--keep", is_flag=True, help="Leave everything running in the background, and say what to try next.")
@click.option("--stop", is_flag=True, help="End what --keep left.")
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Use the cluster of this kubeconfig, which is left as it was, instead of a cluster of its own.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also draw what it shows, as an SVG, to this file.",
)
@click.option("--hold", is_flag=True, hidden=True, help="Be the process that --keep leaves.")
def demo(keep: bool, stop: bool, kubeconfig: Path | None, picture: Path | None, hold: bool) -> None:
    """Show the main job on a real Kubernetes API server: PhaseSecrets become Secrets and a ConfigMap."""
    with one_sentence():
        kept = Background("demo", Folders.of(os.environ).state / "demo")
        place = kubeconfig.absolute() if kubeconfig else None
        if stop:
            click.echo("the demo ended" if kept.stop(_GRACE) else "no demo is running")
        elif hold:
            _hold(kept, place, os.environ)
        elif keep:
            _keep(kept, place, os.environ)
        else:
            with put_up(place, os.environ, Progress(sys.stderr)) as stage:
                said: list[str] = []
                Show(stage, stage.client(os.environ), lambda line: _say(line, said)).run()
            if picture is not None:
                picture.write_text(draw(said, "make demo"))
            click.echo("\nDone; nothing is left running.")


def _keep(kept: Background, kubeconfig: Path | None, env: Mapping[str, str]) -> None:
    if kept.is_running():
        raise ToolError(f"a demo is running already; end it with `{_STOP}`")
    progress = Progress(sys.stderr)
    prepare(kubeconfig, env, progress)
    with progress.step("a cluster, Phase and the operator"):
        command = [sys.executable, "-m", "phase_dev", "demo", "--hold"]
        record = kept.start([*command, *(["--kubeconfig", str(kubeconfig)] if kubeconfig else [])], env)
        stage = Stage(**record["stage"])
    try:
        Show(stage, stage.client(env), _say).run()
    except BaseException:
        kept.stop(_GRACE)
        raise
    click.echo("\n".join(what_next(stage)))


def _hold(kept: Background, kubeconfig: Path | None, env: Mapping[str, str]) -> None:
    """Put everything up and hold it until an exception, such as the one of a signal, ends it."""
    with kept.hold() as write, put_up(kubeconfig, env, Progress(sys.stderr)) as stage:
        write({"stage": dataclasses.asdict(stage)})
        while True:
            time.sleep(1.0)


def what_next(stage: Stage) -> list[str]:
    """Return the lines that tell a person what there is and what to try."""
    order = '{"app": "shop", "env": "Production", "key": "LOG_LEVEL", "value": "info"}'
    kubectl = f"{stage.kubectl} -n {NAMESPACE}"
    return [
        "",
        "== It is all still running",
        f"   export KUBECONFIG={stage.kubeconfig}",
        f"   Phase: {stage.phase_url}   (token: in the Secret phase-service-token)",
        f"   operator: log {stage.operator_log}, metrics {stage.metrics_url}",
        "",
        "== Try",
        f"   {kubectl} get phasesecrets --watch",
        f"   {kubectl} describe phasesecret shop",
        "   change a value in Phase:",
        f"       curl -X POST {stage.phase_url}/_control/secret -d '{order}'",
        "   make Phase fail, see that nothing is lost, and let it work again:",
        f'       curl -X POST {stage.phase_url}/_control/faults -d \'{{"kind": "status", "status": 503}}\'',
        f"       curl -X DELETE {stage.phase_url}/_control/faults",
        "   edit a target:",
        f"       {kubectl} delete secret shop",
        "",
        f"   End it with: {_STOP}",
    ]


def _say(line: str, said: list[str] | None = None) -> None:
    if said is not None:
        said += line.split("\n")
    click.echo(line)
    sys.stdout.flush()
