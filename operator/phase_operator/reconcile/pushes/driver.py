"""Do the steps of a push, one after another, until there is nothing to do before a moment or a call.

Rule: a run never waits for Phase. What it writes is confirmed before the next step is decided; a call is planned at
its end. Nothing is announced that cannot be sent at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.json_access import mapping, without
from phase_operator.core.push import ledger as ledgers
from phase_operator.core.push.barred import without_barred
from phase_operator.core.push.desired import Desired, desired
from phase_operator.core.push.facts import Facts
from phase_operator.core.push.ledger import Ledger, PushPlace, RowState
from phase_operator.core.push.machine import FRESH, next_step
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.readers import PushReaders
from phase_operator.core.push.report import events_of
from phase_operator.core.push.sources import Source
from phase_operator.core.push.spec import PushSpec
from phase_operator.core.push.steps import ReadSources, Rest, Step, WriteLedger
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.newest import newest
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.pushes.calls import WRITES, FindApp, PhaseStep, PushCaller, PushCalls, failure_kind
from phase_operator.reconcile.pushes.gathered import Found, SourceGatherer
from phase_operator.reconcile.pushes.generating import GeneratedValues, Kept
from phase_operator.reconcile.pushes.ports import Gates, PushCluster
from phase_operator.reconcile.pushes.subject import PushSubject, SettledSource
from phase_operator.reconcile.store import Resource, Resources

# The steps of one run; what is left is done by the next.
MOST_STEPS = 40
# Seconds until we ask again for a turn that depends on the end of another call.
_LOOK_AGAIN = 5.0
# Microseconds, about, that a step takes for each place, and bytes that are judged in one.
_EACH, _BYTES = 20, 100


@dataclass(frozen=True, slots=True)
class Drive:
    """One run's view of a resource."""

    subject: PushSubject
    resource: Resource
    push: PushSpec
    mark: Mark
    # Where to push; None if it is not known yet.
    at: PushPlace | None
    # None: Phase may not be called for it now.
    caller: PushCaller | None = None
    # The host, for the status, if the spec names none and it is not Phase's cloud.
    assumed_host: str = ""


@dataclass(frozen=True, slots=True)
class Driven:
    """What a run's steps came to."""

    ledger: Ledger
    # The call that is to be made next, and when there is something to do without one, in seconds since 1970.
    call: PhaseStep | None = None
    until: float = inf
    # Whether nothing is left to do but what the problems tell.
    is_done: bool = False
    problems: tuple[Problem, ...] = ()
    found: Found = field(default_factory=Found)
    desired: Desired = field(default_factory=Desired)


@dataclass(slots=True)
class _Run:
    """What one run has gathered so far."""

    drive: Drive
    at: PushPlace
    found: Found
    needed: frozenset[str] = frozenset()
    kept: Kept = field(default_factory=Kept)
    sources: list[Source] = field(default_factory=list)
    desired: Desired = field(default_factory=Desired)

    def driven(
        self,
        ledger: Ledger,
        *,
        until: float = inf,
        is_done: bool = False,
        problems: tuple[Problem, ...] | None = None,
    ) -> Driven:
        """Return what it has come to; until then nobody else holds what is desired, which is made anew in each step.

        Without problems of its own, it has those of what is desired.
        """
        told = self.desired.problems if problems is None else problems
        return Driven(ledger, until=until, is_done=is_done, problems=told, found=self.found, desired=self.desired)


