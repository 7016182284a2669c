"""The calls that the steps of a push need, as errands; each records what came of it where the next run finds it.

Rule: a call that writes counts as lost from before it is sent until its answer is there, however it ends. What an
answer says is added to the last look, so that it is judged like anything that was found.
"""

from collections.abc import Awaitable, Callable, Iterable, Set
from dataclasses import dataclass, field, replace
from functools import partial

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.push import report
from phase_operator.core.push.answers import after_delete, after_post, after_put
from phase_operator.core.push.desired import Desired
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.looks import Look, Written
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.steps import Delete, LookAt, Post, Put
from phase_operator.core.source.answer_memory import AnswerMemory, AnswerMemoryFull, Reservation
from phase_operator.core.source.apps import Directory, by_name, no_environment, no_list
from phase_operator.core.source.query import Account, AppRef, Ask
from phase_operator.core.timestamps import moment_of
from phase_operator.reconcile.errands.errand import Errand, Question
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.failures import Go
from phase_operator.reconcile.ports import Clock, Cluster, Credential, PhaseApi
from phase_operator.reconcile.pushes.ports import PushApi, PushCounter
from phase_operator.reconcile.pushes.sent import Sent
from phase_operator.reconcile.pushes.subject import LOOKS, PushSubject


@dataclass(frozen=True, slots=True)
class FindApp:
    """Look up the app that a spec names, which comes before every other step."""


# Calls that change something, as what failed.
WRITES = "write"
PhaseStep = FindApp | LookAt | Post | Put | Delete


