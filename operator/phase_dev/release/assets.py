"""The files of a release, from a copy of the repository that has its version and from its image.

Rule: every file that names the image names it with registry and digest, and every file has a line in SHA256SUMS.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from phase_dev import documents
from phase_dev.cluster.catalog import HELM, KUBECTL
from phase_dev.cluster.programs import obtain
from phase_dev.image.storage import tell
from phase_dev.release import changelog, clients, krew, manifests, olm, records
from phase_dev.release.owner import NAME, Owner
from phase_dev.shell.terminal import Progress

CHART = f"helm/{NAME}"
SUMS = "SHA256SUMS"
_OVERLAYS = {"install.yaml": "deploy/overlays/cluster-wide", "install-namespaced.yaml": "deploy/overlays/namespaced"}


@dataclass(frozen=True, slots=True)
class Release:
    """What the files of a release are made of."""

    copy: Path
    owner: Owner
    version: str
    commit: str
    date: int
    """Of the commit, in seconds since 1970."""
    created: str
    digest: str
    """Of the image's index."""

    @property
    def image(self) -> str:
        """The image with tag and digest."""
        return f"{self.owner.image}:{self.version}@{self.digest}"

    @property
    def tree(self) -> str:
        """The page of the repository's files as they are in this release."""
        return f"{self.owner.repository}/blob/v{self.version}"


def write(release: Release, folder: Path, *, compress: bool = True) -> None:
    """Write every file but the checksums into the folder; `compress` is about the single file, the largest of them."""
    folder.mkdir(parents=True, exist_ok=True)
    found = obtain([HELM, KUBECTL], os.environ, Progress(sys.stderr))
    _manifests(release, found[KUBECTL.name].path, folder)
    _chart(release, found[HELM.name].path, folder)
    product = clients.wheel(release.copy, folder)
    clients.single_file(release.copy, product, release.version, folder, compress=compress)
    _plugin(release, product, folder)
    _bundle(release, folder)
    (folder / "RELEASE_NOTES.md").write_text(notes(release))


def seal(folder: Path) -> None:
    """Write the checksums of all that is there."""
    files = {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file() and each.name != SUMS}
    (folder / SUMS).write_text(records.checksums(files))


def notes(release: Release) -> str:
    """Return the text of the release's page: what is new, and where everything is."""
    said = changelog.notes((release.copy / changelog.FILE).read_text(), release.version)
    return (
        f"Image: `{release.image}`\nChart: `{release.owner.charts}/{NAME}`, version {release.version}\n\n"
        f"{manifests.absolute_links(said, '', release.tree)}\n"
    )


def _manifests(release: Release, kubectl: Path, folder: Path) -> None:
    for name, overlay in _OVERLAYS.items():
        text = tell([kubectl, "kustomize", release.copy / overlay])
        (folder / name).write_text(manifests.with_image(text, release.version, release.image))
    (folder / "crds.yaml").write_text(tell([kubectl, "kustomize", release.copy / "crds"]))
    alerts = tell([kubectl, "kustomize", release.copy / "deploy/monitoring"])
    (folder / "monitoring.yaml").write_text(manifests.with_runbooks(alerts, release.tree))
    (folder / "dashboard.json").write_bytes((release.copy / "deploy/monitoring/dashboard.json").read_bytes())


def _chart(release: Release, helm: Path, folder: Path) -> None:
    """Package the chart as it is for this release; the copy is the release's own and may be changed."""
    chart, owner = release.copy / CHART, release.owner
    values, metadata, page = chart / "values.yaml", chart / "Chart.yaml", chart / "README.md"
    alerts = f"{release.tree}/docs/operating/alerts.md"
    values.write_text(manifests.chart_values(values.read_text(), owner.registry, release.digest, alerts))
    metadata.write_text(manifests.chart_metadata(metadata.read_text(), owner, release.image))
    page.write_text(manifests.absolute_links(page.read_text(), CHART, release.tree))
    (chart / "LICENSE").write_bytes((release.copy / "LICENSE").read_bytes())
    tell([helm, "package", chart, "--destination", folder])


def _plugin(release: Release, product: Path, folder: Path) -> None:
    owner, version = release.owner, release.version
    name = f"kubectl-phase-{version}.tar.gz"
    values = {
        "@VERSION@": version,
        "@HOMEPAGE@": owner.repository,
        "@ARCHIVE@": f"{owner.repository}/releases/download/v{version}/{name}",
        "@WHEEL@": product.name,
    }
    script = krew.filled((release.copy / "plugins/kubectl-phase").read_text(), values)
    files = {"kubectl-phase": script.encode(), product.name: product.read_bytes()}
    packed = krew.archive(files | {"LICENSE": (release.copy / "LICENSE").read_bytes()}, release.date)
    (folder / name).write_bytes(packed)
    [line] = records.checksums({name: packed}).splitlines()
    manifest = krew.filled((release.copy / "plugins/phase.yaml").read_text(), values | {"@SHA256@": line.split()[0]})
    (folder / "phase.yaml").write_text(manifest)


def _bundle(release: Release, folder: Path) -> None:
    chart = documents.load((release.copy / CHART / "Chart.yaml").read_text())
    about = olm.About(
        version=release.version,
        image=release.image,
        created=release.created,
        kubernetes=chart["kubeVersion"].removeprefix(">=").removesuffix("-0"),
        description=chart["description"],
        owner=release.owner,
    )
    objects = [each for each in documents.load_all((folder / "install.yaml").read_text()) if each]
    files = olm.bundle(objects, list(_samples(release.copy)), about)
    packed = krew.archive({path: text.encode() for path, text in files.items()}, release.date)
    (folder / f"{NAME}-{release.version}-olm-bundle.tar.gz").write_bytes(packed)


def _samples(copy: Path) -> Iterator[manifests.Object]:
    """Yield one resource of ours for each kind."""
    kinds = set()
    for file in sorted((copy / "deploy/samples").glob("*.yaml")):
        for each in yaml.safe_load_all(file.read_text()):
            if each and each["apiVersion"].startswith("secrets.phase.dev/") and each["kind"] not in kinds:
                kinds.add(each["kind"])
                yield each
