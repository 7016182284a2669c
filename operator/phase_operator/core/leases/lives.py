"""The lives of the leases that Phase has given: active, ended, retiring, to be given back.

Rule: a lease is given back when no pod can need it any more. Who cannot be known to use the next one keeps this one to
its end.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from phase_operator.core.flow.backoff import doubled
from phase_operator.core.leases.facts import Facts, Listing, Revocation
from phase_operator.core.leases.ledger import Lease, LeaseState, Ledger
from phase_operator.core.leases.steps import DropRecord, GiveBack, Happening, LeaseEvent, Look, Step, Wait, WriteLedger
from phase_operator.core.leases.unclear import SURELY_LISTED

# Seconds after its end at which Phase has taken a lease away by itself, if it ever does.
TAKEN_AWAY = 60.0
# Seconds after its end for which we try to give back what Phase has not taken away, and how often at least: the time
# may be over when a long outage ends.
_GIVE_UP = 3600.0
_LEAST_TRIES = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 300.0
# Two lists without a lease count only if this many seconds are between them.
_SECOND_LOOK = 5.0


def lived_short(lease: Lease, now: float) -> bool:
    """Return whether less than half of a lease's life is over."""
    return now < (lease.asked_at + lease.ends_at) / 2


def ends_soon(lease: Lease, rollover_percent: int, now: float) -> bool:
    """Return whether an active lease should have had a successor long ago.

    It has less than a sixth of its life left, and half of the time from its roll-over to its end is over.
    """
    overdue = max(5 / 6, (100 + rollover_percent) / 200)
    return now >= lease.asked_at + (lease.ends_at - lease.asked_at) * overdue


def live(lease: Lease, ledger: Ledger, facts: Facts, now: float) -> Iterator[Step]:
    """Yield the step that a lease needs now, or until when it needs none."""
    match lease.state:
        case LeaseState.ACTIVE:
            yield from _active(lease, ledger, facts, now)
        case LeaseState.RETIRING if not facts.is_idle:
            yield from _retiring(lease, ledger, facts, now)
        case LeaseState.REVOKING if not facts.is_idle:
            yield from _revoking(lease, ledger, facts, now)
        case _:
            return


def remove_all(ledger: Ledger, facts: Facts, until: float, now: float) -> Iterator[Step]:
    """Yield the steps of a deletion: all leases are given back, and at a moment it is over in any case."""
    if not ledger.leases:
        return
    living = tuple(ledger.of_state(LeaseState.ACTIVE, LeaseState.ENDED, LeaseState.RETIRING))
    if now >= until:
        yield WriteLedger(Ledger(), not_revoked(each for each in ledger.leases if each.id))
    elif living and facts.wanted.revoke:
        yield _give_all_back(living, ledger, facts)
    elif living:
        yield WriteLedger(ledger.without(*(each.attempt for each in living)))
    else:
        yield Wait(until)


def not_revoked(leases: Iterable[Lease]) -> tuple[LeaseEvent, ...]:
    """Return the Events that name leases which live on without us."""
    return tuple(LeaseEvent(Happening.NOT_REVOKED, each) for each in leases)


def _give_all_back(living: Iterable[Lease], ledger: Ledger, facts: Facts) -> WriteLedger:
    out_of_reach = [each for each in living if not _is_in_reach(each, facts)]
    kept = ledger.without(*(each.attempt for each in out_of_reach))
    revoked = (each.turned(LeaseState.REVOKING) for each in living if each not in out_of_reach)
    return WriteLedger(kept.replacing(*revoked), not_revoked(out_of_reach))


def _active(lease: Lease, ledger: Ledger, facts: Facts, now: float) -> Iterator[Step]:
    if now >= lease.ends_at:
        yield _end(lease, ledger, Happening.ENDED)
        return
    listing = facts.listings.get(lease.place)
    if listing is not None and _is_gone(lease, listing, facts.earlier.get(lease.place)):
        fared = ledger.set_back() if lived_short(lease, now) else ledger
        yield _end(lease, fared, Happening.REVOKED_ELSEWHERE)
        return
    yield Wait(lease.ends_at)
    if not facts.is_idle and _is_in_reach(lease, facts):
        due = _next_look(lease, listing, facts)
        yield Look(lease.place) if due <= now else Wait(due)


