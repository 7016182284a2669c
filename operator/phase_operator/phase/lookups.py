"""Addresses of hosts' names, looked up in threads for which nobody has to wait.

Rule: nothing can stop a lookup, so it counts until its thread ends, whoever gave it up meanwhile. Of a name there is
one at a time. Together there are no more than a limit: half for names that were found the last time, half for all
others, so that names that no server tells cannot keep others from being found. A name may be found and hang the next
time, so that of either half a namespace has a share, and as much as half of it is for namespaces that have none there.
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

Result = TypeVar("Result")
Resolve = Callable[[str], list[str]]

# So many names are remembered that were found, the latest ones.
_MOST_FOUND = 4096
# A namespace may have this part of each half, and that part is kept for namespaces that have none there.
_SHARE, _KEPT_BACK = 8, 2
_namespace: ContextVar[str] = ContextVar("namespace", default="")


@contextmanager
def looking_up_for(namespace: str) -> Iterator[None]:
    """Count the lookups that begin within for a namespace; of those for nobody in particular there is one share too."""
    before = _namespace.set(namespace)
    try:
        yield
    finally:
        _namespace.reset(before)


class BusyResolverError(OSError):
    """More lookups hang than there may be; the message is for people."""


class Unawaited(ThreadPoolExecutor):
    """A thread for each piece of work. Neither `shutdown` nor the end of the process waits for one.

    How many there may be is for its users to say. asyncio wants a ThreadPoolExecutor, whose own threads are joined when
    the process ends: a resolver that hangs would then keep a process that was told to stop.
    """

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Do it in a thread of its own."""
        future: Future[Result] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, name="lookup", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the threads to themselves."""


def resolve(host: str) -> list[str]:
    """Return the addresses of a name, the one to be tried first in front; this waits for the resolver."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Lookups:
    """The lookups under way; `limit` is how many there may be."""

    def __init__(self, limit: int, how: Resolve = resolve) -> None:
        self._limit = limit
        self._resolve = how
        self._threads = Unawaited()
        self._under_way: dict[str, asyncio.Future[list[str]]] = {}
        # How many there are of names that were found, and of others: together, and for each namespace.
        self._of_half: Counter[bool] = Counter()
        self._of_namespace: Counter[tuple[bool, str]] = Counter()
        self._found: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of a host; raise what the resolver says, or BusyResolverError."""
        with suppress(ValueError):
            return [str(ip_address(host))]
        looking = self._under_way.get(host)
        if looking is None:
            looking = self._begin(host, _namespace.get())
        # Whoever gives up does so alone: others may wait for the same name.
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
