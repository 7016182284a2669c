"""What is known of leases beyond one resource: the lists of Phase, the ledgers of others, and whose turn it is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import inf
from typing import Protocol

from phase_operator.core.leases.facts import Call, Facts, Listing
from phase_operator.core.leases.ledger import Lease, LeasePlace, LeaseState, Ledger
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.lease_rate import LeaseRate
from phase_operator.reconcile.leases.calls import Caller
from phase_operator.reconcile.leases.lists import Lists
from phase_operator.reconcile.leases.subject import Subject
from phase_operator.reconcile.leases.subjects import Subjects
from phase_operator.reconcile.ports import Clock

# Seconds until we ask again for a turn that depends on the end of another call.
_LOOK_AGAIN = 5.0


class Gates(Protocol):
    """When accounts may call Phase."""

    def other_allowed_at(self, account: Account, now: float) -> float:
        """Return when a call that is no read may be made: now, later, or infinity until another call has ended."""


class KnownLeases:
    """Adds to the facts of one resource what is known of the others."""

    def __init__(
        self,
        *,
        subjects: Subjects,
        lists: Lists,
        rate: LeaseRate,
        gates: Gates,
        clock: Clock,
        is_complete: Callable[[], bool],
    ) -> None:
        self._subjects = subjects
        self._lists = lists
        self._rate = rate
        self._gates = gates
        self._clock = clock
        # Whether all resources have been seen. Before, a lease of one that was not seen could look like nobody's.
        self.is_complete = is_complete

    def add(self, facts: Facts, subject: Subject, ledger: Ledger) -> Facts:
        """Return the facts with the lists of Phase, who holds our leases, and the leases of others."""
        account = subject.account
        if account is None:
            return facts
        proven = ledger.proven
        places = {each.place for each in proven}
        newest = self._lists.newest(account, places)
        interval = max(float(facts.wanted.interval), self._lists.least_interval(account, places))
        if _is_lost(ledger, facts):
            of_others, under_way = self._subjects.leases_beside(subject.key)
            facts = replace(facts, of_others=of_others, under_way=under_way)
        return replace(
            facts,
            wanted=replace(facts.wanted, interval=round(interval)),
            listings=newest,
            earlier=self._lists.before(account, places),
            account=_holder(proven, newest) or subject.holder,
        )

    def may_ask_at(self, caller: Caller, key: ObjectKey, now: float) -> float:
        """Return when a resource may ask for a lease, in seconds since 1970: that turn is kept for it."""
        moment = self._clock.monotonic()
        gate = self._gates.other_allowed_at(caller.account, moment)
        turn = self._rate.allowed_at(caller.account, key, moment)
        return now + max(turn - moment, _LOOK_AGAIN if gate == inf else gate - moment)


def _holder(leases: Iterable[Lease], listings: Mapping[LeasePlace, Listing]) -> str:
    """Return the id of the account that holds leases, as Phase lists them; "" if no list says it."""
    listed = (listing.find(each.id) for each in leases if (listing := listings.get(each.place)) and each.id)
    return next((each.owner for each in listed if each is not None and each.owner), "")


def _is_lost(ledger: Ledger, facts: Facts) -> bool:
    """Return whether the list has to tell what came of an attempt."""
    nothing = Call()
    return any(facts.calls.get(each.attempt, nothing).lost_at for each in ledger.of_state(LeaseState.ASKING))
