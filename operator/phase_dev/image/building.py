"""Build the repository's Dockerfile.

Rule: the same files on the same base images give the same digest, on any day and in any folder.
"""

import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phase_dev.image.bases import Bases, Named
from phase_dev.image.machine import Machine
from phase_dev.image.storage import Storage
from phase_dev.image.wheels import fetch
from phase_dev.shell.errors import ToolError

REPOSITORY = Path(__file__).resolve().parents[3]
# All that the Dockerfile sees: their last change is the image's date.
INPUTS = ("Dockerfile", ".dockerignore", "requirements/product.txt", "operator/phase_operator")


@dataclass(frozen=True, slots=True)
class Built:
    """An image as a registry would have it."""

    name: str
    digest: str
    size: int
    layout: Path


def build(
    bases: Bases, storage: Storage, machine: Machine, *, name: str, layout: Path, repository: Path = REPOSITORY
) -> Built:
    """Build the image from nothing, keep it in the storage and write it out as an OCI layout."""
    wanted = Named.read((repository / "Dockerfile").read_text())
    lock = repository / "requirements/product.txt"
    wheels = fetch(lock, wanted.python, platform.machine(), machine)
    command = storage.buildah(
        *("bud", "--isolation", "chroot", "--pull-never", "--no-cache"),
        *("--timestamp", source_date(machine, repository)),
        *("--build-arg", f"BUILD_IMAGE={bases.build}", "--build-arg", f"RUNTIME_IMAGE={bases.runtime}"),
        *("--volume", f"{wheels / 'wheels'}:/wheels:ro", "--volume", f"{wheels / 'pip.conf'}:/etc/pip.conf:ro"),
        *("--tag", name, repository),
    )
    machine.work(f"building {name}", command, cwd=repository)
    shutil.rmtree(layout, ignore_errors=True)
    layout.parent.mkdir(parents=True, exist_ok=True)
    machine.work(f"writing {layout}", storage.buildah("push", "--quiet", name, f"oci:{layout}"), cwd=repository)
    digest, size = weigh(layout)
    return Built(name, digest, size, layout)


def source_date(machine: Machine, repository: Path = REPOSITORY) -> str:
    """Return the image's date: SOURCE_DATE_EPOCH, else when its files last changed in Git, else 1970."""
    given = machine.env.get("SOURCE_DATE_EPOCH", "")
    if given:
        if not given.isdecimal():
            raise ToolError("SOURCE_DATE_EPOCH is not a number of seconds")
        return given
    if shutil.which("git", path=machine.env.get("PATH", "")) is None:
        return "0"
    done = machine.ask(["git", "-C", repository, "log", "-1", "--format=%ct", "--", *INPUTS])
    return done.stdout.strip() or "0"


def weigh(layout: Path) -> tuple[str, int]:
    """Return the digest of an OCI layout's only image, and how many bytes a registry sends for it."""
    described = _read(layout / "index.json")["manifests"]
    if len(described) != 1:
        raise ToolError(f"{layout} holds {len(described)} images instead of one")
    digest = str(described[0]["digest"])
    manifest = _read(layout / "blobs" / digest.replace(":", "/"))
    parts = [described[0], manifest["config"], *manifest["layers"]]
    return digest, sum(int(part["size"]) for part in parts)


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content
