"""What PhaseSecrets ask, what is known, and the calls that find out: the nouns of polling."""

from dataclasses import dataclass, field

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.query import Account, AppRef, Revision, SourceQuery
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


# The calls that the scheduler asks for.


@dataclass(frozen=True, slots=True)
class ListApps:
    """List the apps that the account sees."""

    account: Account


@dataclass(frozen=True, slots=True)
class ReadKeyring:
    """Read the keys of all apps and environments that the account has keys of, with their revisions."""

    account: Account


@dataclass(frozen=True, slots=True)
class Probe:
    """List an app's environments with their revisions."""

    account: Account
    app: AppRef
    app_id: str


@dataclass(frozen=True, slots=True)
class Read:
    """Read entries: those of one query, or all of the environment for several."""

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


Call = ListApps | ReadKeyring | Probe | Read


@dataclass(frozen=True, slots=True)
class Subscription:
    """How one PhaseSecret takes part in a query."""

    interval: float
    urgency: PollPriority = PollPriority.NEW
    guard: Guard = field(default_factory=Guard)
    # The resource says of itself that it is in step, and its targets tell from a revision whether that holds.
    settled: bool = False
