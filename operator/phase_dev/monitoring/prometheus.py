"""A Prometheus of our own: what it collects, and what it answers.

Rule: it sets the labels that the PodMonitor in deploy/monitoring would, and computes by itself; we only ask.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phase_dev.monitoring.panels import Board, Line, Panel, Target, fill, name_line
from phase_dev.shell.errors import ToolError
from phase_dev.shell.loopback import ask
from phase_dev.shell.processes import Process


@dataclass(frozen=True, slots=True)
class Span:
    """A time, and how densely it is looked at: seconds since 1970, and between two points, and between two scrapes."""

    start: float
    end: float
    step: float
    scraped_every: float


def configuration(namespace: str, pods: Mapping[str, int], every: float) -> str:
    """Return a configuration that asks these pods, by the ports at which they are."""
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": namespace, "pod": pod}} for pod, port in pods.items()
    ]
    job = {"job_name": f"{namespace}/phase-operator", "static_configs": targets}
    # YAML takes JSON.
    return json.dumps({"global": {"scrape_interval": f"{every:g}s"}, "scrape_configs": [job]})


def process(program: Path, folder: Path, port: int, config: str, group: int, env: Mapping[str, str]) -> Process:
    """Return a Prometheus that is not started yet."""
    file = folder / "prometheus.json"
    file.write_text(config)
    command: list[str | Path] = [program, f"--config.file={file}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    return Process("prometheus", command, log=folder / "prometheus.log", group=group, env=env)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The way to a running one."""

    url: str

    def answers(self, board: Board, span: Span) -> dict[Panel, list[Line]]:
        """Ask what every panel asks."""
        return {
            panel: [
                line
                for target in panel.targets
                for line in self._ask(target, fill(target.expr, board.variables, span.scraped_every, span.step), span)
            ]
            for panel in board.panels
        }

    def _ask(self, target: Target, expr: str, span: Span) -> list[Line]:
        if target.instant:
            found = self._get("query", query=expr, time=span.end)
            return [Line(name_line(target.legend, each["metric"]), (_point(each["value"]),)) for each in found]
        found = self._get("query_range", query=expr, start=span.start, end=span.end, step=span.step)
        return [Line(name_line(target.legend, each["metric"]), tuple(map(_point, each["values"]))) for each in found]

    def _get(self, what: str, **query: str | float) -> list[dict[str, Any]]:
        answer = ask("GET", f"{self.url}/api/v1/{what}", query=query, timeout=30.0).json()
        if answer["status"] != "success":
            raise ToolError(f"Prometheus refuses {query['query']}: {answer['error']}")
        return list(answer["data"]["result"])


def _point(said: tuple[float, str]) -> tuple[float, float]:
    return float(said[0]), float(said[1])
