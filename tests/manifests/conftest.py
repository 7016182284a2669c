"""The programs that render manifests, and the cluster that judges them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manifests.objects import CHART, ROOT, Object, load
from phase_dev.cluster.catalog import HELM, KUBECTL
from phase_dev.cluster.programs import obtain
from phase_dev.cluster.progress import Progress
from support.cluster_fixture import cluster, control_plane, kubectl, namespace

__all__ = ["cluster", "control_plane", "kubectl", "namespace"]

Run = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[Object]]


def _runner(program: Path, home: Path) -> Run:
    def run(
        *arguments: str | Path, stdin: str | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            input=stdin,
            env={"PATH": os.environ["PATH"], "HOME": str(home)} | (env or {}),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give helm, with a home of its own; it has no cluster unless KUBECONFIG says so."""
    program = obtain([HELM], os.environ, Progress(sys.stderr))[HELM.name]
    return _runner(program.path, tmp_path_factory.mktemp("helm-home"))


@pytest.fixture(scope="session")
def render_chart(helm: Run) -> Render:
    """Give `helm template` with values as a dict; its answer is objects."""

    def render(values: dict[str, Any] | None = None, kubernetes: str = "1.37") -> list[Object]:
        done = helm(
            *("template", "phase-operator", CHART, "--namespace", "phase-system"),
            *("--kube-version", kubernetes, "--values", "-"),
            stdin=json.dumps(values or {}),
        )
        assert done.returncode == 0, done.stderr
        return load(done.stdout)

    return render


@pytest.fixture(scope="session")
def kustomize(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Give `kubectl kustomize`; its answer is objects."""
    program = obtain([KUBECTL], os.environ, Progress(sys.stderr))[KUBECTL.name]
    run = _runner(program.path, tmp_path_factory.mktemp("kubectl-home"))

    def render(folder: str) -> list[Object]:
        done = run("kustomize", ROOT / folder)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return load(done.stdout)

    return render
