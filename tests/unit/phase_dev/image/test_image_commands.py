"""What the commands around the image say before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from phase_dev.image.bases import Named, recipes
from phase_dev.image.building import REPOSITORY, source_date, weigh
from phase_dev.image.cli import image
from phase_dev.image.machine import Machine, Unfit
from phase_dev.image.running import DEPLOYMENT, restrictions
from phase_dev.image.sbom import pinned
from phase_dev.image.wheels import download
from phase_dev.shell.errors import ToolError


class Silent:
    """A progress that nobody sees."""


def machine(**env: str) -> Machine:
    return Machine(env, Silent())  # type: ignore[arg-type]  # nothing here takes long enough to be shown


def pod(**container: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DEPLOYMENT.read_text())["spec"]["template"]["spec"]
    found["containers"][0] |= container
    return found


def test_missing_programs_are_named_with_the_command_that_brings_them(tmp_path: Path) -> None:
    with pytest.raises(Unfit) as caught:
        machine(PATH=str(tmp_path)).require("buildah", "podman", "runc")

    assert str(caught.value) == (
        "buildah, podman and runc are not installed; "
        "on Debian and Ubuntu: apt-get install --no-install-recommends buildah podman runc"
    )


@pytest.mark.parametrize("verb", ["build", "run"])
def test_without_buildah_a_command_is_one_sentence_and_exit_1(verb: str, tmp_path: Path) -> None:
    answer = CliRunner().invoke(image, [verb], env={"PATH": str(tmp_path)})

    assert answer.exit_code == 1
    assert answer.output.startswith("Error: buildah is not installed")
    assert len(answer.output.splitlines()) == 1


def test_our_dockerfile_names_one_python_and_one_debian() -> None:
    found = Named.read((REPOSITORY / "Dockerfile").read_text())

    assert (found.python, found.suite) == ("3.13", "trixie")
    assert f"{found.python}-" in found.runtime


def test_a_dockerfile_that_names_no_python_is_refused() -> None:
    with pytest.raises(ToolError):
        Named.read("ARG BUILD_IMAGE=debian\nARG RUNTIME_IMAGE=debian\n")


def test_a_stand_in_changes_its_name_with_its_recipe() -> None:
    build, runtime = recipes("3.13")
    _, newer = recipes("3.14")

    assert len({build.image("trixie"), runtime.image("trixie"), newer.image("trixie"), runtime.image("forky")}) == 4


def test_wheels_are_fetched_by_hash_for_the_images_python() -> None:
    command = " ".join(download(Path("lock.txt"), "3.13", "aarch64", Path("wheels")))

    for flag in ("--require-hashes", "--only-binary :all:", "--python-version 3.13", "manylinux_2_28_aarch64"):
        assert flag in command


def test_the_restrictions_are_those_of_the_manifest() -> None:
    assert list(restrictions(pod())) == [
        *("--user", "65532:65532", "--read-only", "--read-only-tmpfs=false", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--memory", "256m"),
        *("--tmpfs", "/tmp:rw,size=16m,mode=1777"),
    ]


def test_another_manifest_gives_other_restrictions() -> None:
    rights = {"readOnlyRootFilesystem": False, "allowPrivilegeEscalation": True, "capabilities": {"drop": []}}

    found = list(restrictions(pod(securityContext=rights, resources={"limits": {"memory": "64Mi"}})))

    assert not {"--read-only", "--cap-drop", "--security-opt"} & set(found)
    assert found[found.index("--memory") + 1] == "64m"


def test_a_limit_in_a_unit_that_is_not_known_is_refused() -> None:
    with pytest.raises(ToolError):
        list(restrictions(pod(resources={"limits": {"memory": "1Gi"}})))


@pytest.mark.parametrize(
    ("given", "date"), [pytest.param("1700000000", "1700000000", id="given"), pytest.param("", "0", id="no Git")]
)
def test_the_date_of_an_image(given: str, date: str, tmp_path: Path) -> None:
    assert source_date(machine(PATH=str(tmp_path), SOURCE_DATE_EPOCH=given), tmp_path) == date


def test_a_date_that_is_no_number_is_refused() -> None:
    with pytest.raises(ToolError):
        source_date(machine(SOURCE_DATE_EPOCH="yesterday"))


def test_an_image_weighs_what_a_registry_sends(tmp_path: Path) -> None:
    manifest = {"config": {"size": 20}, "layers": [{"size": 300}, {"size": 4000}]}
    (tmp_path / "blobs/sha256").mkdir(parents=True)
    (tmp_path / "blobs/sha256/abc").write_text(json.dumps(manifest))
    (tmp_path / "index.json").write_text(json.dumps({"manifests": [{"digest": "sha256:abc", "size": 1}]}))

    assert weigh(tmp_path) == ("sha256:abc", 4321)


def test_a_lock_is_read_with_its_markers(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("cffi==2.1.1 ; os_name != 'nt' \\\n    --hash=sha256:0\n    # via x==1\nPyYAML==6.0.3 \\\n")

    assert pinned(lock) == {("cffi", "2.1.1"), ("pyyaml", "6.0.3")}
