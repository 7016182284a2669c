"""All resources that push, with what this process knows of each."""

from collections.abc import Callable

from phase_operator.core.push.memory import WrittenValues
from phase_operator.core.push.readers import PushReaders
from phase_operator.core.push.spec import PushSpec
from phase_operator.core.source.query import Account, Ask
from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.ports import Clock, Credential
from phase_operator.reconcile.pushes.subject import PushSubject
from phase_operator.reconcile.store import Resource


class PushSubjects:
    """The subjects by key."""

    def __init__(
        self,
        *,
        errands: Errands,
        readers: PushReaders,
        clock: Clock,
        memory_key: Callable[[], bytes],
    ) -> None:
        self._errands = errands
        # Whom a change of an object concerns.
        self._readers = readers
        self._clock = clock
        # A key that no other process has: what digests of values are made with.
        self._memory_key = memory_key
        self._subjects: dict[ObjectKey, PushSubject] = {}

    def of(self, resource: Resource) -> PushSubject:
        """Return the subject of a resource; one that was made anew under its name has no past."""
        found = self._subjects.get(resource.key)
        if found is not None and found.uid == resource.uid:
            return found
        self.forget(resource.key)
        now = moment_of(self._clock.now()) or 0.0
        found = PushSubject(resource.key, resource.uid, now, WrittenValues(self._memory_key()))
        self._subjects[resource.key] = found
        return found

    def wants(self, subject: PushSubject, push: PushSpec, ask: Ask) -> None:
        """Take what a resource asks for; from now on, a change of what it takes concerns it."""
        subject.wants(push, ask)
        self._readers.put(subject.key, push)

    def suspend(self, key: ObjectKey) -> None:
        """Have changes of what a resource takes not concern it, until it wants something again."""
        self._readers.drop(key)
        if (found := self._subjects.get(key)) is not None:
            # Whoever waits holds no values.
            found.read.clear()

    def uses(self, subject: PushSubject, account: Account, credential: Credential) -> None:
        """Record what a subject calls Phase with."""
        subject.credential = credential
        if subject.account == account:
            return
        self._leave(subject)
        # Another account may see another environment under the same name, and what failed may work.
        subject.look, subject.app_id = None, ""
        subject.failures.clear()
        subject.account = account
        self._errands.keep_account(account)

    def forced(self, key: ObjectKey) -> str | None:
        """Return the value of the sync annotation that the last run has answered, if any."""
        found = self._subjects.get(key)
        return found.forced if found is not None else None

    def uses_token(self, key: ObjectKey) -> bool:
        """Return whether a resource calls Phase with the token that it names."""
        found = self._subjects.get(key)
        return found is not None and found.account is not None

    def in_step(self) -> int:
        """Return how many entries have the value of their source."""
        return sum(each.in_step for each in self._subjects.values())

    def conflicts(self) -> int:
        """Return how many entries are not pushed since somebody else has them."""
        return sum(each.conflicts for each in self._subjects.values())

    def are_settled(self) -> bool:
        """Return whether no call is under way."""
        return not any(map(self._errands.is_under_way, self._subjects))

    def withdraw(self, key: ObjectKey) -> None:
        """Drop the call that was planned for a resource, if it has not begun."""
        if key in self._subjects and not self._errands.is_under_way(key):
            self._errands.withdraw(key)

    def forget(self, key: ObjectKey) -> None:
        """Forget a resource that is gone."""
        self.withdraw(key)
        self._readers.drop(key)
        found = self._subjects.pop(key, None)
        if found is not None:
            self._leave(found)

    def _leave(self, subject: PushSubject) -> None:
        """Have a subject use its account no more."""
        account, subject.account = subject.account, None
        if account is not None:
            self._errands.let_account_go(account)
