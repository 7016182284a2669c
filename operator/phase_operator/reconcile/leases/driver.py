"""Do the steps of a resource's leases, one after another, until there is nothing to do before a moment or a call.

Rule: a run never waits for Phase. What it writes is confirmed before the next step is decided; a call is planned at
its end, so that no call begins while a run decides.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.json_access import mapping, without
from phase_operator.core.leases.facts import Call, Facts, Wanted
from phase_operator.core.leases.ledger import Lease, Ledger
from phase_operator.core.leases.machine import calls_of, next_step
from phase_operator.core.leases.proofs import Proofs
from phase_operator.core.leases.record import record_ref
from phase_operator.core.leases.steps import Ask, DropRecord, GiveBack, Keep, Look, Resolve, Step, Wait, WriteLedger
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.removal import Delete, Spent, removal
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.newest import newest
from phase_operator.reconcile.lease_ports import LeaseCluster
from phase_operator.reconcile.leases.calls import Caller, LeaseCalls, PhaseStep
from phase_operator.reconcile.leases.events import LeaseNews
from phase_operator.reconcile.leases.known import KnownLeases
from phase_operator.reconcile.leases.subject import Subject
from phase_operator.reconcile.store import Resource, Resources

log = logging.getLogger(__name__)

_LEDGER = names.LEDGERS[names.KIND_PHASE_DYNAMIC_SECRET]
# The steps of one run; what is left is done by the next.
_MOST_STEPS = 40
# Seconds until we look again whether all resources are known.
_NOT_YET = 1.0


@dataclass(frozen=True, slots=True)
class Drive:
    """One run's view of a resource, for its leases."""

    subject: Subject
    resource: Resource
    wanted: Wanted
    # None: Phase may not be called for it now.
    caller: Caller | None = None
    remove_until: float | None = None
    are_readers_rolled: bool = False

    @property
    def is_suspended(self) -> bool:
        """Whether no lease may be asked for, given back or looked at, unless the resource is being deleted."""
        return self.resource.spec.get("suspend") is True

    @property
    def owner(self) -> Owner:
        """The resource, as its records name it."""
        return Owner(self.resource.key, self.resource.uid)


@dataclass(frozen=True, slots=True)
class Driven:
    """What a run's steps came to."""

    ledger: Ledger
    # The call that is to be made next, and when there is something to do without one, in seconds since 1970.
    call: PhaseStep | None
    until: float


