"""Others' rules on the Dockerfile, deploy/ and the chart; and that the judges are awake."""

from pathlib import Path

import pytest
import yaml

from integration.image.conftest import made
from phase_dev.image import scan
from phase_dev.image.building import REPOSITORY


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    made("build/tools/.stamp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder for what is judged."""
    path = tmp_path / "all"
    path.mkdir()
    return path


def test_nothing_is_found_that_has_no_written_reason(folder: Path) -> None:
    scan.collect(folder)

    assert scan.complaints(folder) == []
    assert len(list(folder.iterdir())) == 5


def test_every_exception_says_why() -> None:
    reasons = scan.reasons()

    assert reasons
    assert [rule for rule, reason in reasons.items() if len(reason.split()) < 4] == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        pytest.param("FROM python\nUSER root\n", "AVD-DS-0002", id="trivy: root in the Dockerfile"),
        pytest.param("FROM python:latest\n", "DL3007", id="hadolint: latest"),
    ],
)
def test_a_bad_dockerfile_is_found(text: str, rule: str, folder: Path) -> None:
    (folder / "Dockerfile").write_text(text)

    assert [line for line in scan.complaints(folder) if rule in line]


def test_a_pod_with_more_rights_is_found(folder: Path) -> None:
    deployment = yaml.safe_load((REPOSITORY / "deploy/base/deployment.yaml").read_text())
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privileged"] = True
    (folder / "Dockerfile").write_bytes((REPOSITORY / "Dockerfile").read_bytes())
    (folder / "deployment.yaml").write_text(yaml.safe_dump(deployment))

    assert [line for line in scan.complaints(folder) if line.startswith("deployment.yaml: AVD-KSV-0017")]


def test_a_file_that_nobody_judged_and_an_idle_exception_are_complaints(folder: Path) -> None:
    exceptions = folder.parent / "exceptions.yaml"
    used = [{"id": "AVD-DS-0026", "statement": "a reason"}, {"id": "AVD-X-1", "statement": "a reason"}]
    exceptions.write_text(yaml.safe_dump({"misconfigurations": used}))
    (folder / "Dockerfile").write_bytes((REPOSITORY / "Dockerfile").read_bytes())
    (folder / "notes.txt").write_text("no manifest")

    found = scan.complaints(folder, exceptions=exceptions)

    assert found == ["notes.txt: was not judged", "exceptions.yaml: nothing needs the exception AVD-X-1"]
