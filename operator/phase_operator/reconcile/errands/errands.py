"""Make the errands: each passes the gate of its account, and its end wakes its resource.

Rule: however an errand ends, its place is given back and its resource runs again.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Hashable
from math import inf
from typing import Protocol

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.errands.queue import ErrandQueue
from phase_operator.reconcile.polling.gates import CallFacts, InFlightCall
from phase_operator.reconcile.ports import Clock, Wake
from phase_operator.reconcile.queue.work_queue import Waiter
from phase_operator.reconcile.watchdog import Watchdog

log = logging.getLogger(__name__)

# Seconds after which a call that is not answered was not refused for the quota: Phase looks at that first.
_LET_IN = 5.0
# Seconds after which a worker looks again at what waits: the end of a read, for example, lets an account call again.
_LOOK_AGAIN = 5.0


class Places(Protocol):
    """The gates of the accounts."""

    def other_allowed_at(self, account: Account, now: float) -> float:
        """Return when a call that is no read may be made: now, later, or infinity until another call has ended."""

    def other_begins(self, account: Account, requests: int = 1) -> InFlightCall:
        """Count a call that is no read and may take so many requests; `other_ended` has to follow."""

    def other_is_let_in(self, account: Account, begun: InFlightCall) -> None:
        """Count as passed a call that is no read and whose answer takes long: it waits for others than Phase."""

    def other_ended(self, account: Account, begun: InFlightCall, asked: CallFacts, error: ExpectedError | None) -> None:
        """Count the end of a call that is no read, and wake those whom it concerns."""

    def keep_account(self, account: Account) -> None:
        """Keep what is known of an account, also while nobody reads with it."""

    def let_account_go(self, account: Account) -> None:
        """Undo one `keep_account`."""


class Errands:
    """What runs plan and workers make."""

    def __init__(
        self,
        places: Places,
        clock: Clock,
        wake: Wake,
        counted: Callable[[Errand, str], None],
        quick: int,
    ) -> None:
        self._places = places
        self._clock = clock
        self._wake = wake
        # Counts an errand by its result: ok, or a reason.
        self._counted = counted
        # `quick`: how many calls may be under way that are answered at once; others have places of their own.
        self._queue = ErrandQueue(quick, places.other_allowed_at)
        # How many resources make calls with an account, whatever their kind.
        self._users: Counter[Account] = Counter()
        self._waiter = Waiter(clock)
        self._watchdog = Watchdog(clock)

    # For runs.

    def plan(self, errand: Errand) -> None:
        """Have an errand made, for a resource that has none under way; it replaces one that has not begun."""
        self._queue.withdraw(errand.subject)
        self._queue.add(errand, self._clock.monotonic())
        self._waiter.changed()

    def withdraw(self, subject: ObjectKey) -> None:
        """Drop the errand of a resource if it has not begun."""
        self._queue.withdraw(subject)

    def share(self, namespace: str, account: Account, asked: Hashable, answer: object) -> None:
        """Give an answer to all who wait to ask the same, instead of a call each: a namespace may have thousands."""
        for subject, question in self._queue.asking(namespace, account, asked).items():
            self._queue.withdraw(subject)
            question.take(answer)
            self._wake(subject)

    def is_under_way(self, subject: ObjectKey) -> bool:
        """Return whether an errand of a resource has begun and not ended."""
        return self._queue.is_under_way(subject)

    def keep_account(self, account: Account) -> None:
        """Keep what is known of an account: one more resource makes calls with it."""
        self._users[account] += 1
        self._places.keep_account(account)

    def let_account_go(self, account: Account) -> None:
        """Undo one `keep_account`; how long calls of an account took is forgotten with the last one."""
        self._users[account] -= 1
        if not self._users[account]:
            del self._users[account]
            self._queue.forget(account)
        self._places.let_account_go(account)

    # For workers.

    async def take(self) -> Errand:
        """Wait for the next errand and begin it; raise QueueClosedError after `close`."""
        return await self._waiter.take(self._look)

    def _look(self, now: float) -> tuple[Errand | None, float | None]:
        """Look as the queue does, and soon again while anything waits: not all that lets it begin is told here."""
        found, due = self._queue.look(now)
        if not len(self._queue):
            return found, due
        # After one that begins, the next may begin at once.
        soon = now if found is not None else now + _LOOK_AGAIN
        return found, min(due if due is not None else inf, soon)

    async def make(self, errand: Errand) -> None:
        """Make an errand that was taken. An exception is a bug of ours, and counts as a failure that passes."""
        begun = self._places.other_begins(errand.account, errand.requests)
        error: ExpectedError | None = Transient(Reason.INTERNAL_ERROR, "internal error; the operator's log has it")
        with self._watchdog.step(errand.subject):
            try:
                error = await self._made(errand, begun)
            finally:
                self._ended(errand, begun, error)

    async def _made(self, errand: Errand, begun: InFlightCall) -> ExpectedError | None:
        """Do the work. While one call of an account may tell its quota, none that takes long keeps it from others."""
        work = asyncio.ensure_future(errand.work(lambda: begun.go_on(self._clock.monotonic())))
        try:
            if errand.waits_for_others and not (await asyncio.wait({work}, timeout=_LET_IN))[0]:
                self._places.other_is_let_in(errand.account, begun)
                self._waiter.changed()
            return await work
        finally:
            work.cancel()

    def _ended(self, errand: Errand, begun: InFlightCall, error: ExpectedError | None) -> None:
        subject = errand.subject
        # Permissions for these calls are of their own: a refusal says nothing about reads.
        facts = CallFacts((subject, errand.kind), subject.namespace, 1, is_probe=True, proves_access=False)
        told = _of_host(errand, error)
        was_answered = not isinstance(told, Transient) or told.of_question or told.reason is Reason.RATE_LIMITED
        result = "ok" if error is None else str(error.reason)
        try:
            self._places.other_ended(errand.account, begun, facts, told)
        finally:
            self._queue.done(errand, self._clock.monotonic(), was_answered=was_answered)
            self._counted(errand, result)
            log.debug("errand ended", extra={"object": str(subject), "kind": errand.kind, "result": result})
            self._waiter.changed()
            self._wake(subject)

    def close(self) -> None:
        """Give out no more errands; those that began may end."""
        self._waiter.close()

    # For metrics.

    def depth(self) -> int:
        """Return how many errands wait."""
        return len(self._queue)

    def oldest(self) -> float:
        """Return for how many seconds the errand has waited longest that waits for those of other namespaces."""
        return self._queue.oldest(self._clock.monotonic())

    # For liveness.

    def neglected(self) -> float:
        """Return for how many seconds an errand that may begin has waited for somebody to take it."""
        return self._queue.neglected(self._clock.monotonic())

    def hanging(self) -> float:
        """Return for how many seconds the errand that hangs for longest has gone on."""
        return self._watchdog.hanging()


def _of_host(errand: Errand, error: ExpectedError | None) -> ExpectedError | None:
    """Return an error as what it says of the host: a cloud provider that is slow or fails is not the host's fault."""
    passes = isinstance(error, Transient) and not error.had_no_effect and error.reason is not Reason.INTERNAL_ERROR
    if error is None or not (errand.waits_for_others and passes):
        return error
    return Transient(error.reason, error.message, of_question=True)