class PushDriver:
    """Does the steps of pushes."""

    def __init__(
        self,
        *,
        cluster: PushCluster,
        resources: Resources,
        errands: Errands,
        calls: PushCalls,
        gatherer: SourceGatherer,
        readers: PushReaders,
        generated: GeneratedValues,
        gates: Gates,
        background: BackgroundThread,
        clock: Clock,
        bits: Callable[[], int],
    ) -> None:
        self._cluster = cluster
        self._resources = resources
        self._errands = errands
        self._calls = calls
        self._gatherer = gatherer
        self._readers = readers
        self._generated = generated
        self._gates = gates
        self._background = background
        self._clock = clock
        self._bits = bits

    async def drive(self, drive: Drive) -> Driven:
        """Do what is to be done now, but for calls; raise ExpectedError if a read or a write fails."""
        if self._errands.is_under_way(drive.subject.key):
            # Its end starts the next run; what it may have done is not judged before.
            return Driven(self.ledger(drive))
        driven: Driven | None = None
        try:
            driven = await self._driven(drive)
            return driven
        finally:
            if driven is None or driven.call is None:
                # Whoever waits holds no values.
                drive.subject.read.clear()

    async def _driven(self, drive: Drive) -> Driven:
        ledger = self.ledger(drive)
        if drive.at is None:
            return self._held(drive, FindApp(), Driven(ledger))
        if drive.caller is not None:
            drive.subject.probed(self._gates.revision(drive.caller.account, drive.at))
        run = _Run(drive, drive.at, await self._gatherer.find(drive.push, drive.subject.key.namespace))
        self._readers.found(drive.subject.key, run.found.versions)
        for _ in range(MOST_STEPS):
            ledger = self.ledger(drive)
            step = await self._step(run, ledger)
            match step:
                case ReadSources(names=named):
                    run.needed |= named
                case WriteLedger() if _announced(step, ledger) and (held_until := self._held_until(drive, WRITES)):
                    return run.driven(ledger, until=held_until)
                case WriteLedger():
                    await self._write(drive, step)
                case Rest(until, problems):
                    return self._rested(run, run.driven(ledger, until=until, is_done=until == inf, problems=problems))
                case _:
                    return self._held(drive, step, run.driven(ledger))
        return run.driven(ledger, until=self._calls.now())

    def ledger(self, drive: Drive) -> Ledger:
        """Return the ledger as it was written or read last; raise ResourceGoneError if there is another resource."""
        resource = newest(self._resources, drive.resource)
        ledger = drive.subject.ledger_in(resource.status)
        drive.subject.keep_only(ledger)
        return ledger

    async def _step(self, run: _Run, ledger: Ledger) -> Step:
        """Gather what is known, and return what comes next."""
        drive, now = run.drive, self._calls.now()
        facts = self._facts(run)
        if drive.subject.look is not None:
            run.kept = await self._generated.bring(drive.subject, drive.push, ledger, facts, now)
            if run.kept.plan.needs_look:
                drive.subject.look = None
        if drive.subject.look is None:
            # Nothing is read for whoever may not look, or before it is known what is missing.
            run.desired = Desired()
            return next_step(ledger, replace(facts, look=None), now)
        run.sources = await self._gatherer.read(drive.subject, run.found, run.needed, ledger)
        size = sum(each.memory.size for each in drive.subject.read.values())
        places = len(ledger.rows) + len(run.sources) + len(drive.subject.look.entries)
        units = _EACH * places + size // _BYTES
        # The texts of the step before: two of each would take more memory than is counted.
        run.desired = Desired()

        def decided() -> tuple[Desired, Step]:
            wanted = _desired(run, ledger)
            known = replace(
                facts,
                desired=wanted,
                look=drive.subject.look,
                unchanged=drive.subject.values.unchanged(wanted, ledger),
            )
            return wanted, next_step(ledger, known, now)

        run.desired, step = await self._background.run(decided, units, drive.subject.key.namespace)
        return step

    def _facts(self, run: _Run) -> Facts:
        subject = run.drive.subject
        return Facts(
            run.at,
            run.drive.mark,
            Desired(),
            run.drive.push.policies,
            subject.look,
            frozenset(subject.ready),
            frozenset(subject.refused),
            dict(subject.lost),
            most_in_call=subject.most_in_call,
            bits=self._bits(),
            is_shut_out=subject.is_shut_out(),
        )

    def _held(self, drive: Drive, step: PhaseStep, driven: Driven) -> Driven:
        """Return a call as the next one, or when it may be made."""
        until = self._held_until(drive, failure_kind(step), is_call=True)
        return replace(driven, until=until) if until else replace(driven, call=step)

    def _held_until(self, drive: Drive, kind: str, *, is_call: bool = False) -> float:
        """Return until when nothing of a kind is called or announced; 0 if it may be. `is_call`: it is announced."""
        if drive.caller is None:
            return inf
        now = self._calls.now()
        paused = drive.subject.failures.paused_until(kind)
        if paused > now:
            return paused
        if is_call:
            # The errands wait for the account's turn.
            return 0.0
        moment = self._clock.monotonic()
        opens = self._gates.other_allowed_at(drive.caller.account, moment)
        if opens <= moment:
            return 0.0
        return now + (_LOOK_AGAIN if opens == inf else opens - moment)

    def _rested(self, run: _Run, driven: Driven) -> Driven:
        """Remember of which sources all is at Phase, so that they are not read again before they change."""
        subject = run.drive.subject
        rows, wanted = driven.ledger.rows, run.desired.entries
        subject.still_barred(run.desired.held)
        is_whole = all(place in rows and rows[place].state is RowState.MADE for place in wanted)
        subject.settled = {}
        if driven.is_done and not driven.problems and is_whole:
            places = driven.ledger.places_by_source()
            subject.settled = {
                each.state.name: SettledSource(each.version, places.get(each.state.name, frozenset()))
                for each in run.sources
            }
        if driven.is_done:
            subject.rested()
            # Of an environment that others fill, no more stays in memory than this resource pushes.
            known = rows.keys() | wanted.keys() | run.desired.held
            self._calls.at_rest(subject, known, run.drive.mark, self._calls.now() - FRESH - 1.0)
        return driven

    async def _write(self, drive: Drive, step: WriteLedger) -> None:
        """Write the ledger, and remember which attempts this process has announced."""
        resource = self._resources.get(drive.resource.key) or drive.resource
        before = drive.subject.ledger_in(resource.status)
        announced = _announced(step, before)
        if announced:
            await self._guard(resource)
        document = step.ledger.document()
        if not await self._cluster.write_ledger(resource.key, resource.uid, resource.status, document):
            await self._read_again(drive)
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, "another process has written the ledger meanwhile")
        self._resources.set_status(resource.key, resource.uid, without(resource.status, *ledgers.FIELDS) | document)
        drive.subject.ready |= announced
        if before.at is not None and before.at != step.ledger.at:
            # What failed was about another place.
            drive.subject.failures.clear()
        if events := events_of(step.events):
            self._cluster.record_event(resource.key, resource.uid, events)

    async def _guard(self, resource: Resource) -> None:
        """Set the finalizer before the first act that leaves something outside the cluster."""
        if not resource.is_outside:
            finalizer = names.FINALIZER_OUTSIDE
            await self._cluster.set_finalizer(resource.key, resource.uid, wanted=True, finalizer=finalizer)
            self._resources.set_finalizer_kept(resource.key, resource.uid, True, finalizer)

    async def _read_again(self, drive: Drive) -> None:
        """Take over the status as it is now: another process goes on with it, and has looked since we did."""
        drive.subject.look = None
        found = await self._cluster.find_resource(drive.resource.key)
        if found is not None and mapping(found.get("metadata")).get("uid") == drive.resource.uid:
            self._resources.set_status(drive.resource.key, drive.resource.uid, mapping(found.get("status")))


def _desired(run: _Run, ledger: Ledger) -> Desired:
    kept = run.kept
    sources = [*run.sources, *([] if kept.source is None else [kept.source])]
    pushed = ledger.sources() if ledger.at in (None, run.at) else {}
    found = desired(sources, run.drive.push.tags, pushed, run.found.refused)
    problems = (*run.found.problems, *kept.problems, *found.problems)
    held_sources = found.held_sources | run.found.missing
    found = replace(found, problems=problems, held=found.held | kept.plan.held, held_sources=held_sources)
    return without_barred(found, run.drive.subject.barred)


def _announced(step: WriteLedger, before: Ledger) -> set[str]:
    """Return the attempts that a write announces."""
    known = {each.attempt for each in before.rows.values()}
    return {each.attempt for each in step.ledger.rows.values() if each.attempt} - known
