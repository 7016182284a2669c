"""Files, folders and what kustomize builds -> documents that know their lines: manifests.py and kustomize.py."""

import json
from pathlib import Path

import pytest

from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.kustomize import built
from phase_operator.cli.common.manifests import ManifestError, UnreadableError, documents, read

SHOP = b"apiVersion: v1\nkind: Secret\nmetadata:\n  name: shop\n"


def test_a_document_knows_its_kind_and_where_its_fields_are() -> None:
    _, found = documents(b"a: 1\n---\n" + SHOP, "shop.yaml")

    assert (found.api_version, found.kind) == ("v1", "Secret")
    assert [found.at(), found.at("metadata", "name"), found.at("spec", "x")] == [
        "shop.yaml:3",
        "shop.yaml:6",
        "shop.yaml:3",
    ]


def test_the_items_of_a_list_are_documents() -> None:
    body = {"apiVersion": "v1", "kind": "List", "items": [{"kind": "A"}, {"kind": "B", "spec": {}}]}

    first, second = documents(json.dumps(body, indent=1).encode(), "list.json")

    assert (first.kind, second.kind, second.at("spec")) == ("A", "B", "list.json:10")


def test_empty_documents_are_none() -> None:
    assert list(documents(b"---\n# nothing\n---\n", "file")) == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a: 1\n---\n- b\n", "file:3: not an object of Kubernetes"),
        (b"apiVersion: v1\nkind: List\nitems:\n- a\n", "file:4: not an object of Kubernetes"),
        (b"text", "file:1: not an object of Kubernetes"),
        (b"a: [\n", "file:2: not YAML: "),
        (b"#" * (8 * 1024 * 1024 + 1), "file: larger than 8 MiB"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(raw: bytes, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        list(documents(raw, "file"))

    assert str(caught.value).startswith(message)


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c/d.json", "e.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"kind: {file.stem.upper()}\n" if file.suffix != ".json" else '{"kind": "D"}')

    assert [each.kind for each in read([str(tmp_path)])] == ["A", "B", "D"]


@pytest.mark.parametrize("name", ["none.yaml", "locked.yaml"])
def test_a_file_that_cannot_be_read_is_told_as_such(tmp_path: Path, name: str) -> None:
    (tmp_path / "locked.yaml").mkdir()
    path = tmp_path / name / "x" if name.startswith("locked") else tmp_path / name

    with pytest.raises(UnreadableError, match="No such file or directory"):
        list(read([str(path)]))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder that is the whole PATH but for a shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize(("name", "verb"), [("kustomize", "build"), ("kubectl", "kustomize")])
def test_kustomize_builds_a_folder_by_whichever_program_is_there(programs: Path, name: str, verb: str) -> None:
    program(programs, name, 'echo "$1 $2"')

    assert built(Path("deploy")) == f"{verb} deploy\n".encode()


def test_a_folder_that_kustomize_refuses_is_told_with_its_words(programs: Path) -> None:
    program(programs, "kustomize", "echo 'no kustomization\x1b[2J' >&2; exit 1")

    with pytest.raises(Failure, match=r"build deploy: no kustomization \[2J") as caught:
        built(Path("deploy"))

    assert caught.value.exit_code == ExitCode.USAGE


def test_without_kustomize_it_is_said_what_is_needed(programs: Path) -> None:
    with pytest.raises(Failure, match="-k needs kustomize or kubectl on the PATH"):
        built(Path("deploy"))
