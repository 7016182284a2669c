"""Programs come from the user's folder, else from our cache."""

from pathlib import Path

import pytest

from phase_dev.cluster.build import build_command, build_environment, cached
from phase_dev.cluster.catalog import API_SERVER, ETCD, KUBECTL, PROMTOOL, version_of
from phase_dev.cluster.errors import ClusterError
from phase_dev.cluster.folders import Folders
from phase_dev.cluster.programs import locate, obtain
from phase_dev.cluster.progress import Progress
from unit.phase_dev.cluster.builders import Terminal, environment, modules, script


def test_the_users_folder_wins_over_the_cache(tmp_path: Path) -> None:
    env = environment(tmp_path, KUBEBUILDER_ASSETS=str(tmp_path / "assets"))
    script(cached(ETCD, Folders.of(env)))
    own = script(tmp_path / "assets" / "etcd")

    assert locate("etcd", env) == own


def test_the_cache_has_what_the_users_folder_lacks(tmp_path: Path) -> None:
    env = environment(tmp_path, KUBEBUILDER_ASSETS=str(tmp_path / "assets"))
    script(tmp_path / "assets" / "etcd")
    kept = script(cached(KUBECTL, Folders.of(env)))

    assert locate("kubectl", env) == kept


def test_what_is_nowhere_is_not_found(tmp_path: Path) -> None:
    assert locate("helm", environment(tmp_path)) is None


def test_a_file_in_the_users_folder_that_cannot_be_run_is_no_program(tmp_path: Path) -> None:
    env = environment(tmp_path, KUBEBUILDER_ASSETS=str(tmp_path))
    (tmp_path / "etcd").write_text("notes")

    assert locate("etcd", env) is None


def test_a_users_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    env = environment(tmp_path, KUBEBUILDER_ASSETS=str(tmp_path / "nowhere"))

    with pytest.raises(ClusterError, match="KUBEBUILDER_ASSETS"):
        locate("etcd", env)


def test_an_unknown_program_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"kubelet.*kube-apiserver"):
        locate("kubelet", environment(tmp_path))


def test_what_is_here_is_used_without_a_word(tmp_path: Path) -> None:
    env, out = environment(tmp_path), Terminal()
    kept = script(cached(ETCD, Folders.of(env)))

    found = obtain([ETCD], env, Progress(out))

    assert (found["etcd"].path, found["etcd"].origin, out.getvalue()) == (kept, "cache", "")


def test_the_cache_names_its_folders_by_version(tmp_path: Path) -> None:
    folders, sources = Folders.of(environment(tmp_path)), modules(tmp_path / "sources")

    assert cached(ETCD, folders, sources) == tmp_path / "cache/phase-dev/programs/etcd-v3.6.8/etcd"
    assert cached(KUBECTL, folders, sources) == tmp_path / "cache/phase-dev/programs/kubernetes-v1.36.3/kubectl"


def test_without_xdg_folders_the_system_decides(tmp_path: Path) -> None:
    folders = Folders.of({})

    assert folders.cache.name == folders.state.name == "phase-dev"


def test_a_build_leaves_the_module_files_alone() -> None:
    command = build_command(Path("/go"), API_SERVER, version_of(API_SERVER), Path("/out"))

    assert command[:3] == ["/go", "build", "-mod=readonly"]
    assert command[-3:] == ["-o", "/out", "k8s.io/kubernetes/cmd/kube-apiserver"]


def test_what_is_not_used_is_left_out_of_a_build_by_its_tags() -> None:
    command = build_command(Path("/go"), PROMTOOL, version_of(PROMTOOL), Path("/out"))

    assert command[command.index("-tags") + 1] == "remove_all_sd"
    assert "-tags" not in build_command(Path("/go"), API_SERVER, version_of(API_SERVER), Path("/out"))


def test_a_build_heeds_the_users_proxy_and_not_their_switches() -> None:
    env = build_environment({"GOPROXY": "https://proxy.test", "GOFLAGS": "-mod=mod", "GOOS": "plan9"})

    assert env["GOPROXY"] == "https://proxy.test"
    assert env["GOFLAGS"] == ""
    assert "GOOS" not in env
    assert env["CGO_ENABLED"] == "0"
