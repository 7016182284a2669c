"""The Lease on the API server: take it, renew it, give it back.

Rule: every step has a short timeout, and only a confirmed write counts as leadership: a timeout, an error or a conflict
never does. The decisions are made in core/flow/election.py.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from phase_operator.api import names
from phase_operator.core.flow.election import Election, Held, Terms, Wait, Write
from phase_operator.core.json_access import mapping, number, text
from phase_operator.kube.client import MANAGER, MERGE, KubeClient
from phase_operator.kube.errors import ApiError, changed_or_missing, ending_at, missing, translate
from phase_operator.kube.paths import object_path
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.ports import Clock

log = logging.getLogger(__name__)

_API = "/apis/coordination.k8s.io/v1"
# A released Lease expires after one second, so a standby takes over at once.
_RELEASED = 1


class Elector:
    """Tells this process whether it is the leader, and keeps its Lease renewed."""

    def __init__(
        self,
        client: KubeClient,
        clock: Clock,
        *,
        namespace: str,
        name: str,
        identity: str,
        duration: float,
        internal_errors: InternalErrors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._internal_errors = internal_errors
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._election = Election(identity, Terms(duration))
        self._sleep = sleep
        self.leading = asyncio.Event()
        self.lost = asyncio.Event()
        # Why it is not known who leads; None if it is known.
        self.problem: str | None = "the Lease is not read yet"
        self._looked = clock.monotonic()

    def left(self) -> float:
        """Return for how many more seconds this process may write."""
        return self._election.left(self._clock.monotonic())

    def is_leading(self) -> bool:
        """Return whether this process may write now."""
        return self.left() > 0

    def silent(self) -> float:
        """Return the seconds since the last attempt to read the Lease; many mean that the loop is stuck."""
        return self._clock.monotonic() - self._looked

    async def run(self) -> None:
        """Take the Lease when it is free and renew it, until cancelled or until another process has taken it."""
        while not self.lost.is_set():
            self._looked = self._clock.monotonic()
            # An answer that cannot be read grants nothing: try again.
            if not await self._internal_errors.succeeded("task failed", self._renew(), task="lease"):
                self._report("internal error; the log has the trace")
            pause = self._election.terms.pause(leads=self.is_leading(), failed=self.problem is not None)
            await self._sleep(pause)

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(max(1.0, self._election.terms.renewal)):
                await self._look()
            self.problem = None
        except TimeoutError:
            self._report("the API server does not answer")
        except ApiError as error:
            self._report(translate(error).message)

    async def _look(self) -> None:
        held = await self._read()
        found = self._election.judge(held, self._clock.monotonic())
        if self._election.is_lost(found):
            log.warning("leadership lost", extra={"holder": held.holder if held else ""})
            self.lost.set()
            return
        if isinstance(found, Wait):
            return
        asked = self._clock.monotonic()
        if not await self._write(found):
            return
        self._election.written(asked)
        if not self.leading.is_set():
            log.info("leads", extra={"lease": f"{self._namespace}/{self._name}"})
            self.leading.set()

    async def release(self) -> None:
        """Give the Lease back if this process holds it, so that a standby need not wait; a failure is only logged."""
        try:
            async with asyncio.timeout(1.0):
                held = await self._read()
                if held is None or held.holder != self._election.identity:
                    return
                spec = {"holderIdentity": "", "leaseDurationSeconds": _RELEASED}
                body = {"metadata": {"resourceVersion": held.version}, "spec": spec}
                await self._patch(body)
        except (TimeoutError, ApiError) as error:
            log.warning("lease not released", extra={"reason": str(error)})

    async def _read(self) -> Held | None:
        found: dict[str, Any] | None = None
        with ending_at(missing):
            found = await self._client.request("GET", self._path)
        if found is None:
            return None
        spec = mapping(found.get("spec"))
        return Held(
            holder=text(spec.get("holderIdentity")),
            version=text(mapping(found.get("metadata")).get("resourceVersion")),
            transitions=number(spec.get("leaseTransitions")),
            duration=float(number(spec.get("leaseDurationSeconds"))),
        )

    async def _write(self, found: Write) -> bool:
        # For people only. The fraction comes from the monotonic clock and makes every renewal a change.
        now = f"{self._clock.now().removesuffix('Z')}.{int(self._clock.monotonic() % 1 * 1e6):06}Z"
        spec: dict[str, Any] = {
            "holderIdentity": self._election.identity,
            "leaseDurationSeconds": math.ceil(self._election.terms.duration),
            "renewTime": now,
            "leaseTransitions": found.transitions,
        }
        if found.takes:
            spec["acquireTime"] = now
        with ending_at(changed_or_missing):
            if found.version is None:
                await self._create(spec)
            else:
                await self._patch({"metadata": {"resourceVersion": found.version}, "spec": spec})
            return True
        return False

    async def _create(self, spec: dict[str, Any]) -> None:
        metadata = {"name": self._name, "labels": {names.LABEL_MANAGED_BY: names.OPERATOR_NAME}}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        path = object_path(_API, "leases", self._namespace)
        await self._client.request("POST", path, query=[MANAGER], body=body, fenced=False)

    async def _patch(self, body: dict[str, Any]) -> None:
        await self._client.request("PATCH", self._path, query=[MANAGER], body=body, content_type=MERGE, fenced=False)

    @property
    def _path(self) -> str:
        return object_path(_API, "leases", self._namespace, self._name)

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            # Logged once for each problem, not with every try.
            log.warning("lease not known", extra={"detail": problem})
        self.problem = problem