@dataclass(frozen=True, slots=True)
class PushCaller:
    """What a resource calls Phase with, as what, and for what."""

    account: Account
    credential: Credential = field(repr=False)
    ask: Ask
    mark: Mark


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look has shown, and the revision of the environment before it."""

    look: Look
    revision: str | None


def failure_kind(step: PhaseStep) -> str:
    """Return what fails together: what one call that writes is refused for, the next one is as well."""
    match step:
        case FindApp():
            return "app"
        case LookAt():
            return LOOKS
        case _:
            return WRITES


class PushCalls:
    """Makes errands for the steps of pushes."""

    def __init__(
        self,
        *,
        api: PushApi,
        phase: PhaseApi,
        errands: Errands,
        cluster: Cluster,
        counter: PushCounter,
        memory: AnswerMemory,
        clock: Clock,
    ) -> None:
        self._api = api
        self._phase = phase
        self._errands = errands
        self._cluster = cluster
        self._counter = counter
        self._memory = memory
        self._clock = clock

    def at_rest(self, subject: PushSubject, places: Set[EntryPlace], mark: Mark, until: float) -> None:
        """Keep no more of a look than a resource needs that has nothing to do; as `Look.kept`."""
        if subject.look is None:
            return
        memory = self._memory.open(subject.key.namespace, _held(subject))
        try:
            subject.look = subject.look.kept(places, mark, until, memory)
        except AnswerMemoryFull:
            # Others hold it, too. The next run looks again.
            subject.look = None

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return moment_of(self._clock.now()) or 0.0

    def errand(self, subject: PushSubject, caller: PushCaller, step: PhaseStep, desired: Desired) -> Errand:
        """Return the errand of a step that was decided with `desired`."""
        requests, question = 1, None
        work: Callable[[Go], Awaitable[None]]
        match step:
            case FindApp():
                kind, work = "app", partial(self._find_app, subject, caller)
            case LookAt(at):
                kind, requests, work = "look", 2, partial(self._look, subject, caller, at)
                question = Question(at, partial(_take, subject))
            case Post():
                kind, work = "post", partial(self._post, subject, caller, step)
            case Put():
                kind, work = "put", partial(self._put, subject, caller, step, desired)
            case Delete():
                kind, work = "delete", partial(self._delete, subject, caller, step)
        done = partial(subject.failures.noting, failure_kind(step), self.now, work)
        return Errand(subject.key, caller.account, kind, done, requests, question=question)

    async def _find_app(self, subject: PushSubject, caller: PushCaller, _: Go) -> None:
        name = caller.ask.app.name or ""
        memory = self._memory.open(subject.key.namespace)
        try:
            apps = await self._phase.apps(caller.account.base_url, caller.credential, memory)
        except ExpectedError as error:
            raise no_list(error) from None
        directory = Directory(apps)
        found = directory.pick(name)
        if directory.is_encrypted(found):
            raise _encrypted(f'app "{name}"')
        subject.app_id = found.lower()

    async def _look(self, subject: PushSubject, caller: PushCaller, at: PushPlace, go_on: Go) -> None:
        """List an environment. Its revision is asked for before, so that whoever sees the same later needs no list."""
        memory = self._memory.open(subject.key.namespace)
        try:
            found = await self._phase.environments(at.host, caller.credential, at.app_id, memory)
            if at.environment not in by_name(found):
                app, environment = _spelled(caller.ask, at, subject.app_id)
                missing = Waiting(Reason.ENVIRONMENT_NOT_FOUND, f'there is no environment "{environment}"')
                raise no_environment(missing, app, environment, (each.name for each in found))
            go_on()
            now = self.now()
            memory = self._memory.open(subject.key.namespace, _held(subject))
            found_now = await self._api.look(caller.credential, at, now, memory)
            found_look = _Found(replace(found_now, memory=memory), by_name(found)[at.environment].revision)
            _take(subject, found_look)
            # Whoever is woken by a change looks at it, and one look shows it to all of them.
            self._errands.share(subject.key.namespace, caller.account, at, found_look)
        except Waiting as error:
            # The app that had the name may be another one by now.
            subject.app_id = ""
            if error.reason is Reason.APP_ENCRYPTED:
                # Another token, which is what the error advises, helps those who read.
                raise _encrypted(f'app id "{at.app_id}"') from None
            raise

    async def _post(self, subject: PushSubject, caller: PushCaller, step: Post, _: Go) -> None:
        left = step.sent_until - self.now()
        if left <= 0 or subject.look is None:
            return
        with Sent(self.now, subject, step.attempt, {each.place: each for each in step.entries}):
            memory = self._memory.open(subject.key.namespace)
            written = await self._api.post(caller.credential, step, caller.mark, memory, sent_within=left)
            subject.look = after_post(subject.look, step, caller.mark, written)
            subject.values.remember(step.entries, written)
        self._tell(subject, "post", "made", written)

    async def _put(self, subject: PushSubject, caller: PushCaller, step: Put, desired: Desired, _: Go) -> None:
        left = step.sent_until - self.now()
        if left <= 0 or subject.look is None:
            return
        wanted = desired.at(each.entry.place for each in step.changes)
        with Sent(self.now, subject, step.attempt, wanted):
            memory = self._memory.open(subject.key.namespace)
            written = await self._api.put(caller.credential, step, caller.mark, memory, sent_within=left)
            subject.look = after_put(subject.look, step, caller.mark, written)
            with_value = {each.entry.place for each in step.changes if each.value is not None}
            confirmed = [each for each in written if each.place in with_value]
            subject.values.remember(desired.at(with_value).values(), confirmed)
        self._tell(subject, "put", "changed", written)

    async def _delete(self, subject: PushSubject, caller: PushCaller, step: Delete, _: Go) -> None:
        before, subject.look = subject.look, None
        await self._api.delete(caller.credential, step, self._memory.open(subject.key.namespace))
        if before is not None:
            subject.look = after_delete(before, step)
        subject.is_news = True
        self._counter.pushed("delete", len(step.entries))
        event = report.written_event((each.place for each in step.entries), "deleted")
        self._cluster.record_event(subject.key, subject.uid, [event])

    def _tell(self, subject: PushSubject, kind: str, verb: str, written: Iterable[Written]) -> None:
        places = [each.place for each in written]
        subject.is_news = True
        self._counter.pushed(kind, len(places))
        self._cluster.record_event(subject.key, subject.uid, [report.written_event(places, verb)])


def _take(subject: PushSubject, found: _Found) -> None:
    subject.look, subject.revision = found.look, found.revision
    subject.failures.pop(LOOKS, None)


def _held(subject: PushSubject) -> list[Reservation]:
    """Return the memory that the next look of a resource replaces."""
    look = subject.look
    return [look.memory] if look is not None and look.memory is not None else []


def _spelled(ask: Ask, at: PushPlace, app_id: str) -> tuple[AppRef, str]:
    """Return app and environment as the spec spells them; one that is only in a ledger has no such words."""
    app = ask.app if at.app_id == app_id else AppRef(id=at.app_id)
    return app, ask.spelled if at.environment == ask.environment else at.environment


def _encrypted(app: str) -> Waiting:
    why = f"{app} is end-to-end encrypted, and entries of such apps are not pushed"
    return Waiting(Reason.APP_ENCRYPTED, f"{why}; enable SSE for it, or use an app that has it")
