"""Build the repository's Dockerfile.

Rule: the same files on the same base images give the same digest, on any day and in any folder. The locked wheels are
fetched outside, by their hashes; the build itself needs no network and no index.
"""

import hashlib
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phase_dev.image import packages
from phase_dev.image.bases import Bases
from phase_dev.image.storage import MACHINES, ask, buildah, cache, carry_out, image_id, own_architecture, tell
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import made_once

REPOSITORY = Path(__file__).resolve().parents[3]
LOCK = "requirements/product.txt"
# All that the Dockerfile sees: their last change is the image's date.
INPUTS = ("Dockerfile", ".dockerignore", LOCK, "operator/phase_operator")
# Down from what Debian 13 has, so that the wheels are those that pip would take in the image.
_GLIBC = range(41, 16, -1)
# pip reads it in the image, where the Dockerfile installs as if there were an index.
_PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"


@dataclass(frozen=True, slots=True)
class Built:
    """An image as a registry would have it: `size` is the bytes that it sends."""

    name: str
    digest: str
    size: int
    layout: Path


def build(
    bases: Bases,
    *,
    date: str,
    layout: Path,
    name: str = "",
    repository: Path = REPOSITORY,
    architecture: str = "",
    arguments: Mapping[str, str] | None = None,
    reuse: bool = False,
) -> Built:
    """Build the image, write it out as an OCI layout, and keep it in the storage too if it has a name there.

    The date is in seconds since 1970; the architecture is this machine's, unless another is named as the OCI does. The
    arguments are the Dockerfile's. All is built from nothing, but for the locked packages where `reuse` allows it.
    """
    machine = MACHINES.get(architecture, architecture or platform.machine())
    wheels = fetch(repository / LOCK, bases.python, machine)
    options: list[str | Path] = [
        *("bud", "--isolation", "chroot", "--pull-never", "--no-cache", *_platforms(architecture)),
        *("--build-arg", f"BUILD_IMAGE={bases.build}", "--build-arg", f"RUNTIME_IMAGE={bases.runtime}"),
        *("--volume", f"{wheels}:/wheels:ro", "--volume", f"{wheels / 'pip.conf'}:/etc/pip.conf:ro"),
    ]
    text = (repository / "Dockerfile").read_text()
    if reuse:
        parts = packages.parts(text, (wheels.name, image_id(bases.build), machine))
        packages.keep(parts, options, repository)
        text = parts.rest
    options += [word for each in (arguments or {}).items() for word in ("--build-arg", "=".join(each))]
    _write(layout, text, [*options, "--timestamp", date], repository)
    if name:
        _store(layout, name)
    [manifest] = json.loads((layout / "index.json").read_text())["manifests"]
    size = sum(each.stat().st_size for each in (layout / "blobs/sha256").iterdir())
    return Built(name, manifest["digest"], size, layout)


def _write(layout: Path, dockerfile: str, options: Sequence[str | Path], repository: Path) -> None:
    """Write the layout from the container: an image that goes through the storage is packed and unpacked once more."""
    shutil.rmtree(layout, ignore_errors=True)
    layout.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="phase-dev-image-") as scratch:
        file = Path(scratch) / "Dockerfile"
        file.write_text(dockerfile)
        how = ("--disable-compression=false", "--tag", f"oci:{layout}", "--file", file)
        carry_out(f"building {layout}", buildah(*options, *how, repository))


def _store(layout: Path, name: str) -> None:
    """Put an image into the storage in place of the one that had its name, which stays only where a container runs."""
    before = image_id(name)
    carry_out(f"keeping {name}", buildah("pull", "--quiet", f"oci:{layout}"))
    [manifest] = json.loads((layout / "index.json").read_text())["manifests"]
    found = json.loads((layout / "blobs" / manifest["digest"].replace(":", "/")).read_text())
    now = found["config"]["digest"].removeprefix("sha256:")
    tell(buildah("tag", now, name))
    if before not in ("", now):
        ask(buildah("rmi", before))


def _platforms(architecture: str) -> tuple[str, ...]:
    """Return what says for which architecture an image is; buildah 1.28 has to be told which one builds it."""
    if not architecture:
        return ()
    return ("--platform", f"linux/{architecture}", "--build-arg", f"BUILDPLATFORM=linux/{own_architecture()}")


def source_date(given: str = "", repository: Path = REPOSITORY) -> str:
    """Return the image's date: the given SOURCE_DATE_EPOCH, else when its files last changed in Git, else 1970."""
    if given:
        if not given.isdecimal():
            raise ToolError("SOURCE_DATE_EPOCH is not a number of seconds")
        return given
    if shutil.which("git") is None:
        return "0"
    return ask(["git", "-C", repository, "log", "-1", "--format=%ct", "--", *INPUTS]).stdout.strip() or "0"


def fetch(lock: Path, python: str, machine: str) -> Path:
    """Return a folder with the locked wheels for an image's Python, and a pip.conf that knows no other place."""
    command = download(python, machine)
    key = hashlib.sha256(f"{command}\n{lock.read_text()}".encode()).hexdigest()[:12]
    folder = cache() / f"wheels-{key}"
    with made_once(folder) as fresh:
        if fresh is not None:
            into = ("--dest", fresh, "--requirement", lock)
            carry_out(f"the locked wheels for Python {python}", [sys.executable, "-m", "pip", *command, *into])
            (fresh / "pip.conf").write_text(_PIP_CONF)
    return folder


def download(python: str, architecture: str) -> list[str]:
    """Return the options of pip that fetch wheels for another Python than this one."""
    command = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    for version in (*(f"_2_{minor}" for minor in _GLIBC), "2014"):
        command += ["--platform", f"manylinux{version}_{architecture}"]
    return command
