"""`phase-operator run` with a resolver that a test can rely on: this module defines what names under `.test` mean.

The resolver of a real cluster cannot be made to hang, so this program puts a function in the place of the C library's.
"""

import runpy
import socket
import sys
import threading
from pathlib import Path
from typing import Any

PROGRAM = (str(Path(__file__)), "run")

# Names under this are never resolved, and their lookups never end.
HANGS = "hangs.test"
# Names under this have many addresses, and nothing answers at any of them.
DEAD = "dead.test"
# Names under this are resolved after this many seconds: this machine.
SLOW, SECONDS = "slow.test", 20.0
_NEVER = 3600.0
_DEAD_ADDRESSES = tuple(f"127.0.0.{number}" for number in range(2, 66))
_real = socket.getaddrinfo


def resolve(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
    """Look a name up, or do as its end says; like the real one, it waits without keeping other threads from work."""
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name.endswith(HANGS):
        threading.Event().wait(_NEVER)
    if name.endswith(SLOW):
        threading.Event().wait(SECONDS)
        return _real("127.0.0.1", port, *arguments, **options)
    if name.endswith(DEAD):
        return [each for address in _DEAD_ADDRESSES for each in _real(address, port, *arguments, **options)]
    return _real(host, port, *arguments, **options)


if __name__ == "__main__":
    socket.getaddrinfo = resolve
    sys.argv[0] = "phase-operator"
    runpy.run_module("phase_operator", run_name="__main__", alter_sys=True)
