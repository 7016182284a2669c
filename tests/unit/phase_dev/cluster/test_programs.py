"""Programs come from the user's folder, else from our cache."""

from pathlib import Path

import pytest

from phase_dev.cluster.build import build_environment, build_flags, cached, executable, fetched, left, packages_in
from phase_dev.cluster.catalog import (
    API_SERVER,
    ETCD,
    HELM,
    HELM_BATCH,
    KSTATUS,
    KUBECTL,
    PROGRAMS,
    PROMTOOL,
    version_of,
)
from phase_dev.cluster.programs import locate, obtain
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import Folders
from phase_dev.shell.terminal import Progress
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


def test_a_program_that_is_nowhere_is_not_found(tmp_path: Path) -> None:
    assert locate("helm", environment(tmp_path)) is None


def test_a_file_in_the_users_folder_that_cannot_be_run_is_no_program(tmp_path: Path) -> None:
    env = environment(tmp_path, KUBEBUILDER_ASSETS=str(tmp_path))
    (tmp_path / "etcd").write_text("notes")

    assert locate("etcd", env) is None


def test_a_users_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    env = environment(tmp_path, KUBEBUILDER_ASSETS=str(tmp_path / "nowhere"))

    with pytest.raises(ToolError, match="KUBEBUILDER_ASSETS"):
        locate("etcd", env)


def test_an_unknown_program_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"kubelet.*kube-apiserver"):
        locate("kubelet", environment(tmp_path))


def test_a_program_in_the_cache_is_used_without_a_word(tmp_path: Path) -> None:
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


def test_a_build_leaves_the_module_files_alone_and_makes_nothing_for_debuggers() -> None:
    flags = build_flags({API_SERVER: version_of(API_SERVER)})

    assert {"-mod=readonly", "-gcflags=all=-dwarf=false"} < set(flags)


def test_each_of_the_programs_that_are_built_together_gets_its_own_version() -> None:
    flags = build_flags({ETCD: "v3.6.8", KUBECTL: "v1.36.3"})

    linked = [each.removeprefix("-ldflags=") for each in flags if each.startswith("-ldflags=")]
    assert linked[0] == "go.etcd.io/etcd/server/v3=-s -w"
    assert linked[1].startswith("k8s.io/kubernetes/cmd/kubectl=-s -w -X ")
    assert "gitVersion=v1.36.3" in linked[1]


def test_a_build_leaves_out_unused_parts_by_its_tags() -> None:
    flags = build_flags({PROMTOOL: version_of(PROMTOOL)})

    assert flags[flags.index("-tags") + 1] == "remove_all_sd"
    assert "-tags" not in build_flags({API_SERVER: version_of(API_SERVER)})


@pytest.mark.parametrize("module", sorted({program.module for program in PROGRAMS.values()}))
def test_the_programs_of_a_module_can_be_built_together(module: str) -> None:
    programs = [each for each in PROGRAMS.values() if each.module == module]

    assert len({each.tags for each in programs}) == 1
    assert len({executable(each.package) for each in programs}) == len(programs)


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("go.etcd.io/etcd/server/v3", "server"),
        ("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
        ("helm.sh/helm/v4/cmd/helm", "helm"),
        ("phase.dev/controlplane/vet", "vet"),
    ],
)
def test_a_program_is_named_as_go_names_it(package: str, name: str) -> None:
    assert executable(package) == name


def test_a_build_says_how_much_is_left() -> None:
    said = ["go: downloading k8s.io/api v0.36.3", "a/b", "c", "# c", "c/x.go:1:2: a warning", ""]

    assert packages_in(said) == ["a/b", "c"]
    assert fetched(said) == "1 modules so far"
    assert left({"a/b", "c", "d"}, packages_in(said)) == "1 of 3 packages left"
    assert left({"a/b", "c"}, packages_in(said)) == "linking"


def test_a_program_of_ours_is_built_anew_when_its_source_changes(tmp_path: Path) -> None:
    folders, module = Folders.of(environment(tmp_path)), tmp_path / "sources/kstatus"
    module.mkdir(parents=True)
    (module / "go.mod").write_text("go 1.26.0\nrequire sigs.k8s.io/cli-utils v0.37.2\n")
    (module / "main.go").write_text("package main\n")
    before = cached(KSTATUS, folders, tmp_path / "sources")

    (module / "main.go").write_text("package main // changed\n")

    assert cached(KSTATUS, folders, tmp_path / "sources") != before
    assert before.parent.name.startswith("kstatus-v0.37.2-")


def test_a_program_of_others_stays_when_one_of_ours_in_its_module_changes(tmp_path: Path) -> None:
    folders, module = Folders.of(environment(tmp_path)), tmp_path / "sources/helm"
    (module / "batch").mkdir(parents=True)
    (module / "go.mod").write_text("go 1.26.0\nrequire helm.sh/helm/v4 v4.3.1\n")
    found = []
    for text in ("package main\n", "package main // changed\n"):
        (module / "batch/main.go").write_text(text)
        found.append([cached(program, folders, tmp_path / "sources") for program in (HELM, HELM_BATCH)])

    [(helm, ours), (helm_again, ours_again)] = found
    assert helm == helm_again == folders.program("helm", "v4.3.1", "helm")
    assert ours != ours_again
    assert ours.parent.name.startswith("helm-v4.3.1-")


def test_a_build_heeds_the_users_proxy_and_not_their_switches() -> None:
    env = build_environment({"GOPROXY": "https://proxy.test", "GOFLAGS": "-mod=mod", "GOOS": "plan9"})

    assert env["GOPROXY"] == "https://proxy.test"
    assert env["GOFLAGS"] == ""
    assert "GOOS" not in env
    assert env["CGO_ENABLED"] == "0"
