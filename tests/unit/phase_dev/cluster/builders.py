"""Small things that the cluster's unit tests stand on: fake programs, a terminal, a clock turned by hand."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

GO_MOD = """module example.test/kubernetes

go 1.26.0

require (
\tgo.etcd.io/etcd/server/v3 v3.6.8
\tk8s.io/kubernetes v1.36.3
)
"""


def script(path: Path, *lines: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


def modules(folder: Path) -> Path:
    """Write the Go module of the Kubernetes programs, as short as it can be."""
    module = folder / "kubernetes"
    module.mkdir(parents=True)
    (module / "go.mod").write_text(GO_MOD)
    return folder


def environment(folder: Path, **more: str) -> Mapping[str, str]:
    """Return an environment whose cache and state are inside the folder."""
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return {
        "PATH": path,
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
        **more,
    }


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class HandClock:
    """A clock that moves when a test turns it, or when code pauses on it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
