"""The image: small, the same each time, and at work under all the restrictions of the manifests."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from integration.image.conftest import pinned
from phase_dev.cluster import ControlPlane
from phase_dev.image import bases, building, running
from phase_dev.image.bases import Bases
from phase_dev.image.building import INPUTS, REPOSITORY, Built
from phase_dev.image.storage import own_architecture
from support.canary import Canary
from support.image_process import ImageProcess, inside, running_image
from support.operator_process import eventually
from support.world import World

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(900)]

MOST_BYTES = 60_000_000


@pytest.fixture(scope="module")
def container(
    installed: ControlPlane, image: Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImageProcess]:
    with running_image(installed, image.name, tmp_path_factory.mktemp("run")) as process:
        yield process


@pytest.fixture
def world(stage: World, container: ImageProcess, canary: Canary) -> World:
    before = len(container.log)
    canary.watch(lambda: container.log[before:])
    stage.operator = container
    return stage


def test_a_registry_sends_less_than_60_mb(image: Built) -> None:
    layers = sum(each["size"] for each in _blob(image, image.digest)["layers"])

    assert 0 < layers < image.size < MOST_BYTES


def test_the_stand_ins_for_this_machine_have_one_name_each(stand_ins: Bases) -> None:
    """Of several names for an image, buildah writes any into what is built on it: another digest for the same files."""
    named = bases.named((REPOSITORY / "Dockerfile").read_text())

    assert bases.stand_ins(named, architecture=own_architecture()) == stand_ins


def test_the_same_files_give_the_same_digest(image: Built, stand_ins: Bases, tmp_path: Path) -> None:
    """In another folder, with other times of files, later, and from nothing, so with no packages of a run before."""
    copy = tmp_path / "checkout"
    for name in INPUTS:
        source, target = REPOSITORY / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, target)

    again = building.build(
        stand_ins, date=building.source_date(), layout=tmp_path / "layout", repository=copy, reuse=False
    )

    assert (again.digest, again.size) == (image.digest, image.size)


def test_a_phase_secret_becomes_a_secret(world: World) -> None:
    world.phase.set("shop", "Production", "DATABASE_PASSWORD", value := world.canary.value("password"))

    world.phase_secret()
    world.until_ready()

    assert (world.data() or {}).get("DATABASE_PASSWORD") == value


def test_a_change_in_phase_arrives(world: World) -> None:
    world.phase_secret()
    world.until_ready()

    world.phase.set("shop", "Production", "LOG_LEVEL", value := world.canary.value("level"))

    eventually(lambda: (world.data() or {}).get("LOG_LEVEL") == value, within=10, what="the change arrives")


def test_the_container_answers_probes_and_metrics(container: ImageProcess) -> None:
    assert container.get("/healthz").text.strip() == "ok"
    assert container.get("/readyz").text.strip() == "ok"
    assert "phase_operator_build_info" in container.get("/metrics", metrics=True).text


def test_the_kernel_sees_a_process_without_rights(container: ImageProcess) -> None:
    status = container.status()

    assert status["Uid"].split() == ["65532"] * 4
    assert status["Gid"].split() == ["65532"] * 4
    assert {int(status[each], 16) for each in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_the_kernel_keeps_its_memory_to_what_the_manifest_says(container: ImageProcess) -> None:
    pod = yaml.safe_load(running.DEPLOYMENT.read_text())["spec"]["template"]["spec"]
    limit = pod["containers"][0]["resources"]["limits"]["memory"]

    assert f"{container.memory_limit() // 2**20}Mi" == limit


def test_sigterm_ends_it_within_5_seconds_with_exit_0(installed: ControlPlane, image: Built, tmp_path: Path) -> None:
    # At work by itself, and not as a standby of the module's container, which leads as the manifests have it.
    with running_image(installed, image.name, tmp_path, "--leader-elect=false") as process:
        began = time.monotonic()

        assert process.stop() == 0

        assert time.monotonic() - began < 5


def test_only_tmp_can_be_written(image: Built) -> None:
    script = """
import json, pathlib
def writable(folder):
    try:
        (pathlib.Path(folder) / "trial").write_text("x")
    except OSError:
        return False
    return True
folders = ("/", "/app", "/app/lib", "/etc", "/home/nonroot", "/var/tmp", "/run", "/tmp")
print(json.dumps([folder for folder in folders if writable(folder)]))
"""
    assert inside(image.name, script) == ["/tmp"]


def test_every_module_is_compiled(image: Built) -> None:
    """Unchecked: an importer takes it as it is and never looks at the source."""
    script = """
import importlib.util, json, pathlib
sources = list(pathlib.Path("/app/lib").rglob("*.py"))
flags = {}
for source in sources:
    compiled = pathlib.Path(importlib.util.cache_from_source(str(source)))
    head = compiled.read_bytes()[:8] if compiled.exists() else b""
    fits = head[:4] == importlib.util.MAGIC_NUMBER and head[4:] == b"\\x01\\0\\0\\0"
    flags.setdefault(fits, []).append(str(source))
print(json.dumps([len(flags.get(True, [])), flags.get(False, [])]))
"""
    compiled, others = _pair(inside(image.name, script))

    assert compiled > 500
    assert others == []


def test_the_product_is_in_it_and_nothing_of_the_workshop(image: Built) -> None:
    script = """
import importlib.metadata, importlib.util, json
print(json.dumps([
    [each.metadata["Name"] for each in importlib.metadata.distributions(path=["/app/lib"])],
    [name for name in ("phase_operator", "phase_dev", "pytest", "pip", "starlette") if importlib.util.find_spec(name)],
]))
"""
    found, modules = _pair(inside(image.name, script))

    assert {canonicalize_name(name) for name in found} == {name for name, _ in pinned()}
    assert modules == ["phase_operator"]


def test_the_image_needs_no_shell(image: Built) -> None:
    """There is none in the image that all of these tests run."""
    command = running.command(image.name, "-c", "true", more=("--entrypoint", "/bin/sh"))

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 127


def test_nothing_of_this_machine_is_in_it(image: Built) -> None:
    script = """
import json, pathlib
files = [each for each in pathlib.Path("/etc/apt").rglob("*") if each.is_file()]
print(json.dumps([str(each) for each in files if "://" in each.read_text()]))
"""
    assert inside(image.name, script) == []
    configuration = _configuration(image)
    assert [each for each in configuration["config"]["Env"] if "PIP" in each or "PROXY" in each.upper()] == []
    assert configuration["config"]["User"] == "65532:65532"


def _pair(found: object) -> tuple[Any, Any]:
    assert isinstance(found, list)
    first, second = found
    return first, second


def _configuration(image: Built) -> dict[str, Any]:
    return _blob(image, _blob(image, image.digest)["config"]["digest"])


def _blob(image: Built, digest: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((image.layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_text())
    return found
