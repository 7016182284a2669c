"""All resources that have leases or want some, with what this process knows of each."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from phase_operator.core.leases.ledger import LeasePlace, LeaseState, Ledger
from phase_operator.core.leases.lives import ends_soon
from phase_operator.core.leases.proofs import Proofs
from phase_operator.core.source.query import Account
from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.lease_rate import LeaseRate
from phase_operator.reconcile.leases.calls import LeaseCalls
from phase_operator.reconcile.leases.lists import Lists
from phase_operator.reconcile.leases.subject import Subject
from phase_operator.reconcile.ports import Clock, Credential, Wake
from phase_operator.reconcile.store import PhaseSecretStore, Resource


class Subjects:
    """The subjects by key."""

    def __init__(
        self,
        *,
        resources: PhaseSecretStore,
        digest_key: Callable[[], bytes],
        errands: Errands,
        calls: LeaseCalls,
        lists: Lists,
        rate: LeaseRate,
        clock: Clock,
        wake: Wake,
    ) -> None:
        self._resources = resources
        self._digest_key = digest_key
        self._errands = errands
        self._calls = calls
        self._lists = lists
        self._rate = rate
        self._clock = clock
        self._wake = wake
        self._subjects: dict[ObjectKey, Subject] = {}
        self._users: Counter[Account] = Counter()

    def of(self, resource: Resource) -> Subject:
        """Return the subject of a resource; one that was made anew under its name has no past."""
        found = self._subjects.get(resource.key)
        if found is not None and found.uid == resource.uid:
            return found
        self.forget(resource.key)
        now = moment_of(self._clock.now()) or 0.0
        found = Subject(resource.key, resource.uid, now, self._recorded(resource))
        self._subjects[resource.key] = found
        return found

    def _recorded(self, resource: Resource) -> Ledger:
        """Return the ledger in the status of a resource; of each row it says whether it is proven to be ours."""
        return Proofs(self._digest_key(), resource.uid).read(resource.status)

    def uses(self, subject: Subject, account: Account, credential: Credential) -> None:
        """Record what a subject calls Phase with."""
        subject.credential = credential
        if subject.account == account:
            return
        self._leave(subject)
        subject.account = account
        self._users[account] += 1
        self._errands.keep_account(account)

    def uses_token(self, key: ObjectKey) -> bool:
        """Return whether a resource calls Phase with the token that it names."""
        found = self._subjects.get(key)
        return found is not None and found.account is not None

    def withdraw(self, key: ObjectKey) -> None:
        """Drop the call that was planned for a resource, if it has not begun."""
        found = self._subjects.get(key)
        if found is None or self._errands.is_under_way(key):
            return
        self._errands.withdraw(key)
        if found.account is not None:
            for each in self._lists.withdraw(found.account, key):
                self._wake(each)

    def forget(self, key: ObjectKey) -> None:
        """Forget a resource that is gone."""
        self.withdraw(key)
        found = self._subjects.pop(key, None)
        if found is not None:
            self._leave(found)

    def forced(self, key: ObjectKey) -> str | None:
        """Return the value of the sync annotation that the last run has answered, if any."""
        found = self._subjects.get(key)
        return found.forced if found is not None else None

    def leases_beside(self, key: ObjectKey) -> tuple[frozenset[str], frozenset[tuple[LeasePlace, int]]]:
        """Return the leases of other resources, and place and life of each call for one that is under way.

        Those that calls gave, and those in ledgers, also while these are written. What is not proven in a ledger hides
        no lease of ours.
        """
        others = [each for other, each in self._subjects.items() if other != key]
        ledgers = chain((each.ledger for each in others), self._not_served(key))
        named = (lease.id for ledger in ledgers for lease in ledger.proven if lease.id)
        given = chain.from_iterable(map(_given, others))
        return frozenset(chain(named, given)), frozenset(chain.from_iterable(map(_under_way, others)))

    def _not_served(self, key: ObjectKey) -> Iterator[Ledger]:
        """Yield the ledgers of other resources that no run of this process has served yet."""
        for each in self._resources.keys() - self._subjects.keys() - {key}:
            resource = self._resources.get(each)
            if resource is not None:
                yield self._recorded(resource)

    def are_settled(self) -> bool:
        """Return whether no call for a lease is under way, and each answer is recorded in the cluster."""
        return not any(
            each.answers or any(call.is_under_way for call in each.calls.values()) for each in self._subjects.values()
        )

    def states(self) -> dict[LeaseState, int]:
        """Return how many leases are in each state."""
        counts = Counter(lease.state for each in self._subjects.values() for lease in each.ledger.leases)
        return {state: counts[state] for state in LeaseState}

    def soonest_end(self) -> float:
        """Return when the first lease that serves and has no successor ends, in seconds since 1970; 0 for none."""
        serving = (each.ledger.first(LeaseState.ACTIVE) for each in self._subjects.values())
        return min((lease.ends_at for lease in serving if lease is not None), default=0.0)

    def ending(self) -> int:
        """Return how many leases that serve end soon, and have no successor although it was due long ago."""
        if not self._subjects:
            # Who does not lead has none, and its clock may still be put right before it does.
            return 0
        now = moment_of(self._clock.now()) or 0.0
        serving = ((each.ledger.first(LeaseState.ACTIVE), each) for each in self._subjects.values())
        return sum(lease is not None and ends_soon(lease, each.rollover_percent, now) for lease, each in serving)

    def _leave(self, subject: Subject) -> None:
        """Have a subject use its account no more; what only that account is known for goes with its last user."""
        account, subject.account = subject.account, None
        if account is None:
            return
        self._rate.forget(account, subject.key)
        self._users[account] -= 1
        if not self._users[account]:
            del self._users[account]
            self._lists.forget(account)
            self._calls.forget(account)
            self._rate.prune(self._clock.monotonic())
        self._errands.let_account_go(account)


def _given(subject: Subject) -> Iterator[str]:
    """Return the leases that calls gave."""
    return (call.id for call in subject.calls.values() if call.id)


def _under_way(subject: Subject) -> Iterator[tuple[LeasePlace, int]]:
    """Yield place and life of each call for a lease that is under way."""
    for lease in subject.ledger.leases:
        call = subject.calls.get(lease.attempt)
        if call is not None and call.is_under_way:
            yield lease.place, lease.ttl
