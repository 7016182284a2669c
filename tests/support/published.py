"""CRDs that others publish, as they publish them: out of their Go modules, by name, version and checksum.

Rule: nothing of theirs is copied into this repository; Go's own cache keeps what was fetched.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from phase_dev.cluster.build import build_environment
from phase_dev.cluster.toolchain import find_go
from phase_dev.shell.folders import Folders
from phase_dev.shell.terminal import Progress

# What the newest of these modules asks for.
_OLDEST_GO = (1, 26)


@dataclass(frozen=True)
class Published:
    """CRD files of one Go module."""

    module: str
    version: str
    checksum: str
    files: tuple[str, ...]


ARGO_CD = Published(
    "github.com/argoproj/argo-cd/v3",
    "v3.5.7",
    "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=",
    ("manifests/crds/application-crd.yaml",),
)
FLUX = (
    Published(
        "github.com/fluxcd/kustomize-controller",
        "v1.7.3",
        "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M=",
        ("config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",),
    ),
    Published(
        "github.com/fluxcd/helm-controller",
        "v1.4.0",
        "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
        ("config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",),
    ),
    Published(
        "github.com/fluxcd/source-controller",
        "v1.8.5",
        "h1:3zKSTGc2FPoZcQ5BjnyOrwdHDWeYqst3uAoZ+c0DG3c=",
        tuple(
            f"config/crd/bases/source.toolkit.fluxcd.io_{each}.yaml"
            for each in ("ocirepositories", "helmrepositories", "gitrepositories")
        ),
    ),
)


def crds(published: Published) -> list[Path]:
    """Return the files; fetch the module if Go's cache does not have it."""
    go = find_go(_OLDEST_GO, os.environ, Folders.of(os.environ), Progress(sys.stderr))
    # The checksum that counts is the one above; no database has to be asked.
    env = {**build_environment(os.environ), "GOSUMDB": "off"}
    with tempfile.TemporaryDirectory() as nowhere:
        done = subprocess.run(
            [go, "mod", "download", "-json", f"{published.module}@{published.version}"],
            cwd=nowhere,
            env=env,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["Sum"] == published.checksum, f"{published.module} is not what it was"
    return [Path(found["Dir"]) / file for file in published.files]
