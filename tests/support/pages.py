"""The commands of our pages, and a shell that runs them as a reader would."""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from phase_dev.cluster import Completed
from phase_dev.shell.folders import Folders
from support import copies
from support.operator_process import eventually

ROOT = Path(__file__).parents[2]
# What a reader replaces by his own; nothing is pulled from it here, since nodes are simulated.
REGISTRY = "registry.example.com"
_HEADING = r"^## (?P<heading>[^\n]+)$"
# What no test runs, by the words with which a command begins.
NOT_RUN = {
    "docker": "nothing pulls an image onto simulated nodes; tests/integration/image builds one and runs it",
    "kind": "it needs a container daemon; the commands after it run on the cluster of the test",
    "kubectl exec": "no container runs on a simulated node",
    "make venv": "the tests run in what it makes",
    "pipx": "the tests run with the programs that it installs",
}


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file that a page asks for: a block of YAML whose first line is a comment with its name."""

    name: str
    text: str


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
    """Return the commands under a heading, block by block."""
    return [commands_of(block) for block in fenced(page, heading, "console")]


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
        yield heading, commands_of(block)


def commands_of(block: str) -> list[str]:
    """Return the commands of a block: lines after `$`, with the indented ones that go on; the rest is what they say."""
    found: list[str] = []
    is_command = False
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(line[2:])
            is_command = True
        elif line.startswith(" ") and is_command:
            found[-1] += f"\n{line}"
        else:
            is_command = False
    return found


def steps_of(text: str) -> Iterator[SavedFile | str]:
    """Yield what a page has its reader do, from top to bottom: files to save, and commands."""
    for language, block in re.findall(r"^```(yaml|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language == "console":
            yield from commands_of(block)
        elif named := re.match(r"# (\S+\.yaml)\n", block):
            yield SavedFile(named[1], block)


def not_run(command: str) -> str | None:
    """Return why no test runs a command, or None."""
    return next((why for words, why in NOT_RUN.items() if command.startswith(f"{words} ") or command == words), None)


class Reader:
    """Somebody in a checkout of his own, with kubectl, helm and our programs on the path.

    The command line's programs are copies of a process, unless he is to have them as they are installed.
    """

    def __init__(self, folder: Path, kubectl: Path, helm: Path, kubeconfig: Path, *, installed: bool = False) -> None:
        """Make the checkout and the path."""
        self.checkout = folder / "checkout"
        for part in ("crds", "deploy", "helm"):
            shutil.copytree(ROOT / part, self.checkout / part)
        self.programs = folder / "bin"
        self.programs.mkdir(parents=True)
        for name, program in (("kubectl", kubectl), ("helm", helm)):
            (self.programs / name).symlink_to(program)
        if not installed:
            self.take_copies()
        path = os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.variables = {"PATH": path, "HOME": str(folder), "KUBECONFIG": str(kubeconfig)}
        # The programs are those of this checkout, and find what was built before.
        self.variables |= {"PYTHONPATH": str(ROOT / "operator")}
        self.variables |= {"XDG_CACHE_HOME": str(Folders.of(os.environ).cache.parent)}
        passed_on = ("KUBEBUILDER_ASSETS", "GOGC", "GOMAXPROCS")
        self.variables |= {name: os.environ[name] for name in passed_on if name in os.environ}
        # What the pages have for it -> what this reader has.
        self.own = {"REGISTRY": REGISTRY}

    def take_copies(self) -> None:
        """Have copies of a process for the programs of the command line from now on."""
        copies.put(self.programs, "kubectl-phase", "phase-operator")

    def write(self, name: str, text: str) -> None:
        """Write a file that a page asks for."""
        file = self.checkout / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._own(text))

    def run(self, command: str, codes: Collection[int] = (0,)) -> Completed:
        """Run a command, or a block of them as one script; it has to end with one of these codes.

        What a command exports is there for those after it.
        """
        exports = command.startswith("export ")
        done = subprocess.run(
            self._shell(f"{command}; env -0" if exports else command),
            cwd=self.checkout,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode in codes, f"{command}\nends with {done.returncode}\n{done.stdout}{done.stderr}"
        if exports:
            self.variables = dict(each.split("=", 1) for each in done.stdout.split("\0") if each)
        return Completed(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, command: str, said: str) -> Iterator[Path]:
        """Run a command in a terminal of its own until the block ends, which begins when it has said something."""
        log = self.checkout.parent / f"{len(list(self.checkout.parent.glob('*.log')))}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                self._shell(f"exec {command}"),
                cwd=self.checkout,
                env=self.variables,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        def has_said() -> bool:
            assert process.poll() is None, f"{command}\n{log.read_text()}"
            return said in log.read_text()

        try:
            eventually(has_said, within=60, what=f"{command} says {said}")
            yield log
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def follow(self, block: list[str]) -> list[str]:
        """Run the commands of a block, but for those that no test runs; return what they said."""
        return [self.run(each).stdout for each in block if not_run(each) is None]

    def _own(self, text: str) -> str:
        for word, mine in self.own.items():
            text = text.replace(word, mine)
        return text

    def _shell(self, command: str) -> list[str]:
        return ["bash", "-euo", "pipefail", "-c", self._own(command)]
