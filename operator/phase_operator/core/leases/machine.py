"""What comes next for the leases of a PhaseDynamicSecret.

`next_step` looks at the ledger and at what is known now, and returns one call or one write. The shell does it and asks
again. Nothing here remembers anything, so a process that dies at any point goes on where the ledger is.

| lease | when | next |
|---|---|---|
| none | none is active, a roll-over is due, or the spec names another secret | announce: Asking |
| any | its row has no proof that we wrote it | never asked for, looked for or revoked: it lives to its end |
| Asking | not asked yet | ask; out of the ledger if it is half a minute old |
| Asking | answered | make the record, then Active; the one before is Retiring |
| Asking | refused | out of the ledger |
| Asking | the answer is lost | look until 130 seconds later: Revoking if Phase made it, else out |
| Asking | another process was to ask | the same, from the moment on at which it would have asked at the latest |
| Asking | the same, after a look in vain, and targets would be void before the last look | announce one more: Asking |
| Active | Phase revoked it, or its end has come | Ended: targets keep it until the next is active |
| Retiring | the targets have the next one, the overlap is over, and its readers have restarted | Revoking |
| Retiring | a minute after its end | Revoking, since Phase may have failed to take it away |
| Revoking | revoked | delete the record, then out of the ledger |
| Revoking | an hour after its end, in vain | out of the ledger; an Event names it |
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import inf

from phase_operator.core.leases.facts import Call, Facts, Record, Resolved
from phase_operator.core.leases.ledger import MOST_LEASES, Lease, LeaseState, Ledger, serving
from phase_operator.core.leases.lives import live, lived_short, not_revoked, remove_all
from phase_operator.core.leases.spacing import SHORTEST, earliest, fingerprint, wanted_life
from phase_operator.core.leases.steps import Ask, Happening, Keep, LeaseEvent, Resolve, Step, Wait, WriteLedger
from phase_operator.core.leases.unclear import look_for, lost_by, may_ask_beside, may_be_sent, sent_until

# An announcement names the newest lease before it, so the list that shows that one must be fresh. In seconds.
_FRESH = 30.0


def nothing_held(_: Step) -> bool:
    """Hold no step back."""
    return False


def next_step(ledger: Ledger, facts: Facts, now: float, is_held: Callable[[Step], bool] = nothing_held) -> Step:
    """Return the next step; a `Wait` if there is nothing to do before a moment or a new fact.

    Steps that are held are passed over: calls that failed a moment ago, or any call while another one is under way.
    """
    until = inf
    for step in _steps(ledger, facts, now):
        if isinstance(step, Wait):
            until = min(until, step.until)
        elif not is_held(step):
            return step
    return Wait(until)


def calls_of(ledger: Ledger, calls: Mapping[str, Call], now: float) -> dict[str, Call]:
    """Return the calls of what is in the Asking state: one that this process did not announce was lost by now."""
    asking = ledger.of_state(LeaseState.ASKING)
    return {each.attempt: calls.get(each.attempt) or Call(lost_at=lost_by(each, now)) for each in asking}


def _steps(ledger: Ledger, facts: Facts, now: float) -> Iterator[Step]:
    for lease in ledger.of_state(LeaseState.ASKING):
        yield from _asking(lease, ledger, facts, now)
    if facts.remove_until is not None:
        yield from remove_all(ledger, facts, facts.remove_until, now)
    for lease in ledger.leases:
        yield from live(lease, ledger, facts, now)
    is_free = ledger.first(LeaseState.ASKING) is None or may_ask_beside(ledger, facts)
    if facts.remove_until is None and not facts.is_suspended and is_free:
        yield from _begin(ledger, facts, now)


def _asking(lease: Lease, ledger: Ledger, facts: Facts, now: float) -> Iterator[Step]:
    record = facts.records.get(lease.attempt)
    call = facts.calls[lease.attempt]
    if not lease.is_proven:
        # What it says may be made up to have a lease of somebody else found and revoked.
        yield WriteLedger(ledger.without(lease.attempt), not_revoked([lease]))
    elif record is not None:
        yield _activate(lease, record, ledger)
    elif call.id and facts.remove_until is not None:
        yield _unused(lease, call.id, ledger, facts, now)
    elif call.id:
        yield Keep(lease)
    elif call.is_refused:
        yield WriteLedger(ledger.without(lease.attempt).set_back())
    elif call.lost_at is not None:
        # A suspended resource calls nobody; what is unclear is settled when it goes on.
        yield from () if facts.is_idle else look_for(lease, call.lost_at, ledger, facts, now)
    elif not call.is_under_way:
        yield _ask(lease, ledger, facts, now)


def _ask(lease: Lease, ledger: Ledger, facts: Facts, now: float) -> Step:
    is_wanted = not facts.is_suspended and facts.remove_until is None and lease.asked_by == facts.wanted.asked_by
    if not is_wanted or not may_be_sent(lease, now):
        # Nothing was asked for. Of a call that is sent late, other processes would believe that it is settled.
        return WriteLedger(ledger.without(lease.attempt))
    return Ask(lease) if facts.may_ask_at <= now else Wait(min(facts.may_ask_at, sent_until(lease)))


def _unused(lease: Lease, lease_id: str, ledger: Ledger, facts: Facts, now: float) -> WriteLedger:
    """Return the write for a lease that came after its resource was deleted: nobody needs its credentials, or a record.

    So an object that stands where the record would be made does not delay the end.
    """
    if not facts.wanted.revoke:
        return WriteLedger(ledger.without(lease.attempt))
    return WriteLedger(
        ledger.replacing(replace(lease, state=LeaseState.REVOKING, id=lease_id, ends_at=now + lease.ttl))
    )


def _activate(lease: Lease, record: Record, ledger: Ledger) -> WriteLedger:
    """Return the write that makes a recorded lease the active one; those before it retire, or are given back."""
    before = [each.turned(LeaseState.RETIRING) for each in ledger.of_state(LeaseState.ACTIVE)]
    ended = [each.turned(LeaseState.REVOKING) for each in ledger.of_state(LeaseState.ENDED)]
    active = replace(lease, state=LeaseState.ACTIVE, id=record.id, ends_at=record.ends_at)
    what = Happening.ROLLED_OVER if before or ended else Happening.ISSUED
    return WriteLedger(ledger.replacing(active, *before, *ended), (LeaseEvent(what, active),))


def _begin(ledger: Ledger, facts: Facts, now: float) -> Iterator[Step]:
    """Yield the steps to the announcement of a lease, if one is needed."""
    active = ledger.first(LeaseState.ACTIVE)
    due = _due(active, facts)
    if now < due:
        yield Wait(due)
    elif len(ledger.leases) < MOST_LEASES:
        fared = _fared(ledger, active, facts, now)
        # What became of an attempt may be unclear: it counts as failed here, and in the ledger when it is clear.
        counted = fared if ledger.first(LeaseState.ASKING) is None else fared.set_back()
        ends_at = active.ends_at if active is not None else inf
        may_begin = max(earliest(counted, _life(ledger, facts), ends_at), facts.may_ask_at)
        yield Wait(may_begin) if now < may_begin else _announce(active, fared, facts, now)


def _life(ledger: Ledger, facts: Facts) -> int:
    """Return the life by which attempts are spaced, in seconds: the one that is wanted, as far as that is known.

    Setbacks were counted with the pauses of the lease that serves: a spec that wants a longer life makes none longer.
    """
    wanted = wanted_life(facts.wanted, facts.resolved) if facts.resolved is not None else facts.wanted.ttl
    serves = serving(ledger)
    return min(wanted, max(serves.ttl, SHORTEST)) if serves is not None else wanted


def _announce(active: Lease | None, ledger: Ledger, facts: Facts, now: float) -> Step:
    resolved = facts.resolved
    if resolved is None or not _is_fresh(resolved, facts, now):
        return Resolve()
    if active is not None and _is_same(active, resolved, facts, now):
        return WriteLedger(ledger.replacing(replace(active, asked_by=resolved.asked_by)))
    if SHORTEST <= wanted_life(facts.wanted, resolved) <= resolved.secret.longest_ttl:
        return WriteLedger(ledger.adding(_announced(resolved, facts, now)))
    # Phase would refuse the life; the dynamic secret may have other limits at the next look.
    return Wait(resolved.listing.at + facts.wanted.interval)


def _is_fresh(resolved: Resolved, facts: Facts, now: float) -> bool:
    return resolved.asked_by == facts.wanted.asked_by and now - resolved.listing.at <= _FRESH


def _due(active: Lease | None, facts: Facts) -> float:
    """Return when a lease is needed, in seconds since 1970: 0 for at once."""
    if active is None or active.attempt not in facts.records or active.asked_by != facts.wanted.asked_by:
        return 0.0
    return _rollover(active, facts)


def _rollover(active: Lease, facts: Facts) -> float:
    return active.asked_at + (active.ends_at - active.asked_at) * facts.wanted.rollover_percent / 100


def _is_same(active: Lease, resolved: Resolved, facts: Facts, now: float) -> bool:
    """Return whether the spec only says in other words what the active lease is of."""
    is_renamed = active.asked_by != resolved.asked_by and active.place == resolved.listing.place
    return is_renamed and active.attempt in facts.records and now < _rollover(active, facts)


def _fared(ledger: Ledger, active: Lease | None, facts: Facts, now: float) -> Ledger:
    """Return the ledger with the count of setbacks as it is when the active lease gets a successor now."""
    if active is None or active.asked_at < ledger.last_attempt:
        # Attempts since then count by themselves: a lease that has lived long makes up for none of them.
        return ledger
    # A spec may have leases replaced early in their lives: one that serves until then has done all it should.
    is_early = lived_short(active, now) and now < _rollover(active, facts)
    return ledger.set_back() if is_early else replace(ledger, setbacks=0)


def _announced(resolved: Resolved, facts: Facts, now: float) -> Lease:
    attempt = f"{facts.bits % 2**32:08x}"
    life = fingerprint(wanted_life(facts.wanted, resolved), facts.bits >> 32)
    newest = resolved.listing.leases[0].id if resolved.listing.leases else ""
    return Lease(attempt, LeaseState.ASKING, resolved.listing.place, facts.wanted.asked_by, life, now, newest)
