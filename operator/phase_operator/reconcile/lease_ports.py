"""What the leases of dynamic secrets need from the edges, beyond what every resource needs; as ports.py."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from phase_operator.core.leases.facts import DynamicSecret, IssuedLease, ListedLease, Record
from phase_operator.core.leases.ledger import LeasePlace
from phase_operator.core.leases.record import Credentials, KnownRecord
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.targets.removal import Delete
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.ports import Cluster, Credential


class LeaseApi(Protocol):
    """The edge to Phase's dynamic secrets. All calls raise ExpectedError, which says whether it had no effect."""

    async def find(
        self,
        base_url: str,
        credential: Credential,
        *,
        app_id: str,
        environment: str,
        path: str,
        name: str,
        memory: Reservation,
    ) -> DynamicSecret | None:
        """Return the dynamic secret with exactly this name in a folder, or None if there is none."""

    async def leases(
        self, base_url: str, credential: Credential, place: LeasePlace, memory: Reservation
    ) -> Sequence[ListedLease]:
        """Return the leases of a dynamic secret that the account sees, the newest first: also those that have ended."""

    async def lease(
        self,
        base_url: str,
        credential: Credential,
        place: LeasePlace,
        ttl: int,
        memory: Reservation,
        *,
        sent_within: float,
    ) -> IssuedLease:
        """Make one lease that lives for `ttl` seconds, and return it with its credentials.

        Nothing is sent later than `sent_within` seconds from now; then the call fails and had no effect.
        """

    async def revoke(
        self, base_url: str, credential: Credential, place: LeasePlace, lease_id: str, memory: Reservation
    ) -> None:
        """End a lease; it is no error if it has ended."""


class LeaseCluster(Cluster, Protocol):
    """The edge to Kubernetes, with ledgers and with the records of leases."""

    async def write_ledger(self, key: ObjectKey, uid: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Replace the ledger in a status, and return True; return False if it is not as in `before` any more."""

    def records(self, uid: str) -> Mapping[TargetRef, KnownRecord]:
        """Return the records of the resource with this uid, as the watch has shown them; makes no request."""

    async def make_record(self, owner: Owner, attempt: str, record: Record, credentials: Credentials) -> None:
        """Make a record, unless it is there from an earlier try; raise ExpectedError."""

    async def read_record(self, owner: Owner, attempt: str) -> Credentials | None:
        """Return the credentials that a record keeps; None if there is no such record, or it is not ours."""

    async def drop_record(self, ref: TargetRef, action: Delete) -> None:
        """Delete a record; it is no error if it is gone, or not the one that was judged."""

    def forget_record(self, ref: TargetRef) -> None:
        """Forget an object that is a record no more, until the watch shows it again."""
