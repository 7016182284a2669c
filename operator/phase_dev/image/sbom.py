"""List what the image is made of, as CycloneDX.

Rule: the list is exactly the lock that the image is built from; what the base images hold, their makers list.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

from phase_dev.image.building import REPOSITORY
from phase_dev.image.machine import LOCKED, Command, Machine
from phase_dev.image.tools import Tools
from phase_dev.shell.errors import ToolError


def write(output: Path, tools: Tools, machine: Machine, *, repository: Path = REPOSITORY) -> int:
    """Write the list, which cyclonedx-py checks by its schema, and return how many packages are in it."""
    lock = repository / "requirements/product.txt"
    output.parent.mkdir(parents=True, exist_ok=True)
    # The packages are installed, not only read from the lock: licences and who needs whom stand in what they bring.
    with tempfile.TemporaryDirectory(prefix="phase-dev-sbom-") as scratch:
        folder = Path(scratch)
        machine.work("an empty environment", [sys.executable, "-m", "venv", "--without-pip", "product"], cwd=folder)
        python = folder / "product/bin/python"
        install: Command = [tools.python, "-m", "pip", "--python", python, "install", *LOCKED, "--requirement", lock]
        machine.work("the locked packages", install, cwd=folder)
        command: list[str | Path] = [tools.python, "-m", "cyclonedx_py", "environment", python, "--output-reproducible"]
        command += ["--pyproject", repository / "pyproject.toml", "--mc-type", "application"]
        command += ["--spec-version", "1.6", "--output-file", output]
        machine.work(f"writing {output}", command, cwd=folder)
    listed, locked = packages(output), pinned(lock)
    if listed != locked:
        raise ToolError(f"the list and the lock differ in {', '.join(sorted(f'{n} {v}' for n, v in listed ^ locked))}")
    return len(listed)


def packages(file: Path) -> set[tuple[str, str]]:
    """Return name and version of every package in a list."""
    components = json.loads(file.read_text()).get("components", [])
    return {(_normal(each["name"]), each["version"]) for each in components}


def pinned(lock: Path) -> set[tuple[str, str]]:
    """Return name and version of every package in a lock."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    return {(_normal(name), version) for name, version in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
