"""What is told of leases: an Event for what happened to one, and counters for what should be rare."""

import logging
from typing import Protocol

from phase_operator.core.leases.ledger import Lease
from phase_operator.core.leases.lives import lived_short
from phase_operator.core.leases.steps import Happening, WriteLedger
from phase_operator.core.outcome import Event
from phase_operator.core.timestamps import moment_of, timestamp
from phase_operator.reconcile.leases.subject import Subject
from phase_operator.reconcile.ports import Clock, Cluster
from phase_operator.reconcile.store import Resource

log = logging.getLogger(__name__)

# What people may have to do about it.
_WARNINGS = frozenset(
    {
        Happening.REVOKED_ELSEWHERE,
        Happening.ENDED,
        Happening.ORPHAN_FOUND,
        Happening.NOT_REVOKED,
        Happening.NOT_MADE,
    }
)


class LeaseCounter(Protocol):
    """Counts what should be rare."""

    def lease_orphaned(self) -> None:
        """Count a lease that was found at Phase, and whose credentials nobody has."""

    def lease_ended_early(self) -> None:
        """Count a lease that was revoked by others before half of its life was over."""


class LeaseNews:
    """Tells what happened, once its write is confirmed."""

    def __init__(self, cluster: Cluster, clock: Clock, counter: LeaseCounter) -> None:
        self._cluster = cluster
        self._clock = clock
        self._counter = counter

    def tell(self, subject: Subject, resource: Resource, step: WriteLedger) -> None:
        """Post the Events of a write, log them and count them."""
        events = [_event(each.what, each.lease) for each in step.events]
        if not events:
            return
        for news in step.events:
            detail = f"{news.lease.attempt} {news.lease.id}".rstrip()
            log.info("lease", extra={"object": str(subject.key), "reason": str(news.what), "detail": detail})
            self._count(news.what, news.lease)
        self._cluster.record_event(resource.key, resource.uid, events)

    def _count(self, what: Happening, lease: Lease) -> None:
        now = moment_of(self._clock.now()) or 0.0
        if what is Happening.ORPHAN_FOUND:
            self._counter.lease_orphaned()
        elif what is Happening.REVOKED_ELSEWHERE and lived_short(lease, now):
            self._counter.lease_ended_early()


def _event(what: Happening, lease: Lease) -> Event:
    return Event("Warning" if what in _WARNINGS else "Normal", str(what), _message(what, lease))


def _message(what: Happening, lease: Lease) -> str:
    named, end = f"lease {lease.id}", timestamp(lease.ends_at)
    match what:
        case Happening.ISSUED:
            return f"{named} was made and lives until {end}"
        case Happening.ROLLED_OVER:
            return f"{named} was made in place of the one before, and lives until {end}"
        case Happening.REVOKED_ELSEWHERE:
            return f"{named} was revoked, not by this operator: another one is asked for"
        case Happening.ENDED:
            return f"{named} has ended and no other one was made: targets keep its credentials, which are void"
        case Happening.GIVEN_BACK:
            return f"{named} was given back"
        case Happening.ORPHAN_FOUND:
            return f"{named} was made and its answer was lost: it is given back, since nobody has its credentials"
        case Happening.NOT_REVOKED:
            return _not_revoked(lease)
        case Happening.NOT_MADE:
            return "the answer to a call for a lease was lost, and Phase shows none: another one is asked for"


def _not_revoked(lease: Lease) -> str:
    if lease.is_proven:
        end = timestamp(lease.ends_at)
        return f"lease {lease.id} could not be given back: it lives until {end}, if Phase takes it away then"
    which = f"lease {lease.id}" if lease.id else "a lease"
    return (
        f"the ledger names {which}, and has no proof that this operator asked for it: it is neither looked for nor "
        "given back; either somebody wrote that status, or the operator has lost its digest key"
    )
