"""Files -> one .tgz that only its owner may read."""

import gzip
import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from phase_operator.cli.common.failures import ExitCode, Failure

_OWNERS = 0o600
_FOLDER = "phase-support"


def write_bundle(path: Path, files: Mapping[str, str], now: float) -> None:
    """Write a new file; raise Failure if it is there already or cannot be written. A part of it does not stay."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNERS)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}", ExitCode.USAGE) from error
    try:
        with os.fdopen(descriptor, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=now) as packed:
            _pack(packed, files, now)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise Failure(f"cannot write {path}: {error.strerror}") from error


def _pack(packed: gzip.GzipFile, files: Mapping[str, str], now: float) -> None:
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            content = text.encode(errors="replace")
            member = tarfile.TarInfo(f"{_FOLDER}/{name}")
            member.size, member.mtime, member.mode = len(content), int(now), _OWNERS
            archive.addfile(member, io.BytesIO(content))
