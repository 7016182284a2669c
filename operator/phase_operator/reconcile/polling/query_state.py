"""What is known of one query: who asks it, the last answer, and whether a new one is believed.

Rule: state alone; when a query is read is decided in timetable.py. An answer is never replaced by nothing: a failure
stands beside the last good answer, and a loss is believed when Phase says it twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import Reservation, reservations
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.source.shrink_guard import Guard, Moved, is_same_place, moved
from phase_operator.core.values import Entry, ObjectKey, Snapshot
from phase_operator.reconcile.polling.calls import Read, Subscription
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.shared_answer import Judgement, SharedAnswer

# A loss is believed if Phase says it again after so many seconds.
DOUBT_PAUSE = 5.0
# Clocks are floats: a pause of five seconds may measure a little less.
_SLACK = 0.001
# A target lets go of them within moments; more are not remembered.
MOST_MOVED = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a read says of one query; `tags` are those that exist if nothing has the tags asked for, None: unknown."""

    snapshot: Snapshot
    tags: tuple[str, ...] | None
    shared_answer: SharedAnswer
    call: Read


class Verdict(Enum):
    """What is to be done with an answer."""

    GOOD = auto()
    # Something is missing that may have been lost: it has to be said twice.
    SUSPECT = auto()
    # Nothing has the tags asked for, and which there are is not known: one answer, and one sentence in the status.
    INCOMPLETE = auto()


