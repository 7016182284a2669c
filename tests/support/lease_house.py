"""The loop on fakes with PhaseDynamicSecrets at work: a Phase that leases, as tests/support/lease_world.py has it."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from phase_operator.api import names
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import ExpectedError
from phase_operator.core.leases.facts import DynamicSecret, IssuedLease, ListedLease
from phase_operator.core.leases.ledger import Lease, LeasePlace, Ledger
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.errands.lease_rate import LeaseRate
from phase_operator.reconcile.errands.ledger_clock import LedgerClock
from phase_operator.reconcile.errands.removal import Removal
from phase_operator.reconcile.leases.calls import LeaseCalls
from phase_operator.reconcile.leases.driver import Driver
from phase_operator.reconcile.leases.ending import Ending
from phase_operator.reconcile.leases.events import LeaseNews
from phase_operator.reconcile.leases.known import KnownLeases
from phase_operator.reconcile.leases.lists import Lists
from phase_operator.reconcile.leases.runs import LeaseRuns
from phase_operator.reconcile.leases.subjects import Subjects
from phase_operator.reconcile.leases.targets import LeaseTargets
from phase_operator.reconcile.ports import Credential
from support.builders import DIGEST_KEY
from support.clock import HandClock, settle
from support.fakes import FakeCluster, Loop
from support.lease_world import Phase

NAME = "uploads"
KEY = ObjectKey("team", NAME, names.KIND_PHASE_DYNAMIC_SECRET)
UID = "uid-of-uploads"
TARGET = TargetRef(Kind.SECRET, ObjectKey("team", "uploads-aws"))


class FakeLeases:
    """The calls about leases, on the Phase of the lease world."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.phase = Phase()
        self.secret = DynamicSecret("dynamic-1", 3600, 86400)
        # Its name, and the names of the credentials that its leases give.
        self.name = "bucket"
        self.keys: Sequence[str] = ("KEY",)
        self.calls: Counter[str] = Counter()
        # What the next calls of a kind raise, one after another; of a call for a lease, before it makes one or after.
        self.errors: dict[str, list[ExpectedError]] = {}
        self.lost: list[ExpectedError] = []
        # Answers name no id.
        self.is_nameless = False
        # Calls for leases begin, and end when this is set.
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @property
    def now(self) -> float:
        """The time of the server in seconds since 1970."""
        return moment_of(self._clock.right()) or 0.0

    async def find(
        self,
        base_url: str,
        credential: Credential,
        *,
        app_id: str,
        environment: str,
        path: str,
        name: str,
        memory: Reservation,
    ) -> DynamicSecret | None:
        """Return the one dynamic secret."""
        await self._begin("find")
        return self.secret if name == self.name else None

    async def leases(
        self, base_url: str, credential: Credential, place: LeasePlace, memory: Reservation
    ) -> Sequence[ListedLease]:
        """List the leases."""
        await self._begin("leases")
        self.phase.advance(self.now)
        return self.phase.listing(place, self.now).leases

    async def lease(
        self,
        base_url: str,
        credential: Credential,
        place: LeasePlace,
        ttl: int,
        memory: Reservation,
        *,
        sent_within: float,
    ) -> IssuedLease:
        """Make a lease."""
        assert sent_within > 0
        await self._begin("lease")
        made = self.phase.lease(place, ttl, self.now)
        await self.may_answer.wait()
        if self.lost:
            raise self.lost.pop(0)
        ident = "" if self.is_nameless else made.id
        values = (f"key of {made.id}", *(f"value {number} of {made.id}" for number in range(2, len(self.keys) + 1)))
        credentials = tuple((key, SecretValue(value)) for key, value in zip(self.keys, values, strict=False))
        return IssuedLease(ident, ttl, made.owner, credentials)

    async def revoke(
        self, base_url: str, credential: Credential, place: LeasePlace, lease_id: str, memory: Reservation
    ) -> None:
        """End a lease."""
        await self._begin("revoke")
        self.phase.find(lease_id).is_revoked = True

    async def _begin(self, call: str) -> None:
        self.calls[call] += 1
        await asyncio.sleep(0)
        if self.errors.get(call):
            raise self.errors[call].pop(0)


class FakeCounter:
    """Counts what should be rare."""

    def __init__(self) -> None:
        self.orphans = self.early = 0

    def lease_orphaned(self) -> None:
        """Count one."""
        self.orphans += 1

    def lease_ended_early(self) -> None:
        """Count one."""
        self.early += 1


