"""Others' rules on the Dockerfile, deploy/ and the chart; and that the judges are awake."""

from pathlib import Path

import pytest
import yaml

from phase_dev.image import scan
from phase_dev.image.building import REPOSITORY
from support.made import made


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


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give what is said of a Dockerfile and a pod that break a rule of each judge."""
    folder = tmp_path_factory.mktemp("bad")
    deployment = yaml.safe_load((REPOSITORY / "deploy/base/deployment.yaml").read_text())
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privileged"] = True
    (folder / "Dockerfile").write_text("FROM python:latest\nUSER root\n")
    (folder / "deployment.yaml").write_text(yaml.safe_dump(deployment))
    return scan.complaints(folder)


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param("Dockerfile: AVD-DS-0002", id="trivy: root in the Dockerfile"),
        pytest.param("Dockerfile:1 DL3007", id="hadolint: latest"),
        pytest.param("deployment.yaml: AVD-KSV-0017", id="trivy: a pod with more rights"),
    ],
)
def test_a_broken_rule_is_found(begin: str, bad: list[str]) -> None:
    assert [line for line in bad if line.startswith(begin)]


def test_a_file_that_nobody_judged_and_an_idle_exception_are_complaints(folder: Path) -> None:
    exceptions = folder.parent / "exceptions.yaml"
    used = [{"id": "AVD-DS-0026", "statement": "a reason"}, {"id": "AVD-X-1", "statement": "a reason"}]
    exceptions.write_text(yaml.safe_dump({"misconfigurations": used}))
    (folder / "Dockerfile").write_bytes((REPOSITORY / "Dockerfile").read_bytes())
    (folder / "notes.txt").write_text("no manifest")

    found = scan.complaints(folder, exceptions=exceptions)

    assert found == ["notes.txt: was not judged", "exceptions.yaml: nothing needs the exception AVD-X-1"]
