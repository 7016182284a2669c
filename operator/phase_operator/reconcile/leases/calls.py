"""The calls that the steps of a lease need, as errands; each records what came of it where the next run finds it.

Rule: a call for a lease counts as lost from before it is sent until its answer is there, however it ends.
"""

from dataclasses import dataclass, field
from functools import partial
from math import floor

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.leases.facts import Call, Listing, Record, Resolved, Revocation
from phase_operator.core.leases.ledger import Lease, LeasePlace
from phase_operator.core.leases.steps import Ask, GiveBack, Look, Resolve
from phase_operator.core.leases.unclear import sent_until
from phase_operator.core.source.answer_memory import AnswerMemory
from phase_operator.core.source.apps import Directory, no_list
from phase_operator.core.source.query import Account, AppRef
from phase_operator.core.source.query import Ask as SpecAsk
from phase_operator.core.text import clean
from phase_operator.core.timestamps import moment_of
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.errands.failures import Go
from phase_operator.reconcile.errands.lease_rate import LeaseRate
from phase_operator.reconcile.lease_ports import LeaseApi
from phase_operator.reconcile.leases.lists import Lists
from phase_operator.reconcile.leases.subject import Answer, Subject
from phase_operator.reconcile.ports import Clock, Credential, PhaseApi, Wake

# The provider from which Phase leases, and what Phase is often not permitted there.
_AWS = "aws"
_PERMISSIONS = (
    "the credentials that Phase has for the cloud may lack a permission, often iam:CreateUser, iam:TagUser, "
    "iam:CreateAccessKey or iam:AttachUserPolicy"
)
PhaseStep = Resolve | Look | Ask | GiveBack


@dataclass(frozen=True, slots=True)
class Caller:
    """What a resource calls Phase with, and the dynamic secret that it names."""

    account: Account
    credential: Credential = field(repr=False)
    ask: SpecAsk
    asked_by: str
    path: str
    name: str


