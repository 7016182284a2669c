"""Rendered objects -> what is printed, or written into a folder.

Rule: a folder is written only if it is empty or not there yet, so nothing of anybody is overwritten.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from phase_operator.api.v1alpha1.phasesecret import Format
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.terminal import MASK
from phase_operator.cli.rendering.objects import data_of
from phase_operator.core.content.formats import file_of
from phase_operator.core.errors import ExpectedError

_PRIVATE, _PRIVATE_FOLDER = 0o600, 0o700
_FOLDERS = {"Secret": "secrets", "ConfigMap": "configmaps"}


def as_list(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Return objects as one JSON object, as kubectl prints several."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}, indent=2)


def as_env(manifest: Mapping[str, Any], *, show_values: bool) -> str:
    """Return the values of an object as lines of dotenv; raise Failure if one cannot be written so."""
    try:
        return file_of(Format.DOTENV, _values(manifest, show_values=show_values)).decode()
    except ExpectedError as error:
        metadata = manifest["metadata"]
        raise Failure(f"{manifest['kind']} {metadata['namespace']}/{metadata['name']}: {error.message}") from None


def write_folder(folder: Path, manifests: Sequence[Mapping[str, Any]], *, show_values: bool) -> list[Path]:
    """Write each object as a pod sees its volume, a file for each key; return the folders of the objects.

    Raise Failure if there is something in the folder already, or if it cannot be written.
    """
    try:
        folder.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise Failure(f"{folder} is not empty: name a new folder with --output-dir", ExitCode.USAGE)
        return [_write(folder, each, show_values=show_values) for each in manifests]
    except OSError as error:
        raise Failure(f"{folder} cannot be written: {error.strerror or error}", ExitCode.USAGE) from error


def _write(folder: Path, manifest: Mapping[str, Any], *, show_values: bool) -> Path:
    metadata: Mapping[str, str] = manifest["metadata"]
    inner = folder / metadata["namespace"] / _FOLDERS[manifest["kind"]] / metadata["name"]
    inner.mkdir(mode=_PRIVATE_FOLDER, parents=True)
    for key, value in _values(manifest, show_values=show_values).items():
        with os.fdopen(os.open(inner / key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
            file.write(value)
    return inner


def _values(manifest: Mapping[str, Any], *, show_values: bool) -> dict[str, bytes]:
    values = data_of(manifest)
    return values if show_values else dict.fromkeys(values, MASK.encode())