class LeaseHouse(Loop):
    """The loop with the runs of PhaseDynamicSecrets."""

    def __init__(
        self,
        *,
        clock: HandClock | None = None,
        cluster: FakeCluster | None = None,
        leases: FakeLeases | None = None,
        tenancy: Tenancy | None = None,
        per_minute: int = 20,
    ) -> None:
        super().__init__(clock=clock, cluster=cluster, tenancy=tenancy)
        self.leases = leases or FakeLeases(self.clock)
        self.counter = FakeCounter()
        # Whether the watch has shown all resources.
        self.all_seen = True
        self.bits = itertools.count(0x1234_5678_0000_0001, 0x0000_0101_0000_0001)
        lists, rate = Lists(), LeaseRate(per_minute)
        self.lists = lists
        self.rate = rate
        # Proves ledgers and records.
        self.lease_key = DIGEST_KEY
        # A new process goes by the clock of the API server, which is right.
        ledger_clock = LedgerClock(self.clock, self._server_date)
        calls = LeaseCalls(
            api=self.leases,
            phase=self.phase,
            lists=lists,
            rate=rate,
            memory=AnswerMemory(80 * MIB),
            clock=ledger_clock,
            wake=self.triggers.answered,
        )
        self.subjects = Subjects(
            resources=self.dynamic,
            digest_key=lambda: self.lease_key,
            errands=self.errands,
            calls=calls,
            lists=lists,
            rate=rate,
            clock=ledger_clock,
            wake=self.triggers.answered,
        )
        known = KnownLeases(
            subjects=self.subjects,
            lists=lists,
            rate=rate,
            gates=self.poller,
            clock=ledger_clock,
            is_complete=lambda: self.all_seen,
        )
        driver = Driver(
            cluster=self.cluster,
            resources=self.stores,
            errands=self.errands,
            calls=calls,
            known=known,
            news=LeaseNews(self.cluster, ledger_clock, self.counter),
            digest_key=lambda: self.lease_key,
            bits=lambda: next(self.bits),
        )
        self.lease_runs = LeaseRuns(
            subjects=self.subjects,
            driver=driver,
            calls=calls,
            errands=self.errands,
            targets=LeaseTargets(self.cluster, self.parts.writer, self.background),
            ending=Ending(self.cluster, self.parts.finalizer, Removal(self.cluster, ledger_clock, 600.0)),
            registration=self.parts.registration,
            restarts=self.restarts,
            tokens=self.tokens,
            phase=self.phase,
            tenancy=tenancy or Tenancy(),
            labels_of=lambda namespace: self.labels.get(namespace, {}),
            wake_in=lambda key, delay: self.queue.add(key, delay=delay),
        )
        self.runs[names.KIND_PHASE_DYNAMIC_SECRET] = self.lease_runs

    def _server_date(self) -> str:
        return format_datetime(datetime.fromisoformat(self.clock.right()), usegmt=True)

    @asynccontextmanager
    async def successor(self, *, all_seen: bool = True, lease_key: bytes = DIGEST_KEY) -> AsyncIterator["LeaseHouse"]:
        """Give another process at the same cluster and the same Phase; this one has ended."""
        after = LeaseHouse(clock=self.clock, cluster=self.cluster, leases=self.leases)
        after.all_seen, after.lease_key = all_seen, lease_key
        async with after:
            for key, body in list(self.cluster.bodies.items()):
                finalizers = [names.FINALIZER_OUTSIDE] if key in self.cluster.outside else []
                metadata = dict(body["metadata"]) | {"finalizers": finalizers}
                status = self.cluster.statuses.get(key)
                shown = dict(body) | {"metadata": metadata} | ({"status": status} if status else {})
                await after.show_dynamic(shown)
            yield after

    async def bury_dynamic(self, key: ObjectKey = KEY) -> None:
        """Let the watch show that a PhaseDynamicSecret is gone."""
        self.cluster.bodies.pop(key, None)
        self.triggers.resource_gone(key)
        await self.rest()

    async def show_dynamic(self, body: Mapping[str, Any]) -> None:
        """Let the watch show a PhaseDynamicSecret, and let the loop come to rest."""
        key = self.dynamic.key_of(body["metadata"])
        self.cluster.bodies[key] = body
        if self.dynamic.upsert(body):
            self.triggers.resource_changed(key)
        await self.rest()

    async def rest(self, seconds: float = 3.0) -> None:
        """Let the loop do what takes a moment."""
        for _ in range(3):
            await self.turn(seconds / 3)

    async def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """Let time pass in steps."""
        for _ in range(int(seconds / step)):
            await self.turn(step)

    def ledger(self, key: ObjectKey = KEY) -> tuple[Lease, ...]:
        """Return the ledger as it is in the cluster."""
        return Ledger.read(self.cluster.statuses.get(key, {})).leases

    def states(self, key: ObjectKey = KEY) -> list[str]:
        """Return the states of its rows."""
        return [str(each.state) for each in self.ledger(key)]

    def ready(self, key: ObjectKey = KEY) -> tuple[str, str]:
        """Return reason and message of its Ready condition."""
        found = self.cluster.statuses.get(key, {}).get("conditions") or []
        return next(((each["reason"], each["message"]) for each in found if each["type"] == "Ready"), ("", ""))

    def held(self, target: TargetRef = TARGET) -> str:
        """Return the id of the lease whose credentials a target holds."""
        return (
            self.cluster.secret(target).get("KEY", "").removeprefix("key of ") if target in self.cluster.objects else ""
        )


def dynamic_secret(
    name: str = NAME,
    *,
    namespace: str = "team",
    uid: str = UID,
    generation: int = 1,
    status: Mapping[str, Any] | None = None,
    finalizers: Sequence[str] = (),
    deleted: str = "",
    **fields: Any,
) -> dict[str, Any]:
    """Make a PhaseDynamicSecret as the watch shows it; None takes a field out."""
    metadata: dict[str, Any] = {"namespace": namespace, "name": name, "uid": uid, "generation": generation}
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    if deleted:
        metadata["deletionTimestamp"] = deleted
    spec = {
        "phaseHost": "https://phase.example",
        "phaseApp": "shop",
        "dynamicSecret": "bucket",
        "managedSecretReferences": [{"secretName": f"{name}-aws"}],
    } | fields
    body: dict[str, Any] = {
        "metadata": metadata,
        "spec": {field: value for field, value in spec.items() if value is not None},
    }
    return body if status is None else body | {"status": status}


__all__ = ["KEY", "NAME", "TARGET", "UID", "FakeLeases", "LeaseHouse", "dynamic_secret", "settle"]
