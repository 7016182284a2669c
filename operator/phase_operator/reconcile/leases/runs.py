"""One PhaseDynamicSecret, once: drive its leases, then bring its targets in step with the one that serves.

Rule: nothing here waits for Phase. A run plans the call that is needed, and its end wakes the resource. Targets are
written from what the cluster keeps, so that no edit, no restart and no deleted target asks for another lease.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasedynamicsecret import PhaseDynamicSecretSpec
from phase_operator.core.access.admission import Admitted, admit
from phase_operator.core.access.tenancy import Tenancy, check_targets
from phase_operator.core.errors import ExpectedError, Invalid, Transient, Waiting
from phase_operator.core.json_access import text
from phase_operator.core.leases.facts import Wanted
from phase_operator.core.leases.ledger import Lease, LeaseState, Ledger, serving
from phase_operator.core.leases.lowered import folder, wanted
from phase_operator.core.leases.spacing import SHORTEST, wanted_life
from phase_operator.core.leases.unclear import SURELY_LISTED
from phase_operator.core.outcome import Confirmed, Failed, Gone, Outcome, Pending, Suspended, Synced, Warned
from phase_operator.core.source.query import source_query
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.context import RunContext, parsed, spec_of, task_of
from phase_operator.reconcile.errands.asker import Asker, asker_of, last_asker
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.newest import ResourceGoneError
from phase_operator.reconcile.leases.calls import Caller, LeaseCalls
from phase_operator.reconcile.leases.driver import Drive, Driven, Driver
from phase_operator.reconcile.leases.ending import Ending
from phase_operator.reconcile.leases.lists import PATIENCE
from phase_operator.reconcile.leases.subject import Subject
from phase_operator.reconcile.leases.subjects import Subjects
from phase_operator.reconcile.leases.targets import LeaseTargets
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import LabelsOf, PhaseApi, Restarts
from phase_operator.reconcile.run.registration import Registration
from phase_operator.reconcile.store import Lifecycle, Resource

# Seconds; no clock waits for longer at a time.
_LONGEST_WAIT = 86_400.0
# Seconds after which a token is read again that could not be read.
_TOKEN_AGAIN = 30.0


class LeaseRuns:
    """Reconciles PhaseDynamicSecrets."""

    def __init__(
        self,
        *,
        subjects: Subjects,
        driver: Driver,
        calls: LeaseCalls,
        errands: Errands,
        targets: LeaseTargets,
        ending: Ending,
        registration: Registration,
        restarts: Restarts,
        tokens: Tokens,
        phase: PhaseApi,
        tenancy: Tenancy,
        labels_of: LabelsOf,
        wake_in: Callable[[ObjectKey, float], None],
    ) -> None:
        self._subjects = subjects
        self._driver = driver
        self._calls = calls
        self._errands = errands
        self._targets = targets
        self._ending = ending
        self._registration = registration
        self._restarts = restarts
        self._tokens = tokens
        self._phase = phase
        self._tenancy = tenancy
        self._labels_of = labels_of
        self._wake_in = wake_in

    async def reconcile(self, key: ObjectKey, resource: Resource | None) -> Outcome:
        """Do one run and return what it came to; expected failures are outcomes, not exceptions."""
        # What was planned is decided anew: nothing begins while this run decides.
        self._subjects.withdraw(key)
        if resource is None:
            self._registration.leave(key)
            self._subjects.forget(key)
            return Gone()
        try:
            subject = self._subjects.of(resource)
            is_ending = resource.life is Lifecycle.DELETING
            return await (self._end(subject, resource) if is_ending else self._run(subject, resource))
        except ResourceGoneError:
            return Gone()
        except Invalid as error:
            self._registration.leave(key)
            return Failed(error.reason, error.message)
        except ExpectedError as error:
            return Failed.of(error)

    def forced(self, key: ObjectKey) -> str | None:
        """Return the value of the sync annotation that the run just ended has answered, if any."""
        return self._subjects.forced(key)

    async def _run(self, subject: Subject, resource: Resource) -> Outcome:
        key, spec = resource.key, _parsed(resource)
        # Before anything is registered, read or called: what is refused leaves no trace elsewhere.
        admitted = admit(self._tenancy, spec, key, self._labels_of(key.namespace))
        check_targets(admitted.target_policies, admitted.token)
        context = task_of(resource, admitted.spec, admitted.target_policies, admitted.assumed_host)
        self._registration.enter(admitted, context)
        wants = wanted(resource.spec, admitted.ask)
        subject.wants(wants.asked_by)
        subject.rollover_percent = wants.rollover_percent
        # A missing token keeps nobody from serving what is recorded.
        asker = await asker_of(admitted.ask, self._tokens, self._phase)
        caller = self._caller(subject, resource, admitted, wants, asker)
        rolled = self._have_rolled(context, Ledger.read(resource.status))
        drive = Drive(subject, resource, wants, caller, are_readers_rolled=rolled)
        driven = await self._driver.drive(drive)
        trouble = asker.error or _refusal(drive) or subject.failures.trouble()
        try:
            found, driven = await self._bring(drive, driven, context, admitted, trouble)
            await self._driver.collect(drive)
        finally:
            # Targets that cannot be written are no reason to let a lease end.
            self._go_on(drive, driven)
            if isinstance(asker.error, Transient):
                # Neither a watch nor the end of a call tells that it has passed.
                self._wake_in(key, _TOKEN_AGAIN)
        subject.forced = resource.sync
        return _told(found, drive, driven.ledger, trouble)

    async def _end(self, subject: Subject, resource: Resource) -> Outcome:
        """Give back what is leased, then let the targets go."""
        caller, error = await self._last_caller(subject, resource)
        drive = await self._ending.drive(subject, resource, caller)
        driven = await self._driver.drive(drive)
        self._go_on(drive, driven)
        if isinstance(error, Transient):
            self._wake_in(resource.key, _TOKEN_AGAIN)
        await self._driver.collect(drive)
        left = driven.ledger.leases
        if left:
            trouble = error or subject.failures.trouble()
            if trouble is None and all(each.state is LeaseState.REVOKING for each in left):
                # What is over in a moment is no news.
                return Pending()
            why = f": {trouble.message}" if trouble is not None else ""
            many = "1 lease has" if len(left) == 1 else f"{len(left)} leases have"
            return Failed(Reason.REMOVAL_PENDING, f"{many} to be given back to Phase{why}")
        self._registration.leave(resource.key)
        return await self._ending.finish(resource)

    async def _last_caller(self, subject: Subject, resource: Resource) -> tuple[Caller | None, ExpectedError | None]:
        """Return what a resource in deletion calls Phase with, or why nobody may."""
        try:
            spec = _parsed(resource)
            admitted = admit(self._tenancy, spec, resource.key, self._labels_of(resource.key.namespace))
        except Invalid as error:
            self._registration.leave(resource.key)
            return None, error
        context = task_of(resource, admitted.spec, admitted.target_policies, admitted.assumed_host)
        self._registration.enter(admitted, context)
        wants = wanted(resource.spec, admitted.ask)
        found = await asker_of(admitted.ask, self._tokens, self._phase)
        asker = last_asker(found, admitted.ask, subject)
        return self._caller(subject, resource, admitted, wants, asker), asker.error

    def _caller(
        self, subject: Subject, resource: Resource, admitted: Admitted, wants: Wanted, asker: Asker
    ) -> Caller | None:
        if asker.account is None or asker.credential is None:
            return None
        self._subjects.uses(subject, asker.account, asker.credential)
        name = text(resource.spec.get("dynamicSecret"))
        return Caller(asker.account, asker.credential, admitted.ask, wants.asked_by, folder(resource.spec), name)

    async def _bring(
        self, drive: Drive, driven: Driven, context: RunContext, admitted: Admitted, trouble: ExpectedError | None
    ) -> tuple[Synced | Confirmed | None, Driven]:
        """Bring the targets in step; if that was news, decide again what is to become of the leases before."""
        lease, subject = serving(driven.ledger), drive.subject
        if lease is None:
            return None, driven
        query = source_query(admitted.ask, subject.account.name if subject.account is not None else "")
        warning = Warned(trouble.reason, trouble.message) if trouble is not None else None
        found = await self._targets.bring(context, query, lease, subject.holder, warning)
        written = lease.attempt if _are_in_step(found) else ""
        if written == subject.written:
            return found, driven
        subject.written = written
        if driven.call is None and driven.ledger.first(LeaseState.RETIRING) is not None:
            # Anew: what was known of the readers was about what the targets held before.
            rolled = self._have_rolled(context, driven.ledger)
            driven = await self._driver.drive(replace(drive, are_readers_rolled=rolled))
        return found, driven

    def _have_rolled(self, context: RunContext, ledger: Ledger) -> bool:
        """Return whether every pod that reads the targets is known to have started with what was written last.

        Whoever asks has looks made, so nobody asks who has no lease to give back.
        """
        return ledger.first(LeaseState.RETIRING) is not None and all(
            policy.is_followed and self._restarts.have_rolled(target)
            for target, policy in context.target_policies.items()
        )

    def _go_on(self, drive: Drive, driven: Driven) -> None:
        """Plan the call that is next, and the next run."""
        key = drive.resource.key
        if driven.call is not None and drive.caller is not None:
            errand = self._calls.errand(drive.subject, drive.caller, driven.call)
            if errand is not None:
                self._errands.plan(errand)
            else:
                # Another one asks, and its end wakes this one, too; if it never comes, this one asks.
                self._wake_in(key, PATIENCE)
        if driven.until < inf:
            self._wake_in(key, min(max(0.0, driven.until - self._calls.now()), _LONGEST_WAIT))


def _parsed(resource: Resource) -> PhaseSecretSpec:
    """Return the part of a spec that is about targets; raise Invalid if any of it is not valid."""
    if not resource.is_left_out:
        parsed(PhaseDynamicSecretSpec, resource.spec)
    return spec_of(resource)


def _refusal(drive: Drive) -> ExpectedError | None:
    """Return why Phase would refuse the life that is asked for, with both numbers; None if it would not."""
    resolved = drive.subject.resolved
    if resolved is None or resolved.asked_by != drive.wanted.asked_by:
        return None
    life, longest = wanted_life(drive.wanted, resolved), resolved.secret.longest_ttl
    if SHORTEST <= life <= longest:
        return None
    limit = f"at least {SHORTEST}" if life < SHORTEST else f"at most {longest}"
    if drive.wanted.ttl:
        return Waiting(Reason.LEASE_REFUSED, f"spec.leaseTTL: {life} seconds are asked for, and Phase allows {limit}")
    default = f"the default life of the dynamic secret is {life} seconds, and Phase allows {limit}"
    return Waiting(Reason.LEASE_REFUSED, f"{default}: set spec.leaseTTL")


def _are_in_step(found: Synced | Confirmed | None) -> bool:
    """Return whether all targets have what they should have."""
    return isinstance(found, Confirmed) or (found is not None and all(each.ready for each in found.targets))


def _told(found: Synced | Confirmed | None, drive: Drive, ledger: Ledger, trouble: ExpectedError | None) -> Outcome:
    """Return the outcome of a run, which says what is true of the lease that serves, or why there is none."""
    lease = serving(ledger)
    if lease is not None and lease.state is LeaseState.ENDED:
        return _ended(found, lease, trouble)
    if drive.is_suspended:
        return Suspended()
    if found is not None:
        return found
    # Of attempts that fail in a row, the cause is said: it stays the same while each of them is looked for.
    unclear = _unclear(drive.subject, trouble) if trouble is None or not ledger.setbacks else None
    if unclear is not None or trouble is None:
        return unclear or Pending()
    # Calls have pauses of their own: a repeated run makes none.
    return replace(Failed.of(trouble), transient=False, after=None)


def _ended(found: Synced | Confirmed | None, lease: Lease, trouble: ExpectedError | None) -> Failed:
    message = f"lease {lease.id} is void, and another one is asked for; targets keep its credentials until then"
    if trouble is not None:
        why = f"no other one could be made ({trouble.message})"
        message = f"lease {lease.id} is void, and {why}; targets keep its credentials"
    return Failed(Reason.LEASE_ENDED, message, targets=found.targets if found is not None else ())


def _unclear(subject: Subject, trouble: ExpectedError | None) -> Failed | None:
    """Return what is said while nobody knows whether Phase made a lease; None if that is known."""
    lost = [each.lost_at for each in subject.calls.values() if each.lost_at is not None]
    if not lost:
        return None
    message = f"no answer says whether Phase made a lease: its list of leases tells within {SURELY_LISTED:.0f} seconds"
    why = f" ({trouble.message})" if trouble is not None else ""
    return Failed(Reason.LEASE_UNCLEAR, f"{message}{why}")
