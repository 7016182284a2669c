"""Judge the Dockerfile, `deploy/` and the rendered chart by the rules of others.

Rule: nothing is skipped in silence. Every file that was given must have been judged, every exception has its reason in
.trivyignore.yaml, and an exception that nothing needs any more is an error.
"""

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phase_dev import documents
from phase_dev.cluster.catalog import HELM, KUBECTL
from phase_dev.cluster.programs import obtain
from phase_dev.image.building import REPOSITORY
from phase_dev.image.machine import Machine
from phase_dev.image.tools import Tools
from phase_dev.shell.errors import ToolError

EXCEPTIONS = REPOSITORY / ".trivyignore.yaml"
OVERLAYS = ("cluster-wide", "namespaced")
CHART = {
    "chart-cluster-wide": (),
    "chart-namespaced": ("--set", "watchNamespaces={default}", "--set", "rbac.aggregate=false"),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, and what was let pass by which rule."""

    judged: frozenset[str]
    findings: tuple[str, ...]
    excepted: frozenset[str]


def collect(folder: Path, machine: Machine, *, repository: Path = REPOSITORY) -> None:
    """Put all that is judged into a folder: the Dockerfile, both overlays, the chart with rights of both kinds."""
    programs = obtain([HELM, KUBECTL], machine.env, machine.progress)
    helm, kubectl = programs[HELM.name].path, programs[KUBECTL.name].path
    (folder / "Dockerfile").write_bytes((repository / "Dockerfile").read_bytes())
    for name in OVERLAYS:
        rendered = machine.tell([kubectl, "kustomize", repository / "deploy/overlays" / name])
        (folder / f"{name}.yaml").write_text(rendered)
    for name, values in CHART.items():
        command: list[str | Path] = [helm, "template", "phase-operator", repository / "helm/phase-operator"]
        rendered = machine.tell([*command, "--namespace", "phase-system", *values])
        (folder / f"{name}.yaml").write_text(rendered)


def judge(folder: Path, tools: Tools, machine: Machine, *, exceptions: Path = EXCEPTIONS) -> Judgement:
    """Ask hadolint and trivy about all that lies in a folder."""
    everything = _trivy(folder, tools, machine)
    left = _trivy(folder, tools, machine, "--ignorefile", str(exceptions))
    return Judgement(
        judged=frozenset(everything),
        findings=(*_hadolint(folder, tools, machine), *(line for lines in left.values() for line in lines.values())),
        excepted=frozenset(rule for lines in everything.values() for rule, _ in lines)
        - frozenset(rule for lines in left.values() for rule, _ in lines),
    )


def complaints(judgement: Judgement, folder: Path, *, exceptions: Path = EXCEPTIONS) -> list[str]:
    """Return all that is wrong, with the judging itself too."""
    unjudged = {file.name for file in folder.iterdir()} - judgement.judged
    idle = reasons(exceptions).keys() - judgement.excepted
    return [
        *judgement.findings,
        *(f"{name}: was not judged" for name in sorted(unjudged)),
        *(f"{exceptions.name}: nothing needs the exception {name}" for name in sorted(idle)),
    ]


def reasons(exceptions: Path = EXCEPTIONS) -> Mapping[str, str]:
    """Return the rules that are excepted, with the reason."""
    entries = documents.load(exceptions.read_text())["misconfigurations"]
    return {entry["id"]: entry.get("statement", "") for entry in entries}


def _hadolint(folder: Path, tools: Tools, machine: Machine) -> Iterable[str]:
    done = machine.ask([tools.hadolint, "--no-color", "--format", "json", folder / "Dockerfile"])
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise ToolError(f"hadolint ended with {done.returncode}: {done.stderr.strip()[:200]}")
    for each in json.loads(done.stdout):
        yield f"Dockerfile:{each['line']}: {each['code']}: {each['message']}"


def _trivy(folder: Path, tools: Tools, machine: Machine, *flags: str) -> dict[str, dict[tuple[str, str], str]]:
    """Return for every file what was found, by rule and message; without `flags` nothing is excepted."""
    with tempfile.TemporaryDirectory(prefix="phase-dev-trivy-") as scratch:
        report = Path(scratch) / "report.json"
        command: list[str | Path] = [tools.trivy, "config", "--skip-check-update", "--quiet"]
        command += ["--cache-dir", machine.home / "trivy", *flags, "--format", "json", "--output", report, folder]
        machine.work("trivy judges Dockerfile and manifests", command, cwd=Path(scratch))
        results: list[dict[str, Any]] = json.loads(report.read_text()).get("Results", [])
    return {
        result["Target"]: {
            (each["AVDID"], each["Message"]): f"{result['Target']}: {each['AVDID']}: {each['Message']}"
            for each in result.get("Misconfigurations", [])
        }
        for result in results
    }
