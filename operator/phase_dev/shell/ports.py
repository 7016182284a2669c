"""Take ports that nobody else has, and keep them.

Rule: a port is ours by a lock that other runs respect, for as long as the cluster lives. The range is below the one
from which systems take ports for outgoing connections; a server that is stopped for a while finds its port free again.
"""

import random
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from phase_dev.shell.errors import ToolError

RANGE = range(20000, 30000)


def is_free(port: int) -> bool:
    """Tell whether nobody listens on this port of loopback."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Ports:
    """Some ports on loopback, held until they are released."""

    def __init__(
        self,
        count: int,
        folder: Path,
        *,
        candidates: Iterable[int] | None = None,
        free: Callable[[int], bool] = is_free,
    ) -> None:
        """Lease `count` ports; `folder` holds the locks that other runs look at."""
        folder.mkdir(parents=True, exist_ok=True)
        self._free = free
        self._locks = ExitStack()
        self.numbers: list[int] = []
        for port in random.sample(RANGE, k=500) if candidates is None else candidates:
            if len(self.numbers) == count:
                return
            self._try(port, folder)
        if len(self.numbers) < count:
            self.release()
            raise ToolError(f"there are no {count} free ports on 127.0.0.1")

    def release(self) -> None:
        """Give the ports back."""
        self._locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _try(self, port: int, folder: Path) -> None:
        lock = FileLock(folder / f"{port}.lock", thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return
        if not self._free(port):
            lock.release()
            return
        self._locks.callback(lock.release)
        self.numbers.append(port)
