"""The steps of a push: each is one call or one write, made by the shell, after which the next is decided."""

from dataclasses import dataclass, field
from enum import StrEnum

from phase_operator.core.push.desired import Wanted
from phase_operator.core.push.ledger import Ledger, PushPlace
from phase_operator.core.push.looks import Listed
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.sources import SourceState
from phase_operator.core.values import SecretValue


class Happening(StrEnum):
    """What an Event says when a ledger is written."""

    # Somebody had deleted it in Phase, and it is made again.
    RESTORED = "EntryRestored"
    # It is not wanted any more, but a person has changed it since: it stays.
    LEFT = "EntryLeft"
    # The spec names another host. No token goes to the one where it was made, so it stays there.
    LEFT_AT_OTHER_HOST = "EntryLeftAtOtherHost"
    # The spec names another environment, and Phase has refused to show the one before for long: it stays there.
    ABANDONED = "EntriesAbandoned"


@dataclass(frozen=True, slots=True)
class PushEvent:
    """One Event: what happened to which entry."""

    what: Happening
    place: EntryPlace


@dataclass(frozen=True, slots=True)
class Change:
    """What a PUT changes of an entry; None leaves a field as it is."""

    entry: Listed
    # What the value is made of after it; None if that is not known.
    source: SourceState | None
    value: SecretValue | None = None
    type: str | None = None
    tags: frozenset[str] | None = None
    # True puts our mark on, False takes it off; what else the comment says stays.
    is_marked: bool | None = None


@dataclass(frozen=True, slots=True)
class LookAt:
    """List the entries of an environment."""

    at: PushPlace


@dataclass(frozen=True, slots=True)
class ReadSources:
    """Read the values of sources, by their names; what was decided without them is decided again."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class WriteLedger:
    """Write the ledger if it is still as it was read, and wait for the confirmation."""

    ledger: Ledger
    events: tuple[PushEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Post:
    """Make the announced entries, in one call that is not sent later than `sent_until`."""

    at: PushPlace
    attempt: str
    entries: tuple[Wanted, ...]
    sent_until: float


@dataclass(frozen=True, slots=True)
class Put:
    """Make the announced changes, in one call that is not sent later than `sent_until`. It may do a part of it."""

    at: PushPlace
    attempt: str
    changes: tuple[Change, ...]
    sent_until: float


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete entries by their ids, in one call: all or none."""

    at: PushPlace
    entries: tuple[Listed, ...]

    @property
    def ids(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(each.id for each in self.entries)


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before a moment, in seconds since 1970, or before the facts change; and what stands in the way."""

    until: float
    problems: tuple[Problem, ...] = field(default=())


Step = LookAt | ReadSources | WriteLedger | Post | Put | Delete | Rest
