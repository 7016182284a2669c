"""`lint`: what it reads, how it prints, and how it ends."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from phase_operator.cli import cli
from phase_operator.cli.linting.findings import Finding
from phase_operator.cli.linting.report import Placed, as_github, as_text
from support.canary import Canary
from support.cli_files import resource, written

SHOP = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: other
---
apiVersion: secrets.phase.dev/v1alpha1
kind: PhaseSecret
metadata:
  name: shop
  namespace: team
spec:
  phaseApp: shop
  phaseAp: typo
  pollingInterval: 4
  managedSecretReferences:
  - secretName: shop
    fileKey: a
"""
WARNED = (
    SHOP.replace("  phaseAp: typo\n", "")
    .replace("  pollingInterval: 4\n", "")
    .replace("fileKey: a", "secretNamespace: b")
)
GOOD: dict[str, Any] = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop"}]}


def call(*arguments: str, **given: Any) -> Result:
    return CliRunner().invoke(cli, ["lint", *arguments], prog_name="phase-operator", **given)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(SHOP)
    return "shop.yaml"


def test_text_names_file_line_and_field(shop: str) -> None:
    result = call("-f", shop)

    assert result.stdout == (
        "shop.yaml:13: error: PhaseSecret shop: spec.phaseAp: there is no such field\n"
        "shop.yaml:14: error: PhaseSecret shop: spec.pollingInterval: has to be at least 5\n"
        "shop.yaml:17: error: PhaseSecret shop: spec.managedSecretReferences[0].fileKey: "
        "fileKey names the file of a format; set format too\n"
    )
    assert result.stderr == "1 resource checked, 1 of other kinds skipped: 3 errors, 0 warnings\n"
    assert result.exit_code == 1


def test_github_gets_workflow_commands(shop: str) -> None:
    result = call(shop, "-o", "github")

    assert result.stdout.splitlines()[0] == (
        "::error file=shop.yaml,line=13,title=PhaseSecret shop::spec.phaseAp: there is no such field"
    )
    assert result.exit_code == 1


def test_json_is_a_list_of_what_was_found(shop: str) -> None:
    result = call("-f", shop, "-o", "json")

    assert json.loads(result.stdout)[1] == {
        "file": "shop.yaml",
        "line": 14,
        "level": "error",
        "resource": "PhaseSecret shop",
        "field": "spec.pollingInterval",
        "message": "has to be at least 5",
    }


def test_json_of_nothing_wrong_is_an_empty_list(tmp_path: Path) -> None:
    result = call("-f", written(tmp_path, resource(GOOD)), "-o", "json")

    assert (json.loads(result.stdout), result.exit_code) == ([], 0)


@pytest.mark.parametrize(("flags", "code", "lines"), [([], 0, 1), (["--strict"], 1, 1), (["--schema-only"], 0, 0)])
def test_a_warning_is_an_error_if_that_is_asked(tmp_path: Path, flags: list[str], code: int, lines: int) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(WARNED)

    result = call("-f", str(file), *flags)

    assert (result.exit_code, len(result.stdout.splitlines())) == (code, lines)
    assert all(": warning: " in line for line in result.stdout.splitlines())


def test_the_standard_input_windows_line_ends_and_a_list_are_read() -> None:
    body = json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": [resource(GOOD), resource(GOOD | {"x": 1})]}, indent=1
    )

    result = call("-f", "-", input=body.replace("\n", "\r\n").encode())

    [line] = result.stdout.splitlines()
    assert line.startswith("standard input:")
    assert line.endswith("PhaseSecret shop: spec.x: there is no such field")
    assert body.splitlines()[int(line.split(":")[1]) - 1].strip() == '"x": 1'


def test_a_folder_is_read_to_its_depth_and_files_of_others_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "shop.yml").write_text(SHOP)
    (tmp_path / "a" / "chart.yaml").write_text("{{- if .Values.x }}\na: [\n")
    (tmp_path / "a" / "read.me").write_text(SHOP)

    result = call("-f", str(tmp_path))

    assert len(result.stdout.splitlines()) == 3
    assert "1 resource checked" in result.stderr


def test_a_file_that_is_too_large_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b" " * (8 * 1024 * 1024 + 1))
    (tmp_path / "b.yaml").write_bytes(SHOP.encode() + b"#" * (8 * 1024 * 1024))
    (tmp_path / "c.yaml").write_text(SHOP)

    result = call("-f", str(tmp_path))

    assert result.stdout.splitlines()[0] == f"{tmp_path}/b.yaml: error: larger than 8 MiB"
    assert len(result.stdout.splitlines()) == 4


def test_a_broken_file_with_a_resource_of_ours_is_an_error_and_the_next_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SHOP.replace("namespace: team", "name: shop"))
    (tmp_path / "b.yaml").write_text(SHOP)

    result = call("-f", str(tmp_path))

    assert result.stdout.splitlines()[0] == f'{tmp_path}/a.yaml:10: error: "name" is there twice'
    assert len(result.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name files or folders"),
        (["-f", "/no/such.yaml"], "phase-operator: /no/such.yaml: No such file"),
        (["-o", "x"], "x"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_usage_error(arguments: list[str], words: str) -> None:
    result = call(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_no_value_is_quoted(tmp_path: Path, canary: Canary) -> None:
    value = canary.value("pasted")
    spec: dict[str, Any] = {
        "phaseApp": {"a": value},
        "phaseHost": value,
        "onSecretReferenceError": value,
        "pollingInterval": value,
        "redeployLabelSelector": value,
        "phaseAppEnvTags": [value, value],
        "managedSecretReferences": [
            {"secretName": value, "template": {"data": {"a": "{{ " + value, "b": f"{{{{ A | {value} }}}}"}}}
        ],
    }
    file = written(
        tmp_path,
        resource(spec),
        resource(GOOD | {"managedSecretReferences": [spec["managedSecretReferences"][0] | {"secretName": "a"}]}),
    )

    for form in ("text", "json", "github"):
        result = call("-f", file, "-o", form)

        canary.watch(result.output)
        assert result.exit_code == 1


HOSTILE = Placed(
    "a\n::error::x.yaml", 3, "PhaseSecret a\x1b[2J,b", Finding(("spec", "k\r\n::add-mask::x"), "100%\n::error::you")
)


def test_text_of_others_cannot_make_a_line_or_a_sequence_of_its_own() -> None:
    for line in (as_text(HOSTILE), as_github(HOSTILE)):
        assert len(line.splitlines()) == 1
        assert line.isprintable()
    assert as_github(HOSTILE).startswith("::error file=a %3A%3Aerror%3A%3Ax.yaml,line=3,title=PhaseSecret a [2J%2Cb::")
    assert "100%25 ::error::you" in as_github(HOSTILE)


def test_lint_says_how_to_get_the_library_that_it_alone_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celpy", None)

    result = CliRunner().invoke(cli, ["lint", "-f", "deploy"])

    assert (result.exit_code, result.stdout) == (2, "")
    assert "pip install 'phase-operator[lint]'" in result.stderr


def test_a_file_that_is_no_yaml_is_told_to_have_been_passed_over(shop: str) -> None:
    Path("chart.yaml").write_text("{{- if .Values.on }}\n")

    result = call("-f", ".")

    assert ", 1 file passed over that cannot be read as YAML: " in result.stderr
