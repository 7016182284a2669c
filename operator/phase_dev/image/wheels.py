"""The locked wheels for the image's Python, fetched outside the image.

Rule: what is fetched is what the lock's hashes say; the build itself then needs no network and no index.
"""

import hashlib
import shutil
import sys
from pathlib import Path

from filelock import FileLock

from phase_dev.image.machine import LOCKED, Machine

# Down from what Debian 13 has, so that the wheels are those that pip would take in the image.
_GLIBC = range(41, 16, -1)
# pip reads it in the image, where the Dockerfile installs as if there were an index.
PIP_CONF = "[global]\nno-index = true\nfind-links = /wheels\n"


def fetch(lock: Path, python: str, architecture: str, machine: Machine) -> Path:
    """Return a folder with the wheels, and a pip.conf beside it that knows no other place."""
    asked = download(Path(), python, architecture, Path())[1:]
    key = hashlib.sha256(f"{asked}\n{lock.read_text()}".encode()).hexdigest()[:12]
    folder = machine.home / f"wheels-{key}"
    machine.home.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if folder.exists():
            return folder
        fresh = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        command = download(lock, python, architecture, fresh / "wheels")
        machine.work(f"the locked wheels for Python {python}", command, cwd=machine.home)
        (fresh / "pip.conf").write_text(PIP_CONF)
        fresh.rename(folder)
    return folder


def download(lock: Path, python: str, architecture: str, into: Path) -> list[str]:
    """Return the command that fetches wheels for a Python that need not be this one."""
    command = [sys.executable, "-m", "pip", "download", *LOCKED, "--implementation", "cp", "--python-version", python]
    for minor in _GLIBC:
        command += ["--platform", f"manylinux_2_{minor}_{architecture}"]
    return [*command, "--platform", f"manylinux2014_{architecture}", "--dest", str(into), "--requirement", str(lock)]
