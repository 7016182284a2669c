"""Programs: started and stopped, run to their end, waited for."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from phase_dev.shell.errors import StartFailed, ToolError
from phase_dev.shell.loopback import ask
from phase_dev.shell.terminal import Progress

_TICK = 0.5

State = Literal["running", "paused", "stopped", "exited"]


class Process:
    """A program that can be started again with the same arguments, and whose log is kept in one file."""

    def __init__(
        self, name: str, command: Sequence[str | Path], *, log: Path, group: int, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._group = group
        self._env = dict(env)
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False

    @property
    def pid(self) -> int | None:
        """The process id, or None when it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def state(self) -> State:
        """What the program is doing; `exited` means that it ended and nobody asked it to."""
        if self._process is None:
            return "stopped"
        if self._process.poll() is not None:
            return "exited"
        return "paused" if self._paused else "running"

    def start(self) -> None:
        """Start the program; one that runs is left alone."""
        if self.pid is not None:
            return
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=self._group,
            )
        self._paused = False

    def stop(self, grace: float = 10.0) -> None:
        """Ask the program to end, and kill it when it has not done so within the grace."""
        if self._process is None:
            return
        self.resume()
        self._send(signal.SIGTERM)
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._send(signal.SIGKILL)
        self._forget()

    def kill(self) -> None:
        """End the program without warning."""
        self._send(signal.SIGKILL)
        self._forget()

    def pause(self) -> None:
        """Freeze the program: its connections stay open and nothing answers."""
        self._send(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Let a paused program go on."""
        self._send(signal.SIGCONT)
        self._paused = False

    def restart(self, grace: float = 10.0) -> None:
        """Stop the program if it runs, and start it."""
        self.stop(grace)
        self.start()

    def raise_if_ended(self) -> None:
        """Raise StartFailed, with the end of the log, when the program has ended by itself."""
        if self.state == "exited":
            assert self._process is not None
            raise StartFailed(f"{self.name} ended with code {self._process.returncode}: {tail(self.log)}")

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _forget(self) -> None:
        if self._process is not None:
            self._process.wait()
        self._process = None


def sane_environment(env: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return what a program may know of our environment: a path, how one in Go uses the machine, and a home of its own.

    Of proxies and kubeconfigs it knows nothing.
    """
    known = {each: env[each] for each in ("GOGC", "GOMAXPROCS") if each in env}
    return {"PATH": env.get("PATH", os.defpath), "HOME": str(home), "KUBECACHEDIR": str(home / "kube-cache"), **known}


def work(
    what: str,
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    group: int,
    progress: Progress,
    cwd: Path | None = None,
    left: Callable[[], str] = lambda: "",
) -> str:
    """Run a command that takes its time in a process group, show that it goes on, and return what it said.

    `left` says in words what is left to do, or "". A command that fails is a ToolError, and its log stays.
    """
    with log.open("wb") as out, progress.step(what, left) as tick:
        process = subprocess.Popen(
            list(command),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            process_group=group,
        )
        try:
            while (code := _poll(process)) is None:
                tick()
        except BaseException:
            process.kill()
            process.wait()
            log.unlink()
            raise
        if code != 0:
            said = f"{what}: {Path(command[0]).name} ended with {code}: {tail(log)}"
            raise ToolError(f"{said} (the whole log: {log})")
    said = log.read_text(errors="replace")
    log.unlink()
    return said


def _poll(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=_TICK)
    except subprocess.TimeoutExpired:
        return None


def tail(log: Path, lines: int = 3, width: int = 400) -> str:
    """Return the last lines of a log as one line, for an error message."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return "(no log)"
    last = [line.strip() for line in text.splitlines() if line.strip()][-lines:]
    return " | ".join(line[-width:] for line in last) or "(the log is empty)"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how."""

    timeout: float = 60.0
    every: float = 0.05
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    check: Callable[[], None] = lambda: None
    """Called at every turn; what it raises ends the wait."""


def wait_until(condition: Callable[[], bool], what: str, processes: Iterable[Process], patience: Patience) -> None:
    """Return when the condition holds; raise StartFailed when a program ends by itself or the time is up."""
    watched = list(processes)
    deadline = patience.clock() + patience.timeout
    while not condition():
        patience.check()
        for process in watched:
            process.raise_if_ended()
        if patience.clock() >= deadline:
            logs = "; ".join(f"{process.name}: {tail(process.log, 1)}" for process in watched)
            raise StartFailed(f"waited {patience.timeout:g} s in vain until {what} ({logs})")
        patience.pause(patience.every)


def answers(url: str) -> bool:
    """Tell whether a server on this machine answers that all is well; no proxy leads there."""
    try:
        return ask("GET", url, timeout=2.0).is_success
    except httpx.TransportError:
        return False