def _end(lease: Lease, ledger: Ledger, why: Happening) -> WriteLedger:
    ended = lease.turned(LeaseState.ENDED)
    return WriteLedger(ledger.replacing(ended), (LeaseEvent(why, ended),))


def _is_gone(lease: Lease, listing: Listing, earlier: Listing | None) -> bool:
    """Return whether Phase took the lease away, or shows in two lists that it does not know it."""
    found = listing.find(lease.id)
    if found is not None:
        return found.is_revoked
    return earlier is not None and _is_missing(lease, earlier) and listing.at - earlier.at >= _SECOND_LOOK


def _is_missing(lease: Lease, listing: Listing) -> bool:
    """Return whether a list that is new enough to have a lease does not have it."""
    return listing.at > lease.asked_at + SURELY_LISTED and listing.find(lease.id) is None


def _next_look(lease: Lease, listing: Listing | None, facts: Facts) -> float:
    if listing is None:
        return max(lease.asked_at, facts.started_at) + facts.wanted.interval
    return listing.at + (_SECOND_LOOK if _is_missing(lease, listing) else facts.wanted.interval)


def _retiring(lease: Lease, ledger: Ledger, facts: Facts, now: float) -> Iterator[Step]:
    latest = lease.ends_at + TAKEN_AWAY
    if now >= latest:
        yield _give_back(lease, ledger, facts)
        return
    yield Wait(latest)
    successor = ledger.first(LeaseState.ACTIVE)
    if successor is None or facts.written != successor.attempt:
        return
    if not lease.revoke_after:
        yield WriteLedger(ledger.replacing(replace(lease, revoke_after=now + facts.wanted.overlap)))
    elif facts.wanted.revoke and facts.are_readers_rolled and _is_in_reach(lease, facts):
        yield _give_back(lease, ledger, facts) if now >= lease.revoke_after else Wait(lease.revoke_after)


def _give_back(lease: Lease, ledger: Ledger, facts: Facts) -> WriteLedger:
    """Return the write that begins to give a lease back, or leaves it where no token of ours may go."""
    if _is_in_reach(lease, facts):
        return WriteLedger(ledger.replacing(lease.turned(LeaseState.REVOKING)))
    return _out(lease, ledger, Happening.NOT_REVOKED)


def _revoking(lease: Lease, ledger: Ledger, facts: Facts, now: float) -> Iterator[Step]:
    tried = facts.revocations.get(lease.attempt, Revocation())
    is_too_late = now >= lease.ends_at + _GIVE_UP and tried.failures >= _LEAST_TRIES
    is_over = is_too_late or not _is_in_reach(lease, facts)
    if not tried.is_done and not is_over:
        due = tried.last + doubled(_FIRST_PAUSE, _LONGEST_PAUSE, tried.failures - 1)
        yield GiveBack(lease) if due <= now or not tried.failures else Wait(due)
    elif lease.attempt in facts.records:
        # Before the row: a crash between the two finds the row, revokes once more, and comes here again.
        yield DropRecord(lease)
    else:
        yield _out(lease, ledger, Happening.GIVEN_BACK if tried.is_done else Happening.NOT_REVOKED)


def _out(lease: Lease, ledger: Ledger, why: Happening) -> WriteLedger:
    return WriteLedger(ledger.without(lease.attempt), (LeaseEvent(why, lease),))


def _is_in_reach(lease: Lease, facts: Facts) -> bool:
    """Return whether we may call Phase about a lease.

    The account of the spec has to be one of the lease's host, since its token goes to no other, and the lease has to be
    proven ours: else anybody who may write statuses could have the leases of others revoked.
    """
    return lease.is_proven and lease.place.host == facts.wanted.host
