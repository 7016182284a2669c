"""A bundle is one new file that only its owner may read, or none."""

import stat
import tarfile
from pathlib import Path

import pytest

from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.doctor.bundle import write_bundle

NOW = 1_800_000_000.0


def test_the_files_are_in_a_folder_of_the_bundle(tmp_path: Path) -> None:
    path = tmp_path / "support.tgz"

    write_bundle(path, {"README.txt": "hello ✓\n", "operator/log.txt": ""}, NOW)

    with tarfile.open(path) as found:
        names = found.getnames()
        content = found.extractfile("phase-support/README.txt")
        assert content is not None
        assert content.read().decode() == "hello ✓\n"
    assert names == ["phase-support/README.txt", "phase-support/operator/log.txt"]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "support.tgz"

    write_bundle(path, {"a": "b"}, NOW)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "support.tgz"
    path.write_text("mine")

    with pytest.raises(Failure) as caught:
        write_bundle(path, {"a": "b"}, NOW)

    assert caught.value.exit_code == ExitCode.USAGE
    assert path.read_text() == "mine"


def test_a_folder_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="No such file or directory"):
        write_bundle(tmp_path / "none" / "support.tgz", {"a": "b"}, NOW)


def test_text_that_is_no_unicode_is_written(tmp_path: Path) -> None:
    write_bundle(tmp_path / "support.tgz", {"a": "lone \ud800 half"}, NOW)

    assert (tmp_path / "support.tgz").stat().st_size > 0
