"""What is known of one app: its id, what its last probe saw, and who asks: queries, and those who only watch.

Rule: state alone; when an app is probed is decided in timetable.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.source.apps import Environment
from phase_operator.core.source.query import AppRef, SourceQuery
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.keyrings import Dependencies
from phase_operator.reconcile.polling.query_state import QueryState, subscribers

# A read so soon after a probe needs none of its own.
_CLOSE = 10.0
# So many probes may fail in a row before reads do without.
_PROBE_FAILURES = 3


@dataclass(slots=True)
class Watcher:
    """A resource that hears when an environment moves, and reads nothing of it."""

    environment: str
    interval: float
    # Has the resource woken.
    moved: Callable[[], None]
    # The last revision that a probe has shown; what cannot be probed has not moved.
    seen: str | None

    def look(self, app: "AppState") -> None:
        """See whether the last probe of its app has shown another revision than the one before."""
        revision = app.revision(self.environment)
        if revision is not None and revision != self.seen:
            self.seen = revision
            self.moved()


@dataclass(slots=True)
class AppState:
    """An app, what its last probe saw, its queries, and who watches it."""

    ref: AppRef
    id: str | None
    # Environment -> its queries.
    places: dict[str, dict[SourceQuery, QueryState]] = field(default_factory=dict)
    watchers: dict[ObjectKey, Watcher] = field(default_factory=dict)
    # By their case-folded names; several apps may share what one keyring listed.
    environments: Mapping[str, Environment] = field(default_factory=dict)
    # The name means no app, or more than one.
    error: ExpectedError | None = None
    # A probe was answered or failed: reads may go.
    is_open: bool = False
    # Phase does not answer probes here: queries are read at their own intervals.
    is_unprobed: bool = False
    # The account may not read its environments, which is what a probe does.
    is_refused: bool = False
    failures: int = 0
    # When the last probe began, and the last one that was answered.
    probe_began_at: float = float("-inf")
    probed_at: float = float("-inf")
    # Reads that wait for the next probe, since what they bring is dated by the one before them.
    waiting: dict[SourceQuery, PollPriority] = field(default_factory=dict)
    # Its last probe was answered.
    is_probed: bool = False
    # How many probes a window it needs to be on time; none before one was answered.
    needed: float = 0.0
    # What kept its last probe from being answered, if that passes by itself; and whether PhaseSecrets say so.
    trouble: ExpectedError | None = None
    is_reported: bool = False
    # It is end-to-end encrypted: the account's keyring is its probe, and what is read is decrypted here.
    is_encrypted: bool = False
    # When it was taken for encrypted, or for not encrypted any more.
    switched_at: float = float("-inf")
    # Why none of it can be read, whatever is asked: it is encrypted and the token has no keys, or gets none.
    closed: ExpectedError | None = None
    # Environment -> what its last answer was made of besides, if it is decrypted here.
    dependencies: dict[str, Dependencies] = field(default_factory=dict)

    def queries(self) -> Iterator[QueryState]:
        """Yield all queries of the app."""
        for place in self.places.values():
            yield from place.values()

    def is_out_of_date(self, query_state: QueryState, now: float) -> bool:
        """Return whether a read has to wait for a probe: it may bring what was written since the last one."""
        if query_state.has_waited or query_state.wanted is PollPriority.MOVED or now - self.probed_at <= _CLOSE:
            return False
        if self.is_encrypted and self.trouble is not None:
            # The next keyring may be far, and its limit is not that of reads.
            return False
        return self.is_probed and self.revision(query_state.query.environment) is not None

    def revision(self, environment: str) -> str | None:
        """Return the revision of an environment that the last probe saw, or None if probes do not tell."""
        found = self.environments.get(environment)
        return found.revision if found is not None and not self.is_unprobed else None

    def may_refer(self, query_state: QueryState) -> bool:
        """Return whether an answer is in step with its revision, and may be made of environments that nobody knows."""
        is_known = query_state.query.environment in self.dependencies
        return not is_known and query_state.revision is not None and query_state.error is None

    @property
    def absent(self) -> set[str]:
        """The environments that are asked for and that the account does not see."""
        return set() if self.is_unprobed else {name for name in self.places if name not in self.environments}

    @property
    def interval(self) -> float:
        """The shortest interval that is asked for."""
        of_queries = (query_state.interval for query_state in self.queries())
        return min(chain(of_queries, (watcher.interval for watcher in self.watchers.values())))

    @property
    def is_asked(self) -> bool:
        """Whether anybody asks anything of it, or watches it."""
        return bool(self.places or self.watchers)

    @property
    def namespaces(self) -> set[str]:
        """The namespaces that it is probed for."""
        return {key.namespace for key in chain(subscribers(self.queries()), self.watchers)}

    def ask(self, query: SourceQuery, now: float) -> QueryState:
        """Return the state of a query, which may be asked for the first time."""
        place = self.places.setdefault(query.environment, {})
        if query not in place:
            place[query] = QueryState(query, repr(query), asked_at=now)
        return place[query]

    def drop(self, query: SourceQuery) -> None:
        """Forget a query that nobody asks any more, with its answer."""
        self.waiting.pop(query, None)
        place = self.places[query.environment]
        del place[query]
        if not place:
            del self.places[query.environment]
            self.dependencies.pop(query.environment, None)

    def found(self, app_id: str) -> bool:
        """Record the id that the name means; return True if it is another one than before."""
        self.error = None
        if self.id == app_id:
            return False
        self.id, self.environments, self.is_open = app_id, {}, False
        self.closed, self.is_encrypted, self.switched_at, self.dependencies = None, False, float("-inf"), {}
        return True

    def switch(self, now: float, *, is_encrypted: bool) -> None:
        """Record that the app is encrypted, or is not any more."""
        self.is_encrypted, self.switched_at, self.dependencies = is_encrypted, now, {}

    def hold(self) -> None:
        """Hold reads back until a probe is answered, also those that waited for the last one."""
        self.is_open = False
        for query, urgency in self.waiting.items():
            query_state = self.places[query.environment][query]
            query_state.wanted = query_state.urgency(urgency)
        self.waiting = {}

    def close(self, error: ExpectedError) -> set[ObjectKey]:
        """Hold all reads back until a probe is answered, and report why; return the PhaseSecrets to wake."""
        self.hold()
        before, self.closed = self.closed, error
        return subscribers(self.queries()) if before is None or before.message != error.message else set()

    def reopen(self) -> set[ObjectKey]:
        """Allow reads again; return the PhaseSecrets that it is news for."""
        was_closed, self.closed = self.closed is not None, None
        return subscribers(self.queries()) if was_closed else set()

    def unanswered(self) -> set[ObjectKey]:
        """Return the PhaseSecrets that wait for a first answer."""
        return subscribers(each for each in self.queries() if each.is_unanswered)

    def never_answered(self) -> list[QueryState]:
        """Return the queries that have no answer, be it that they failed."""
        return [query_state for query_state in self.queries() if query_state.answer is None]

    @property
    def waits_for_keyring(self) -> bool:
        """Whether it is encrypted, and nothing is read of it before a keyring tells of it."""
        return self.is_encrypted and not self.is_open and self.closed is None

    @property
    def is_broken(self) -> bool:
        """Whether a query of it failed last."""
        return any(query_state.error is not None for query_state in self.queries())

    @property
    def fails(self) -> bool:
        """Whether its probes fail, or reads of one of its environments."""
        return self.trouble is not None or self.is_broken

    def is_readable(self, *, has_keyring: bool) -> bool:
        """Return whether its queries can be read, if its id is known; `has_keyring`: the account's keyring is known."""
        return self.closed is None and (has_keyring or not self.is_encrypted)

    def is_first_attempt(self) -> bool:
        """Return whether a probe of it by the public API failed last, or has never worked."""
        return self.is_encrypted or not self.is_probed

    def probed(self, environments: Mapping[str, Environment]) -> Mapping[str, Environment]:
        """Record the environments that a probe brought, by name; return those of the probe before."""
        before, self.environments = self.environments, environments
        self.failures, self.is_unprobed, self.is_probed = 0, False, True
        self.probed_at = self.probe_began_at
        self.is_refused = False
        for watcher in self.watchers.values():
            watcher.look(self)
        return before

    def probe_failed(self, error: ExpectedError) -> None:
        """Count a probe that failed; if that lasts, or goes on, reads do without."""
        self.failures += 1
        self.is_probed = False
        self.is_refused = error.reason is Reason.ACCESS_DENIED
        if is_lasting(error) or self.failures >= _PROBE_FAILURES:
            self.is_unprobed = True

    def open(self) -> list[tuple[QueryState, PollPriority]]:
        """Allow reads, since a probe has ended; return the queries that are wanted, and how urgently."""
        self.is_open = True
        return [(query_state, query_state.wanted) for query_state in self.queries() if query_state.wanted is not None]

    def urgency_after_probe(self, query_state: QueryState, *, is_new: bool) -> PollPriority | None:
        """Return how urgently a query that the last probe did not confirm is to be read; None: not for that probe.

        `is_new`: the probe before did not show its environment.
        """
        is_there = query_state.query.environment in self.environments
        if query_state.error is not None:
            # What was refused is tried again in its own time, or as soon as the environment appears.
            return PollPriority.MOVED if is_there and is_new else None
        if self.revision(query_state.query.environment) is not None or not is_there:
            # It moved; or the account does not see it any more, and Phase's own words on that are wanted.
            return PollPriority.MOVED
        # There is no date: only reading tells. If there was one, it is read at its intervals from now on.
        if query_state.answer is None:
            return PollPriority.EDITED
        return PollPriority.MOVED if query_state.revision is not None else None

    def report_trouble(self) -> set[ObjectKey]:
        """Report the failing probe on all queries; return the PhaseSecrets that it is news for."""
        was_reported, self.is_reported = self.is_reported, True
        return set() if was_reported else self._unbroken()

    def end_trouble(self) -> set[ObjectKey]:
        """Record that probes work again; return the PhaseSecrets that it is news for."""
        woken = self.soothe()
        self.trouble = None
        return woken

    def soothe(self) -> set[ObjectKey]:
        """Report the failing probe on late queries only; return the PhaseSecrets that it is news for."""
        was_reported = self.trouble is not None and self.is_reported
        self.is_reported = False
        return self._unbroken() if was_reported else set()

    def _unbroken(self) -> set[ObjectKey]:
        return subscribers(query_state for query_state in self.queries() if query_state.error is None)


def is_lasting(error: ExpectedError) -> bool:
    """Return whether a probe that failed with this error is not worth another one soon."""
    return not isinstance(error, Transient) or error.reason is Reason.UNEXPECTED_ANSWER
