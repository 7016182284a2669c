"""A world for the lease machine: a Phase that leases, a cluster that keeps ledgers, and processes that are killed.

Everything that can go wrong goes wrong at the rate of `Trouble`; with none of it, the world is quiet.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from phase_operator.core.leases.facts import (
    Call,
    DynamicSecret,
    Facts,
    ListedLease,
    Listing,
    Record,
    Resolved,
    Revocation,
    Wanted,
)
from phase_operator.core.leases.ledger import Lease, LeasePlace, LeaseState, Ledger, serving
from phase_operator.core.leases.machine import calls_of, next_step
from phase_operator.core.leases.proofs import Proofs
from phase_operator.core.leases.steps import (
    Ask,
    DropRecord,
    GiveBack,
    Keep,
    LeaseEvent,
    Look,
    Resolve,
    Step,
    Wait,
    WriteLedger,
)
from phase_operator.core.leases.unclear import SURELY_LISTED, may_be_sent

HOST = "https://phase.example"
OURS, FOREIGN = "account-1", "account-2"
# Proves what the operator wrote for this resource.
PROOFS = Proofs(b"k" * 32, "uid-of-the-resource")
# The life of a neighbour's leases, which no fingerprint of ours has.
_OF_NEIGHBOUR = 1234
NONE = Record("", 2_000_000_000.0)
# The server kills a call that takes longer.
GUNICORN = 120.0


@dataclass(frozen=True)
class Trouble:
    """How often things go wrong, as parts of one."""

    kill: float = 0.0
    lost_answer: float = 0.0
    failed_call: float = 0.0
    slow_call: float = 0.0
    failed_write: float = 0.0
    lost_write: float = 0.0
    revoked_elsewhere: float = 0.0
    edit: float = 0.0
    foreign: float = 0.0
    no_expiry: float = 0.0
    slow_targets: float = 0.0
    # A tenant writes a status or a record that names the lease of a neighbour with the same account.
    forged: float = 0.0
    # A call that was announced waits for its turn before it is sent.
    late_call: float = 0.0
    # Seconds by which the clock of a process may be wrong, in either direction.
    skew: float = 0.0


@dataclass
class Issued:
    """A lease at Phase; its user at the cloud provider lives until it is revoked."""

    id: str
    place: LeasePlace
    ttl: int
    owner: str
    made_at: float
    is_revoked: bool = False
    never_expires: bool = False
    is_of_neighbour: bool = False


class Phase:
    """Leases as the real server makes, lists and ends them."""

    def __init__(self) -> None:
        self.issued: list[Issued] = []
        self._coming: list[tuple[float, Issued]] = []
        self._count = 0

    def lease(self, place: LeasePlace, ttl: int, now: float, *, after: float = 0.0, owner: str = OURS) -> Issued:
        """Make a lease that is listed `after` seconds from now."""
        self._count += 1
        made = Issued(f"lease-{self._count}", place, ttl, owner, now + after)
        self._coming.append((now + after, made))
        self.advance(now)
        return made

    def advance(self, now: float) -> None:
        """Make what is due, and end what has lived its life."""
        for due, made in sorted((each for each in self._coming if each[0] <= now), key=lambda each: each[0]):
            self._coming.remove((due, made))
            self.issued.insert(0, made)
        for each in self.issued:
            if now > each.made_at + each.ttl + 1.5 and not each.never_expires:
                each.is_revoked = True

    def listing(self, place: LeasePlace, now: float) -> Listing:
        """Return the list of a dynamic secret."""
        found = [each for each in self.issued if each.place == place]
        return Listing(place, now, tuple(ListedLease(each.id, each.ttl, each.is_revoked, each.owner) for each in found))

    def living(self, owner: str = OURS) -> set[str]:
        """Return the ids of the leases whose users at the cloud provider exist."""
        coming = {made.id for _, made in self._coming if made.owner == owner}
        there = (each for each in self.issued if each.owner == owner and not each.is_revoked)
        return coming | {each.id for each in there if not each.is_of_neighbour}

    def find(self, lease_id: str) -> Issued:
        """Return a lease, also one that is being made."""
        return next(each for each in [*self.issued, *(made for _, made in self._coming)] if each.id == lease_id)


@dataclass
class Cluster:
    """What survives a process: the ledger in the status, the records, the targets, and what pods have read."""

    status: Mapping[str, Any] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    target: str = ""
    pods: str = ""


@dataclass
class Process:
    """What one process remembers; a kill forgets it. Times are by its own clock."""

    started_at: float
    # By how much its clock is wrong, in seconds.
    error: float = 0.0
    calls: dict[str, Call] = field(default_factory=dict)
    listings: dict[LeasePlace, Listing] = field(default_factory=dict)
    earlier: dict[LeasePlace, Listing] = field(default_factory=dict)
    revocations: dict[str, Revocation] = field(default_factory=dict)
    resolved: Resolved | None = None
    # Answers of slow calls: when they come, of which attempt, and the lease.
    answers: list[tuple[float, str, Issued]] = field(default_factory=list)


class World:
    """One PhaseDynamicSecret, what it stands on, and the checks that hold after every step."""

    def __init__(self, seed: int, trouble: Trouble, wanted: Wanted | None = None) -> None:
        self.random = random.Random(seed)
        self.trouble = trouble
        self.now = 1_800_000_000.0
        self.phase = Phase()
        self.cluster = Cluster()
        self.process = Process(self.now)
        self.wanted = wanted or Wanted("place-0", HOST, 3600, overlap=300, interval=600)
        self.is_suspended = False
        self.remove_until: float | None = None
        self.restarts = True
        self.steps: list[Step] = []
        self.events: list[LeaseEvent] = []
        self.asked: set[str] = set()
        self.removed_early: set[str] = set()
        # The status that was read last, and its ledger.
        self._read: tuple[Mapping[str, Any], Ledger] | None = None

    def ledger(self) -> Ledger:
        """Return the ledger as it is in the cluster; a status is never changed, only replaced, and is read once."""
        if self._read is None or self._read[0] is not self.cluster.status:
            self._read = self.cluster.status, PROOFS.read(self.cluster.status)
        return self._read[1]

    def place(self) -> LeasePlace:
        """Return where the dynamic secret of the spec is; several ways lead to one."""
        return LeasePlace(HOST, "app", "production", f"secret-{int(self.wanted.asked_by.split('-')[1]) // 2}")

    def run(self, steps: int) -> None:
        """Do some steps, with trouble."""
        for _ in range(steps):
            self._disturb()
            self.step()

    def settle(self, seconds: float) -> None:
        """Let time pass without trouble, until no attempt is under way."""
        self.trouble = Trouble()
        until = self.now + seconds
        while self.now < until or self.ledger().first(LeaseState.ASKING):
            self.step()

    def step(self) -> None:
        """Decide one step, do it, and check what must hold."""
        self._arrive()
        ledger = self.ledger()
        self.process.calls = calls_of(ledger, self.process.calls, self.clock)
        step = next_step(ledger, self._facts(), self.clock)
        self.steps.append(step)
        self._do(step)
        self._write_targets()
        self._check()

    @property
    def clock(self) -> float:
        """The time by the clock of the process."""
        return self.now + self.process.error

    def kill(self) -> None:
        """Kill the process and start another, which deletes the records of no row."""
        error = self.random.uniform(-self.trouble.skew, self.trouble.skew)
        self.process = Process(self.now + error, error)
        self._collect()

    def _facts(self) -> Facts:
        process, cluster = self.process, self.cluster
        return Facts(
            self.wanted,
            self.is_suspended,
            self.remove_until,
            started_at=process.started_at,
            account=OURS,
            resolved=process.resolved,
            listings=process.listings,
            earlier=process.earlier,
            calls=process.calls,
            records={each.attempt: kept for each in self.ledger().leases if (kept := self._record_of(each))},
            revocations=process.revocations,
            written=cluster.target,
            are_readers_rolled=self.restarts and cluster.pods == cluster.target,
            bits=self.random.getrandbits(64),
        )

    def _do(self, step: Step) -> None:
        self.now += self.random.uniform(0.01, 0.3)
        match step:
            case Wait(until):
                self.now = max(self.now, min(until - self.process.error, self.now + self.random.uniform(1, 400)))
            case Resolve():
                self._resolve()
            case Look(place):
                self._look(place)
            case WriteLedger():
                self._write(step)
            case Ask(lease):
                self._ask(lease)
            case Keep(lease):
                self._keep(lease)
            case GiveBack(lease):
                self._give_back(lease)
            case DropRecord(lease):
                if not self._happens(self.trouble.failed_write):
                    self.cluster.records.pop(lease.attempt, None)
        self.phase.advance(self.now)

    def _resolve(self) -> None:
        if self._happens(self.trouble.failed_call):
            self.now += 5
            return
        self._look(self.place())
        self.process.resolved = Resolved(
            self.wanted.asked_by,
            DynamicSecret(self.place().secret_id, 3600, 86400),
            self.process.listings[self.place()],
        )

    def _look(self, place: LeasePlace) -> None:
        if self._happens(self.trouble.failed_call) and place in self.process.listings:
            self.now += 5
            return
        before = self.process.listings.get(place)
        if before is not None:
            self.process.earlier[place] = before
        self.process.listings[place] = replace(self.phase.listing(place, self.now), at=self.clock)

    def _write(self, step: WriteLedger) -> None:
        if self._happens(self.trouble.failed_write):
            self.now += 1
            return
        before = {each.attempt for each in self.ledger().leases}
        self.cluster.status = PROOFS.document(step.ledger)
        self.events.extend(step.events)
        if self._happens(self.trouble.lost_write):
            # The process does not know whether it was written, so it cannot ask for what it may have announced.
            self.kill()
            return
        for each in step.ledger.leases:
            if each.attempt not in before:
                self.process.calls[each.attempt] = Call()

    def _ask(self, lease: Lease) -> None:
        if self._happens(self.trouble.late_call):
            self.now += self.random.uniform(1, 120)
        if not may_be_sent(lease, self.clock):
            return
        assert lease.attempt not in self.asked, "asked twice for one attempt"
        self.asked.add(lease.attempt)
        after = self.random.uniform(1, GUNICORN - 1) if self._happens(self.trouble.slow_call) else 0.3
        if self._happens(self.trouble.failed_call):
            is_sure = self.random.random() < 0.5
            self.process.calls[lease.attempt] = Call(is_refused=True) if is_sure else Call(lost_at=self.clock)
            return
        made = self.phase.lease(lease.place, lease.ttl, self.now, after=after)
        if self._happens(self.trouble.no_expiry):
            made.never_expires = True
        if self._happens(self.trouble.lost_answer):
            self.process.calls[lease.attempt] = Call(lost_at=self.clock)
        else:
            self.process.calls[lease.attempt] = Call(is_under_way=True)
            self.process.answers.append((self.now + after, lease.attempt, made))

    def _arrive(self) -> None:
        for due, attempt, made in list(self.process.answers):
            if due <= self.now:
                self.process.answers.remove((due, attempt, made))
                self.process.calls[attempt] = Call(id=made.id)

    def _keep(self, lease: Lease) -> None:
        if self._happens(self.trouble.failed_write):
            return
        made = self.phase.find(self.process.calls[lease.attempt].id)
        self.cluster.records[lease.attempt] = PROOFS.proven(
            lease.attempt, Record(made.id, made.made_at + self.process.error + made.ttl)
        )

    def _give_back(self, lease: Lease) -> None:
        before = self.process.revocations.get(lease.attempt, Revocation())
        if self._happens(self.trouble.failed_call):
            self.process.revocations[lease.attempt] = Revocation(failures=before.failures + 1, last=self.clock)
            return
        made = self.phase.find(lease.id)
        self._may_be_revoked(made, lease)
        made.is_revoked = True
        is_lost = self._happens(self.trouble.lost_answer)
        self.process.revocations[lease.attempt] = (
            Revocation(failures=before.failures + 1, last=self.clock) if is_lost else Revocation(is_done=True)
        )

    def _may_be_revoked(self, made: Issued, lease: Lease) -> None:
        assert made.owner == OURS, "revoked a lease of somebody else"
        assert not made.is_of_neighbour, "revoked a lease of a neighbour with the same account"
        if made.is_revoked or self.remove_until is not None or self.now >= made.made_at + made.ttl:
            return
        in_use = {self.cluster.target, self.cluster.pods}
        is_ended = any(
            each.what in ("LeaseEnded", "LeaseRevoked") and each.lease.id == lease.id for each in self.events
        )
        assert lease.attempt not in in_use or is_ended, "revoked a lease that is in use"

    def _write_targets(self) -> None:
        """Bring the targets to the serving lease, and pods to the targets, each after a while."""
        lease = serving(self.ledger())
        has_content = lease is not None and lease.attempt in self.cluster.records
        if lease and has_content and self.remove_until is None and not self._happens(self.trouble.slow_targets):
            self.cluster.target = lease.attempt
        if self.restarts and not self._happens(self.trouble.slow_targets):
            self.cluster.pods = self.cluster.target

    def _collect(self) -> None:
        rows = {each.attempt for each in self.ledger().leases}
        self.cluster.records = {key: each for key, each in self.cluster.records.items() if key in rows}

    def _disturb(self) -> None:
        if self._happens(self.trouble.kill):
            self.kill()
        if self._happens(self.trouble.edit):
            self._edit()
        if self._happens(self.trouble.foreign):
            self.phase.lease(self.place(), self.random.randint(3400, 3600), self.now, owner=FOREIGN)
        if self._happens(self.trouble.forged):
            self._forge()
        living = sorted(self.phase.living())
        if living and self._happens(self.trouble.revoked_elsewhere):
            self.phase.find(self.random.choice(living)).is_revoked = True

    def _forge(self) -> None:
        """Name the lease of a neighbour wherever a tenant may write."""
        victim = self.phase.lease(self.place(), _OF_NEIGHBOUR, self.now)
        victim.is_of_neighbour = True
        rows = list(self.cluster.status.get("leases", []))
        state = self.random.choice(["Asking", "Active", "Ended", "Retiring", "Revoking"])
        about = {"state": state, "ttl": victim.ttl, "after": "", "id": "" if state == "Asking" else victim.id}
        at = self.random.randrange(len(rows) or 1)
        match self.random.randrange(3):
            case 0:
                attempt = f"{self.random.getrandbits(32):08x}"
                lease = Lease(attempt, LeaseState.ASKING, victim.place, "", victim.ttl, self.now)
                rows = [row | about for row in Ledger((lease,)).document()["leases"]] + rows
            case 1 if rows:
                # A row of ours, with the proof that it is ours; but it is about another lease now.
                rows[at] = rows[at] | about
            case _ if rows:
                attempt = rows[at]["attempt"]
                self.cluster.records[attempt] = replace(self.cluster.records.get(attempt, NONE), id=victim.id)
        self.cluster.status = {**self.cluster.status, "leases": rows}

    def _record_of(self, lease: Lease) -> Record | None:
        """Return the record of a row; one that says something else counts as none."""
        record = self.cluster.records.get(lease.attempt)
        return record if record is not None and PROOFS.counts(lease, record) else None

    def _edit(self) -> None:
        match self.random.randrange(4):
            case 0:
                self.wanted = replace(self.wanted, asked_by=f"place-{self.random.randrange(4)}")
            case 1:
                self.wanted = replace(self.wanted, ttl=self.random.choice((0, 60, 300, 3600)), overlap=20)
            case 2:
                self.is_suspended = not self.is_suspended
            case _:
                self.restarts = not self.restarts

    def _check(self) -> None:
        ledger = self.ledger()
        nothing, ours = Call(lost_at=self.clock), [each for each in ledger.leases if each.is_proven]
        asking = [each for each in ours if each.state is LeaseState.ASKING]
        may_come = [each for each in asking if self.process.calls.get(each.attempt, nothing).lost_at is None]
        assert len(may_come) <= 1, "two attempts at once"
        assert len(asking) <= 1 or self.would_be_void(), "two attempts without need"
        assert sum(each.state is LeaseState.ACTIVE for each in ours) <= 1, "two active leases"
        serves = serving(ledger)
        if serves is not None and serves.state is LeaseState.ACTIVE and self.remove_until is None:
            has_record = self._record_of(serves) is not None
            assert has_record or self.trouble.forged, "an active lease without its credentials"

    def would_be_void(self) -> bool:
        """Return whether targets hold void credentials now, or will before it is clear what became of an attempt."""
        serves = serving(self.ledger())
        is_void = serves is not None and serves.state is LeaseState.ENDED
        return is_void or (serves is not None and serves.ends_at < self.clock + SURELY_LISTED)

    def _happens(self, part: float) -> bool:
        return self.random.random() < part
