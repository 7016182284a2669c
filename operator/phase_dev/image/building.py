"""Build the repository's Dockerfile.

Rule: the same files on the same base images give the same digest, on any day and in any folder. The locked wheels are
fetched outside, by their hashes; the build itself needs no network and no index.
"""

import hashlib
import json
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from phase_dev.image.bases import Bases
from phase_dev.image.storage import ask, buildah, cache, carry_out
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import made_once

REPOSITORY = Path(__file__).resolve().parents[3]
# All that the Dockerfile sees: their last change is the image's date.
INPUTS = ("Dockerfile", ".dockerignore", "requirements/product.txt", "operator/phase_operator")
# Down from what Debian 13 has, so that the wheels are those that pip would take in the image.
_GLIBC = range(41, 16, -1)
# What the OCI calls an architecture, and what Python does.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
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
    name: str,
    date: str,
    layout: Path,
    repository: Path = REPOSITORY,
    architecture: str = "",
    arguments: Mapping[str, str] | None = None,
) -> Built:
    """Build the image from nothing, keep it in the storage and write it out as an OCI layout.

    The date is in seconds since 1970; the architecture is this machine's, unless another is named as the OCI does. The
    arguments are the Dockerfile's.
    """
    machine = _MACHINES.get(architecture, architecture or platform.machine())
    wheels = fetch(repository / "requirements/product.txt", bases.python, machine)
    command = buildah(
        *("bud", "--isolation", "chroot", "--pull-never", "--no-cache", "--timestamp", date),
        *("--build-arg", f"BUILD_IMAGE={bases.build}", "--build-arg", f"RUNTIME_IMAGE={bases.runtime}"),
        *(word for each in (arguments or {}).items() for word in ("--build-arg", "=".join(each))),
        *_platforms(architecture),
        *("--volume", f"{wheels}:/wheels:ro", "--volume", f"{wheels / 'pip.conf'}:/etc/pip.conf:ro"),
        *("--tag", name, repository),
    )
    carry_out(f"building {name}", command)
    shutil.rmtree(layout, ignore_errors=True)
    layout.parent.mkdir(parents=True, exist_ok=True)
    carry_out(f"writing {layout}", buildah("push", "--quiet", name, f"oci:{layout}"))
    [manifest] = json.loads((layout / "index.json").read_text())["manifests"]
    size = sum(each.stat().st_size for each in (layout / "blobs/sha256").iterdir())
    return Built(name, manifest["digest"], size, layout)


def _platforms(architecture: str) -> tuple[str, ...]:
    """Return what says for which architecture an image is; buildah 1.28 has to be told which one builds it."""
    if not architecture:
        return ()
    own = next((name for name, machine in _MACHINES.items() if machine == platform.machine()), platform.machine())
    return ("--platform", f"linux/{architecture}", "--build-arg", f"BUILDPLATFORM=linux/{own}")


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
