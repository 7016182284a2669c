"""The commands of our pages, and a shell that runs them as a reader would."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Collection, Iterator
from pathlib import Path

from phase_dev.cluster import Completed

ROOT = Path(__file__).parents[2]
# What a reader replaces by his own; nothing is pulled from it here, since nodes are simulated.
REGISTRY = "registry.example.com"
_HEADING = r"^## (?P<heading>[^\n]+)$"


def section(page: str, heading: str) -> str:
    """Return the text under a heading of a page, down to the next one of its rank."""
    text = (ROOT / page).read_text()
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no heading {heading}"
    return found[1]


def fenced(page: str, heading: str, language: str) -> list[str]:
    """Return the blocks of one language under a heading."""
    return re.findall(rf"^```{language}\n(.*?)^```", section(page, heading), re.DOTALL | re.MULTILINE)


def commands(page: str, heading: str) -> list[list[str]]:
    """Return the commands under a heading, block by block: lines after `$`, with the indented ones that go on."""
    return [_commands(block) for block in fenced(page, heading, "console")]


def every_block(page: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of one language of a page, those in lists too, each with the heading that it is under."""
    block = rf"^(?P<indent> *)```{language}\n(?P<body>.*?)^(?P=indent)```$"
    heading = ""
    for found in re.finditer(f"{_HEADING}|{block}", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE):
        if found["heading"] is not None:
            heading = found["heading"]
        else:
            yield heading, textwrap.dedent(found["body"])


def every_command(page: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands of a page block by block, each with the heading that it is under."""
    for heading, block in every_block(page, "console"):
        yield heading, _commands(block)


def _commands(block: str) -> list[str]:
    found: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(line[2:])
        elif line.startswith(" ") and found:
            found[-1] += f"\n{line}"
    return found


class Reader:
    """Somebody in a checkout of his own, with kubectl, helm and our programs on the path."""

    def __init__(self, folder: Path, kubectl: Path, helm: Path, kubeconfig: Path) -> None:
        """Make the checkout and the path."""
        self.checkout = folder / "checkout"
        for part in ("crds", "deploy", "helm"):
            shutil.copytree(ROOT / part, self.checkout / part)
        programs = folder / "bin"
        programs.mkdir(parents=True)
        for name, program in (("kubectl", kubectl), ("helm", helm)):
            (programs / name).symlink_to(program)
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        self._variables = {"PATH": path, "HOME": str(folder), "KUBECONFIG": str(kubeconfig)}

    def write(self, name: str, text: str) -> None:
        """Write a file that a page asks for."""
        file = self.checkout / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("REGISTRY", REGISTRY))

    def run(self, command: str, codes: Collection[int] = (0,)) -> Completed:
        """Run a command, or a block of them as one script; it has to end with one of these codes."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.replace("REGISTRY", REGISTRY)],
            cwd=self.checkout,
            env=self._variables,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode in codes, f"{command}\nends with {done.returncode}\n{done.stdout}{done.stderr}"
        return Completed(done.returncode, done.stdout, done.stderr)

    def follow(self, block: list[str]) -> list[str]:
        """Run the commands of a block, but for those of docker; return what they said."""
        return [self.run(each).stdout for each in block if not each.startswith("docker ")]
