"""Kubernetes Events about PhaseSecrets and the workloads that they restart.

Rule: posting an Event never blocks a run. One task posts the Events one after another, at a bounded rate, so that the
API server keeps its capacity for the work itself; namespaces take turns. When too many Events wait, the oldest of the
namespace with the most waiting Events is dropped and counted.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.core.flow.pace import TokenBuckets
from phase_operator.core.flow.turns import Turns
from phase_operator.core.outcome import Event
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.paths import CORE, object_path
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.ports import Clock

log = logging.getLogger(__name__)

_LIMIT = 200
# A token bucket: the burst goes out at once, then this many Events a second.
_BURST, _PACE = 50.0, 10.0
# The API server's limit for an Event's message, in bytes.
_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that an Event is about."""

    version: str
    kind: str
    key: ObjectKey
    uid: str


class Recorder:
    """A bounded queue of Events, served namespace by namespace in turn, and the task that posts them."""

    def __init__(
        self,
        client: KubeClient,
        clock: Clock,
        instance: str,
        posted: Callable[[str], None],
        internal_errors: InternalErrors,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._internal_errors = internal_errors
        self._sleep = sleep
        self._client = client
        self._clock = clock
        self._instance = instance
        self._posted = posted
        self._waiting = Turns[tuple[Subject, Event, str]](_LIMIT)
        self._added = asyncio.Event()

    def post(self, key: ObjectKey, uid: str, events: Sequence[Event]) -> None:
        """Queue Events about a resource of ours; never waits."""
        self.post_on(Subject(names.API_VERSION, key.kind or names.KIND_PHASE_SECRET, key, uid), events)

    def post_on(self, subject: Subject, events: Sequence[Event]) -> None:
        """Queue Events about an object; never waits."""
        now = self._clock.now()
        for event in events:
            if self._waiting.add(subject.key.namespace, (subject, event, now)) is not None:
                self._posted("dropped")
            self._added.set()

    async def run(self) -> None:
        """Post until cancelled."""
        pace = TokenBuckets[None](_BURST, _PACE)
        while True:
            await self._added.wait()
            self._added.clear()
            while self._waiting:
                # The next Event is chosen after the pause: one of a namespace whose turn is sooner may have arrived.
                await self._sleep(pace.take(None, self._clock.monotonic()))
                await self._post_next()

    async def flush(self) -> None:
        """Post what is queued and return."""
        while self._waiting:
            await self._post_next()

    async def _post_next(self) -> None:
        event = self._waiting.take()
        await self._internal_errors.attempt(
            "event not made", self._send(*event), task="events", subject=str(event[0].key)
        )

    async def _send(self, subject: Subject, event: Event, at: str) -> None:
        body = event_body(subject, event, at, self._instance)
        try:
            await self._client.request("POST", object_path(CORE, "events", subject.key.namespace), body=body)
        except ApiError as error:
            self._posted("failed")
            log.debug("event not posted", extra={"reason": str(error)})
        else:
            self._posted(event.type)


def event_body(subject: Subject, event: Event, now: str, instance: str) -> dict[str, Any]:
    """Return a core/v1 Event."""
    key = subject.key
    return {
        "apiVersion": "v1",
        "kind": "Event",
        # A name that was cut may end in "." or "-", which the API server refuses before the next ".".
        "metadata": {"generateName": f"{key.name[:200].rstrip('.-')}.", "namespace": key.namespace},
        "involvedObject": {
            "apiVersion": subject.version,
            "kind": subject.kind,
            "name": key.name,
            "namespace": key.namespace,
            "uid": subject.uid,
        },
        "type": event.type,
        "reason": event.reason,
        "message": event.message.encode(errors="replace")[:_MESSAGE].decode(errors="ignore"),
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": names.OPERATOR_NAME},
        "reportingComponent": f"{names.GROUP}/{names.OPERATOR_NAME}",
        "reportingInstance": instance,
        "action": "Reconcile",
    }
