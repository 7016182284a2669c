"""What this process knows of the leases of one resource; what is lost with it is looked up, never guessed."""

from dataclasses import dataclass, field

from phase_operator.core.leases.facts import Call, Record, Resolved, Revocation
from phase_operator.core.leases.ledger import LeaseState, Ledger
from phase_operator.core.leases.record import Credentials
from phase_operator.core.leases.steps import Ask, GiveBack, Look, Resolve
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.errands.failures import Failures
from phase_operator.reconcile.ports import Credential


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call for a lease gave, until its record is made: nobody else has these credentials."""

    record: Record
    credentials: Credentials = field(repr=False)


@dataclass(slots=True, eq=False)
class Subject:
    """One resource; mappings are by attempt. Times are in seconds since 1970."""

    key: ObjectKey
    uid: str
    # When this process began to serve it.
    started_at: float
    # As it was read or written last, or is being written.
    ledger: Ledger = field(default_factory=Ledger)
    # The id of the account that holds its leases, as Phase named it.
    holder: str = ""
    # What it calls Phase with. Both stay when the Secret of its token has gone, to give back what is leased.
    account: Account | None = None
    credential: Credential | None = None
    resolved: Resolved | None = None
    calls: dict[str, Call] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    revocations: dict[str, Revocation] = field(default_factory=dict)
    # Calls that failed last, by what was called.
    failures: Failures = field(default_factory=Failures)
    # The attempt whose credentials all targets have; "" if they differ or nobody looked.
    written: str = ""
    # The digest of what the spec asks for.
    asked_by: str = ""
    # The part of its life, in percent, after which a lease gets a successor.
    rollover_percent: int = 67
    # The sync annotation that a run has answered.
    forced: str | None = None

    def wants(self, asked_by: str) -> None:
        """Record what the spec asks for: what failed before is no hindrance to something else."""
        if self.asked_by != asked_by:
            self.asked_by = asked_by
            for what in (Resolve(), Ask):
                self.failures.pop(what, None)

    def keep_only(self, ledger: Ledger) -> None:
        """Take over a ledger, and forget what is about attempts that it does not have."""
        self.ledger = ledger
        attempts = {each.attempt for each in ledger.leases}
        self.answers = {attempt: each for attempt, each in self.answers.items() if attempt in attempts}
        self.revocations = {attempt: each for attempt, each in self.revocations.items() if attempt in attempts}
        self._forget_failures()

    def _forget_failures(self) -> None:
        """Forget the failures of calls for which the ledger has no lease any more."""
        looks = {Look(each.place) for each in self.ledger.leases}
        is_revoking = self.ledger.first(LeaseState.REVOKING) is not None
        for what in list(self.failures):
            if (isinstance(what, Look) and what not in looks) or (what is GiveBack and not is_revoking):
                del self.failures[what]
