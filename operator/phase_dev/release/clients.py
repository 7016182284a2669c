"""The command line as files: the wheel, and a single file that needs Python and nothing else."""

import platform
import sys
from pathlib import Path

from phase_dev.image import building
from phase_dev.image.scan import TOOLS
from phase_dev.image.storage import carry_out
from phase_dev.release.owner import NAME

LOCK = "requirements/product.txt"


def wheel(copy: Path, folder: Path) -> Path:
    """Build the wheel of a copy of the repository, with the locked build backend and nothing fetched."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    carry_out("the wheel", [*command, "--no-build-isolation", "--wheel-dir", folder, copy])
    [made] = folder.glob("phase_operator-*.whl")
    return made


def single_file(copy: Path, product: Path, version: str, folder: Path, *, compress: bool = True) -> Path:
    """Build a program of the wheel and the locked packages for this machine's system and Python, in one file.

    There are no other packages in the folder that it is made of, so that it has those of the lock. Without `compress`,
    all in it is stored as it is.
    """
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wheels = building.fetch(copy / LOCK, python, platform.machine())
    made = folder / f"{NAME}-{version}-{sys.platform}-{platform.machine()}-py{python}.pex"
    carry_out(
        "the single file",
        [
            *(TOOLS / "bin/python", "-m", "pex", "--python", sys.executable, "--no-pypi", "--no-build"),
            *("--find-links", wheels, product),
            *("--script", NAME, "--python-shebang", f"/usr/bin/env python{python}"),
            *(() if compress else ("--no-compress",)),
            *("--output-file", made),
        ],
        SOURCE_DATE_EPOCH=building.source_date(repository=copy),
    )
    return made
