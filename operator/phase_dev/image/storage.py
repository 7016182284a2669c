"""buildah and podman, with images in a storage of our own.

Rule: no image of the user's is seen, and none is overwritten.
"""

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from phase_dev.cluster.access import Completed, run_client
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import Folders
from phase_dev.shell.guard import Guard
from phase_dev.shell.processes import work
from phase_dev.shell.terminal import Progress

# What the OCI calls an architecture, and what Python does.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class Unfit(ToolError):
    """This machine lacks a program, or does not let it do its work; the text says what to do about it."""


def require(*programs: str) -> None:
    """Raise Unfit and say what to install, unless all of these are here."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        how = f"on Debian and Ubuntu: apt-get install --no-install-recommends {' '.join(missing)}"
        raise Unfit(f"{', '.join(missing)} not installed; {how}")


def own_architecture() -> str:
    """Return the architecture of this machine, as the OCI names it."""
    return next((name for name, machine in MACHINES.items() if machine == platform.machine()), platform.machine())


def cache() -> Path:
    """Return the folder of all that can be made again: images and wheels."""
    folder = Folders.of(os.environ).cache / "image"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def buildah(*arguments: str | Path) -> list[str | Path]:
    """Return a command of buildah."""
    return ["buildah", *_storage(), *arguments]


def podman(*arguments: str | Path) -> list[str | Path]:
    """Return a command of podman: with runc, as crun refuses mixed cgroups, and without systemd."""
    return ["podman", *_storage(), "--runtime", "runc", "--cgroup-manager", "cgroupfs", *arguments]


def ask(command: Sequence[str | Path], *, within: float = 60.0) -> Completed:
    """Run a command that answers soon, and return what it said, whatever its exit code."""
    return run_client(Path(command[0]), *command[1:], env=os.environ, check=False, timeout=within)


def tell(command: Sequence[str | Path]) -> str:
    """Run a command that answers soon and must succeed, and return its output."""
    return run_client(Path(command[0]), *command[1:], env=os.environ).stdout


def image_id(name: str) -> str:
    """Return the id of an image in the storage, which is a hash of all that is in it; empty if there is none."""
    done = ask(buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", name))
    return done.stdout.strip() if done.returncode == 0 else ""


def carry_out(what: str, command: Sequence[str | Path], **extra: str) -> None:
    """Run a command that takes its time and must succeed; extra variables are for it alone."""
    log = cache() / f".{Path(command[0]).name}.{os.getpid()}.log"
    with Guard() as guard:
        work(what, command, env={**os.environ, **extra}, log=log, group=guard.group, progress=Progress(sys.stderr))


def _storage() -> list[str | Path]:
    """Return where images are, with the driver that fits the machine; and where locks and sockets are."""
    images = cache() / "images"
    # podman takes no path of more than 50 characters for its sockets.
    run = Path("/tmp") / f"phase-dev-{hashlib.sha256(bytes(images)).hexdigest()[:12]}"  # noqa: S108
    run.mkdir(mode=0o700, exist_ok=True)
    if run.is_symlink() or run.stat().st_uid != os.getuid():
        raise Unfit(f"{run} belongs to another user; remove it")
    return ["--root", images, "--runroot", run]
