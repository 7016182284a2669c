"""Others' rules on the Dockerfile, deploy/ and the chart; and that the judges are awake."""

from pathlib import Path

import pytest
import yaml

from phase_dev.image import scan
from phase_dev.image.building import REPOSITORY
from phase_dev.image.machine import Machine
from phase_dev.image.tools import Tools


def test_nothing_is_found_that_has_no_written_reason(folder: Path, machine: Machine, tools: Tools) -> None:
    scan.collect(folder, machine)

    judgement = scan.judge(folder, tools, machine)

    assert scan.complaints(judgement, folder) == []
    assert len(judgement.judged) == 5


def test_every_exception_says_why() -> None:
    reasons = scan.reasons()

    assert reasons
    assert [rule for rule, reason in reasons.items() if len(reason.split()) < 4] == []


@pytest.mark.parametrize(
    ("file", "text", "rule"),
    [
        pytest.param("Dockerfile", "FROM python\nUSER root\n", "AVD-DS-0002", id="trivy: root in the Dockerfile"),
        pytest.param("Dockerfile", "FROM python:latest\n", "DL3007", id="hadolint: latest"),
    ],
)
def test_a_bad_dockerfile_is_found(
    file: str, text: str, rule: str, folder: Path, machine: Machine, tools: Tools
) -> None:
    (folder / file).write_text(text)

    judgement = scan.judge(folder, tools, machine)

    assert [line for line in scan.complaints(judgement, folder) if rule in line]


def test_a_pod_with_more_rights_is_found(folder: Path, machine: Machine, tools: Tools) -> None:
    deployment = yaml.safe_load((REPOSITORY / "deploy/base/deployment.yaml").read_text())
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"]["privileged"] = True
    (folder / "Dockerfile").write_bytes((REPOSITORY / "Dockerfile").read_bytes())
    (folder / "deployment.yaml").write_text(yaml.safe_dump(deployment))

    judgement = scan.judge(folder, tools, machine)

    assert [line for line in judgement.findings if "AVD-KSV-0017" in line]


def test_a_file_that_nobody_judged_and_an_idle_exception_are_complaints(tmp_path: Path) -> None:
    (tmp_path / "chart.yaml").touch()
    exceptions = tmp_path.parent / "exceptions.yaml"
    exceptions.write_text(yaml.safe_dump({"misconfigurations": [{"id": "AVD-X-1", "statement": "a reason"}]}))
    nothing = scan.Judgement(frozenset(), (), frozenset())

    found = scan.complaints(nothing, tmp_path, exceptions=exceptions)

    assert found == ["chart.yaml: was not judged", "exceptions.yaml: nothing needs the exception AVD-X-1"]
