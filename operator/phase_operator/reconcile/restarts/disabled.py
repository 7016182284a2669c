"""What stands in for the Restarter where restarts are forbidden: no workload is even read."""

import asyncio
from collections.abc import Iterable, Mapping

from phase_operator.core.refs import TargetRef
from phase_operator.core.status.restarts import NOTHING, Told
from phase_operator.core.targets.fingerprint import Content
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.queue import QueueClosedError


class NoRestarts:
    """What stands in for a Restarter where whoever runs the operator forbids restarts: no workload is even read."""

    def __init__(self) -> None:
        self._closed = asyncio.Event()

    def expect(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Expect nothing of them."""

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Forget nothing."""

    async def prepare(self, target: TargetRef, content: Content, *, is_new: bool) -> None:
        """Note nothing."""

    def written(self, target: TargetRef) -> None:
        """Follow nothing."""

    def told(self, target: TargetRef, key: ObjectKey) -> Told | None:
        """Return that there is nothing to tell."""
        return NOTHING

    async def take(self) -> str:
        """Raise QueueClosedError after `close`, and not before."""
        await self._closed.wait()
        raise QueueClosedError

    async def look(self, namespace: str) -> None:
        """Look at nothing."""

    def hurry(self) -> None:
        """Hurry nothing."""

    def close(self) -> None:
        """Let `take` end."""
        self._closed.set()
