"""Where images lie, and the command lines of the two programs that know them.

Rule: a storage of our own; no image of the user's is seen, and none is overwritten.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from phase_dev.image.machine import Machine, Unfit

# Layers as they are on most machines, and the slow way that works where an overlay would lie on an overlay.
_DRIVERS = ("overlay", "vfs")


@dataclass(frozen=True, slots=True)
class Storage:
    """One folder of images, which buildah and podman share, and one for what they know while they run."""

    folder: Path
    run: Path
    driver: str

    def buildah(self, *arguments: str | Path) -> list[str]:
        """Return a command of buildah."""
        return ["buildah", *self._place(), *map(str, arguments)]

    def podman(self, *arguments: str | Path) -> list[str]:
        """Return a command of podman: with runc, as crun refuses mixed cgroups, and without systemd."""
        runtime = ["--runtime", "runc", "--cgroup-manager", "cgroupfs"]
        return ["podman", *self._place(), *runtime, *map(str, arguments)]

    def _place(self) -> list[str]:
        return ["--root", str(self.folder / "store"), "--runroot", str(self.run), "--storage-driver", self.driver]


def open_storage(machine: Machine) -> Storage:
    """Return the storage with the first driver that this machine can use; one for each driver, as they do not mix."""
    machine.require("buildah")
    said = ""
    for driver in _DRIVERS:
        folder = machine.home / driver
        folder.mkdir(parents=True, exist_ok=True)
        storage = Storage(folder, _run_folder(folder), driver)
        answer = machine.ask(storage.buildah("info"))
        if answer.returncode == 0:
            return storage
        said = answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else f"exit {answer.returncode}"
    raise Unfit(f"buildah cannot keep images on this machine: {said}")


def _run_folder(folder: Path) -> Path:
    """Return where a storage's locks and sockets are: podman takes no path of more than 50 characters."""
    run = Path("/tmp") / f"phase-dev-{hashlib.sha256(bytes(folder)).hexdigest()[:12]}"  # noqa: S108
    run.mkdir(mode=0o700, exist_ok=True)
    if run.is_symlink() or run.stat().st_uid != os.getuid():
        raise Unfit(f"{run} belongs to somebody else; remove it")
    return run
