"""What holds for the repository as a whole."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from manifests.objects import CHART, ROOT, SAMPLES
from phase_dev import documents
from phase_operator.cli import cli
from support.pages import SavedFile, steps_of


def test_operator_is_a_source_root_and_never_a_package() -> None:
    """A package named operator would fight the standard library's module."""
    entries = {path.name for path in (ROOT / "operator").iterdir() if not path.name.startswith((".", "__pycache__"))}

    assert entries == {"phase_operator", "phase_dev"}


@pytest.mark.parametrize("lock", ["product.txt", "dev.txt", "tools.txt"])
def test_the_locks_name_no_host_and_hash_everything(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()

    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", text)
    requirements = [entry for entry in re.split(r"\n(?=\S)", text) if "==" in entry.split("\n")[0]]
    assert requirements
    assert [entry.split("\n")[0] for entry in requirements if "--hash=sha256:" not in entry] == []


# kubectl finds a plug-in by its file, and people call it by two words.
@pytest.mark.parametrize(
    ("script", "name"),
    [("phase-operator", "phase-operator"), ("kubectl-phase", "kubectl phase"), ("phase-dev", "phase-dev")],
)
def test_a_console_script_tells_how_it_is_called(script: str, name: str) -> None:
    assert script in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    program = Path(sys.executable).with_name(script)
    said = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout

    assert said.startswith(f"Usage: {name} [OPTIONS]")


def test_chart_and_package_have_one_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = documents.load((CHART / "Chart.yaml").read_text())

    assert (chart["version"], chart["appVersion"]) == (version, version)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_git_ignores_the_files_that_a_page_has_its_reader_save_in_the_checkout(page: str) -> None:
    steps = list(steps_of((ROOT / page).read_text()))
    saved = {each.name for each in steps if isinstance(each, SavedFile)}
    commands = [each for each in steps if isinstance(each, str)]
    saved |= {name for each in commands for name in re.findall(r"(?:--token-file|--output|>) (\S+)", each)}

    assert "token.txt" in saved
    assert {f"/{each}" for each in saved} - set((ROOT / ".gitignore").read_text().splitlines()) == set()


def test_the_image_takes_the_product_and_no_more() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    let_in = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert copied == let_in == ["requirements/product.txt", "operator/phase_operator"]


def test_the_chart_tells_every_value() -> None:
    readme = (CHART / "README.md").read_text()
    values = documents.load((CHART / "values.yaml").read_text())
    schema = documents.load((CHART / "values.schema.json").read_text())

    assert values.keys() | {"global", "enabled"} == schema["properties"].keys()
    assert [name for name in values if f"`{name}" not in readme] == []


def test_the_hook_for_pre_commit_checks_files(tmp_path: Path) -> None:
    [hook] = documents.load((ROOT / ".pre-commit-hooks.yaml").read_text())
    page = (ROOT / "docs/gitops/README.md").read_text()
    program, *arguments = hook["entry"].split()
    bad = tmp_path / "bad.yaml"
    bad.write_text("apiVersion: secrets.phase.dev/v1alpha1\nkind: PhaseSecret\nmetadata: {name: a}\nspec: {}\n")

    good = CliRunner().invoke(cli, [*arguments, *map(str, SAMPLES)])
    found = CliRunner().invoke(cli, [*arguments, *map(str, [*SAMPLES, bad])])

    assert f"- id: {hook['id']}\n" in page
    assert (program, hook["language"]) == ("phase-operator", "python")
    assert (good.exit_code, found.exit_code) == (0, 1)
