"""Files that `make` makes, for the tests that need them."""

import subprocess
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]


def made(target: str, repository: Path = ROOT) -> Path:
    """Return a file that `make` makes unless it is there and up to date.

    One worker at a time: two that make the same environment would empty it under each other's hands.
    """
    lock = repository / "build/.made.lock"
    lock.parent.mkdir(exist_ok=True)
    with FileLock(lock):
        subprocess.run(["make", "--silent", target], cwd=repository, check=True, timeout=600)
    return repository / target
