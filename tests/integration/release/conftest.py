"""A rehearsal of a release, made once: on a machine that builds images; where it cannot, the summary says why."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from phase_dev.cluster.catalog import HELM
from phase_dev.cluster.programs import obtain
from phase_dev.image.building import REPOSITORY
from phase_dev.image.storage import Unfit, require
from phase_dev.release import checkout, grounds, images, making, owner, publishing, versions
from phase_dev.release.making import Made
from phase_dev.release.registry import loopback
from phase_dev.shell.terminal import Progress
from phase_operator import __version__
from support.made import made

Helm = Callable[..., str]


@dataclass(frozen=True)
class Rehearsal:
    """What was made, the registry that has it, and the repository before and after."""

    made: Made
    registry: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The files of the release."""
        return self.made.built.folder

    @property
    def version(self) -> str:
        return self.made.built.version

    @property
    def image(self) -> str:
        """The image as manifests name it."""
        return f"{self.made.built.owner.image}:{self.version}@{self.made.built.digest}"

    def read(self, name: str) -> str:
        return (self.folder / name).read_text()

    def get(self, path: str) -> httpx.Response:
        """Ask the registry about the image."""
        accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
        url = f"http://{self.registry}/v2/rehearsal/phase-operator/{path}"
        return httpx.get(url, headers={"Accept": accept}, trust_env=False).raise_for_status()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give host and port of a real registry."""
    with loopback(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="session")
def run_helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give helm with a home of its own."""
    program = obtain([HELM], os.environ, Progress(sys.stderr))[HELM.name].path
    home = str(tmp_path_factory.mktemp("helm"))

    def run(*arguments: str | Path, kubeconfig: Path) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def rehearsal(registry: str, tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """Give a rehearsal of the version after the checkout's, pushed to the registry."""
    try:
        require("git", "buildah", "mmdebstrap")
        if not checkout.is_checkout(REPOSITORY):
            raise Unfit("a release is made from a checkout of git")
        foundation = grounds.stand_ins((REPOSITORY / "Dockerfile").read_text())
        foundation(images.ARCHITECTURES[0])
    except Unfit as e:
        pytest.skip(f"THE RELEASE IS NOT REHEARSED: {e}")
    for stamp in ("build/product/.stamp", "build/tools/.stamp"):
        made(stamp)
    before = _state()
    whose = owner.stand_in(f"{registry}/rehearsal")
    version = versions.following(__version__, released=True)
    with making.made(version, whose, foundation, rehearsal=True, output=tmp_path_factory.mktemp("release")) as found:
        images.push(found.images, f"{whose.image}:{version}", secure=False)
        helm = obtain([HELM], os.environ, Progress(sys.stderr))[HELM.name].path
        subprocess.run(publishing.chart(found.built, helm, secure=False), check=True, capture_output=True)
    return Rehearsal(found, registry, before, _state())


def _state() -> tuple[str, ...]:
    """Return what a rehearsal must leave alone: commit, files and tags; and copies, of which it leaves none."""
    asked = (("rev-parse", "HEAD"), ("status", "--porcelain"), ("tag",))
    copies = [line for line in checkout.git(REPOSITORY, "worktree", "list").splitlines() if "/copy " in line]
    return (*(checkout.git(REPOSITORY, *each) for each in asked), *copies)
