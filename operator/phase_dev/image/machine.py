"""Programs of this machine: found by name, run to their end, with one sentence for what goes wrong."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import Folders
from phase_dev.shell.guard import Guard
from phase_dev.shell.processes import run_with_ticks, tail
from phase_dev.shell.terminal import Progress

Command = Sequence[str | Path]

_QUICK = 60.0
# What every call of pip is told: no package but what a lock pins by hash.
LOCKED = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:")


class Unfit(ToolError):
    """This machine lacks a program, or does not let it do its work; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The environment in which programs are found and run."""

    env: Mapping[str, str]
    progress: Progress

    @property
    def home(self) -> Path:
        """The folder for all that this package keeps: images, wheels, tools."""
        return Folders.of(self.env).cache / "image"

    def require(self, *programs: str) -> None:
        """Raise Unfit and say what to install, unless all of these are here."""
        missing = [name for name in programs if shutil.which(name, path=self.env.get("PATH", "")) is None]
        if missing:
            raise Unfit(
                f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} not installed; "
                f"on Debian and Ubuntu: apt-get install --no-install-recommends {' '.join(missing)}"
            )

    def ask(self, command: Command, *, within: float = _QUICK) -> subprocess.CompletedProcess[str]:
        """Run a command that answers soon, and return what it said, whatever its exit code."""
        try:
            return subprocess.run(
                command, env=dict(self.env), capture_output=True, text=True, timeout=within, check=False
            )
        except subprocess.TimeoutExpired as e:
            raise ToolError(f"{Path(command[0]).name} did not answer within {within:g} s") from e

    def tell(self, command: Command) -> str:
        """Run a command that answers soon and must succeed, and return its output."""
        done = self.ask(command)
        if done.returncode != 0:
            said = " | ".join(done.stderr.strip().splitlines()[-3:])
            raise ToolError(f"{Path(command[0]).name} ended with {done.returncode}: {said}")
        return done.stdout.strip()

    def work(self, what: str, command: Command, *, cwd: Path, **extra: str) -> None:
        """Run a command that takes its time and must succeed; extra variables are for it alone."""
        with tempfile.TemporaryDirectory(prefix="phase-dev-image-") as scratch:
            log = Path(scratch) / "log"
            with Guard(Path(scratch)) as guard, self.progress.step(what) as tick:
                code = run_with_ticks(
                    command, env={**self.env, **extra}, cwd=cwd, log=log, group=guard.group, tick=tick
                )
                if code != 0:
                    raise ToolError(f"{what}: {Path(command[0]).name} ended with {code}: {tail(log)}")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
