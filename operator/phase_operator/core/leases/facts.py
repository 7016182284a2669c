"""What is known besides the ledger when the next step of a lease is decided.

Everything here may be lost with the process: what is missing after a start is looked up, never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from phase_operator.core.leases.ledger import LeasePlace
from phase_operator.core.values import SecretValue


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a spec asks for."""

    # A digest of the fields that lead to the dynamic secret: host, app, environment, folder and name.
    asked_by: str
    # The base URL of Phase.
    host: str
    # Seconds; 0 for the default of the dynamic secret.
    ttl: int = 0
    # The part of its life, in percent, after which a lease gets a successor.
    rollover_percent: int = 67
    # Seconds for which the lease before lives on when the targets have the next one.
    overlap: int = 300
    # Whether a replaced lease is given back, instead of left to its end.
    revoke: bool = True
    # Seconds from one look at the list of leases to the next.
    interval: int = 600


@dataclass(frozen=True, slots=True)
class ListedLease:
    """A lease as Phase lists it, without its credentials."""

    id: str
    # Seconds. A renewal by anybody changes it.
    ttl: int
    is_revoked: bool
    # The id of the account that holds it; "" if the list does not say.
    owner: str = ""


@dataclass(frozen=True, slots=True)
class DynamicSecret:
    """A dynamic secret as Phase has it; times are in seconds."""

    id: str
    default_ttl: int
    longest_ttl: int
    # The cloud provider at which its leases make users, in Phase's word; "" if it does not say.
    provider: str = ""


@dataclass(frozen=True, slots=True)
class IssuedLease:
    """A lease in the one answer that shows its credentials."""

    id: str
    ttl: int
    # The id of the account that holds it; "" if the answer does not say.
    owner: str
    credentials: tuple[tuple[str, SecretValue], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """The leases of one dynamic secret, newest first. Phase never takes one off its list."""

    place: LeasePlace
    # When it was asked for: what Phase did later may not be in it.
    at: float
    leases: tuple[ListedLease, ...] = ()

    def find(self, lease_id: str) -> ListedLease | None:
        """Return a lease by its id."""
        return next((each for each in self.leases if each.id == lease_id), None)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The dynamic secret that the spec names, as Phase has it, and its leases at the same time."""

    asked_by: str
    secret: DynamicSecret
    listing: Listing


@dataclass(frozen=True, slots=True)
class Call:
    """What this process knows of the call that asks for a lease."""

    # When an answer stopped being possible in this process: the call failed without one, or was made by a process
    # that is no more. None while the call may still be made, is under way, or was answered.
    lost_at: float | None = None
    is_under_way: bool = False
    # The lease that it gave; "" if there is no answer.
    id: str = ""
    # Phase refused it, so that no lease was made.
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A Secret that keeps the credentials of a lease, by what its annotations say."""

    id: str
    # Seconds since 1970.
    ends_at: float
    # What shows that this operator was given the lease (see proofs.py).
    proof: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """How the calls that give a lease back went."""

    is_done: bool = False
    failures: int = 0
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision needs; mappings are by attempt."""

    wanted: Wanted
    is_suspended: bool = False
    # When the resource is being deleted: the moment at which that has to be over, in seconds since 1970.
    remove_until: float | None = None
    # Whether the account may ask for a lease now: its quota, circuit breaker and share.
    may_ask_at: float = 0.0
    # When this process began to serve the resource, in seconds since 1970: its looks are regular from then on.
    started_at: float = 0.0
    # The id of the account that asks; "" before Phase has named it.
    account: str = ""
    resolved: Resolved | None = None
    # The newest lists by dynamic secret, and the one before each, to see twice that a lease is missing.
    listings: Mapping[LeasePlace, Listing] = field(default_factory=dict)
    earlier: Mapping[LeasePlace, Listing] = field(default_factory=dict)
    calls: Mapping[str, Call] = field(default_factory=dict)
    records: Mapping[str, Record] = field(default_factory=dict)
    revocations: Mapping[str, Revocation] = field(default_factory=dict)
    # The attempt whose credentials all targets have; "" if they differ or nobody looked.
    written: str = ""
    # Whether every pod that reads the targets is known to have started with what was written.
    are_readers_rolled: bool = False
    # Ids of leases in the ledgers of other resources.
    of_others: frozenset[str] = frozenset()
    # Place and life of each call for another lease that is under way: what a list shows may be its answer.
    under_way: frozenset[tuple[LeasePlace, int]] = frozenset()
    # Random bits for the next attempt.
    bits: int = 0

    @property
    def is_idle(self) -> bool:
        """Return whether no lease may be asked for, given back or looked at."""
        return self.is_suspended and self.remove_until is None
