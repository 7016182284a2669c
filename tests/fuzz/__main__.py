"""Fuzz every target: `python -m fuzz [--cases N] [--keep] [TARGET ...]`, from the folder tests.

First every case of the corpus is tried again, then new ones until each target has had its share. `--keep` adds to the
corpus what reached new code, as few cases as reach it all. A finding ends the target: its case lies in build/fuzz, and
`FUZZ_TARGET=TARGET python -m fuzz.one FILE` tries it again.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fuzz.targets import TARGETS

_CORPUS = Path(__file__).parent / "corpus"
_WORK = Path(__file__).parents[2] / "build" / "fuzz"
_DONE = re.compile(r"Done (\d+) runs")
# Seconds for one case, MiB for the process, bytes for one case.
_BOUNDS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=1024")
# Long cases from the first on: short ones make documents of a word or two.
_SEEDS, _LONG = 50, 1024


@dataclass(frozen=True)
class Report:
    """What came of one target."""

    name: str
    cases: int
    seconds: float
    failure: str

    @property
    def result(self) -> str:
        """In one word."""
        return "FAILED" if self.failure else "ok"


def fuzz(name: str, cases: int, seed: int) -> Report:
    """Try so many cases of a target; `seed` 0 takes other ones each time."""
    began, found = time.monotonic(), _WORK / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    (_CORPUS / name).mkdir(parents=True, exist_ok=True)
    _sow(name, found)
    prefix = f"-artifact_prefix={_WORK}/{name}-"
    done = _run(
        name, f"-runs={cases}", f"-seed={seed}", "-len_control=0", *_BOUNDS, prefix, str(found), str(_CORPUS / name)
    )
    lines = (done.stdout + done.stderr).splitlines()
    output = "\n".join(line for line in lines if not line.startswith(("INFO:", "WARNING:", "#")))
    number = _DONE.search(output)
    return Report(
        name,
        int(number[1]) if number else 0,
        time.monotonic() - began,
        "" if done.returncode == 0 else output[-4000:],
    )


def _sow(name: str, folder: Path) -> None:
    chance = random.Random(name)
    for number in range(_SEEDS):
        (folder / f"seed-{number}").write_bytes(chance.randbytes(_LONG))


def keep(name: str) -> None:
    """Add to a target's corpus what its work has found: as few cases as reach all of it."""
    # The fuzzer starts itself anew for that, as the program that it takes itself for.
    program = _WORK / f"{name}.sh"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fuzz.one "$@"\n')
    program.chmod(0o755)
    _run(name, "-merge=1", *_BOUNDS, str(_CORPUS / name), str(_WORK / "corpus" / name))


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuzz.one", *arguments]
    environment = os.environ | {"FUZZ_TARGET": name, "FUZZ_PROGRAM": str(_WORK / f"{name}.sh")}
    return subprocess.run(command, capture_output=True, text=True, check=False, errors="replace", env=environment)


def main() -> int:
    """Fuzz, print a row a target, and return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", choices=[[], *TARGETS], help=", ".join(TARGETS))
    parser.add_argument("--cases", type=int, default=1_000_000, help="of all targets together")
    parser.add_argument("--jobs", type=int, default=2, help="targets at once")
    parser.add_argument("--seed", type=int, default=0, help="for the same cases again")
    parser.add_argument("--keep", action="store_true", help="add new cases to the corpus")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    share = -(-options.cases // len(names))
    reports = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for report in pool.map(lambda name: fuzz(name, share, options.seed), names):
            reports.append(report)
            print(f"{report.name:24} {report.cases:>9} cases {report.seconds:>6.0f} s  {report.result}")
            if options.keep and not report.failure:
                keep(report.name)
    for report in reports:
        if report.failure:
            print(f"\n{report.name}:\n{report.failure}")
    print(
        f"{sum(report.cases for report in reports)} cases, {sum(bool(report.failure) for report in reports)} findings"
    )
    return int(any(report.failure for report in reports))


if __name__ == "__main__":
    sys.exit(main())
