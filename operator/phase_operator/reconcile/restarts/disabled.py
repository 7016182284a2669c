"""The replacement for the Restarter with `--restarts=false`: it reads no workload and reports nothing."""

import asyncio
from collections.abc import Iterable, Mapping

from phase_operator.core.refs import TargetRef
from phase_operator.core.status.restarts import NO_RESTARTS, RestartReport
from phase_operator.core.targets.fingerprint import KeyDigests
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.queue.work_queue import QueueClosedError


class NoRestarts:
    """Does nothing, for an operator that must not restart workloads."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    def expect(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Do nothing."""

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Do nothing."""

    async def prepare(self, target: TargetRef, content: KeyDigests, *, is_new: bool, is_followed: bool) -> None:
        """Do nothing."""

    def written(self, target: TargetRef) -> None:
        """Do nothing."""

    def have_rolled(self, target: TargetRef) -> bool:
        """Return False: nobody looks at the pods."""
        return False

    def report_for(self, target: TargetRef, key: ObjectKey) -> RestartReport | None:
        """Return an empty report."""
        return NO_RESTARTS

    async def take(self) -> str:
        """Wait until `close`, then raise QueueClosedError."""
        await self._closed.wait()
        raise QueueClosedError

    async def look(self, namespace: str) -> None:
        """Do nothing."""

    def retry_now(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """End the wait of `take`."""
        self._closed.set()
