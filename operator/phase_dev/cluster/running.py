"""Run a command to its end, with its output in a file and a sign of life on the way."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_TICK = 0.5


def run_with_ticks(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    group: int,
    tick: Callable[[], None],
) -> int:
    """Run the command in a process group, call `tick` while it runs, and return its exit code."""
    with log.open("wb") as out:
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
        while True:
            try:
                return process.wait(timeout=_TICK)
            except subprocess.TimeoutExpired:
                tick()
    except BaseException:
        process.kill()
        process.wait()
        raise


def tail(log: Path, lines: int = 3, width: int = 400) -> str:
    """Return the last lines of a log as one line, for an error message."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return "(no log)"
    last = [line.strip() for line in text.splitlines() if line.strip()][-lines:]
    return " | ".join(line[-width:] for line in last) or "(the log is empty)"
