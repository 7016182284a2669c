"""What the commands around the image say before anything runs."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from phase_dev.image.bases import named, recipes
from phase_dev.image.building import REPOSITORY, download, source_date
from phase_dev.image.cli import image
from phase_dev.image.packages import parts, stale
from phase_dev.image.running import DEPLOYMENT, restrictions
from phase_dev.shell.errors import ToolError


def pod(**container: Any) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DEPLOYMENT.read_text())["spec"]["template"]["spec"]
    found["containers"][0] |= container
    return found


@pytest.mark.parametrize(
    ("verb", "programs"), [pytest.param("build", "buildah", id="build"), pytest.param("run", "podman runc", id="run")]
)
def test_missing_programs_are_named_with_the_command_that_brings_them(verb: str, programs: str, tmp_path: Path) -> None:
    answer = CliRunner().invoke(image, [verb], env={"PATH": str(tmp_path)})

    assert answer.exit_code == 1
    assert answer.output == (
        f"Error: {programs.replace(' ', ', ')} not installed; "
        f"on Debian and Ubuntu: apt-get install --no-install-recommends {programs}\n"
    )


def test_our_dockerfile_names_one_python_and_one_debian() -> None:
    found = named((REPOSITORY / "Dockerfile").read_text())

    assert (found.python, found.suite) == ("3.13", "trixie")
    assert f"{found.python}-" in found.runtime


def test_a_dockerfile_that_names_no_python_is_refused() -> None:
    with pytest.raises(ToolError):
        named("ARG BUILD_IMAGE=debian\nARG RUNTIME_IMAGE=debian\n")


def test_a_stand_in_changes_its_name_with_its_recipe() -> None:
    build, runtime = recipes("3.13", "trixie", "amd64")
    _, newer = recipes("3.14", "trixie", "amd64")
    _, forky = recipes("3.13", "forky", "amd64")

    assert len({build, runtime, newer, forky}) == 4


def test_wheels_are_fetched_by_hash_for_the_images_python() -> None:
    command = " ".join(download("3.13", "aarch64"))

    for flag in ("--require-hashes", "--only-binary :all:", "--python-version 3.13", "manylinux_2_28_aarch64"):
        assert flag in command


def test_kept_packages_change_their_name_with_all_that_they_are_made_of() -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    made_of = ["wheels-of-a-lock", "a base", "x86_64"]
    others = [[*made_of[:at], "another", *made_of[at + 1 :]] for at in range(len(made_of))]

    names = [parts(text, each).image for each in (made_of, *others)]
    newer = parts(text.replace("compileall -q", "compileall -qq", 1), made_of)

    assert len({*names, newer.image}) == len(made_of) + 2


def test_kept_packages_know_nothing_of_our_code_and_the_rest_goes_on_from_them() -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    found = parts(text, ())

    assert "operator/" not in found.first.partition("AS build")[2]
    assert "pip install" in found.first
    assert "pip install" not in found.rest
    assert f"FROM {found.image} AS build\nCOPY operator/phase_operator " in found.rest
    assert parts(text.replace("USER 65532", "USER 65533"), ()).image == found.image


def test_packages_that_were_not_used_for_long_are_not_kept(tmp_path: Path) -> None:
    for at, name in enumerate(["f", "b", "d", "a", "e", "c"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at, at))

    assert [each.name for each in stale(tmp_path)] == ["b", "f"]


def test_a_dockerfile_that_copies_nothing_of_ours_has_no_packages_to_keep() -> None:
    with pytest.raises(ToolError, match="copies nothing of operator/"):
        parts("FROM a AS build\nRUN pip install\n", ())


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
def test_the_date_of_an_image_is_that_of_its_source(given: str, date: str, tmp_path: Path) -> None:
    assert source_date(given, tmp_path) == date


def test_a_date_that_is_no_number_is_refused() -> None:
    with pytest.raises(ToolError):
        source_date("yesterday")
