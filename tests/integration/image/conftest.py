"""The image, built once for the session where this machine can; where it cannot, the summary says why."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from integration.operator.conftest import installed, stage
from phase_dev.image import bases, building, running
from phase_dev.image.bases import Bases
from phase_dev.image.building import Built
from phase_dev.image.machine import Machine, Unfit
from phase_dev.image.storage import Storage, open_storage
from phase_dev.image.tools import Tools, bring
from phase_dev.shell.terminal import Progress
from support.cluster_fixture import control_plane, kubectl, namespace

__all__ = ["control_plane", "installed", "kubectl", "namespace", "stage"]

NAME = "localhost/phase-operator:under-test"


@dataclass(frozen=True, slots=True)
class Workshop:
    """A machine that builds and runs images."""

    machine: Machine
    storage: Storage
    bases: Bases


@pytest.fixture(scope="session")
def machine() -> Machine:
    """Give this machine, with the image's date pinned: a checkout without Git has no other."""
    found = Machine(os.environ, Progress(sys.stderr))
    return Machine({**os.environ, "SOURCE_DATE_EPOCH": building.source_date(found)}, Progress(sys.stderr))


@pytest.fixture(scope="session")
def workshop(machine: Machine) -> Workshop:
    """Give buildah, podman and the stand-ins for the base images, or skip aloud."""
    wanted = bases.Named.read((building.REPOSITORY / "Dockerfile").read_text())
    try:
        machine.require("buildah", "podman", "runc", "mmdebstrap")
        storage = open_storage(machine)
        found = bases.stand_in(wanted, storage, machine)
        running.check(storage, found.runtime, machine)
    except Unfit as e:
        pytest.skip(f"THE IMAGE IS NOT TESTED: {e}")
    return Workshop(machine, storage, found)


@pytest.fixture(scope="session")
def image(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Give the image, freshly built."""
    layout = tmp_path_factory.mktemp("image") / "layout"
    return building.build(workshop.bases, workshop.storage, workshop.machine, name=NAME, layout=layout)


@pytest.fixture(scope="session")
def tools(machine: Machine) -> Tools:
    """Give hadolint, trivy and cyclonedx-bom."""
    return bring(machine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder for what is judged."""
    path = tmp_path / "all"
    path.mkdir()
    return path