class Driver:
    """Does the steps of leases."""

    def __init__(
        self,
        *,
        cluster: LeaseCluster,
        resources: Resources,
        errands: Errands,
        calls: LeaseCalls,
        known: KnownLeases,
        news: LeaseNews,
        digest_key: Callable[[], bytes],
        bits: Callable[[], int],
    ) -> None:
        self._cluster = cluster
        self._resources = resources
        self._errands = errands
        self._calls = calls
        self._known = known
        self._news = news
        self._digest_key = digest_key
        self._bits = bits

    async def drive(self, drive: Drive) -> Driven:
        """Do what is to be done now, but for calls; raise ExpectedError if a write fails."""
        call: PhaseStep | None = None
        for _ in range(_MOST_STEPS):
            now, ledger = self._calls.now(), self._ledger(drive)
            step = self._step(drive, ledger, call, now)
            match step:
                case Wait(until):
                    return Driven(ledger, call, min(until, self._retry_at(drive, now)))
                case Look(place) if drive.caller is not None:
                    call = step
                    self._calls.join(drive.subject, drive.caller, place)
                case Resolve() | Look() | Ask() | GiveBack():
                    call = step
                case _:
                    await self._do(drive, step)
        return Driven(self._ledger(drive), call, self._calls.now())

    def _step(self, drive: Drive, ledger: Ledger, call: PhaseStep | None, now: float) -> Step:
        """Return the next step; an account's turn to ask for a lease is looked for only if one is needed."""
        facts, is_held = self._facts(drive, ledger, now), self._held(drive, call, now)
        step = next_step(ledger, facts, now, is_held)
        if drive.caller is None or not _leads_to_a_lease(step, ledger):
            return step
        may_ask_at = self._known.may_ask_at(drive.caller, drive.subject.key, now)
        return step if may_ask_at <= now else next_step(ledger, replace(facts, may_ask_at=may_ask_at), now, is_held)

    async def collect(self, drive: Drive) -> None:
        """Delete the records that no ledger names: of a process that lost its ledger to another one."""
        if not self._unnamed(drive):
            return
        # Another process may have written the ledger meanwhile, and made the record.
        await self._read_again(drive)
        for ref in self._unnamed(drive):
            log.info("record of no lease deleted", extra={"object": str(drive.resource.key), "detail": str(ref)})
            await self._drop(drive, ref)

    def _unnamed(self, drive: Drive) -> list[TargetRef]:
        key = drive.resource.key
        named = {record_ref(key, each.attempt) for each in self._ledger(drive).leases}
        records = self._cluster.records(drive.resource.uid)
        # Those of another namespace are forgeries, however many: they are no work of this resource.
        return [ref for ref in records if ref not in named and ref.key.namespace == key.namespace]

    def _ledger(self, drive: Drive) -> Ledger:
        """Return the ledger as it was written or read last; raise ResourceGoneError if there is another resource."""
        resource = newest(self._resources, drive.resource)
        ledger = self._proofs(resource.uid).read(resource.status)
        drive.subject.keep_only(ledger)
        return ledger

    def _proofs(self, uid: str) -> Proofs:
        return Proofs(self._digest_key(), uid)

    def _facts(self, drive: Drive, ledger: Ledger, now: float) -> Facts:
        subject = drive.subject
        subject.calls = calls_of(ledger, subject.calls, now)
        found, proofs = self._cluster.records(subject.uid), self._proofs(subject.uid)
        refs = ((each, record_ref(subject.key, each.attempt)) for each in ledger.leases)
        kept = {each: found[ref].record for each, ref in refs if ref in found}
        facts = Facts(
            drive.wanted,
            drive.is_suspended,
            drive.remove_until,
            started_at=subject.started_at,
            resolved=subject.resolved,
            calls=self._calls_of(subject),
            records={lease.attempt: record for lease, record in kept.items() if proofs.counts(lease, record)},
            revocations=subject.revocations,
            written=subject.written,
            are_readers_rolled=drive.are_readers_rolled,
            bits=self._bits(),
        )
        return self._known.add(facts, subject, ledger)

    def _calls_of(self, subject: Subject) -> Mapping[str, Call]:
        """Return the calls of a resource; one that a worker has taken may be about to ask, so its row has to stay."""
        if not self._errands.is_under_way(subject.key):
            return subject.calls
        return {each: Call(is_under_way=True) if call == Call() else call for each, call in subject.calls.items()}

    def _held(self, drive: Drive, call: PhaseStep | None, now: float) -> Callable[[Step], bool]:
        """Return whether a step has to wait: one call at a time, and not at once what failed a moment ago."""
        subject = drive.subject
        is_busy = call is not None or drive.caller is None or self._errands.is_under_way(subject.key)

        def is_held(step: Step) -> bool:
            if not isinstance(step, Resolve | Look | Ask | GiveBack):
                return False
            is_paused = isinstance(step, Resolve | Look) and subject.failures.paused_until(step) > now
            return is_busy or is_paused or not self._known.is_complete()

        return is_held

    def _retry_at(self, drive: Drive, now: float) -> float:
        """Return when a step may be done that is held back now, if time alone can tell."""
        later = [each.until for each in drive.subject.failures.values() if each.until > now]
        return min([*later, *([] if self._known.is_complete() else [now + _NOT_YET])], default=inf)

    async def _do(self, drive: Drive, step: Step) -> None:
        match step:
            case WriteLedger():
                await self._write(drive, step)
            case Keep(lease):
                await self._keep(drive, lease)
            case DropRecord(lease):
                await self._drop(drive, record_ref(drive.resource.key, lease.attempt))

    async def _write(self, drive: Drive, step: WriteLedger) -> None:
        """Write the ledger, and remember which attempts this process has announced."""
        resource = self._resources.get(drive.resource.key) or drive.resource
        before = {each.attempt for each in Ledger.read(resource.status).leases}
        announced = [each for each in step.ledger.leases if each.attempt not in before]
        if announced:
            await self._guard(resource)
        # At once: while it is written, no other resource may take a lease that it names for its own.
        drive.subject.ledger = step.ledger
        document = self._proofs(resource.uid).document(step.ledger)
        if not await self._cluster.write_ledger(resource.key, resource.uid, resource.status, document):
            await self._read_again(drive)
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, "another process has written the ledger meanwhile")
        self._resources.set_status(resource.key, resource.uid, without(resource.status, *_LEDGER) | document)
        for each in announced:
            drive.subject.calls[each.attempt] = Call()
        self._news.tell(drive.subject, resource, step)

    async def _guard(self, resource: Resource) -> None:
        """Set the finalizer before the first act that leaves something outside the cluster."""
        if not resource.is_outside:
            finalizer = names.FINALIZER_OUTSIDE
            await self._cluster.set_finalizer(resource.key, resource.uid, wanted=True, finalizer=finalizer)
            self._resources.set_finalizer_kept(resource.key, resource.uid, True, finalizer)

    async def _keep(self, drive: Drive, lease: Lease) -> None:
        answer = drive.subject.answers.get(lease.attempt)
        if answer is None:
            # Its record was made, and somebody has deleted it before the ledger named it.
            drive.subject.calls[lease.attempt] = Call(lost_at=self._calls.now())
            return
        record = self._proofs(drive.resource.uid).proven(lease.attempt, answer.record)
        await self._cluster.make_record(drive.owner, lease.attempt, record, answer.credentials)
        del drive.subject.answers[lease.attempt]

    async def _drop(self, drive: Drive, ref: TargetRef) -> None:
        known = self._cluster.records(drive.resource.uid).get(ref)
        action = removal(ref, known.observed, drive.owner, Spent()) if known is not None else None
        if isinstance(action, Delete):
            await self._cluster.drop_record(ref, action)
        elif known is not None:
            # Somebody has taken our marks: it is no record any more, and goes with its owner.
            self._cluster.forget_record(ref)

    async def _read_again(self, drive: Drive) -> None:
        """Take over the status as it is now."""
        found = await self._cluster.find_resource(drive.resource.key)
        if found is not None and mapping(found.get("metadata")).get("uid") == drive.resource.uid:
            status = mapping(found.get("status"))
            self._resources.set_status(drive.resource.key, drive.resource.uid, status)
            # At once, as when it is written: no other resource may take a lease that it names for its own.
            drive.subject.keep_only(self._proofs(drive.resource.uid).read(status))


def _leads_to_a_lease(step: Step, ledger: Ledger) -> bool:
    """Return whether a step is one of those that end in a call for a lease."""
    match step:
        case Resolve() | Ask():
            return True
        case WriteLedger(ledger=after):
            return len(after.leases) > len(ledger.leases)
        case _:
            return False
