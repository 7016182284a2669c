"""What this process knows of one push; what is lost with it is looked up or read again, never guessed."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.core.push.barred import Barred
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.limits import MOST_IN_CALL
from phase_operator.core.push.looks import Look
from phase_operator.core.push.memory import WrittenValues
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.spec import PushSpec
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.query import Account, Ask
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.failures import Failures
from phase_operator.reconcile.ports import Credential

# What fails together: calls that show what Phase has.
LOOKS = "look"
# Answers that say that an environment is gone, or closed to the account; a Phase that is away says none of them.
_SHUT = frozenset({Reason.APP_NOT_FOUND, Reason.ENVIRONMENT_NOT_FOUND, Reason.ACCESS_DENIED, Reason.APP_ENCRYPTED})
# Looks that fail so many times in a row do so for ten minutes, by their pauses.
_SHUT_AFTER = 8
# By how much a call gets smaller after Phase has refused one, to find the entry that is at fault.
_SMALLER = 8


@dataclass(frozen=True, slots=True)
class ReadSource:
    """The values of a source, in one version, and the memory that they take."""

    version: str
    data: Mapping[str, bytes] = field(repr=False)
    memory: Reservation = field(repr=False)


@dataclass(frozen=True, slots=True)
class SettledSource:
    """A source in one version, and the rows that the ledger had of it when all of it was at Phase."""

    version: str
    places: frozenset[EntryPlace]


@dataclass(slots=True, eq=False)
class PushSubject:
    """One resource. Times are in seconds since 1970."""

    key: ObjectKey
    uid: str
    # When this process began to serve it.
    started_at: float
    values: WrittenValues
    account: Account | None = None
    credential: Credential | None = None
    push: PushSpec | None = None
    ask: Ask | None = None
    # The id of the app that the spec names; "" if it is not known.
    app_id: str = ""
    look: Look | None = None
    # The revision of the environment just before that look, so that a probe tells whether it has moved since.
    revision: str | None = None
    # What the last probe of others has shown; it may be older than that.
    seen: str | None = None
    ready: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    lost: dict[str, float] = field(default_factory=dict)
    barred: dict[EntryPlace, Barred] = field(default_factory=dict)
    most_in_call: int = MOST_IN_CALL
    failures: Failures = field(default_factory=Failures)
    # What the last report said: how many entries are in step, and how many somebody else has.
    in_step: int = 0
    conflicts: int = 0
    # Whether entries were written since then.
    is_news: bool = False
    # The values of the sync annotation that a look was made for, and that a run has answered.
    sync: str | None = None
    forced: str | None = None
    # Sources by name: those that were read for this push, and those of which all is at Phase.
    read: dict[str, ReadSource] = field(default_factory=dict)
    settled: dict[str, SettledSource] = field(default_factory=dict)
    # The ledger that was read last, and the status that it was read from; at rest, neither is kept.
    _ledger: tuple[Mapping[str, Any], Ledger] | None = None

    def ledger_in(self, status: Mapping[str, Any]) -> Ledger:
        """Return the ledger in a status; each step asks for it, and a thousand rows take longer to read than a step."""
        if self._ledger is None or self._ledger[0] != status:
            self._ledger = (status, Ledger.read(status))
        return self._ledger[1]

    def wants(self, push: PushSpec, ask: Ask) -> None:
        """Take what the spec asks for: of something else, nothing is settled, and no failure hinders it."""
        if ask != self.ask:
            self.app_id = ""
            self.look = None
        if (push, ask) != (self.push, self.ask):
            self.settled.clear()
            self.barred.clear()
            self.failures.clear()
        self.push, self.ask = push, ask

    def asked_for(self, sync: str | None) -> None:
        """Take the value of the sync annotation: another one makes another look due, once."""
        if sync is not None and sync != self.sync:
            self.look = None
            self.settled.clear()
        self.sync = sync

    def probed(self, revision: str | None) -> None:
        """Take what a probe has shown, if any: another revision than that of the last look makes another look due."""
        if revision is None or revision == self.seen:
            return
        self.seen = revision
        if revision != self.revision:
            self.look = None

    def is_shut_out(self) -> bool:
        """Return whether Phase has refused for ten minutes to show an environment."""
        failure = self.failures.get(LOOKS)
        return failure is not None and failure.times >= _SHUT_AFTER and failure.error.reason in _SHUT

    def reported(self, in_step: int, problems: Iterable[Problem]) -> None:
        """Take what a report says."""
        self.is_news = False
        self.in_step = in_step
        self.conflicts = sum(each.reason is Reason.ENTRY_CONFLICT for each in problems)

    def send_less(self) -> None:
        """Have the next calls carry fewer entries: one of those in the last is at fault."""
        self.most_in_call = max(1, self.most_in_call // _SMALLER)

    def send_more(self) -> None:
        """Have the next calls carry more entries again: none of those in the last is at fault."""
        self.most_in_call = min(MOST_IN_CALL, self.most_in_call * _SMALLER)

    def bar(self, place: EntryPlace, barred: Barred) -> None:
        """Set an entry aside that Phase refused by itself; the others go as many at a time as before."""
        self.barred[place] = barred
        self.most_in_call = MOST_IN_CALL

    def still_barred(self, held: Set[EntryPlace]) -> None:
        """Forget entries that Phase refused and that are not among these, which are left alone: nobody wants them."""
        self.barred = {place: each for place, each in self.barred.items() if place in held}

    def keep_only(self, ledger: Ledger) -> None:
        """Forget what is about attempts that a ledger does not have."""
        attempts = {each.attempt for each in ledger.rows.values() if each.attempt}
        self.ready &= attempts
        self.refused &= attempts
        self.lost = {attempt: at for attempt, at in self.lost.items() if attempt in attempts}

    def rested(self) -> None:
        """Let the values of sources go: all is done that needed them."""
        self.read.clear()
        self._ledger = None
        self.failures.clear()
        self.most_in_call = MOST_IN_CALL
