"""A lease that was asked for, whose answer is lost: it is found in the list of Phase, or known not to have been made.

Rule: an unclear attempt is settled by looking, never by asking again. Phase lists a lease when it is made, and its
server ends a call after two minutes, so only a look after that proves that there is none.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from phase_operator.core.flow import lost_calls
from phase_operator.core.leases.facts import Call, Facts, ListedLease, Listing
from phase_operator.core.leases.ledger import Lease, LeaseState, Ledger, serving
from phase_operator.core.leases.steps import Happening, LeaseEvent, Look, Step, Wait, WriteLedger

# Seconds until a call that is under way may be answered.
_SOON = 1.0
# No lease is made later than this many seconds after it was asked for.
SURELY_LISTED = lost_calls.SURELY_DONE


def sent_until(lease: Lease) -> float:
    """Return the moment from which on the call for an announced lease may not be sent, in seconds since 1970."""
    return lost_calls.sent_until(lease.asked_at)


def may_be_sent(lease: Lease, now: float) -> bool:
    """Return whether the call for an announced lease may still be sent."""
    return now < sent_until(lease)


def lost_by(lease: Lease, now: float) -> float:
    """Return when the call of a process that is no more was lost at the latest, in seconds since 1970."""
    return lost_calls.lost_by(lease.asked_at, now)


def look_for(lease: Lease, lost_at: float, ledger: Ledger, facts: Facts, now: float) -> Iterator[Step]:
    """Yield the step that settles an attempt whose answer was lost at a moment."""
    listing = facts.listings.get(lease.place)
    looked_at = listing.at if listing is not None else 0.0
    found = _found(lease, listing, ledger, facts) if listing is not None and looked_at >= lost_at else None
    if found is not None and _may_answer_another(lease, ledger, facts):
        yield Wait(now + _SOON)
        return
    if found is not None:
        # Nobody knows its credentials, so it is given back.
        row = replace(lease, state=LeaseState.REVOKING, id=found.id, ends_at=now + lease.ttl)
        yield WriteLedger(ledger.replacing(row).set_back(), (LeaseEvent(Happening.ORPHAN_FOUND, row),))
        return
    due = lost_calls.next_look(lost_at, looked_at)
    if due is None:
        # Of attempts that fail in a row, the status says why: an Event for each would be no news.
        news = () if ledger.setbacks else (LeaseEvent(Happening.NOT_MADE, lease),)
        yield WriteLedger(ledger.without(lease.attempt).set_back(), news)
    else:
        yield Look(lease.place) if due <= now else Wait(due)


def may_ask_beside(ledger: Ledger, facts: Facts) -> bool:
    """Return whether another lease may be asked for while it is unclear what became of an attempt.

    That may be one lease too many, until a look finds it. So it is done only if targets would be void before the last
    look, and only after a look that did not show the lease.
    """
    lost, serves = list(ledger.of_state(LeaseState.ASKING)), serving(ledger)
    lost_at = facts.calls[lost[0].attempt].lost_at if len(lost) == 1 else None
    if lost_at is None or serves is None:
        return False
    listing = facts.listings.get(lost[0].place)
    was_looked_for = listing is not None and listing.at >= lost_at + lost_calls.LOOKS[0]
    return was_looked_for and (serves.state is LeaseState.ENDED or serves.ends_at < lost_at + SURELY_LISTED)


def _may_answer_another(lease: Lease, ledger: Ledger, facts: Facts) -> bool:
    """Return whether a listed lease may be of a call that is under way: Phase lists it before the answer is here."""
    own = {(each.place, each.ttl) for each in ledger.leases if facts.calls.get(each.attempt, Call()).is_under_way}
    return (lease.place, lease.ttl) in own | facts.under_way


def _found(lease: Lease, listing: Listing, ledger: Ledger, facts: Facts) -> ListedLease | None:
    """Return the listed lease that came of an attempt, by its life, its holder, and what was the newest before it.

    Of several it is the oldest: the others may be of attempts that began later, for which the oldest is too old.
    """
    answered = {each.id for each in facts.calls.values()}
    known = {each.id for each in ledger.leases} | answered | facts.of_others
    newer = takewhile(lambda each: each.id != lease.after, listing.leases)
    ours = [each for each in newer if each.id not in known and _is_like(each, lease, facts.account)]
    return ours[-1] if ours else None


def _is_like(listed: ListedLease, lease: Lease, account: str) -> bool:
    is_ours = not (account and listed.owner) or listed.owner == account
    return is_ours and listed.ttl == lease.ttl and not listed.is_revoked
