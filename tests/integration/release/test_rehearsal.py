"""A release, rehearsed: everything built from one commit, pushed to a real registry, and installed from there."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from integration.image.conftest import pinned
from integration.release.conftest import Helm, Rehearsal
from phase_dev import documents
from phase_dev.cluster import ControlPlane
from phase_dev.cluster.catalog import KREW
from phase_dev.cluster.programs import obtain
from phase_dev.image import bases, running
from phase_dev.image.building import REPOSITORY
from phase_dev.image.storage import Unfit, ask, podman, require
from phase_dev.release.images import ARCHITECTURES
from phase_dev.shell.terminal import Progress
from phase_operator import __version__
from support.bare_plane import bare_plane

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(900)]

# The machine of an ELF file, at byte 18: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
MACHINES = {"amd64": 0x3E, "arm64": 0xB7}


@pytest.fixture(scope="module")
def plane(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """Give a cluster in which nothing is installed."""
    with bare_plane(pytestconfig) as plane:
        yield plane


def test_the_registry_has_the_image_for_each_architecture(rehearsal: Rehearsal) -> None:
    answer = rehearsal.get(f"manifests/{rehearsal.version}")

    assert answer.headers["Docker-Content-Digest"] == rehearsal.made.built.digest
    assert {each["platform"]["architecture"] for each in answer.json()["manifests"]} == set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_labels_say_where_the_image_comes_from(architecture: str, rehearsal: Rehearsal) -> None:
    found = _configuration(architecture, rehearsal)
    labels = {
        name.removeprefix("org.opencontainers.image."): value for name, value in found["config"]["Labels"].items()
    }
    owner = rehearsal.made.built.owner

    assert found["architecture"] == architecture
    assert (labels["source"], labels["url"], labels["vendor"]) == (owner.repository, owner.docs, owner.vendor)
    assert (labels["version"], labels["revision"]) == (rehearsal.version, rehearsal.made.commit)
    assert labels["base.digest"] == rehearsal.made.images.bases[labels["base.name"]]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_library_of_the_image_is_of_its_architecture(architecture: str, rehearsal: Rehearsal) -> None:
    found = dict(_libraries(architecture, rehearsal))

    assert len([name for name in found if name.startswith("app/lib/")]) > 10
    assert {name: machine for name, machine in found.items() if machine != MACHINES[architecture]} == {}


def test_podman_runs_the_image_of_the_registry(rehearsal: Rehearsal) -> None:
    try:
        require("podman", "runc")
        running.check(bases.stand_ins(bases.named((REPOSITORY / "Dockerfile").read_text())).runtime)
    except Unfit as e:
        pytest.skip(f"THE IMAGE OF THE RELEASE IS NOT RUN: {e}")
    name = f"{rehearsal.made.built.owner.image}@{rehearsal.made.built.digest}"
    pulled = ask(podman("pull", "--quiet", "--tls-verify=false", name), within=120)
    assert pulled.returncode == 0, pulled.stderr

    try:
        said = ask(running.command(name, "version"))
    finally:
        ask(podman("rmi", name))

    assert rehearsal.version in said.stdout


def test_helm_installs_the_chart_of_the_registry(rehearsal: Rehearsal, plane: ControlPlane, run_helm: Helm) -> None:
    run_helm(
        *("install", "phase-operator", f"oci://{rehearsal.registry}/rehearsal/charts/phase-operator", "--plain-http"),
        *("--version", rehearsal.version, "--namespace", "by-helm", "--create-namespace"),
        kubeconfig=plane.kubeconfig,
    )

    found = _deployment(plane, "by-helm")
    assert _image(found) == f"{rehearsal.made.built.owner.image}@{rehearsal.made.built.digest}"
    assert found["metadata"]["labels"]["app.kubernetes.io/version"] == rehearsal.version
    run_helm("uninstall", "phase-operator", "--namespace", "by-helm", kubeconfig=plane.kubeconfig)


def test_kubectl_applies_install_yaml(rehearsal: Rehearsal, plane: ControlPlane) -> None:
    forced = ("--server-side", "--force-conflicts")  # the CRDs of the chart stay when it goes
    plane.kubectl("apply", *forced, "-f", rehearsal.folder / "install.yaml")

    assert _image(_deployment(plane, "phase-system")) == rehearsal.image
    plane.kubectl("wait", "--for=condition=Established", "crd/phasesecrets.secrets.phase.dev", "--timeout=30s")


@pytest.mark.parametrize("name", ["install.yaml", "install-namespaced.yaml"])
def test_every_manifest_names_the_image_of_the_registry(name: str, rehearsal: Rehearsal) -> None:
    objects = [each for each in documents.load_all(rehearsal.read(name)) if each]

    assert [_image(each) for each in objects if each["kind"] == "Deployment"] == [rehearsal.image]


def test_no_file_says_the_version_before(rehearsal: Rehearsal) -> None:
    old = re.compile(rf"phase[-_]operator[-:]{re.escape(__version__)}(?!\d)")
    texts = [each for each in rehearsal.folder.iterdir() if each.suffix in {".yaml", ".json", ".md"}]

    assert [each.name for each in texts if old.search(each.read_text())] == []
    assert f"phase-operator:{rehearsal.version}@" in rehearsal.read("RELEASE_NOTES.md")


def test_the_checksums_fit_every_file(rehearsal: Rehearsal) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=rehearsal.folder,
        capture_output=True,
        text=True,
        check=True,
    )

    files = {each.name for each in rehearsal.folder.iterdir()} - {"SHA256SUMS"}
    assert {line.removesuffix(": OK") for line in done.stdout.splitlines()} == files


def test_the_single_file_is_the_command_line(rehearsal: Rehearsal, tmp_path: Path) -> None:
    [program] = rehearsal.folder.glob("*.pex")
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "PEX_ROOT": str(tmp_path / "pex")}

    done = subprocess.run(
        [_interpreter(), program, "version"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert rehearsal.version in done.stdout


def test_the_plugin_is_an_archive_with_the_program_and_the_manifest_has_its_checksum(rehearsal: Rehearsal) -> None:
    manifest = documents.load(rehearsal.read("phase.yaml"))
    [platform] = manifest["spec"]["platforms"]
    packed = (rehearsal.folder / platform["uri"].rpartition("/")[2]).read_bytes()
    [wheel] = rehearsal.folder.glob("*.whl")

    assert hashlib.sha256(packed).hexdigest() == platform["sha256"]
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert set(tar.getnames()) == {each["from"] for each in platform["files"]}
        inside = tar.extractfile(wheel.name)
        script = tar.extractfile("kubectl-phase")
        assert inside is not None
        assert script is not None
        assert inside.read() == wheel.read_bytes()
        assert f"/{wheel.name}" in script.read().decode()


def test_krew_installs_the_plugin_which_runs_the_program_of_the_archive(rehearsal: Rehearsal, tmp_path: Path) -> None:
    krew = obtain([KREW], os.environ, Progress(sys.stderr))[KREW.name].path
    [packed] = rehearsal.folder.glob("kubectl-phase-*.tar.gz")
    # What would fetch the program's packages from the internet says what it was asked for.
    uvx = tmp_path / "uvx"
    uvx.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    uvx.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "KREW_ROOT": str(tmp_path / "krew"),
    }

    installed = subprocess.run(
        [krew, "install", f"--manifest={rehearsal.folder / 'phase.yaml'}", f"--archive={packed}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert installed.returncode == 0, installed.stderr
    called = subprocess.run(
        [tmp_path / "krew/bin/kubectl-phase", "version"], env=environment, capture_output=True, text=True, check=True
    )
    _, _, wheel, program, command = called.stdout.splitlines()
    assert (program, command) == ("kubectl-phase", "version")
    [published] = rehearsal.folder.glob("*.whl")
    assert Path(wheel).read_bytes() == published.read_bytes()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_sbom_of_the_image_has_every_locked_package(architecture: str, rehearsal: Rehearsal) -> None:
    found = json.loads(rehearsal.read(f"phase-operator-{rehearsal.version}-image-{architecture}.cdx.json"))

    packages = {(canonicalize_name(each["name"]), each["version"]) for each in found["components"] if "version" in each}
    assert pinned() - packages == set()


def test_the_sbom_of_the_packages_is_of_this_version(rehearsal: Rehearsal) -> None:
    found = json.loads(rehearsal.read(f"phase-operator-{rehearsal.version}-packages.cdx.json"))

    assert found["metadata"]["component"]["version"] == rehearsal.version
    assert {(canonicalize_name(each["name"]), each["version"]) for each in found["components"]} == pinned()


def test_the_provenance_is_of_the_image_in_the_registry(rehearsal: Rehearsal) -> None:
    found = json.loads(rehearsal.read(f"phase-operator-{rehearsal.version}-provenance.json"))

    [subject] = found["subject"]
    commit, *_ = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert f"sha256:{subject['digest']['sha256']}" == rehearsal.made.built.digest
    assert commit["digest"] == {"gitCommit": rehearsal.made.commit}


def test_the_bundle_for_olm_names_the_image_of_the_registry(rehearsal: Rehearsal) -> None:
    with tarfile.open(rehearsal.folder / f"phase-operator-{rehearsal.version}-olm-bundle.tar.gz") as tar:
        member = tar.extractfile("manifests/phase-operator.clusterserviceversion.yaml")
        assert member is not None
        service = documents.load(member.read())

    [deployment] = service["spec"]["install"]["spec"]["deployments"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == rehearsal.image
    assert {each["kind"] for each in json.loads(service["metadata"]["annotations"]["alm-examples"])} == {
        each["kind"] for each in service["spec"]["customresourcedefinitions"]["owned"]
    }


def test_a_rehearsal_leaves_the_checkout_as_it_was(rehearsal: Rehearsal) -> None:
    assert rehearsal.after == rehearsal.before


def _interpreter() -> str:
    """Return the Python that the single file was made for, outside any virtual environment."""
    return f"{sys.base_prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def _deployment(plane: ControlPlane, namespace: str) -> dict[str, Any]:
    said = plane.kubectl("-n", namespace, "get", "deployment", "phase-operator", "-o", "json").stdout
    found: dict[str, Any] = json.loads(said)
    return found


def _image(deployment: dict[str, Any]) -> str:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def _manifest(architecture: str, rehearsal: Rehearsal) -> dict[str, Any]:
    index = rehearsal.get(f"manifests/{rehearsal.version}").json()
    [digest] = [each["digest"] for each in index["manifests"] if each["platform"]["architecture"] == architecture]
    found: dict[str, Any] = rehearsal.get(f"manifests/{digest}").json()
    return found


def _configuration(architecture: str, rehearsal: Rehearsal) -> dict[str, Any]:
    found: dict[str, Any] = rehearsal.get(f"blobs/{_manifest(architecture, rehearsal)['config']['digest']}").json()
    return found


def _libraries(architecture: str, rehearsal: Rehearsal) -> Iterator[tuple[str, int]]:
    """Yield the name and the machine of every ELF file in every layer."""
    for layer in _manifest(architecture, rehearsal)["layers"]:
        with tarfile.open(fileobj=io.BytesIO(rehearsal.get(f"blobs/{layer['digest']}").content)) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                head = file.read(20) if file else b""
                if head[:4] == b"\x7fELF":
                    yield member.name, int.from_bytes(head[18:20], "little")
