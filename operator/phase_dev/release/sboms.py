"""What the image is made of, as CycloneDX: the packages of ours with their licences, and for each architecture all that
is in the image with its base.
"""

from collections.abc import Mapping
from pathlib import Path

from phase_dev.image.building import REPOSITORY
from phase_dev.image.scan import TOOLS, trivy_program
from phase_dev.image.storage import carry_out
from phase_dev.release.owner import NAME

PRODUCT = REPOSITORY / "build/product"


def write(copy: Path, layouts: Mapping[str, Path], version: str, folder: Path, *, check_schema: bool = True) -> None:
    """Write them into the folder; without `check_schema`, nobody compares the packages' with CycloneDX's schema."""
    write_packages(copy, folder / f"{NAME}-{version}-packages.cdx.json", check_schema=check_schema)
    for architecture, layout in layouts.items():
        image = folder / f"{NAME}-{version}-image-{architecture}.cdx.json"
        # Nothing is judged here, so no list of vulnerabilities is fetched.
        command: list[str | Path] = [trivy_program(), "image", "--quiet", "--input", layout, "--format", "cyclonedx"]
        command += ["--offline-scan", "--cache-dir", folder.parent / "trivy"]
        carry_out(image.name, [*command, "--output", image])


def write_packages(copy: Path, file: Path, *, check_schema: bool = True) -> None:
    """Write the packages of ours with their licences, as `make sbom` does of the checkout."""
    command: list[str | Path] = [
        TOOLS / "bin/cyclonedx-py",
        "environment",
        PRODUCT / "bin/python",
        "--output-reproducible",
    ]
    command += ["--spec-version", "1.6", "--pyproject", copy / "pyproject.toml", "--mc-type", "application"]
    if not check_schema:
        command.append("--no-validate")
    carry_out(file.name, [*command, "--output-file", file])
