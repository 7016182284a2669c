"""The image, built once for the session where this machine can; where it cannot, the summary says why."""

import re

import pytest
from packaging.utils import canonicalize_name

from integration.operator.conftest import installed, module_operator, no_second_operator, stage
from phase_dev.image import bases, building, running
from phase_dev.image.bases import Bases
from phase_dev.image.building import REPOSITORY, Built
from phase_dev.image.storage import Unfit, require
from support.cluster_fixture import control_plane, kubectl, namespace

__all__ = ["control_plane", "installed", "kubectl", "module_operator", "namespace", "no_second_operator", "stage"]

NAME = "localhost/phase-operator:under-test"


@pytest.fixture(scope="session")
def stand_ins() -> Bases:
    """Give stand-ins for the base images on a machine that builds and runs images, or skip aloud."""
    try:
        require("buildah", "podman", "runc", "mmdebstrap")
        found = bases.stand_ins(bases.named((REPOSITORY / "Dockerfile").read_text()))
        running.check(found.runtime)
    except Unfit as e:
        pytest.skip(f"THE IMAGE IS NOT TESTED: {e}")
    return found


@pytest.fixture(scope="session")
def image(stand_ins: Bases, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Give the image, freshly built on locked packages that may be there from a run before."""
    layout = tmp_path_factory.mktemp("image") / "layout"
    return building.build(stand_ins, name=NAME, date=building.source_date(), layout=layout, reuse=True)


def pinned() -> set[tuple[str, str]]:
    """Return name and version of every package in the product's lock."""
    lock = (REPOSITORY / "requirements/product.txt").read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE)
    return {(canonicalize_name(name), version) for name, version in found}
