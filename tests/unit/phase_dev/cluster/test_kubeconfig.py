"""Kubeconfig files are complete and private, and foreign ones are not touched."""

import base64
import stat
from pathlib import Path

import pytest
import yaml

from phase_dev.cluster.kubeconfig import refuse_foreign, refuse_unwritable, remove_if_ours, render
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import write_private


def kubeconfig() -> str:
    return render(url="https://127.0.0.1:20003", ca=b"PEM", token="t0ken", user="admin", namespace="apps")


def test_a_kubeconfig_needs_no_other_file() -> None:
    content = yaml.safe_load(kubeconfig())

    trust = content["clusters"][0]["cluster"]["certificate-authority-data"]
    assert base64.b64decode(trust) == b"PEM"
    assert content["users"][0]["user"] == {"token": "t0ken"}
    assert content["contexts"][0]["context"]["namespace"] == "apps"
    assert content["current-context"] == content["contexts"][0]["name"]


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "kubeconfig"

    write_private(path, kubeconfig())

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["kubeconfig"]


def test_somebody_elses_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("apiVersion: v1\nkind: Config\n")

    with pytest.raises(ToolError, match="config"):
        refuse_foreign(path)
    remove_if_ours(path)

    assert path.exists()


def test_a_place_where_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match="file"):
        refuse_unwritable(tmp_path / "file" / "config")


def test_a_place_that_can_be_written_is_left_empty(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "deep" / "config")

    assert list((tmp_path / "deep").iterdir()) == []


def test_our_own_file_may_be_written_again_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "config"
    write_private(path, kubeconfig())

    refuse_foreign(path)
    remove_if_ours(path)

    assert not path.exists()
