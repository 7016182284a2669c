"""The shell around the scheduler: make the calls that it asks for, and wake the PhaseSecrets that it names.

Rule: nothing is decided here. One call is one method of the edge, and the scheduler records its end, however it ends.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import assert_never

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.outcome import Event
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, AnswerMemoryFull, Reservation
from phase_operator.core.source.keyring import Decrypted
from phase_operator.core.source.query import Account, Revision, SourceQuery, origin
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.polling.calls import (
    Call,
    ListApps,
    Policy,
    Probe,
    Read,
    ReadKeyring,
    SourceState,
    Subscription,
)
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.gates import CallFacts, InFlightCall
from phase_operator.reconcile.polling.judging import judge
from phase_operator.reconcile.polling.keyrings import KeyringIndex
from phase_operator.reconcile.polling.scheduler import PollScheduler
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from phase_operator.reconcile.polling.stats import PollStats
from phase_operator.reconcile.polling.watches import Watch
from phase_operator.reconcile.ports import Clock, Credential, MetricsSink, PhaseApi, Wake
from phase_operator.reconcile.queue.work_queue import Waiter
from phase_operator.reconcile.watchdog import Watchdog

log = logging.getLogger(__name__)

# Bytes for all answers, if nobody says otherwise.
_ROOM = 80 * MIB
# What an app or an environment of a keyring takes to be indexed, in microseconds.
_INDEX_UNITS = 3


class Poller:
    """Subscriptions of PhaseSecrets to queries, and the answers."""

    def __init__(
        self,
        phase: PhaseApi,
        clock: Clock,
        wake: Wake,
        observer: MetricsSink,
        post: Callable[[ObjectKey, Event], None],
        policy: Policy,
        memory: AnswerMemory | None = None,
        background: BackgroundThread | None = None,
    ) -> None:
        self._phase = phase
        self._room = memory or AnswerMemory(_ROOM)
        self._clock = clock
        self._wake = wake
        self._observer = observer
        self._post = post
        self._scheduler = PollScheduler(policy)
        self._background = background or BackgroundThread()
        self._credentials: dict[Account, Credential] = {}
        # Who watches an environment, and how he is woken.
        self._watchers: dict[ObjectKey, Wake] = {}
        # The calls under way that can be broken off.
        self._limits: dict[int, asyncio.Timeout] = {}
        self._watchdog = Watchdog(clock)
        self._waiter = Waiter(clock)
        # When a worker that waits for a call looks again by itself; it has been woken to look if that is long past.
        self._next_look = inf

    # For runs.

    def subscribe(
        self, key: ObjectKey, query: SourceQuery, credential: Credential, subscription: Subscription
    ) -> SourceState:
        """Subscribe a PhaseSecret to a query, instead of the one before, and return what is known."""
        self._keep_credential(query.account, credential)
        has_keys = credential.keys is not None
        state = self._scheduler.subscribe(key, query, subscription, self._clock.monotonic(), has_keys=has_keys)
        self._changed()
        return state

    def unsubscribe(self, key: ObjectKey) -> None:
        """Unsubscribe a PhaseSecret."""
        self._scheduler.unsubscribe(key)

    def want(self, key: ObjectKey, urgency: PollPriority) -> SourceState:
        """Read the PhaseSecret's query and wake it with the answer, changed or not; return what is known now."""
        self._scheduler.want(key, urgency, self._clock.monotonic())
        self._changed()
        return self._scheduler.view(key)

    def doubt(self, key: ObjectKey) -> None:
        """Read the PhaseSecret's query again after a pause and wake it: it does not believe the answer yet."""
        self._scheduler.doubt(key, self._clock.monotonic())
        self._changed()

    def confirm(self, key: ObjectKey, revision: Revision) -> None:
        """Record that a PhaseSecret's targets already match a revision, so that no read is needed."""
        self._scheduler.confirm(key, revision, self._clock.monotonic())

    def has_query(self, key: ObjectKey) -> bool:
        """Return whether a PhaseSecret has a query: then it has a token that it may use."""
        return self._scheduler.has_query(key)

    def is_owed(self, key: ObjectKey) -> bool:
        """Return whether the PhaseSecret waits for an answer."""
        return self._scheduler.is_owed(key)

    # For calls that are no reads.

    def other_allowed_at(self, account: Account, now: float) -> float:
        """Return when a call that is no read may be made: now, later, or infinity until another call has ended."""
        return self._scheduler.others.allowed_at(account, now)

    def other_begins(self, account: Account, requests: int = 1) -> InFlightCall:
        """Count a call that is no read and may take so many requests; `other_ended` has to follow."""
        return self._scheduler.others.begin(account, self._clock.monotonic(), requests)

    def other_is_let_in(self, account: Account, begun: InFlightCall) -> None:
        """Count as passed a call that is no read and whose answer takes long: it waits for others than Phase."""
        self._scheduler.others.let_in(account, begun, self._clock.monotonic())
        self._changed()

    def other_ended(self, account: Account, begun: InFlightCall, asked: CallFacts, error: ExpectedError | None) -> None:
        """Count the end of a call that is no read, and wake those whom it concerns."""
        self._changed(self._scheduler.others.end(account, begun, asked, error, self._clock.monotonic()))

    def keep_account(self, account: Account) -> None:
        """Keep what is known of an account, also while nobody reads with it."""
        self._scheduler.others.keep(account)

    def let_account_go(self, account: Account) -> None:
        """Undo one `keep_account`."""
        self._scheduler.others.let_go(account)

    # For those who watch environments and read nothing of them.

    def watch(self, key: ObjectKey, watch: Watch, interval: float, credential: Credential, wake: Wake) -> None:
        """Have an app probed for a resource, instead of what it watched, and wake it when its environment moves.

        Its key is its own among those who watch: a PhaseSecret may have the same.
        """
        self._keep_credential(watch.account, credential)
        has_keys = credential.keys is not None
        woken = self._scheduler.watches.begin(key, watch, interval, self._clock.monotonic(), has_keys=has_keys)
        self._watchers[key] = wake
        self._changed(woken)

    def unwatch(self, key: ObjectKey) -> None:
        """Have nothing probed for a resource any more."""
        self._watchers.pop(key, None)
        self._scheduler.watches.end(key)

    def revision(self, account: Account, at: PushPlace) -> str | None:
        """Return the revision of an environment that the last probe of its app has shown; None if none has."""
        if at.host != account.base_url:
            return None
        return self._scheduler.watches.revision(account, at.app_id, at.environment)

    # For workers.

    async def take(self) -> Call:
        """Wait for the next call that is to be made; raise QueueClosedError after `close`."""
        return await self._waiter.take(self._look)

    def _look(self, now: float) -> tuple[Call | None, float | None]:
        call = self._scheduler.next(now)
        self._tell_all(self._scheduler.awakened())
        self._break_off(self._scheduler.surplus(now))
        due = self._scheduler.next_due()
        self._next_look = inf if due is None else due
        return call, due

    def _changed(self, woken: Iterable[ObjectKey] = ()) -> None:
        """Wake these PhaseSecrets and those that the scheduler names; and a worker, if a call is due before it looks.

        One is enough until the next look: a worker that leaves with a call wakes the next worker.
        """
        self._tell_all({*woken, *self._scheduler.awakened()})
        for key in sorted(self._scheduler.watches.moved()):
            self._watchers[key](key)
        due = self._scheduler.next_due()
        if due is not None and due < self._next_look:
            self._next_look = -inf
            self._waiter.changed()

    async def make(self, call: Call) -> None:
        """Make a call, record how it ended, and wake the PhaseSecrets concerned.

        An exception is a bug of ours; `ended_by_bug` has to follow.
        """
        with self._watchdog.step(call):
            await self._made(call)

    async def _made(self, call: Call) -> None:
        try:
            woken = await self._until_broken_off(call)
            result = "ok"
        except ExpectedError as error:
            woken = self._scheduler.failed(call, error.to_keep(), self._clock.monotonic())
            result = str(error.reason)
            if error.reason is Reason.ANSWER_TOO_LARGE:
                self._observer.answer_refused("memory" if isinstance(error, AnswerMemoryFull) else "answer")
        self._observer.asked(call.kind, result)
        log.debug("asked Phase", extra={"kind": call.kind, "source": call.place, "result": result})
        self._ended(woken)

    def ended_by_bug(self, call: Call) -> None:
        """Record that `make` raised an exception, and wake the PhaseSecrets concerned; they are told that it failed.

        The scheduler counts the end of a call once, also if it raised the exception itself.
        """
        bug = Transient(Reason.INTERNAL_ERROR, "internal error; the operator's log has the trace")
        self._ended(self._scheduler.failed(call, bug, self._clock.monotonic()))

    async def _until_broken_off(self, call: Call) -> set[ObjectKey]:
        """Make a call, and end it as one that is not answered if it is broken off meanwhile."""
        try:
            async with asyncio.timeout(None) as self._limits[id(call)]:
                return await self._make(call, self._credentials[call.account])
        except TimeoutError:
            pass
        finally:
            del self._limits[id(call)]
        host = origin(call.account.base_url)
        raise Transient(Reason.PHASE_UNAVAILABLE, f"{host} does not answer in time")

    def _break_off(self, calls: Iterable[Call]) -> None:
        for call in calls:
            limit = self._limits.get(id(call))
            if limit is not None and not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())

    def close(self) -> None:
        """Give out no more calls."""
        self._waiter.close()

    # For probes and metrics.

    def stats(self) -> PollStats:
        """Return the figures of this moment."""
        return self._scheduler.stats(self._clock.monotonic())

    def ages(self) -> list[tuple[str, SourceQuery, float]]:
        """Return each query that was ever confirmed, and how many seconds ago it last was.

        Once for each namespace whose PhaseSecrets ask it, with that namespace.
        """
        now = self._clock.monotonic()
        return [(namespace, query, now - at) for namespace, query, at in self._scheduler.confirmed()]

    def age(self, key: ObjectKey) -> float | None:
        """Return the age of a PhaseSecret's query; None if it has none, or no answer yet."""
        at = self._scheduler.confirmed_at(key)
        return None if at is None else self._clock.monotonic() - at

    def neglected(self) -> float:
        """Return for how many seconds a call that may be made has waited while a worker waits for one."""
        return self._waiter.neglected(self._scheduler.overdue(self._clock.monotonic()), is_busy=self._watchdog.is_busy)

    def hanging(self) -> float:
        """Return for how many seconds the call that hangs for longest has gone on."""
        return self._watchdog.hanging()

    async def _make(self, call: Call, credential: Credential) -> set[ObjectKey]:
        url = call.account.base_url
        place = self._room.open_for_one(sorted(self._scheduler.namespaces(call)), self._scheduler.replaced(call))
        namespace = place.namespace
        match call:
            case ListApps():
                apps = await self._phase.apps(url, credential, place)
                return self._scheduler.apps_listed(call, apps, self._clock.monotonic())
            case Probe():
                environments = await self._phase.environments(url, credential, call.app_id, place)
                return self._scheduler.probed(call, environments, self._clock.monotonic())
            case ReadKeyring():
                keyring = await self._phase.keyring(url, credential, place)
                units = _INDEX_UNITS * sum(1 + len(app.environments) for app in keyring.apps)
                index = await self._background.run(partial(KeyringIndex, keyring), units, namespace)
                place.resize(place.size + index.weight)
                return self._scheduler.keyring_read(call, index, self._clock.monotonic())
            case Read():
                shared_answer, decrypted = await self._read(call, credential, place)
                await self._answer(call, shared_answer, namespace)
                to_judge = self._scheduler.to_judge(call, shared_answer)
                await judge(to_judge, shared_answer, self._background, namespace)
                return self._scheduler.was_read(call, shared_answer, self._clock.monotonic(), decrypted)
            case _:
                assert_never(call)

    async def _read(
        self, call: Read, credential: Credential, place: Reservation
    ) -> tuple[SharedAnswer, Decrypted | None]:
        """Read entries, with the account's keys if their app is encrypted: then also what these were made of."""
        url = call.account.base_url
        if call.keys is not None:
            decrypted = await self._phase.encrypted(
                url,
                credential,
                keyring=call.keys.keyring,
                app_id=call.app_id,
                environment=call.exact,
                place=place,
                meter=_Meter(self._observer.entries_read, partial(self._goes_on, call)),
            )
            return SharedAnswer(call.app_id, decrypted.entries, place, decrypted.damage), decrypted
        entries = await self._phase.entries(
            url,
            credential,
            app_id=call.app_id,
            environment=call.environment,
            path=call.path,
            tags=call.tags,
            place=place,
        )
        self._observer.entries_read(len(entries))
        return SharedAnswer(call.app_id, entries, place), None

    def _goes_on(self, call: Read) -> None:
        self._scheduler.goes_on(call, self._clock.monotonic())

    async def _answer(self, call: Read, shared_answer: SharedAnswer, namespace: str) -> None:
        """Make the answers to all queries of a read, or find out why there is none, in a thread if that is much."""
        for query in call.queries:
            if shared_answer.is_large:
                await self._background.run(partial(shared_answer.prepare, query), shared_answer.units, namespace)
            else:
                shared_answer.prepare(query)
            await asyncio.sleep(0)
        if shared_answer.is_large:
            await self._background.run(lambda: shared_answer.weight, shared_answer.units_to_weigh, namespace)
        shared_answer.settle()

    def _ended(self, woken: set[ObjectKey]) -> None:
        self._changed(woken)
        for key, event in self._scheduler.events():
            self._post(key, event)

    def _keep_credential(self, account: Account, credential: Credential) -> None:
        """Keep what an account calls with, as long as anything is asked with it."""
        if account not in self._credentials:
            self._credentials = {each: kept for each, kept in self._credentials.items() if self._scheduler.knows(each)}
        self._credentials[account] = credential

    def _tell_all(self, woken: set[ObjectKey]) -> None:
        for key in sorted(woken):
            self._wake(key)


@dataclass(frozen=True, slots=True)
class _Meter:
    """Passes on what a read takes."""

    entries_came: Callable[[int], None]
    request_follows: Callable[[], None]
