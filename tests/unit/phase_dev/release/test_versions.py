"""The version: where it is known to stand, and that no other program's version is touched."""

import pytest

from phase_dev.release import versions
from phase_dev.release.versions import changed, following, parse, unknown


def test_a_new_minor_version_is_the_supported_one() -> None:
    page = {"SECURITY.md": "| version | supported |\n|---|---|\n| 0.1 | yes |\n"}

    assert changed(page, "0.1.0", "0.2.0")["SECURITY.md"].endswith("| 0.2 | yes |\n")
    assert changed(page, "0.1.0", "0.1.1") == {}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("docs/a.md", "docker pull REGISTRY/phase-operator:0.1.0"),
        ("docs/a.md", "helm install oci://REGISTRY/charts/phase-operator --version 0.1.0 --wait"),
        ("docs/a.md", "https://example.com/releases/download/v0.1.0/install.yaml"),
        ("docs/a.md", "phase_operator-0.1.0-py3-none-any.whl"),
        ("docs/a.md", "    rev: v0.1.0"),
        ("deploy/a.yaml", "    newTag: 0.1.0"),
        ("pyproject.toml", 'version = "0.1.0"'),
    ],
)
def test_a_place_is_known_by_what_stands_around_it(path: str, line: str) -> None:
    assert changed({path: line}, "0.1.0", "0.2.0") == {path: line.replace("0.1.0", "0.2.0")}
    assert list(unknown({path: line}, "0.1.0")) == []


@pytest.mark.parametrize("line", ["needs other 0.1.0", "phase-operator 0.1.0", "version: 0.1.0"])
def test_a_line_that_nothing_knows_is_reported_and_left_alone(line: str) -> None:
    assert changed({"docs/a.md": line}, "0.1.0", "0.2.0") == {}
    assert list(unknown({"docs/a.md": f"\n{line}\n"}, "0.1.0")) == [f"docs/a.md:2: {line}"]


@pytest.mark.parametrize(
    "line", ["phase-operator:10.1.0", "phase-operator:0.1.01", "phase-operator:0.1.0.1", "0.1.0.2"]
)
def test_a_longer_version_is_another_one(line: str) -> None:
    assert changed({"docs/a.md": line}, "0.1.0", "0.2.0") == {}
    assert list(unknown({"docs/a.md": line}, "0.1.0")) == []


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "v1.2.3", "1.2.3-rc.1", "1.2.3rc1", "01.2.3", "1.2.3.4", "1.2.x", "1.2.3\n"]
)
def test_a_text_that_is_no_version_is_none(text: str) -> None:
    assert parse(text) is None


def test_the_version_to_rehearse_is_the_next_one_that_is_not_released() -> None:
    assert following("0.1.9", released=False) == "0.1.9"
    assert following("0.1.9", released=True) == "0.1.10"


def test_the_past_and_others_are_no_places() -> None:
    for path in (
        "CHANGELOG.md",
        "requirements/dev.txt",
        "tests/unit/test_a.py",
        "docs/demo.svg",
        "controlplane/a/go.sum",
    ):
        assert not versions.is_ours(path)
    assert versions.is_ours("docs/cli.md")
