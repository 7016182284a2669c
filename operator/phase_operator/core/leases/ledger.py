"""The ledger of a PhaseDynamicSecret: each lease that it asked Phase for and has not given back.

Rule: the ledger is written, and its write confirmed, before the call that it announces. So after any crash it names
every lease that may exist.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from phase_operator.core.json_access import mappings, number, text
from phase_operator.core.timestamps import moment_of, timestamp

# More than a roll-over, a failed attempt and a few leases that cannot be revoked need; a status stays small.
MOST_LEASES = 12


class LeaseState(StrEnum):
    """What a lease is for."""

    # Announced. Whether Phase made it is not known before the answer has come.
    ASKING = "Asking"
    # Its credentials are in the targets, or are on their way there.
    ACTIVE = "Active"
    # Its credentials are void, and no other lease is active yet: targets keep them, since nothing is emptied.
    ENDED = "Ended"
    # Another lease is active. Pods may still use this one.
    RETIRING = "Retiring"
    # To be given back to Phase.
    REVOKING = "Revoking"


class LeasePlace(NamedTuple):
    """Where Phase has a dynamic secret: what a call about one of its leases needs to name."""

    # The base URL. A lease is asked for and revoked at the same host only, so that no token reaches another.
    host: str
    app_id: str
    environment: str
    # The id of the dynamic secret.
    secret_id: str


@dataclass(frozen=True, slots=True)
class Lease:
    """One row of the ledger. Times are in seconds since 1970, by our own clock."""

    # Eight hexadecimal digits; the record of the credentials is named after it.
    attempt: str
    state: LeaseState
    place: LeasePlace
    # A digest of the fields of the spec that lead to the place.
    asked_by: str
    # The life that it is asked for, in seconds: the only thing of a lease that a client chooses and can read again.
    ttl: int
    asked_at: float
    # The id of the newest lease before it; "" if there was none.
    after: str = ""
    # Its id; "" before an answer gave it.
    id: str = ""
    # When it was answered, plus its life. Phase keeps to this end, whatever a renewal says later.
    ends_at: float = 0.0
    # When the overlap is over; 0 as long as the targets do not have the next lease.
    revoke_after: float = 0.0
    # As the status has it: what shows that this operator wrote the row (see proofs.py).
    proof: str = field(default="", compare=False)
    # Whether it does. A row that was read is a claim until that is checked.
    is_proven: bool = field(default=True, compare=False)

    def turned(self, state: LeaseState) -> "Lease":
        """Return the same lease in another state."""
        return replace(self, state=state)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The rows, newest first, and how the last leases fared."""

    leases: tuple[Lease, ...] = ()
    # How many attempts in a row failed, or gave a lease that ended early.
    setbacks: int = 0
    # When the newest attempt was announced, in seconds since 1970; 0 if there was none.
    last_attempt: float = 0.0

    @property
    def proven(self) -> tuple[Lease, ...]:
        """The leases that are proven to be ours."""
        return tuple(each for each in self.leases if each.is_proven)

    def of_state(self, *states: LeaseState) -> Iterator[Lease]:
        """Yield the leases in one of some states, the newest first."""
        return (each for each in self.leases if each.state in states)

    def first(self, *states: LeaseState) -> Lease | None:
        """Return the newest lease in one of some states."""
        return next(self.of_state(*states), None)

    def adding(self, lease: Lease) -> "Ledger":
        """Return the ledger with an announced lease."""
        return replace(self, leases=(lease, *self.leases), last_attempt=lease.asked_at)

    def replacing(self, *changed: Lease) -> "Ledger":
        """Return the ledger with rows of the same attempts replaced."""
        rows = {each.attempt: each for each in changed}
        return replace(self, leases=tuple(rows.get(each.attempt, each) for each in self.leases))

    def without(self, *attempts: str) -> "Ledger":
        """Return the ledger without some rows."""
        return replace(self, leases=tuple(each for each in self.leases if each.attempt not in attempts))

    def set_back(self) -> "Ledger":
        """Return the ledger after an attempt that failed, or a lease that ended early."""
        return replace(self, setbacks=self.setbacks + 1)

    def document(self) -> dict[str, Any]:
        """Return the ledger as the status has it; times have whole seconds."""
        leases = [_document(each) for each in self.leases]
        attempts = {"setbacks": self.setbacks, "last": timestamp(self.last_attempt)}
        return {"leases": leases, "attempts": attempts} if self.last_attempt else {"leases": leases}

    @classmethod
    def read(cls, status: Mapping[str, Any]) -> "Ledger":
        """Return the ledger of a status. What this version does not understand of a row reads as the careful case.

        Its rows are claims: anybody who may write statuses can have written them. A row without an attempt or a place
        names nothing that could be revoked, so it is left out.
        """
        attempts = status.get("attempts")
        found = attempts if isinstance(attempts, dict) else {}
        rows = (_read(each) for each in mappings(status.get("leases")))
        leases = tuple(each for each in rows if each is not None)[:MOST_LEASES]
        return cls(leases, max(0, number(found.get("setbacks"))), moment_of(found.get("last")) or 0.0)


def serving(ledger: Ledger) -> Lease | None:
    """Return the lease whose credentials belong into the targets; None if there never was one."""
    return ledger.first(LeaseState.ACTIVE) or ledger.first(LeaseState.ENDED)


def _document(lease: Lease) -> dict[str, Any]:
    times = {"endsAt": lease.ends_at, "revokeAfter": lease.revoke_after}
    return {
        "attempt": lease.attempt,
        "state": lease.state.value,
        "host": lease.place.host,
        "appId": lease.place.app_id,
        "environment": lease.place.environment,
        "dynamicSecretId": lease.place.secret_id,
        "askedBy": lease.asked_by,
        "ttl": lease.ttl,
        "askedAt": timestamp(lease.asked_at),
        **{name: said for name, said in (("after", lease.after), ("id", lease.id), ("proof", lease.proof)) if said},
        **{name: timestamp(moment) for name, moment in times.items() if moment},
    }


def _read(row: Mapping[str, Any]) -> Lease | None:
    said = {name: text(each) for name, each in row.items()}
    place = LeasePlace(*(said.get(each, "") for each in ("host", "appId", "environment", "dynamicSecretId")))
    attempt, lease_id = said.get("attempt", ""), said.get("id", "")
    if not attempt or not all(place):
        return None
    asked_at, ends_at, revoke_after = (moment_of(row.get(each)) or 0.0 for each in ("askedAt", "endsAt", "revokeAfter"))
    return Lease(
        attempt,
        _state(said.get("state", ""), bool(lease_id)),
        place,
        said.get("askedBy", ""),
        number(row.get("ttl")),
        asked_at,
        said.get("after", ""),
        lease_id,
        ends_at,
        revoke_after,
        said.get("proof", ""),
        is_proven=False,
    )


def _state(said: str, has_id: bool) -> LeaseState:
    """Return a state. One of a later version reads as the state in which nothing is lost: it lives to its end."""
    try:
        return LeaseState(said)
    except ValueError:
        return LeaseState.RETIRING if has_id else LeaseState.ASKING
