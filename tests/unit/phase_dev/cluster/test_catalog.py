"""Versions are written once, in the go.mod files, and reach the programs through the linker."""

from pathlib import Path

import pytest

from phase_dev.cluster import catalog
from phase_dev.shell.errors import ToolError
from unit.phase_dev.cluster.builders import modules


@pytest.mark.parametrize(
    ("program", "version"),
    [
        pytest.param(catalog.ETCD, "v3.6.8", id="etcd has its own version"),
        pytest.param(catalog.API_SERVER, "v1.36.3", id="the API server has the version of Kubernetes"),
        pytest.param(catalog.KUBECTL, "v1.36.3", id="kubectl too"),
    ],
)
def test_a_version_comes_from_go_mod(tmp_path: Path, program: catalog.Program, version: str) -> None:
    assert catalog.version_of(program, modules(tmp_path)) == version


@pytest.mark.parametrize("program", catalog.PROGRAMS.values(), ids=lambda program: program.name)
def test_our_modules_pin_every_program(program: catalog.Program) -> None:
    assert catalog.version_of(program).startswith("v")
    assert catalog.go_needed(program) >= (1, 24)
    assert program.package in catalog.read_go_mod(program.module)


def test_a_checkout_without_the_modules_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        catalog.version_of(catalog.ETCD, tmp_path)

    assert str(tmp_path) in str(caught.value)
    assert "KUBEBUILDER_ASSETS" in str(caught.value)


def test_a_module_that_does_not_pin_the_program_says_so(tmp_path: Path) -> None:
    (tmp_path / "kubernetes").mkdir()
    (tmp_path / "kubernetes" / "go.mod").write_text("module x\n\ngo 1.26.0\n")

    with pytest.raises(ToolError, match=r"etcd/server"):
        catalog.version_of(catalog.ETCD, tmp_path)


def test_the_linker_tells_kubernetes_its_version() -> None:
    flags = catalog.linker_flags(catalog.API_SERVER, "v1.36.3").split(" -X ")

    assert flags[0] == "-s -w"
    assert "k8s.io/component-base/version.gitVersion=v1.36.3" in flags
    assert "k8s.io/component-base/version.gitMajor=1" in flags
    assert "k8s.io/component-base/version.gitMinor=36" in flags


def test_etcd_knows_its_version_by_itself() -> None:
    assert catalog.linker_flags(catalog.ETCD, "v3.6.8") == "-s -w"


@pytest.mark.parametrize(
    ("controllers", "nodes", "names"),
    [
        pytest.param(False, 0, {"etcd", "kube-apiserver", "kubectl"}, id="plain"),
        pytest.param(
            True,
            0,
            {"etcd", "kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler"},
            id="controllers",
        ),
        pytest.param(
            True,
            2,
            {"etcd", "kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler", "kwok"},
            id="controllers and nodes",
        ),
    ],
)
def test_a_run_needs_no_more_than_it_uses(controllers: bool, nodes: int, names: set[str]) -> None:
    needed = catalog.needed(controllers=controllers, nodes=nodes)

    assert {program.name for program in needed} == names
