"""The result of a run: the one value that status, Events, metrics and the next run are made from.

Rule: nothing about a run is reported that is not in its Outcome, so the reports cannot disagree.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.api.v1alpha1.phasesecret import LeftOutWhy
from phase_operator.core.errors import ExpectedError, Transient, asked_pause, shortened
from phase_operator.core.refs import TargetRef

# The `status` of a PhaseSecret as it goes to the API server.
StatusDocument = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Entries that a PhaseSecret selects and one of its targets leaves out; names, no values."""

    why: LeftOutWhy
    count: int
    # Cleaned for display, sorted, and limited to a readable number.
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetResult:
    """The state of one target after a run."""

    ref: TargetRef
    ready: bool
    reason: Reason
    keys: int | None = None
    message: str | None = None
    # The name of the object, if the target is versioned.
    version: str | None = None
    # True if this run wrote it.
    written: bool = False
    # True if this run wrote only its stamp, which is no news for users.
    resealed: bool = False
    # True if it failed for a reason that passes by itself.
    transient: bool = False
    # The pause in seconds that the API server asked for.
    after: float | None = None
    left_out: tuple[LeftOut, ...] = ()
    # What the target is made of, if it is in step: its request, as core/targets/request.py writes it, and the number of
    # entries that it took.
    selection: str | None = None
    entries: int | None = None

    @classmethod
    def failed(
        cls, ref: TargetRef, error: ExpectedError, *, keys: int | None = None, version: str | None = None
    ) -> Self:
        """Return the result of a target that an error kept from being brought in step.

        `keys` and `version` are what the target is known to have.
        """
        is_transient = isinstance(error, Transient)
        return cls(
            ref, False, error.reason, keys, error.message, version, transient=is_transient, after=asked_pause(error)
        )


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What was read, for people: names and numbers, no values."""

    app_id: str
    environment: str
    path: str
    entries: int
    # What is leased there, and the account that holds the lease, as Phase names both; "" if nothing is, or not known.
    dynamic_secret: str = ""
    account: str = ""
    # The host that was asked, if the spec names none and it is not Phase's cloud.
    host: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """A problem that does not stop a run but that a person should know."""

    reason: Reason
    message: str


class _WithoutTargets:
    """An outcome of a run that brought no target in step."""

    __slots__ = ()

    @property
    def targets(self) -> tuple[TargetResult, ...]:
        """No target."""
        return ()


@dataclass(frozen=True, slots=True)
class Synced:
    """The source was read; each target has its own result."""

    source: SourceFacts
    targets: tuple[TargetResult, ...]
    warning: Warned | None = None
    # Advice on something that works but is costly; the sentence stays the same while that is so.
    note: str | None = None

    @property
    def is_doubted(self) -> bool:
        """Whether any target takes the answer for wrong, so that it has to be read again."""
        return any(target.reason is Reason.ANSWER_DOUBTED for target in self.targets)


@dataclass(frozen=True, slots=True)
class PushedSource:
    """A Secret or ConfigMap that is pushed: its version, and how many entries Phase has of it."""

    kind: str
    name: str
    version: str
    entries: int


@dataclass(frozen=True, slots=True)
class Pushed(_WithoutTargets):
    """The state of a push after a run."""

    ready: bool
    reason: Reason
    message: str
    # How many entries have the value of their source.
    in_step: int = 0
    sources: tuple[PushedSource, ...] = ()
    # Where to; None if that is not known.
    to: SourceFacts | None = None
    # Whether entries were made, changed or deleted since the last report.
    is_news: bool = False


@dataclass(frozen=True, slots=True)
class Suspended(_WithoutTargets):
    """Nothing was read or written, because the resource is suspended; `what` stays as it is, in words."""

    what: str = "targets"


@dataclass(frozen=True, slots=True)
class Failed:
    """The run failed. `targets` is filled if they were kept in step with the last good answer."""

    reason: Reason
    message: str
    transient: bool = False
    # The pause in seconds that the other side asked for.
    after: float | None = None
    targets: tuple[TargetResult, ...] = ()

    @classmethod
    def of(cls, error: ExpectedError) -> Self:
        """Return the outcome of a run that ended in an error."""
        return cls(error.reason, error.message, transient=isinstance(error, Transient), after=asked_pause(error))


@dataclass(frozen=True, slots=True)
class Confirmed(_WithoutTargets):
    """The status is up to date: spec, targets and Phase are as they were when it was written."""


@dataclass(frozen=True, slots=True)
class Pending(_WithoutTargets):
    """The source has not been read yet; its answer will start the next run. Nothing is reported."""


@dataclass(frozen=True, slots=True)
class Gone(_WithoutTargets):
    """The resource does not exist any more."""


# What a status is made of.
Reported = Synced | Pushed | Suspended | Failed
Outcome = Reported | Confirmed | Pending | Gone


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome in one line, as the Ready condition shows it."""

    ready: bool
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """One Event."""

    type: str
    reason: str
    message: str


def verdict(outcome: Reported) -> Verdict:
    """Sum an outcome up in one line. One bad target makes the PhaseSecret not ready; the message names it.

    A failure that needs a person comes before one that passes by itself: the PhaseSecret is not ready until they act.
    """
    match outcome:
        case Suspended(what=what):
            return Verdict(True, Reason.SUSPENDED, f"suspended: {what} stay as they are")
        case Pushed(ready=ready, reason=reason, message=message):
            return Verdict(ready, reason, shortened(message))
        case Failed(reason=reason, message=message):
            return Verdict(False, reason, shortened(message))
        case Synced(targets=targets):
            bad = [target for target in targets if not target.ready]
            return _not_ready(bad, len(targets)) if bad else _ready(outcome)


def _not_ready(bad: Iterable[TargetResult], number: int) -> Verdict:
    ordered = sorted(bad, key=lambda target: not CATALOGUE[target.reason].stalled)
    good = number - len(ordered)
    rest = f"; {good} of {number} targets are in step" if number > 1 else ""
    named = "; ".join(f"{each.ref}: {shortened(each.message or '')}" for each in ordered[:3])
    return Verdict(False, ordered[0].reason, named + rest)


def _ready(outcome: Synced) -> Verdict:
    number = len(outcome.targets)
    message = "1 target is in step" if number == 1 else f"{number} targets are in step"
    if outcome.warning is not None:
        message = f"{message}; {shortened(outcome.warning.message)}"
    if outcome.note is not None:
        message = f"{message}; {outcome.note}"
    return Verdict(True, Reason.SYNCED, message)
