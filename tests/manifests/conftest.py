"""The programs that render manifests, and the cluster that judges them."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from manifests.objects import CHART, KUBERNETES, ROOT, Object, pickled
from phase_dev.cluster.catalog import HELM, HELM3, HELM_BATCH, KSTATUS, KUBECTL, PROMTOOL, Program
from phase_dev.cluster.programs import obtain
from phase_dev.shell.terminal import Progress
from support.cluster_fixture import control_plane, kubectl, namespace
from support.helm_batch import HelmBatch

__all__ = ["control_plane", "kubectl", "namespace"]

Notes = Callable[[dict[str, Any]], str]
Run = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[Object]]


def environment_of_go(home: Path) -> dict[str, str]:
    """Return what a program in Go needs to know.

    One that ends within a second spends a third of it on collecting garbage, unless it is told to wait; several cores
    make it no sooner.
    """
    return {"PATH": os.environ["PATH"], "HOME": str(home), "GOGC": "400", "GOMAXPROCS": "1"}


def _runner(program: Path, home: Path) -> Run:
    def run(
        *arguments: str | Path, stdin: str | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            input=stdin,
            env=environment_of_go(home) | (env or {}),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def path_of(program: Program) -> Path:
    """Return where a program is, after a build if need be."""
    return obtain([program], os.environ, Progress(sys.stderr))[program.name].path


def _obtained(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return _runner(path_of(program), tmp_path_factory.mktemp(f"{program.name}-home"))


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give helm 4, with a home of its own; it has no cluster unless KUBECONFIG says so."""
    return _obtained(HELM, tmp_path_factory)


@pytest.fixture(scope="session")
def helm_batch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Give helm 4 again, for what needs no cluster: all its commands in one process."""
    batch = HelmBatch(path_of(HELM_BATCH), ROOT, environment_of_go(tmp_path_factory.mktemp("helm-batch-home")))
    yield batch.run
    batch.close()


@pytest.fixture(scope="session")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give helm 3, likewise."""
    return _obtained(HELM3, tmp_path_factory)


@pytest.fixture(scope="session", params=["helm", "helm3"])
def each_helm(request: pytest.FixtureRequest) -> Run:
    """Give one helm after the other."""
    run: Run = request.getfixturevalue(request.param)
    return run


def local(values: dict[str, Any] | None) -> dict[str, Any]:
    """Return values that need not name a registry, as a cluster of one's own laptop has them."""
    given = values or {}
    return given | {"image": {"allowLocal": True} | given.get("image", {})}


def template(
    helm: Run,
    values: dict[str, Any] | None,
    *apis: str,
    kubernetes: str = KUBERNETES[-1],
    chart: Path = CHART,
    tests: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `helm template` with values as a dict, for a cluster that has these APIs in addition to its own.

    What `helm test` makes is only there if asked for.
    """
    return helm(
        *("template", "phase-operator", chart, "--namespace", "phase-system"),
        *("--kube-version", kubernetes, "--values", "-"),
        *(() if tests else ("--skip-tests",)),
        *(word for api in apis for word in ("--api-versions", api)),
        stdin=json.dumps(local(values)),
    )


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give promtool."""
    return _obtained(PROMTOOL, tmp_path_factory)


@pytest.fixture(scope="session")
def kstatus_program(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give kstatus itself: objects in, a word for each out."""
    return _obtained(KSTATUS, tmp_path_factory)


@pytest.fixture(scope="session")
def render_chart(helm_batch: Run) -> Render:
    """Give `helm template` with values as a dict; its answer is objects. The same values are rendered once."""

    @cache
    def rendered(values: str, *apis: str, kubernetes: str, chart: Path, tests: bool) -> list[bytes]:
        done = template(helm_batch, json.loads(values), *apis, kubernetes=kubernetes, chart=chart, tests=tests)
        assert done.returncode == 0, done.stderr
        return pickled(done.stdout)

    def render(
        values: dict[str, Any] | None = None,
        *apis: str,
        kubernetes: str = KUBERNETES[-1],
        chart: Path = CHART,
        tests: bool = False,
    ) -> list[Object]:
        found = rendered(json.dumps(values or {}), *apis, kubernetes=kubernetes, chart=chart, tests=tests)
        return [pickle.loads(each) for each in found]  # a copy for each test, which may change it

    return render


@pytest.fixture(scope="session")
def notes(helm_batch: Run) -> Notes:
    """Give the notes that `helm install` would print; without a cluster, so it knows the built-in APIs only."""

    @cache
    def told(values: str) -> str:
        done = helm_batch(
            *("install", "phase-operator", CHART, "--namespace", "phase-system"),
            *("--dry-run=client", "--values", "-"),
            stdin=values,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:\n")[2]

    return lambda values: told(json.dumps(local(values)))


@pytest.fixture(scope="session")
def kustomize(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Give `kubectl kustomize`; its answer is objects. A folder of the repository is rendered once."""
    run = _obtained(KUBECTL, tmp_path_factory)

    def rendered(folder: Path) -> list[bytes]:
        done = run("kustomize", folder)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return pickled(done.stdout)

    ours = cache(rendered)

    def render(folder: str) -> list[Object]:
        path = ROOT / folder
        made = ours(path) if path.is_relative_to(ROOT) else rendered(path)  # a folder of a test's own may change
        return [pickle.loads(each) for each in made]

    return render
