"""What is known of leases beyond one resource: the lists of Phase, the ledgers of others, and whose turn it is."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Protocol

from phase_operator.core.leases.facts import Call, Facts
from phase_operator.core.leases.ledger import LeaseState, Ledger
from phase_operator.core.leases.proofs import Proofs
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.lease_rate import LeaseRate
from phase_operator.reconcile.leases.calls import Caller
from phase_operator.reconcile.leases.lists import Lists
from phase_operator.reconcile.leases.subject import Subject
from phase_operator.reconcile.leases.subjects import Subjects
from phase_operator.reconcile.ports import Clock
from phase_operator.reconcile.store import PhaseSecretStore

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
        resources: PhaseSecretStore,
        subjects: Subjects,
        lists: Lists,
        rate: LeaseRate,
        gates: Gates,
        clock: Clock,
        digest_key: Callable[[], bytes],
        is_complete: Callable[[], bool],
    ) -> None:
        self._resources = resources
        self._subjects = subjects
        self._lists = lists
        self._rate = rate
        self._gates = gates
        self._clock = clock
        self._digest_key = digest_key
        # Whether all resources have been seen. Before, a lease of one that was not seen could look like nobody's.
        self.is_complete = is_complete

    def add(self, facts: Facts, subject: Subject, ledger: Ledger) -> Facts:
        """Return the facts with the lists of Phase, who holds our leases, and the leases of others."""
        account = subject.account
        if account is None:
            return facts
        proven = [each for each in ledger.leases if each.is_proven]
        places = {each.place for each in proven}
        newest = self._lists.newest(account, places)
        interval = max(float(facts.wanted.interval), self._lists.least_interval(account, places))
        ours = (listing.find(each.id) for each in proven if (listing := newest.get(each.place)) and each.id)
        if _is_lost(ledger, facts):
            facts = self._with_others(facts, subject.key)
        return replace(
            facts,
            wanted=replace(facts.wanted, interval=round(interval)),
            listings=newest,
            earlier=self._lists.before(account, places),
            account=next((each.owner for each in ours if each is not None and each.owner), subject.holder),
        )

    def may_ask_at(self, caller: Caller, key: ObjectKey, now: float) -> float:
        """Return when a resource may ask for a lease, in seconds since 1970: that turn is kept for it."""
        moment = self._clock.monotonic()
        gate = self._gates.other_allowed_at(caller.account, moment)
        turn = self._rate.allowed_at(caller.account, key, moment)
        return now + max(turn - moment, _LOOK_AGAIN if gate == inf else gate - moment)

    def _with_others(self, facts: Facts, key: ObjectKey) -> Facts:
        """Return the facts with the leases of all other resources: in their ledgers, answered, and being made.

        What is not proven in a ledger hides no lease of ours.
        """
        digest_key = self._digest_key()
        others = (self._resources.get(each) for each in list(self._resources.keys()) if each != key)
        ledgers = (Proofs(digest_key, each.uid).read(each.status) for each in others if each is not None)
        named = {lease.id for ledger in ledgers for lease in ledger.leases if lease.id and lease.is_proven}
        answered, under_way = self._subjects.calls_beside(key)
        return replace(facts, of_others=frozenset(named | answered), under_way=frozenset(under_way))


def _is_lost(ledger: Ledger, facts: Facts) -> bool:
    """Return whether the list has to tell what came of an attempt."""
    nothing = Call()
    return any(facts.calls.get(each.attempt, nothing).lost_at for each in ledger.of_state(LeaseState.ASKING))
