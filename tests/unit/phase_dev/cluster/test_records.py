"""A cluster runs as long as its supervisor holds the lock."""

import stat
from pathlib import Path

import pytest

from phase_dev.cluster.errors import ClusterError
from phase_dev.cluster.folders import Folders
from phase_dev.cluster.kubeconfig import render, write_private
from phase_dev.cluster.records import ProgramRecord, Record, Registry
from phase_dev.cluster.stopping import stop
from phase_dev.cluster.supervisor import Wish, last_error
from unit.phase_dev.cluster.builders import environment


def record(folder: Path) -> Record:
    return Record(
        name="default",
        supervisor=1,
        url="https://127.0.0.1:20003",
        kubeconfig=str(folder / "kubeconfig"),
        ca_file="ca",
        admin_token="t0ken",
        kubectl="kubectl",
        programs=(ProgramRecord("etcd", "running", 2, "v3.6.8", "etcd.log"),),
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Folders.of(environment(tmp_path)))


def test_what_is_written_is_read(registry: Registry, tmp_path: Path) -> None:
    registry.write(record(tmp_path))

    assert registry.read("default") == record(tmp_path)
    assert stat.S_IMODE((registry.folder("default") / "cluster.json").stat().st_mode) == 0o600


def test_a_record_does_not_print_the_token(tmp_path: Path) -> None:
    assert "t0ken" not in repr(record(tmp_path))


def test_a_name_that_was_never_used_has_no_record(registry: Registry) -> None:
    assert registry.read("default") is None


def test_the_lock_says_that_it_runs(registry: Registry) -> None:
    assert not registry.is_running("default")

    with registry.lock("default"):
        assert registry.is_running("default")


def test_a_leftover_of_a_killed_supervisor_is_removed(registry: Registry, tmp_path: Path) -> None:
    registry.write(record(tmp_path))
    write_private(tmp_path / "kubeconfig", render(url="u", ca=b"", token="t", user="admin"))

    was_running = stop(registry, "default")

    assert not was_running
    assert not (tmp_path / "kubeconfig").exists()
    assert not registry.folder("default").exists()


def test_a_cluster_that_is_still_starting_is_not_stopped_by_guess(registry: Registry) -> None:
    with registry.lock("default"), pytest.raises(ClusterError, match="try again"):
        stop(registry, "default")


@pytest.mark.parametrize("name", ["", "../other", "Upper", "a b", "-a", "a-"])
def test_a_name_cannot_lead_out_of_the_folder(registry: Registry, name: str) -> None:
    with pytest.raises(ClusterError):
        registry.folder(name)


def test_a_wish_survives_the_way_to_the_background() -> None:
    wish = Wish("other", controllers=True, nodes=2, kubeconfig=Path("/tmp/kc"))

    assert wish.arguments() == ["--name=other", "--nodes=2", "--controllers", "--kubeconfig", "/tmp/kc"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("building etcd ...\nError: no space left\n", "no space left", id="the last line"),
        pytest.param("", "the supervisor ended without a word", id="nothing at all"),
    ],
)
def test_the_last_line_of_a_supervisor_is_the_reason(text: str, sentence: str) -> None:
    assert last_error(text) == sentence