@dataclass(slots=True)
class QueryState:
    """A query, which PhaseSecrets ask it, and what is known of it."""

    query: SourceQuery
    # Spreads what would else happen at once; the same after a restart.
    identity: str
    subscriptions: dict[ObjectKey, Subscription] = field(default_factory=dict)
    answer: Snapshot | None = None
    full: Snapshot | None = None
    # The environment's revision at which all subscribers are in step.
    revision: str | None = None
    # The last date of the answer; and the one that it was given first, if that was wrong, or could not be confirmed:
    # targets are sealed with it.
    dated: str | None = None
    misdated: str | None = None
    # No probe has been answered since the answer came: it may be newer than its date.
    is_young: bool = False
    error: ExpectedError | None = None
    # What Phase says now, as the revision of an answer, and since when; and whether it said so at least twice.
    said: tuple[bytes, float] | None = None
    twice: bool = False
    # What left on purpose and may still stand in a target.
    moved: list[Moved] = field(default_factory=list)
    failures: int = 0
    asked_at: float = 0.0
    read_at: float | None = None
    confirmed_at: float | None = None
    forced_at: float = float("-inf")
    # Nothing has its tags: the whole environment is read as long as that is so, and tells which tags there are.
    is_wide: bool = False
    tags: tuple[str, ...] = ()
    # It has waited for a probe, and is read now however old that is.
    has_waited: bool = False
    # Wants to be read as soon as its app is known.
    wanted: PollPriority | None = None
    # Who is woken by the next answer, changed or not; some of them asked for it by the sync annotation.
    owed: set[ObjectKey] = field(default_factory=set)
    forced: set[ObjectKey] = field(default_factory=set)
    # It could not be confirmed in time, and its PhaseSecrets have to say so.
    is_late: bool = False
    # Its PhaseSecrets say that the account may not probe.
    is_unprobed: bool = False
    # It was refused, which may be due to keys that are out of date: they are read again before that is told.
    awaits_keys: bool = False
    # What the keyring showed when it could not be decrypted: until that changes, little is learnt by reading.
    failed_with: int | None = None

    @property
    def guards(self) -> list[Guard]:
        """What those who ask take of it and how much of that may go, each once, in the order in which they speak."""
        return sorted(self._distinct_guards(), key=lambda guard: guard.order)

    def work_of_guards(self, entries: int) -> int:
        """Return about how many microseconds all guards take to judge so many entries."""
        # A sum needs no order, and to sort thousands of guards takes long.
        return sum(guard.work(entries) for guard in self._distinct_guards())

    def _distinct_guards(self) -> set[Guard]:
        return {each.guard for each in self.subscriptions.values()}

    @property
    def is_unanswered(self) -> bool:
        """Whether it was neither answered nor refused yet."""
        return self.answer is None and self.error is None

    @property
    def since(self) -> float:
        """When it was last confirmed, or else when it was first asked."""
        return self.confirmed_at if self.confirmed_at is not None else self.asked_at

    @property
    def has_worked(self) -> bool:
        """Whether it was answered, and has not failed since."""
        return self.error is None and self.confirmed_at is not None

    @property
    def is_awaited(self) -> bool:
        """Whether PhaseSecrets wait for an answer: the first, one that was forced, or one that is late."""
        return self.answer is None or bool(self.forced) or self.is_late

    @property
    def last(self) -> Snapshot | None:
        """The last answer that had entries, or an empty one if none had."""
        return self.answer if self.answer is None or self.answer.entries else self.full or self.answer

    def places(self) -> Iterable[Reservation]:
        """Return where the last answer is held."""
        return () if self.last is None else reservations(self.last.place)

    def urgency(self, default: PollPriority) -> PollPriority:
        """Return how urgently it is wanted, or `default` if nobody waits for it."""
        return default if self.wanted is None else self.wanted

    def says(self, answer: Snapshot, now: float) -> float:
        """Record what Phase says, and return for how many seconds it has said the same."""
        if self.said is None or self.said[0] != answer.revision:
            self.said = (answer.revision, now)
        return now - self.said[1]

    def noted(self, left: Sequence[Moved], there: Mapping[str, Entry]) -> list[Moved]:
        """Return what left on purpose until now; an entry that is back in its place has not left.

        `there` are all entries of the read, by id: those in their old places answer the query as before.
        """
        every = {(each.was.id, each.was.path, each.was.type): each for each in (*self.moved, *left[-MOST_MOVED:])}
        return [
            each
            for each in every.values()
            if each.was.id not in there or not is_same_place(each.was, there[each.was.id])
        ][-MOST_MOVED:]

    def to_complete(self, answer: Snapshot, *, is_doubted: bool) -> list[Snapshot]:
        """Return the earlier answers that a new one may have to be completed by."""
        found = [self.last] if is_doubted else []
        return [each for each in (*found, *([] if answer.entries else [self.full])) if each is not None]

    def left(self) -> tuple[Moved, ...]:
        """Return what left on purpose."""
        return tuple(self.moved)

    def judge(self, got: Answer, now: float) -> Verdict:
        """Judge an answer and note what it says; one that is suspect keeps the last one for those who ask."""
        answer = got.snapshot
        self.read_at = now
        is_certain = self._is_certain(answer, now)
        if self._is_changed(answer):
            judgement = self._judgement(got, is_certain=is_certain)
            self.moved = self.noted(judgement.left, got.shared_answer.by_id)
            if judgement.doubt is not None and not is_certain:
                self._distrust(got, judgement.doubt)
                return Verdict.SUSPECT
        return Verdict.INCOMPLETE if got.tags is None else Verdict.GOOD

    def _judgement(self, got: Answer, *, is_certain: bool) -> Judgement:
        """Compare an answer with the last one that had entries, unless that was done in advance."""
        before = self.last
        if before is None:
            # Each PhaseSecret judges by what its targets hold.
            return Judgement()
        found = got.shared_answer.judgements.get(self.query)
        if found is not None and found.before is before:
            return found
        left = moved(before, got.shared_answer.by_id)
        # What Phase has said twice is believed: no guard is asked.
        return Judgement(before, left, None if is_certain else self._doubt(before, got.snapshot, left))

    def _distrust(self, got: Answer, doubt: ExpectedError) -> None:
        """Keep the last answer beside the reason why this one is not believed."""
        self.error, self.twice, self.is_wide = doubt, False, True
        before = self.last
        if before is not None and before.app_id == got.snapshot.app_id:
            self.full = got.shared_answer.completed(self.query, before, self.moved)

    def accept(self, got: Answer, now: float) -> set[ObjectKey]:
        """Believe an answer that was judged good; return the PhaseSecrets that it is news for, or that wait for it."""
        answer, tags = got.snapshot, got.tags or ()
        woken = set(self.subscriptions) if self._is_news(got) else set(self.owed)
        self._date(answer, got.call.revision)
        self.answer, self.tags = answer, tags
        self.full = self._full_after(got)
        self.error, self.wanted = None, None
        self.failures, self.awaits_keys, self.failed_with = 0, False, None
        self.owed, self.forced = set(), set()
        self.twice = self._is_certain(answer, now)
        return woken | self.confirm(now)

    def _is_news(self, got: Answer) -> bool:
        """Return whether an answer tells all who ask anything, also those who do not wait for it."""
        if self._is_changed(got.snapshot) or self.error is not None or self.tags != (got.tags or ()):
            return True
        return self.is_dated_anew(got.snapshot, got.call.revision)

    def _full_after(self, got: Answer) -> Snapshot | None:
        """Return the last answer with entries after a new one, without what left: it must not be written again."""
        if got.snapshot.entries or self.full is None:
            return got.snapshot if got.snapshot.entries else None
        rest = got.shared_answer.completed(self.query, self.full, self.moved)
        return rest if rest.entries else None

    def fail(self, error: ExpectedError) -> bool:
        """Keep a failure beside the last good answer; return True if it is another one than before."""
        before, self.error = self.error, error
        self.failures += 1
        self.owed, self.forced, self.wanted = set(), set(), None
        return before is None or (before.reason, before.message) != (error.reason, error.message)

    def _is_changed(self, answer: Snapshot) -> bool:
        return self.answer is None or self.answer.revision != answer.revision

    def _is_certain(self, answer: Snapshot, now: float) -> bool:
        """Return whether Phase has said the same at least twice, with a pause between."""
        return self.says(answer, now) >= DOUBT_PAUSE - _SLACK

    def _doubt(self, before: Snapshot, answer: Snapshot, left: Sequence[Moved]) -> ExpectedError | None:
        """Return what the first guard says that doubts an answer; None if none does."""
        verdicts = (guard.doubt(before, answer, left) for guard in self.guards)
        return next((found for found in verdicts if found is not None), None)

    def _date(self, answer: Snapshot, revision: str | None) -> None:
        """Date an answer; the same answer with another date right after it came was newer than its first one.

        The same answer without a date right after it came may be newer: its first date is taken back, since the process
        may end before it learns better. A first date, or the same again, may be of a probe that began before the answer
        came: whether it is right shows the next one.
        """
        if self._is_changed(answer):
            self.dated, self.misdated, self.is_young = revision, None, True
        elif self._is_misdated(revision):
            self.misdated, self.dated, self.is_young = self.dated, revision, False
        elif revision is not None:
            self.dated = revision
        self.revision = revision

    def _is_misdated(self, revision: str | None) -> bool:
        return self.is_young and self.dated not in (None, revision)

    def is_dated_anew(self, answer: Snapshot, revision: str | None) -> bool:
        """Return whether targets that were made of the same answer need a new stamp, or none.

        At most twice for each answer: its date is taken back once, and found once.
        """
        if self._is_changed(answer):
            return False
        return self._is_misdated(revision) or (self.revision is None and revision is not None)

    @property
    def interval(self) -> float:
        """The shortest interval that anybody asks for."""
        return min(each.interval for each in self.subscriptions.values())

    @property
    def needs_all(self) -> bool:
        """Whether the whole environment has to be read for it."""
        return self.is_wide or (self.query.path is None and not self.query.tags)

    @property
    def namespaces(self) -> set[str]:
        """The namespaces whose PhaseSecrets ask it."""
        return {key.namespace for key in self.subscriptions}

    @property
    def namespace(self) -> str:
        """The namespace on whose account it is read; turns are shared out between namespaces."""
        return next(iter(self.subscriptions)).namespace

    def confirm(self, now: float) -> set[ObjectKey]:
        """Record that it is confirmed now; return the PhaseSecrets that have reported it as late."""
        was_late, self.is_late = self.is_late, False
        self.confirmed_at = now
        return set(self.subscriptions) if was_late else set()

    def unsubscribe(self, key: ObjectKey) -> None:
        """Forget one of those who ask."""
        del self.subscriptions[key]
        self.owed.discard(key)
        self.forced.discard(key)

    def confirm_by_probe(self, probed_at: float, now: float) -> set[ObjectKey]:
        """Confirm it by a probe that began at `probed_at`; return the PhaseSecrets that have reported it as late."""
        if self.read_at is not None and self.read_at <= probed_at:
            self.is_young = False
        return self.confirm(now)

    def is_in_step_at(self, revision: str | None) -> bool:
        """Return whether what it was answered, or what its targets hold, is of this revision."""
        return self.error is None and revision is not None and self.revision == revision

    def is_unread_at(self, revision: str | None) -> bool:
        """Return whether this revision shows PhaseSecrets if they need an answer; they have none yet."""
        return self.error is None and revision is not None and self.revision is None and self.answer is None

    def set_unprobed(self, *, is_refused: bool) -> set[ObjectKey]:
        """Record whether the account may not probe; return the PhaseSecrets that it is news for."""
        was_refused, self.is_unprobed = self.is_unprobed, is_refused
        return set(self.subscriptions) if was_refused is not is_refused else set()


def subscribers(states: Iterable[QueryState]) -> set[ObjectKey]:
    """Return the PhaseSecrets that ask these queries."""
    return {key for state in states for key in state.subscriptions}
