"""What `up` leaves for `status` and `down`: a record of the running cluster.

Rule: a cluster runs as long as its supervisor holds the lock; a record without the lock is a leftover.
"""

import dataclasses
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from phase_dev.cluster.errors import ClusterError
from phase_dev.cluster.folders import Folders
from phase_dev.cluster.kubeconfig import remove_if_ours, write_private


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """One program of the cluster."""

    name: str
    state: str
    pid: int | None
    version: str
    log: str


@dataclass(frozen=True, slots=True)
class Record:
    """One running cluster."""

    name: str
    supervisor: int
    url: str
    kubeconfig: str
    ca_file: str
    admin_token: str = dataclasses.field(repr=False)
    kubectl: str
    programs: tuple[ProgramRecord, ...]


class Registry:
    """The records of this user's clusters."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def folder(self, name: str) -> Path:
        """Return the folder of one cluster's record."""
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?", name):
            raise ClusterError(f'"{name}" cannot name a cluster: use lower case letters, digits and dashes')
        return self._folders.state / "clusters" / name

    def lock(self, name: str) -> FileLock:
        """Return the lock that a supervisor holds; it is beside the folder, which comes and goes."""
        folder = self.folder(name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(f"{folder}.lock")

    def is_running(self, name: str) -> bool:
        """Tell whether the cluster has a supervisor."""
        lock = self.lock(name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def names(self) -> list[str]:
        """Return the names of the clusters that have a record, running or not."""
        return sorted(path.parent.name for path in (self._folders.state / "clusters").glob("*/cluster.json"))

    def read(self, name: str) -> Record | None:
        """Return the record, or None when there is none."""
        try:
            content = json.loads((self.folder(name) / "cluster.json").read_text())
        except FileNotFoundError:
            return None
        programs = tuple(ProgramRecord(**program) for program in content.pop("programs"))
        return Record(**content, programs=programs)

    def write(self, record: Record) -> None:
        """Keep the record; it holds the admin's token, so only its owner may read it."""
        text = json.dumps(dataclasses.asdict(record), indent=2)
        write_private(self.folder(record.name) / "cluster.json", text)

    def forget(self, name: str) -> None:
        """Remove the record and the kubeconfig that was written for it."""
        record = self.read(name)
        if record is not None:
            remove_if_ours(Path(record.kubeconfig))
        shutil.rmtree(self.folder(name), ignore_errors=True)
