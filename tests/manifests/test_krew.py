"""The plugin's manifest is what krew takes, once a release has filled it in; the plugin runs the program."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from manifests.objects import ROOT
from phase_dev import documents

PLUGIN = ROOT / "plugins/phase.yaml"
PROGRAM = ROOT / "plugins/kubectl-phase"
RELEASE = {
    "@VERSION@": "0.1.0",
    "@HOMEPAGE@": "https://example.com/phase-operator",
    "@ARCHIVE@": "https://example.com/kubectl-phase-0.1.0.tar.gz",
    "@SHA256@": "0f" * 32,
    "@WHEEL@": "phase_operator-0.1.0-py3-none-any.whl",
}
# https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest and the checks of `kubectl krew install --manifest`.
SPEC = {"version", "homepage", "shortDescription", "description", "caveats", "platforms"}
PLATFORM = {"selector", "uri", "sha256", "files", "bin"}


def filled(text: str) -> str:
    for name, value in RELEASE.items():
        text = text.replace(name, value)
    return text


@pytest.fixture
def manifest() -> dict[str, Any]:
    found: list[dict[str, Any]] = list(documents.load_all(filled(PLUGIN.read_text())))
    [only] = found
    return only


def test_the_manifest_has_what_krew_asks_for(manifest: dict[str, Any]) -> None:
    spec = manifest["spec"]

    assert (manifest["apiVersion"], manifest["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert manifest["metadata"] == {"name": PLUGIN.stem}
    assert set(spec) == SPEC
    assert re.fullmatch(r"v\d+\.\d+\.\d+", spec["version"])
    assert spec["homepage"].startswith("https://")
    # krew shows it in a table, and asks for one short line without the words kubectl and plugin.
    assert not re.search(r"\n|kubectl|plugin|\.$", spec["shortDescription"])
    assert len(spec["shortDescription"]) <= 50


def test_each_platform_of_the_manifest_can_be_installed(manifest: dict[str, Any]) -> None:
    for platform in manifest["spec"]["platforms"]:
        assert set(platform) == PLATFORM
        assert platform["uri"].endswith((".tar.gz", ".zip"))
        assert re.fullmatch(r"[0-9a-f]{64}", platform["sha256"])
        assert platform["selector"] == {
            "matchExpressions": [{"key": "os", "operator": "In", "values": ["linux", "darwin"]}]
        }
        assert all(set(each) == {"from", "to"} for each in platform["files"])
        assert platform["bin"] in [each["from"] for each in platform["files"]]
        shipped = [each["from"] for each in platform["files"] if each["from"] != RELEASE["@WHEEL@"]]
        assert len(shipped) == len(platform["files"]) - 1, "the program itself is in the archive"
        assert [each for each in shipped if not ((ROOT / each).is_file() or (ROOT / "plugins" / each).is_file())] == []


def test_a_release_fills_every_placeholder() -> None:
    for file in (PLUGIN, PROGRAM):
        assert "@" not in filled(file.read_text()).replace("$@", "")


def test_the_plugin_calls_the_program_beside_it_with_its_arguments(tmp_path: Path) -> None:
    uvx = tmp_path / "uvx"
    uvx.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    uvx.chmod(0o755)
    store = tmp_path / "a store"
    store.mkdir()
    (store / "kubectl-phase").write_text(filled(PROGRAM.read_text()))
    plugin = tmp_path / "kubectl-phase"
    plugin.symlink_to(store / "kubectl-phase")  # as krew installs it

    done = subprocess.run(
        ["/bin/sh", plugin, "get", "a b"],
        env={"PATH": f"{tmp_path}:{os.defpath}"},
        capture_output=True,
        text=True,
        check=True,
    )

    wheel = store / RELEASE["@WHEEL@"]
    assert done.stdout == f"<--quiet><--from><{wheel}><kubectl-phase><get><a b>"


def test_the_plugin_says_what_it_lacks(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", PROGRAM, "get"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "install uv" in done.stderr
