"""One PhasePushSecret, once: do what can be done without Phase, and plan the call that is next.

Rule: it runs when its spec or a source changes, when a probe shows another revision, when a call has ended, or at a
moment that the run before named. No run is a poll: if nothing has changed, it makes no call.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Invalid, Transient
from phase_operator.core.outcome import Failed, Gone, Pending, Pushed, SourceFacts, Suspended
from phase_operator.core.push.ledger import Ledger, PushPlace
from phase_operator.core.push.marks import Mark, mark_of
from phase_operator.core.push.report import pushed
from phase_operator.core.push.spec import PushSpec
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.asker import Asker, last_asker
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.newest import ResourceGoneError
from phase_operator.reconcile.polling.watches import Watch
from phase_operator.reconcile.pushes.calls import PushCaller, PushCalls
from phase_operator.reconcile.pushes.driver import Drive, Driven, PushDriver
from phase_operator.reconcile.pushes.ending import PushEnding
from phase_operator.reconcile.pushes.ports import Probes, Spec, Specs
from phase_operator.reconcile.pushes.subject import PushSubject
from phase_operator.reconcile.pushes.subjects import PushSubjects
from phase_operator.reconcile.store import Lifecycle, Resource

PushOutcome = Pushed | Suspended | Failed | Pending | Gone
# Seconds; no clock waits for longer at a time.
_LONGEST_WAIT = 86_400.0
# Seconds after which a token is read again that could not be read.
_TOKEN_AGAIN = 30.0


class PushRuns:
    """Reconciles PhasePushSecrets."""

    def __init__(
        self,
        *,
        subjects: PushSubjects,
        driver: PushDriver,
        calls: PushCalls,
        errands: Errands,
        ending: PushEnding,
        specs: Specs,
        probes: Probes,
        installation: Callable[[], str],
        wake_in: Callable[[ObjectKey, float], None],
    ) -> None:
        self._subjects = subjects
        self._driver = driver
        self._calls = calls
        self._errands = errands
        self._ending = ending
        self._specs = specs
        self._probes = probes
        # What stands for this cluster in marks.
        self._installation = installation
        self._wake_in = wake_in

    async def reconcile(self, key: ObjectKey, resource: Resource | None) -> PushOutcome:
        """Do one run and return what it came to; expected failures are outcomes, not exceptions."""
        # What was planned is decided anew: nothing begins while this run decides.
        self._subjects.withdraw(key)
        if resource is None:
            self._subjects.forget(key)
            self._leave(key)
            return Gone()
        try:
            subject = self._subjects.of(resource)
            is_ending = resource.life is Lifecycle.DELETING
            return await (self._end(subject, resource) if is_ending else self._run(subject, resource))
        except ResourceGoneError:
            return Gone()
        except Invalid as error:
            # What it takes is no concern of who may not push it.
            self._subjects.suspend(key)
            self._leave(key)
            return Failed(error.reason, error.message)
        except ExpectedError as error:
            return Failed.of(error)

    def forced(self, key: ObjectKey) -> str | None:
        """Return the value of the sync annotation that the last run has answered, if any."""
        return self._subjects.forced(key)

    async def _run(self, subject: PushSubject, resource: Resource) -> PushOutcome:
        spec = self._specs.read(resource)
        if spec.push.is_suspended:
            self._probes.unwatch(resource.key)
            self._subjects.suspend(resource.key)
            return Suspended("entries")
        self._subjects.wants(subject, spec.push, spec.ask)
        subject.asked_for(resource.sync)
        asker = await self._specs.asker(resource, spec)
        self._watch(resource.key, spec, asker)
        drive = self._drive(subject, resource, spec, asker)
        driven = await self._driver.drive(drive)
        self._go_on(drive, driven)
        if isinstance(asker.error, Transient):
            self._wake_in(resource.key, _TOKEN_AGAIN)
        trouble = asker.error or subject.failures.trouble()
        outcome = _told(drive, driven, trouble, is_unclear=bool(subject.lost) and asker.error is None)
        if isinstance(outcome, Pushed):
            subject.reported(outcome.in_step, driven.problems)
        if driven.is_done:
            subject.forced = resource.sync
        return outcome

    def _watch(self, key: ObjectKey, spec: Spec, asker: Asker) -> None:
        """Have the environment watched, unless nobody may call Phase for the resource any more."""
        if asker.account is not None and asker.credential is not None:
            watch = Watch(asker.account, spec.ask.app, spec.ask.environment)
            self._probes.watch(key, watch, spec.push.interval, asker.credential, self._wake)
        elif not isinstance(asker.error, Transient):
            self._probes.unwatch(key)

    def _wake(self, key: ObjectKey) -> None:
        self._wake_in(key, 0.0)

    def _leave(self, key: ObjectKey) -> None:
        """Take out a resource that is gone or refused."""
        self._specs.leave(key)
        self._probes.unwatch(key)

    def _drive(self, subject: PushSubject, resource: Resource, spec: Spec, asker: Asker) -> Drive:
        caller = self._caller(subject, resource, spec, asker)
        if not subject.app_id and spec.ask.app.id is not None:
            subject.app_id = spec.ask.app.id.lower()
        at = PushPlace(spec.ask.base_url, subject.app_id, spec.ask.environment) if subject.app_id else None
        return Drive(subject, resource, spec.push, self._mark(resource), at, caller, spec.assumed_host)

    def _caller(self, subject: PushSubject, resource: Resource, spec: Spec, asker: Asker) -> PushCaller | None:
        if asker.account is None or asker.credential is None:
            return None
        self._subjects.uses(subject, asker.account, asker.credential)
        return PushCaller(asker.account, asker.credential, spec.ask, self._mark(resource))

    def _mark(self, resource: Resource) -> Mark:
        return mark_of(self._installation(), resource.key)

    def _go_on(self, drive: Drive, driven: Driven) -> None:
        """Plan the call that is next, and the next run."""
        if driven.call is not None and drive.caller is not None:
            self._errands.plan(self._calls.errand(drive.subject, drive.caller, driven.call, driven.desired))
        if driven.until < inf:
            self._wake_in(drive.resource.key, min(max(0.0, driven.until - self._calls.now()), _LONGEST_WAIT))

    async def _end(self, subject: PushSubject, resource: Resource) -> PushOutcome:
        """Let all entries go as the policy says, and then the resource."""
        # It looks by itself at what it lets go.
        self._probes.unwatch(resource.key)
        if not resource.is_outside:
            # The finalizer comes before the first entry.
            return Gone()
        until = await self._ending.deadline(subject, resource)
        why, driven = "its spec is not valid", Driven(Ledger.read(resource.status))
        try:
            drive, error = await self._last_drive(subject, resource)
            driven = await self._driver.drive(drive)
            if driven.is_done and not driven.ledger.rows:
                await self._ending.finish(resource)
                return Gone()
            self._go_on(drive, driven)
            if isinstance(error, Transient):
                self._wake_in(resource.key, _TOKEN_AGAIN)
            trouble = error or subject.failures.trouble()
            why = trouble.message if trouble is not None else "its calls did not end"
        except Invalid as refusal:
            self._leave(resource.key)
            why = refusal.message
        if self._calls.now() >= until:
            await self._ending.finish(resource, driven.ledger, why)
            return Gone()
        self._wake_in(resource.key, min(until - self._calls.now(), _LONGEST_WAIT))
        left = len(driven.ledger.rows)
        return (
            Failed(Reason.REMOVAL_PENDING, f"{left} entries have to be let go at Phase: {why}") if left else Pending()
        )

    async def _last_drive(self, subject: PushSubject, resource: Resource) -> tuple[Drive, ExpectedError | None]:
        """Return how a resource in deletion is driven: nothing is wanted, where its ledger says it pushed.

        With it comes the error because of which nobody may call Phase for it.
        """
        spec = self._specs.read(resource)
        spec = replace(spec, push=PushSpec(spec.push.root, policies=spec.push.policies))
        self._subjects.wants(subject, spec.push, spec.ask)
        asker = last_asker(await self._specs.asker(resource, spec), spec.ask, subject)
        drive = self._drive(subject, resource, spec, asker)
        before = Ledger.read(resource.status).at
        # No token goes to a host that a ledger alone names.
        is_there = before is not None and before.host == spec.ask.base_url
        return replace(drive, at=before) if is_there else drive, asker.error


def _told(drive: Drive, driven: Driven, trouble: ExpectedError | None, *, is_unclear: bool) -> PushOutcome:
    """Return the outcome of a run; `is_unclear`: an answer was lost, so that looks have to tell."""
    is_open = is_unclear and not driven.is_done
    if trouble is not None and not is_open:
        # Calls have pauses of their own: a repeated run makes none.
        return Failed(trouble.reason, trouble.message)
    if not (is_open or driven.is_done) and (driven.call is not None or driven.until == inf):
        return Pending()
    return pushed(
        driven.ledger,
        driven.problems,
        driven.found.states,
        driven.desired.entries,
        is_done=driven.is_done,
        to=_place(drive, driven),
        is_news=drive.subject.is_news,
        why=trouble.message if trouble is not None else "",
    )


def _place(drive: Drive, driven: Driven) -> SourceFacts | None:
    """Return where a run pushes to; None if that is not known."""
    if drive.at is None:
        return None
    at, entries = drive.at, len(driven.desired.entries)
    return SourceFacts(at.app_id, at.environment, drive.push.root, entries, host=drive.assumed_host)