class LeaseCalls:
    """Makes errands for the steps of leases."""

    def __init__(
        self,
        *,
        api: LeaseApi,
        phase: PhaseApi,
        lists: Lists,
        rate: LeaseRate,
        memory: AnswerMemory,
        clock: Clock,
        wake: Wake,
    ) -> None:
        self._api = api
        self._phase = phase
        self._lists = lists
        self._rate = rate
        self._memory = memory
        self._clock = clock
        self._wake = wake
        # Ids of apps that specs name by their names.
        self._apps: dict[tuple[Account, str], str] = {}

    def errand(self, subject: Subject, caller: Caller, step: PhaseStep) -> Errand | None:
        """Return the errand of a step; None if another resource makes the same call, or has made it meanwhile."""
        make, noting = partial(Errand, subject.key, caller.account), subject.failures.noting
        match step:
            case Resolve():
                requests = 2 if self._app_id(caller) else 3
                work = partial(noting, step, self.now, partial(self._resolve, subject, caller))
                return make("resolve", work, requests)
            case Look(place):
                if not self._lists.asks(caller.account, place, subject.key, self.now()):
                    return None
                return make("look", partial(noting, step, self.now, partial(self._look, subject, caller, place)))
            case Ask(lease):
                work = partial(noting, Ask, self.now, partial(self._ask, subject, caller, lease))
                return make("lease", work, waits_for_others=True)
            case GiveBack(lease):
                work = partial(noting, GiveBack, self.now, partial(self._give_back, subject, caller, lease))
                return make("revoke", work, waits_for_others=True)

    def join(self, subject: Subject, caller: Caller, place: LeasePlace) -> None:
        """Have a resource wait for a list, whoever asks for it."""
        self._lists.join(caller.account, place, subject)

    def forget(self, account: Account) -> None:
        """Forget an account that is used no more."""
        self._apps = {known: app_id for known, app_id in self._apps.items() if known[0] != account}

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return moment_of(self._clock.now()) or 0.0

    async def _resolve(self, subject: Subject, caller: Caller, go_on: Go) -> None:
        """Look up the dynamic secret that a spec names, and list its leases."""
        app_id = self._app_id(caller)
        if not app_id:
            app_id = await self._find_app(subject, caller)
            go_on()
        memory = self._memory.open(subject.key.namespace)
        try:
            secret = await self._api.find(
                caller.account.base_url,
                caller.credential,
                app_id=app_id,
                environment=caller.ask.environment,
                path=caller.path,
                name=caller.name,
                memory=memory,
            )
        except ExpectedError:
            # The app that had the name may be another one by now.
            self._apps.pop((caller.account, caller.ask.app.name or ""), None)
            raise
        if secret is None:
            raise _not_found(caller)
        go_on()
        place = LeasePlace(caller.account.base_url, app_id, caller.ask.environment, secret.id)
        listing = await self._listing(subject, caller, place)
        subject.resolved = Resolved(caller.asked_by, secret, listing)

    def _app_id(self, caller: Caller) -> str:
        """Return the id of the app that a spec names; "" if it is not known yet."""
        match caller.ask.app:
            case AppRef(id=str(app_id)):
                return app_id.lower()
            case app:
                return self._apps.get((caller.account, app.name or ""), "")

    async def _find_app(self, subject: Subject, caller: Caller) -> str:
        name = caller.ask.app.name or ""
        memory = self._memory.open(subject.key.namespace)
        try:
            apps = await self._phase.apps(caller.account.base_url, caller.credential, memory)
        except ExpectedError as error:
            raise no_list(error) from None
        app_id = self._apps[caller.account, name] = Directory(apps).pick(name)
        return app_id

    async def _look(self, subject: Subject, caller: Caller, place: LeasePlace, _: Go) -> None:
        """List the leases of a dynamic secret, for all who wait for that."""
        error: ExpectedError | None = None
        try:
            await self._listing(subject, caller, place)
        except ExpectedError as found:
            error = found.to_keep()
            raise
        finally:
            for each in self._lists.came(caller.account, place):
                if error is not None and each is not subject:
                    each.failures.failed(Look(place), error, self.now())
                self._wake(each.key)

    async def _listing(self, subject: Subject, caller: Caller, place: LeasePlace) -> Listing:
        at = self.now()
        memory = self._memory.open(subject.key.namespace)
        found = await self._api.leases(caller.account.base_url, caller.credential, place, memory)
        listing = Listing(place, at, tuple(found))
        self._lists.take(caller.account, listing, memory.size)
        return listing

    async def _ask(self, subject: Subject, caller: Caller, lease: Lease, _: Go) -> None:
        """Ask for a lease, and keep what is answered until its record is made.

        What has waited for its turn for too long is not asked for: the next run takes the announcement back.
        """
        left = sent_until(lease) - self.now()
        if left <= 0:
            return
        subject.calls[lease.attempt] = Call(is_under_way=True)
        self._rate.asked(caller.account, subject.key, self._clock.monotonic())
        memory = self._memory.open(subject.key.namespace)
        call: Call | None = None
        try:
            url, credential = caller.account.base_url, caller.credential
            issued = await self._api.lease(url, credential, lease.place, lease.ttl, memory, sent_within=left)
            if not issued.id:
                # It could not be told from no lease: the list of leases will show it.
                raise Transient(Reason.UNEXPECTED_ANSWER, "Phase answers with a lease that has no id")
            subject.holder = issued.owner or subject.holder
            record = Record(issued.id, self.now() + issued.ttl)
            subject.answers[lease.attempt] = Answer(record, issued.credentials)
            call = Call(id=issued.id)
        except ExpectedError as error:
            call = Call(is_refused=True) if error.had_no_effect else None
            provider = subject.resolved.secret.provider if subject.resolved is not None else ""
            raise _explained(error, provider) from None
        finally:
            # Rounded up: what the list shows in the same second may be older.
            lost = Call(lost_at=floor(self.now()) + 1.0)
            subject.calls[lease.attempt] = call if call is not None else lost

    async def _give_back(self, subject: Subject, caller: Caller, lease: Lease, _: Go) -> None:
        before = subject.revocations.get(lease.attempt, Revocation())
        memory = self._memory.open(subject.key.namespace)
        found = Revocation(failures=before.failures + 1, last=self.now())
        try:
            await self._api.revoke(caller.account.base_url, caller.credential, lease.place, lease.id, memory)
            found = Revocation(is_done=True)
        except ExpectedError as error:
            found = Revocation(failures=before.failures + 1, last=self.now())
            if _is_gone(error):
                found = Revocation(is_done=True)
                return
            raise
        finally:
            subject.revocations[lease.attempt] = found
            if found.is_done:
                self._lists.given_back(caller.account, lease.place, lease.id)


def _not_found(caller: Caller) -> Waiting:
    where = f'folder {clean(caller.path)} of environment "{clean(caller.ask.spelled)}"'
    message = f'spec.dynamicSecret: {where} has no "{clean(caller.name)}", or the account may not read that environment'
    return Waiting(Reason.DYNAMIC_SECRET_NOT_FOUND, message)


def _explained(error: ExpectedError, provider: str) -> ExpectedError:
    """Return the error of a call for a lease, as the status says it."""
    if isinstance(error, Waiting) and error.had_no_effect:
        return Waiting(Reason.LEASE_REFUSED, error.message, had_no_effect=True)
    if error.reason is Reason.PHASE_UNAVAILABLE and " answers 5" in error.message:
        # A plan and a provider from which it cannot lease are server errors as well.
        often = _PERMISSIONS if provider in ("", _AWS) else f'it may not lease from the provider "{clean(provider)}"'
        message = f"{error.message}; Phase does not say why: its plan may not be Enterprise, or {often}"
        return Transient(error.reason, message)
    return error


def _is_gone(error: ExpectedError) -> bool:
    """Return whether Phase does not know a lease: then there is nothing to take away."""
    return "Lease not found" in error.message
