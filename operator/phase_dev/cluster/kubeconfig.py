"""Write kubeconfig files.

Rule: a file that is not ours is never overwritten and never removed.
"""

import base64
import tempfile
from pathlib import Path

import yaml

from phase_dev.shell.errors import ToolError

_MARK = "# Written by `phase-dev cluster`; removed when the cluster ends.\n"


def render(*, url: str, ca: bytes, token: str, user: str, namespace: str = "default") -> str:
    """Return a kubeconfig with one context; it needs no other file."""
    trust = base64.b64encode(ca).decode()
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "phase-dev", "cluster": {"server": url, "certificate-authority-data": trust}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "phase-dev", "context": {"cluster": "phase-dev", "user": user, "namespace": namespace}}],
        "current-context": "phase-dev",
    }
    return _MARK + yaml.safe_dump(content, sort_keys=False)


def refuse_foreign(path: Path) -> None:
    """Raise when there is a file at this path that we did not write."""
    if path.exists() and not is_ours(path):
        raise ToolError(f"{path} is there already and is not ours; name another file for the kubeconfig")


def refuse_unwritable(path: Path) -> None:
    """Raise when no file can be written at this path, and make its folder: before a cluster is started for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def is_ours(path: Path) -> bool:
    """Tell whether we wrote this file."""
    try:
        with path.open() as file:
            return file.readline() == _MARK
    except (OSError, UnicodeDecodeError):
        return False


def remove_if_ours(path: Path) -> None:
    """Remove a kubeconfig that we wrote."""
    if is_ours(path):
        path.unlink(missing_ok=True)
