"""Build a folder of kustomize with the program that the person has: kustomize, or kubectl, which has it inside.

Rule: the folder is the person's, and so is the program; it gets no value of ours.
"""

import shutil
import subprocess
from pathlib import Path

from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.core.text import clean

_PROGRAMS = (("kustomize", "build"), ("kubectl", "kustomize"))
_SECONDS = 120


def built(folder: Path) -> bytes:
    """Return the objects of a folder as YAML; raise Failure."""
    for program, verb in _PROGRAMS:
        path = shutil.which(program)
        if path is not None:
            return _run([path, verb, str(folder)])
    raise Failure("-k needs kustomize or kubectl on the PATH", ExitCode.USAGE)


def _run(command: list[str]) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - no shell
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{command[0]} does not answer: {clean(str(error))}") from error
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}: {clean(done.stderr.decode(errors='replace'))}", ExitCode.USAGE)
    return done.stdout
