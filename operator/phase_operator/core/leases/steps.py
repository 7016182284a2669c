"""The steps of a lease: each is one call or one write, made by the shell, after which the next is decided."""

from dataclasses import dataclass
from enum import StrEnum

from phase_operator.core.leases.ledger import Lease, LeasePlace, Ledger


class Happening(StrEnum):
    """What an Event says when a ledger is written."""

    ISSUED = "LeaseIssued"
    ROLLED_OVER = "LeaseRolledOver"
    REVOKED_ELSEWHERE = "LeaseRevoked"
    ENDED = "LeaseEnded"
    GIVEN_BACK = "LeaseGivenBack"
    ORPHAN_FOUND = "LeaseOrphanRevoked"
    NOT_REVOKED = "LeaseNotRevoked"
    NOT_MADE = "LeaseNotMade"


@dataclass(frozen=True, slots=True)
class LeaseEvent:
    """One Event: what happened to which lease."""

    what: Happening
    lease: Lease


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look up the dynamic secret that the spec names, and list its leases."""


@dataclass(frozen=True, slots=True)
class Look:
    """List the leases of a dynamic secret."""

    place: LeasePlace


@dataclass(frozen=True, slots=True)
class WriteLedger:
    """Write the ledger if it is still as it was read, and wait for the confirmation."""

    ledger: Ledger
    events: tuple[LeaseEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask Phase for the announced lease."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Keep:
    """Make the record of the credentials that were answered."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Revoke a lease at Phase."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class DropRecord:
    """Delete the record of a lease."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing before a moment, in seconds since 1970, or before the facts change."""

    until: float


Step = Resolve | Look | WriteLedger | Ask | Keep | GiveBack | DropRecord | Wait
