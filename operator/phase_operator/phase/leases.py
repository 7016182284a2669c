"""Phase's API for leases of dynamic secrets, one method a call.

Rule: each call for a lease makes a new user at the cloud provider. So it is sent once, for exactly one dynamic secret,
and its error says whether a lease may have been made (`had_no_effect`).
"""

from sys import getsizeof

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.json_access import text
from phase_operator.core.leases.facts import DynamicSecret, IssuedLease, ListedLease
from phase_operator.core.leases.ledger import LeasePlace
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.text import clean
from phase_operator.core.values import SecretValue
from phase_operator.phase import lease_wire, wire
from phase_operator.phase.client import without_frames
from phase_operator.phase.lists import Acknowledgement, Listing
from phase_operator.phase.session import DYNAMIC_SECRETS, LEASES, Session, host_of
from phase_operator.reconcile.ports import Credential

# A list of leases never gets shorter on the server. The number of leases that are read is limited as well.
_LARGEST = 16 * 1024 * 1024
# Bytes that a lease or a dynamic secret takes in addition to its texts.
_LISTED = 400
# The most characters of a provider's name that are kept, for messages.
_MOST_SHOWN = 64
# The server ends a call after two minutes, and a cloud provider may take most of them.
_PATIENCE = 125.0
# What Phase says when there is no such dynamic secret, or the account may not read its environment's.
_NONE = "No dynamic secrets found"


class LeaseClient:
    """The calls that make, list and end leases. Each raises ExpectedError without causes."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @without_frames
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
        """Return the dynamic secret with exactly this name in a folder, or None if there is none.

        Raises Waiting if there are several.
        """
        host = host_of(base_url)
        params = {"app_id": app_id, "env": environment, "path": path, "name": name}
        reader = _dynamic_secrets(host, memory)
        try:
            found = await self._session.ask(
                base_url,
                credential.header,
                DYNAMIC_SECRETS,
                params=params,
                reader=reader,
                namespace=memory.namespace,
            )
        except ExpectedError as error:
            if _NONE in error.message:
                return None
            raise
        # A server that ignores a filter must not have us lease something else.
        named = [each for each in found if each.name == name and each.path == path]
        if len(named) > 1:
            # Each is another recipe, and none is picked in silence.
            raise _several(named)
        return _dynamic_secret(named[0]) if named else None

    @without_frames
    async def leases(
        self, base_url: str, credential: Credential, place: LeasePlace, memory: Reservation
    ) -> tuple[ListedLease, ...]:
        """Return the leases of a dynamic secret that the account sees, the newest first: also those that have ended."""
        host = host_of(base_url)
        params = _context(place) | {"secret_id": place.secret_id}
        reader = Listing(host, _LARGEST, memory, lease_wire.LEASE, _listed, _weight_of_listed, of="leases")
        found = await self._session.ask(
            base_url, credential.header, LEASES, params=params, reader=reader, namespace=memory.namespace
        )
        return tuple(found)

    @without_frames
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
        host = host_of(base_url)
        # An empty id would lease every dynamic secret of the environment, which is why `place` cannot have one.
        params = _context(place) | {"id": place.secret_id, "lease": "true", "ttl": str(ttl)}
        reader = _dynamic_secrets(host, memory)
        found = await self._session.call(
            base_url,
            credential.header,
            "GET",
            DYNAMIC_SECRETS,
            params=params,
            reader=reader,
            patience=_PATIENCE,
            sent_within=sent_within,
        )
        issued = [each.lease for each in found if each.id == place.secret_id and each.lease is not None]
        if len(found) != 1 or len(issued) != 1 or issued[0].seconds != ttl or not issued[0].credentials:
            # Something was leased, and it is not what was asked for: the list of leases will show it.
            raise wire.not_phase(host, "not the lease that was asked for")
        return _issued(issued[0])

    @without_frames
    async def revoke(
        self, base_url: str, credential: Credential, place: LeasePlace, lease_id: str, memory: Reservation
    ) -> None:
        """End a lease; it is no error if it has ended."""
        reader = Acknowledgement(host_of(base_url), wire.MAX_LIST, memory)
        await self._session.call(
            base_url,
            credential.header,
            "DELETE",
            LEASES,
            params=_context(place) | {"lease_id": lease_id},
            reader=reader,
        )


def _context(place: LeasePlace) -> dict[str, str]:
    if not all(place):
        raise ValueError("a place without a part would mean every dynamic secret")
    return {"app_id": place.app_id, "env": place.environment}


def _dynamic_secrets(host: str, memory: Reservation) -> Listing[lease_wire.DynamicSecret]:
    adapter, of = lease_wire.DYNAMIC_SECRET, "dynamic secrets"
    return Listing(host, _LARGEST, memory, adapter, lambda found: found, _weight_of_dynamic_secret, of=of)


def _weight_of_dynamic_secret(found: lease_wire.DynamicSecret) -> int:
    issued = found.lease.credentials if found.lease is not None else ()
    texts = (found.id, found.name, found.path, found.default_ttl, found.max_ttl)
    return _LISTED + sum(map(getsizeof, texts)) + sum(getsizeof(each.key) + getsizeof(each.value) for each in issued)


def _listed(found: lease_wire.Lease) -> ListedLease:
    return ListedLease(found.id, found.seconds, found.revoked_at is not None, found.owner_id)


def _weight_of_listed(found: ListedLease) -> int:
    return _LISTED + getsizeof(found.id) + getsizeof(found.owner)


def _dynamic_secret(found: lease_wire.DynamicSecret) -> DynamicSecret:
    default, longest = lease_wire.seconds(found.default_ttl), lease_wire.seconds(found.max_ttl)
    return DynamicSecret(found.id, default, longest, text(found.provider)[:_MOST_SHOWN])


def _several(named: list[lease_wire.DynamicSecret]) -> Waiting:
    where = (
        f'spec.dynamicSecret: folder {clean(named[0].path)} has {len(named)} dynamic secrets "{clean(named[0].name)}"'
    )
    return Waiting(Reason.DYNAMIC_SECRET_NOT_FOUND, f"{where}: rename all but one in Phase's Console")


def _issued(lease: lease_wire.IssuedLease) -> IssuedLease:
    credentials = tuple((each.key, SecretValue(each.value)) for each in lease.credentials)
    return IssuedLease(lease.id, lease.seconds, lease.owner_id, credentials)
