"""Look up host names in threads that nothing has to wait for.

Rule: a lookup cannot be stopped, so it counts until its thread ends, even if its callers have given up. Each name has
one lookup at a time, and the total has a limit. Half of it is for names that were found the last time, half for all
others, so names that no server answers cannot block the rest. A name that was found may hang the next time. So a
namespace may use only a share of each half, and part of each half is reserved for namespaces without a lookup there.
"""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from ipaddress import ip_address
from typing import Any, TypeVar

from phase_operator.reconcile.internal_errors import surviving

Result = TypeVar("Result")
Resolve = Callable[[str], list[str]]

# The most names that are remembered as found; the oldest are forgotten.
_MOST_FOUND = 4096
# A namespace may have this part of each half, and that part is kept for namespaces that have none there.
_SHARE, _KEPT_BACK = 8, 2
_namespace: ContextVar[str] = ContextVar("namespace", default="")


@contextmanager
def looking_up_for(namespace: str) -> Iterator[None]:
    """Count the lookups that begin in this context for a namespace; lookups without one have a share of their own."""
    before = _namespace.set(namespace)
    try:
        yield
    finally:
        _namespace.reset(before)


class BusyResolverError(OSError):
    """More lookups hang than there may be; the message is for people."""


class Unawaited(ThreadPoolExecutor):
    """A thread for each piece of work. Neither `shutdown` nor the end of the process waits for one.

    Its users limit their number. asyncio needs a ThreadPoolExecutor, but that joins its own threads when the process
    ends: a resolver that hangs would then keep a stopped process alive.
    """

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Run the function in a thread of its own."""
        future: Future[Result] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                with surviving(future.set_exception):
                    future.set_result(fn(*args, **kwargs))

        threading.Thread(target=work, name="lookup", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the threads end by themselves."""


def resolve(host: str) -> list[str]:
    """Return the addresses of a name, the preferred one first; this blocks until the resolver answers."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Lookups:
    """The lookups in progress; `limit` is their largest number."""

    def __init__(self, limit: int, how: Resolve = resolve) -> None:
        self._limit = limit
        self._resolve = how
        self._threads = Unawaited()
        self._under_way: dict[str, asyncio.Future[list[str]]] = {}
        # The number of lookups of names that were found and of others: in total, and for each namespace.
        self._of_half: Counter[bool] = Counter()
        self._of_namespace: Counter[tuple[bool, str]] = Counter()
        self._found: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a host; raise the resolver's error, or BusyResolverError."""
        with suppress(ValueError):
            return [str(ip_address(host))]
        looking = self._under_way.get(host)
        if looking is None:
            looking = self._begin(host, _namespace.get())
        # A caller that gives up does not cancel the lookup: others may wait for the same name.
        return await asyncio.shield(looking)

    def _begin(self, host: str, namespace: str) -> asyncio.Future[list[str]]:
        was_found = host in self._found
        self._check_room(was_found, namespace)
        looking = asyncio.get_running_loop().run_in_executor(self._threads, self._resolve, host)
        self._under_way[host] = looking
        self._of_half[was_found] += 1
        self._of_namespace[was_found, namespace] += 1
        looking.add_done_callback(partial(self._ended, host, was_found, namespace))
        return looking

    def _check_room(self, was_found: bool, namespace: str) -> None:
        half = self._limit // 2
        has = self._of_namespace[was_found, namespace]
        if has >= max(1, half // _SHARE):
            raise BusyResolverError("too many names of this namespace are looked up that no server tells")
        if self._of_half[was_found] >= (half - half // _KEPT_BACK if has else half):
            raise BusyResolverError("too many names are looked up that no server tells")

    def _ended(self, host: str, was_found: bool, namespace: str, looked: asyncio.Future[list[str]]) -> None:
        del self._under_way[host]
        self._of_half[was_found] -= 1
        self._of_namespace[was_found, namespace] -= 1
        if not self._of_namespace[was_found, namespace]:
            del self._of_namespace[was_found, namespace]
        self._found.pop(host, None)
        if looked.cancelled() or looked.exception() is not None:
            return
        self._found[host] = None
        if len(self._found) > _MOST_FOUND:
            del self._found[next(iter(self._found))]
