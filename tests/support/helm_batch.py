"""Helm's commands without a process for each: `controlplane/helm/batch` runs them one after the other.

A process of helm takes 40 ms of a core before it looks at the chart. tests/manifests/test_helm_batch.py proves that the
answers are those of helm, to the byte.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

RENEWED_AFTER = 64
"""Helm's package keeps something of every command, a third of a MiB: so many in one process stay below 150 MiB."""


class HelmBatch:
    """A process that runs helm's commands, and another when it has run many; no two at once."""

    def __init__(self, program: Path, folder: Path, env: Mapping[str, str], renewed_after: int = RENEWED_AFTER) -> None:
        self._program, self._folder, self._env, self._renewed_after = program, folder, env, renewed_after
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0

    def run(self, *arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command, as `subprocess.run` runs helm."""
        process = self._ready()
        assert process.stdin
        assert process.stdout
        words = [str(each) for each in arguments]
        process.stdin.write(json.dumps({"arguments": words, "stdin": stdin or ""}) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer, f"it ended with {process.wait()}, and was asked {words}"
        done = json.loads(answer)
        return subprocess.CompletedProcess(words, done["code"], done["stdout"], done["stderr"])

    def close(self) -> None:
        """End the process, which has nothing left to do."""
        if self._process:
            self._process.communicate()
            self._process = None

    def _ready(self) -> subprocess.Popen[str]:
        if self._asked % self._renewed_after == 0:
            self.close()
        self._asked += 1
        if self._process is None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                [self._program], stdin=pipe, stdout=pipe, text=True, cwd=self._folder, env=self._env
            )
        return self._process
