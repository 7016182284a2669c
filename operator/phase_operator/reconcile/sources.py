"""The questions that PhaseSecrets ask, each asked once for all who ask it.

Rule: one question has at most one read under way, and its answer goes to everybody who asked. An answer is never
replaced by nothing: a failure, or an empty answer where there were entries, stands beside the last good one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.keys import listing
from phase_operator.core.pacing import next_look, retry_source
from phase_operator.core.query import SourceQuery
from phase_operator.core.values import ObjectKey, Snapshot
from phase_operator.reconcile.ports import Clock, Credential, PhaseApi, Wake
from phase_operator.reconcile.queue import Priority, WorkQueue


@dataclass(frozen=True, slots=True)
class Unread:
    """The question has not been answered yet."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Phase's answer."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Broken:
    """The last read failed; `snapshot` is the last good answer, if there ever was one."""

    error: ExpectedError
    snapshot: Snapshot | None


SourceState = Unread | Fresh | Broken


@dataclass(slots=True)
class _Source:
    credential: Credential
    intervals: dict[ObjectKey, float] = field(default_factory=dict)
    state: SourceState = Unread()
    confirmed: float | None = None
    failures: int = 0
    # Who is woken by the next answer, changed or not.
    waiting: set[ObjectKey] = field(default_factory=set)

    @property
    def interval(self) -> float:
        return min(self.intervals.values())


class Sources:
    """Subscriptions of PhaseSecrets to questions, and the answers."""

    def __init__(self, phase: PhaseApi, clock: Clock, wake: Wake, observed: Callable[[str], None]) -> None:
        self._phase = phase
        self._clock = clock
        self._wake = wake
        self._observed = observed
        self._sources: dict[SourceQuery, _Source] = {}
        self._asked: dict[ObjectKey, SourceQuery] = {}
        self._closed_until: dict[tuple[str, str], float] = {}
        self.queue: WorkQueue[SourceQuery] = WorkQueue(clock)

    def subscribe(self, key: ObjectKey, query: SourceQuery, credential: Credential, interval: float) -> SourceState:
        """Let a PhaseSecret ask a question, instead of what it asked before, and return what is known."""
        if self._asked.get(key) != query:
            self.unsubscribe(key)
            self._asked[key] = query
        source = self._sources.get(query)
        if source is None:
            source = self._sources[query] = _Source(credential)
            self.queue.add(query, priority=Priority.NEW)
        sooner = not source.intervals or interval < source.interval
        source.intervals[key] = interval
        if isinstance(source.state, Unread):
            source.waiting.add(key)
        elif sooner and isinstance(source.state, Fresh):
            self.queue.add(query, delay=self._next_look(query, source), priority=Priority.PERIODIC)
        return source.state

    def unsubscribe(self, key: ObjectKey) -> None:
        """Let a PhaseSecret ask nothing; a question that nobody asks is forgotten with its answer."""
        query = self._asked.pop(key, None)
        if query is None:
            return
        source = self._sources[query]
        del source.intervals[key]
        source.waiting.discard(key)
        if not source.intervals:
            del self._sources[query]
            self.queue.forget(query)

    def refresh(self, key: ObjectKey) -> None:
        """Read the PhaseSecret's question now and wake it with the answer, changed or not."""
        query = self._asked[key]
        self._sources[query].waiting.add(key)
        self.queue.add(query, priority=Priority.CHANGED)

    def awaits(self, key: ObjectKey) -> bool:
        """Say whether an answer is owed to the PhaseSecret."""
        query = self._asked.get(key)
        return query is not None and key in self._sources[query].waiting

    async def read(self, query: SourceQuery) -> bool:
        """Ask Phase once, keep the answer, wake those concerned and plan the next look; False if it was not asked."""
        source = self._sources.get(query)
        if source is None:
            return False
        account = (query.base_url, query.account)
        closed_for = self._closed_until.get(account, 0.0) - self._clock.monotonic()
        if closed_for > 0:
            self.queue.add(query, delay=closed_for, priority=Priority.PERIODIC)
            return False
        try:
            state = _believed(await self._phase.read(query, source.credential), source.state, query)
        except ExpectedError as error:
            state = Broken(error, _snapshot(source.state))
        if self._sources.get(query) is source:
            self._settle(query, source, state)
        return True

    def staleness(self) -> float:
        """Return for how many seconds the source that was confirmed longest ago has not been confirmed."""
        now = self._clock.monotonic()
        return max((now - each.confirmed for each in self._sources.values() if each.confirmed is not None), default=0.0)

    def __len__(self) -> int:
        return len(self._sources)

    def _settle(self, query: SourceQuery, source: _Source, state: SourceState) -> None:
        changed = not _alike(state, source.state)
        source.state = state
        if isinstance(state, Broken):
            source.failures += 1
            self._observed(str(state.error.reason))
            delay = retry_source(state.error, source.failures, source.interval, repr(query))
            if state.error.reason is Reason.RATE_LIMITED:
                # The quota is the account's: every other question of it would be refused as well.
                self._closed_until[(query.base_url, query.account)] = self._clock.monotonic() + delay
        else:
            source.failures = 0
            source.confirmed = self._clock.monotonic()
            self._observed("changed" if changed else "unchanged")
            delay = self._next_look(query, source)
        self.queue.add(query, delay=delay, priority=Priority.PERIODIC)
        concerned = set(source.intervals) if changed else source.waiting
        source.waiting = set()
        for key in sorted(concerned):
            self._wake(key)

    def _next_look(self, query: SourceQuery, source: _Source) -> float:
        return next_look(source.interval, repr(query))


def _snapshot(state: SourceState) -> Snapshot | None:
    return None if isinstance(state, Unread) else state.snapshot


def _believed(answer: Snapshot, before: SourceState, query: SourceQuery) -> SourceState:
    if answer.entries:
        return Fresh(answer)
    where = "any folder" if query.path is None else f'folder "{query.path}"'
    tags = f" with tag {listing(query.tags)}" if query.tags else ""
    message = f'environment "{query.environment}" of app {query.app} has no entries in {where}{tags}'
    return Broken(Waiting(Reason.NO_ENTRIES, f"{message}; targets stay as they are"), _snapshot(before))


def _alike(one: SourceState, other: SourceState) -> bool:
    match one, other:
        case Fresh(snapshot=new), Fresh(snapshot=old):
            return new.revision == old.revision
        case Broken(error=new_error), Broken(error=old_error):
            return (new_error.reason, new_error.message) == (old_error.reason, old_error.message)
        case _:
            return False
