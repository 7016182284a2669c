"""What PhaseSecrets ask, what is known, and the calls that find out: the nouns of polling."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import ClassVar

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Account, AppRef, Revision, SourceQuery, source_name
from phase_operator.core.source.shrink_guard import Guard, Moved
from phase_operator.core.values import Snapshot
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.keyrings import KeyringIndex


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator's settings say about asking; times in seconds."""

    # Calls under way at once, to hosts that answer quickly.
    places: int = 16
    # Calls a minute and account; None: what `default_quota` says of the host.
    quota: int | None = None
    # More different queries than this to one environment become one read of all of it; 0: never.
    wide_above: int = 4
    # Within this time after any environment moved, answers that may refer to it are read again; 0: never.
    reference_bound: float = 300.0
    # Every query is read this often even if nothing moves.
    full_read: float = 3600.0


# What is known of a query.


@dataclass(frozen=True, slots=True)
class Unread:
    """No answer yet. With a revision, a PhaseSecret can tell from its targets whether it needs one."""

    revision: Revision | None = None


@dataclass(frozen=True, slots=True)
class Fresh:
    """Phase's answer; `full` is the last one that had entries, and differs only if this one has none."""

    answer: Snapshot
    full: Snapshot | None = None
    revision: Revision | None = None
    # If nothing has the tags that were asked for: those that stand there instead.
    tags: tuple[str, ...] = ()
    # Phase said so at least twice, with a pause between: no loss in it is doubted any more.
    twice: bool = False
    # What was in an answer before, and left on purpose.
    moved: tuple[Moved, ...] = ()
    # The account may not probe the app, so that the query is read at every interval.
    is_unprobed: bool = False
    # The answer was newer than the probe before it, or may be: targets that are sealed with this date are sealed anew,
    # or lose their seal.
    misdated: Revision | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """Phase cannot be asked, or is not believed; `full` is the last good answer with entries, if there ever was one."""

    error: ExpectedError
    full: Snapshot | None
    twice: bool = False
    moved: tuple[Moved, ...] = ()


SourceState = Unread | Fresh | Broken


# The calls that the scheduler asks for, and the tasks that they are made for: an app to probe, a query to read, and the
# two that are named here.

Task = str | AppRef | SourceQuery
LIST = "apps"
KEYRING = "keyring"


class _ReadsNoEntries:
    """What is so of all calls but reads."""

    __slots__ = ()

    # Which queries it reads, and how many requests it takes at most.
    queries: ClassVar[tuple[SourceQuery, ...]] = ()
    requests: ClassVar[int] = 1

    @property
    def what(self) -> Hashable:
        """What it asks: the same for each call that asks the same."""
        return self


@dataclass(frozen=True, slots=True)
class ListApps(_ReadsNoEntries):
    """List the apps that the account sees."""

    # For metrics and logs: what is asked, and where.
    kind: ClassVar[str] = "apps"
    place: ClassVar[str] = ""
    is_probe: ClassVar[bool] = False
    # What is not under way any more when the call has ended.
    tasks: ClassVar[tuple[Task, ...]] = (LIST,)

    account: Account


@dataclass(frozen=True, slots=True)
class ReadKeyring(_ReadsNoEntries):
    """Read the keys of all apps and environments that the account has keys of, with their revisions."""

    kind: ClassVar[str] = "keyring"
    place: ClassVar[str] = ""
    is_probe: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = (KEYRING,)

    account: Account


@dataclass(frozen=True, slots=True)
class Probe(_ReadsNoEntries):
    """List an app's environments with their revisions."""

    kind: ClassVar[str] = "probe"
    is_probe: ClassVar[bool] = True

    account: Account
    app: AppRef
    app_id: str

    @property
    def place(self) -> str:
        """Where it asks, for people."""
        return self.app.name or self.app_id

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is not under way any more when the call has ended."""
        return (self.app,)


@dataclass(frozen=True, slots=True)
class Read:
    """Read entries: those of one query, or all of the environment for several."""

    kind: ClassVar[str] = "read"
    is_probe: ClassVar[bool] = False

    account: Account
    app: AppRef
    app_id: str
    environment: str
    path: str | None
    tags: tuple[str, ...]
    # The revision that a probe saw before this read began: what is written meanwhile is seen by the next probe.
    revision: str | None
    queries: tuple[SourceQuery, ...]
    # The environment as the queries spell it, which all spell alike if that makes a difference.
    exact: str = ""
    # Reads everything that the environment holds.
    is_whole: bool = False
    # The keys, if the app is end-to-end encrypted: then everything is read, and decrypted here.
    keys: KeyringIndex | None = field(default=None, repr=False, compare=False)
    # The most requests that it takes, as far as is known: one, and one for each environment that values refer to.
    requests: int = 1

    @property
    def what(self) -> Hashable:
        """What it asks, without the moment in which it asks."""
        return self.app, self.environment, self.path, self.tags

    @property
    def place(self) -> str:
        """Where it asks, for people."""
        return source_name(self.app.name or self.app_id, self.environment, self.path)

    @property
    def tasks(self) -> tuple[Task | tuple[AppRef, str], ...]:
        """What is not under way any more when the call has ended; with the environment, if all of it is read."""
        return (*self.queries, (self.app, self.environment)) if self.is_whole else self.queries


Call = ListApps | ReadKeyring | Probe | Read


@dataclass(frozen=True, slots=True)
class Subscription:
    """How one PhaseSecret takes part in a query."""

    interval: float
    urgency: PollPriority = PollPriority.NEW
    guard: Guard = field(default_factory=Guard)
    # The resource says of itself that it is in step, and its targets tell from a revision whether that holds.
    settled: bool = False
