"""The Dockerfile down to the locked packages, kept from one build to the next: no change of our code changes it.

Rule: its name is a hash of all that it is made of, so that a kept one has what a build from nothing would make. A test
compares both, bit for bit; a release takes nothing that was kept.
"""

import hashlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from phase_dev.image.storage import ask, buildah, cache, carry_out, image_id
from phase_dev.shell.errors import ToolError

_NAME = "localhost/phase-operator-packages"
_PARTS = re.compile(r"(?P<arguments>.*?)(?P<packages>^FROM .*?)(?P<ours>^COPY operator/.*)", re.DOTALL | re.MULTILINE)
# Two architectures, of this lock and of the one before.
_MOST = 4


@dataclass(frozen=True, slots=True)
class Parts:
    """A Dockerfile in two: what makes the image that is kept, and what goes on from it."""

    image: str
    first: str
    rest: str


def parts(text: str, made_of: Sequence[str]) -> Parts:
    """Take a Dockerfile apart; whatever else the packages are made of changes a word of `made_of`."""
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ToolError("the Dockerfile copies nothing of operator/ after its packages")
    first = found["arguments"] + found["packages"]
    image = f"{_NAME}:{hashlib.sha256(repr((first, *made_of)).encode()).hexdigest()[:12]}"
    return Parts(image, first, f"{found['arguments']}FROM {image} AS build\n{found['ours']}")


def keep(of: Parts, options: Sequence[str | Path], repository: Path) -> None:
    """See that the image is there: these words of buildah make it, unless it was kept."""
    uses = cache() / "packages"
    with FileLock(f"{uses}.lock"), tempfile.TemporaryDirectory(prefix="phase-dev-packages-") as scratch:
        if not image_id(of.image):
            file = Path(scratch) / "Dockerfile"
            file.write_text(of.first)
            how = ("--file", file, "--timestamp", "0", "--tag", of.image)
            carry_out(f"keeping {of.image}", buildah(*options, *how, repository))
        uses.mkdir(exist_ok=True)
        (uses / of.image.rpartition(":")[2]).touch()
        for old in stale(uses):
            ask(buildah("rmi", f"{_NAME}:{old.name}"))
            old.unlink()


def stale(uses: Path) -> list[Path]:
    """Return the marks of all but those that were used last."""
    return sorted(uses.iterdir(), key=lambda each: each.stat().st_mtime_ns, reverse=True)[_MOST:]
