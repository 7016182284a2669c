"""What a refresh of all targets costs, with every environment changed in one second: `python -m bench.refresh`.

Nobody looks at the targets meanwhile, unlike in `make bench`: the operator's metrics count what it has written. To
compare two versions on one machine, run each from its own checkout, by turns.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench import fleet
from bench.__main__ import looks, seconds_of_cpu
from phase_dev.cluster import start_control_plane
from phase_dev.server import EmbeddedPhase
from support.operator_process import OperatorProcess, eventually, install, running_operator

_PATIENCE = 1800.0


def until_written(operator: OperatorProcess, count: float) -> None:
    """Wait until so many targets were written since the operator started."""

    def is_written() -> bool:
        return operator.metric("phase_operator_targets_written_total") >= count

    eventually(is_written, within=_PATIENCE, what=f"{count:.0f} targets are written", pause=1.0)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--python", type=Path, default=Path(sys.executable), help="what runs the operator")
    arguments.add_argument("--size", type=int, default=3000, help="number of PhaseSecrets")
    arguments.add_argument("--interval", type=int, default=60, help="seconds between probes")
    arguments.add_argument("--quota", type=int, default=120, help="calls a minute that Phase allows")
    arguments.add_argument("--times", type=int, default=1, help="number of refreshes")
    options = arguments.parse_args()
    with (
        start_control_plane() as plane,
        EmbeddedPhase(fleet.seed()) as phase,
        tempfile.TemporaryDirectory() as folder,
    ):
        install(plane)
        fleet.prepare(plane, phase)
        asyncio.run(fleet.make(plane, phase.url, options.interval, range(options.size)))
        flags = [f"--phase-quota={options.quota}"]
        with running_operator(
            plane, Path(folder), *flags, python=options.python.absolute(), patience=_PATIENCE, elects=True
        ) as operator:
            until_written(operator, options.size)
            time.sleep(options.interval / 4)
            phase.set_quota(options.quota)
            for number in range(options.times):
                refresh(operator, phase, options.size, f"refresh {number}")


def refresh(operator: OperatorProcess, phase: EmbeddedPhase, size: int, text: str) -> None:
    """Change everything, wait until all of it is written, and print what that took."""
    before = operator.metric("phase_operator_targets_written_total")
    looked, cpu, began = looks(operator), seconds_of_cpu(operator), time.monotonic()
    fleet.change_everywhere(phase, "KEY_3", text)
    until_written(operator, before + size)
    took, used = time.monotonic() - began, seconds_of_cpu(operator) - cpu
    print(
        f"{size} targets after {took:.1f} s; {used:.1f} s of the operator's CPU; {looks(operator) - looked:.0f} looks",
        f"at workloads; {phase.calls(status=429)} x 429",
        flush=True,
    )


if __name__ == "__main__":
    main()
