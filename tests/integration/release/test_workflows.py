"""The workflows: judged by actionlint and zizmor, few rights each, every action by its commit."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phase_dev import documents
from phase_dev.cluster.catalog import ACTIONLINT
from phase_dev.cluster.programs import obtain
from phase_dev.image.building import REPOSITORY
from phase_dev.image.scan import TOOLS
from phase_dev.shell.terminal import Progress
from support.made import made

FOLDER = REPOSITORY / ".github/workflows"
NAMES = sorted(each.name for each in FOLDER.glob("*.yml"))
# Who may write what; everybody else reads.
RIGHTS = {
    "codeql.yml": {"security-events"},
    "docs.yml": {"contents"},
    "release.yml": {"attestations", "contents", "id-token", "packages"},
    "scorecard.yml": {"id-token", "security-events"},
}
BAD = """
on: pull_request
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
      - run: echo "${{ github.event.pull_request.title }}"
"""


@pytest.fixture(scope="module")
def actionlint() -> Path:
    return obtain([ACTIONLINT], os.environ, Progress(sys.stderr))[ACTIONLINT.name].path


@pytest.fixture(scope="module")
def zizmor() -> Path:
    made("build/tools/.stamp")
    return TOOLS / "bin/zizmor"


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    assert _said(actionlint, "-oneline", "-no-color", *(FOLDER / each for each in NAMES)) == (0, "")


def test_actionlint_is_awake(actionlint: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(BAD)

    code, said = _said(actionlint, "-oneline", "-no-color", tmp_path / "bad.yml")

    assert code == 1
    assert "potentially untrusted" in said


def test_zizmor_finds_nothing(zizmor: Path) -> None:
    code, said = _said(zizmor, "--offline", "--no-progress", "--format", "plain", "--quiet", FOLDER)

    assert code == 0, said


def test_zizmor_is_awake(zizmor: Path, tmp_path: Path) -> None:
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/bad.yml").write_text(BAD)

    code, said = _said(zizmor, "--offline", "--no-progress", "--format", "plain", tmp_path)

    assert code != 0
    assert {"template-injection", "unpinned-uses"} <= set(re.findall(r"\w+\[([\w-]+)\]", said))


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_has_no_rights_beyond_those_of_its_jobs(name: str) -> None:
    found = _load(name)

    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert {right for right, level in job["permissions"].items() if level == "write"} <= RIGHTS.get(name, set())
        assert job["timeout-minutes"] <= 120


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_named_by_its_commit_and_says_the_version(name: str) -> None:
    lines = [line for line in (FOLDER / name).read_text().splitlines() if re.search(r"\buses:", line)]

    assert [line for line in lines if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


def test_one_action_has_one_commit_everywhere() -> None:
    found: dict[str, set[str]] = {}
    for name in NAMES:
        for action, commit in re.findall(r"uses: ([\w.-]+/[\w.-]+)\S*@(\S+ # \S+)", (FOLDER / name).read_text()):
            found.setdefault(action, set()).add(commit)

    assert {action: commits for action, commits in found.items() if len(commits) > 1} == {}


def test_every_verb_and_path_that_workflows_call_exists() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    called = {verb for name in NAMES for line in _scripts(name) for verb in re.findall(r"\bmake ([a-z-]+)", line)}

    assert called
    assert called - verbs == set()


@pytest.mark.parametrize(
    "file", sorted((REPOSITORY / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda each: each.name
)
def test_a_form_for_issues_has_what_github_asks_for(file: Path) -> None:
    form = documents.load(file.read_text())

    if file.stem == "config":
        assert form["blank_issues_enabled"] is False
        return
    assert form.keys() >= {"name", "description", "body"}
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(ids) == len(set(ids))
    assert all(each["attributes"].get("label") or each["attributes"].get("value") for each in form["body"])


def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = documents.load((FOLDER / name).read_text())
    return found


def _scripts(name: str) -> Iterator[str]:
    for job in _load(name)["jobs"].values():
        yield from (step["run"] for step in job["steps"] if "run" in step)


def _said(program: Path, *arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=REPOSITORY
    )
    return done.returncode, (done.stdout + done.stderr).strip()
