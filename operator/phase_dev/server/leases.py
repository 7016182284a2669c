"""Dynamic secrets: list them, lease credentials, renew and revoke leases.

Rule: every lease is a new one, its credentials are shown once and never kept, and the list of leases never shrinks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from phase_dev.server.auth import Call
from phase_dev.server.bodies import parse_object
from phase_dev.server.cloud import CloudError
from phase_dev.server.database import asked
from phase_dev.server.leasing import LeaseError
from phase_dev.server.model import DynamicSecret, Lease, normalise_path
from phase_dev.server.render import dynamic_json, lease_json
from phase_dev.server.responses import ApiError, compact, json_response, server_error
from phase_dev.server.steps import Steps

# What is added to an expiry if a renewal names no ttl.
RENEWAL_TTL = 3600
NOT_CREATED = "An internal error occurred while creating the lease"
NOT_RENEWED = "An internal error occurred while renewing the lease"
NOT_REVOKED = "An internal error occurred while revoking the lease"
NO_PERMISSION = "You don't have permission to create dynamic secret leases."


def get_dynamic(call: Call) -> Steps[Response]:
    """Answer the dynamic secrets that match; unlike static ones, none at all is a 404.

    The first lease that cannot be made ends it; those before it are made and never shown.
    """
    if call.maybe_environment is None:
        raise server_error()
    query = call.query
    for name in ("path", "id", "name"):
        asked(query.get(name, ""))
    found = [dynamic for dynamic in call.state.dynamic_of(call.environment.id) if _matches(dynamic, query)]
    if not found:
        raise ApiError(404, "No dynamic secrets found")
    ttl = whole_seconds(query.get("ttl"), "ttl")
    made = Leased()
    if "lease" in query and query["lease"].lower() != "false":
        made = yield from lease_all(call, found, ttl, to_the_end=False)
        if made.refused:
            error = made.refused[0].error
            raise ApiError(500, NOT_CREATED) if error.internal else ApiError(400, str(error))
    return json_response(compact([dynamic_json(d, made.leases.get(d.id)) for d in found]), allow=call.allow)


def _matches(dynamic: DynamicSecret, query: Mapping[str, str]) -> bool:
    return (
        (not query.get("path") or dynamic.path == normalise_path(query["path"]))
        and (query.get("id") or dynamic.id) == dynamic.id
        and (query.get("name") or dynamic.name) == dynamic.name
    )


def dynamic_at(call: Call, path: str | None) -> list[DynamicSecret]:
    """Return the dynamic secrets of a folder, or without a path those of the environment."""
    found = call.state.dynamic_of(call.environment.id)
    return [dynamic for dynamic in found if not path or dynamic.path == normalise_path(path)]


def whole_seconds(text: str | None, name: str) -> int | None:
    """Return the whole seconds a caller asks for; nothing and an empty text leave it to the dynamic secret."""
    try:
        return int(text) if text else None
    except ValueError:
        raise ApiError(400, f"{name} must be a valid integer (seconds)") from None


@dataclass(frozen=True, slots=True)
class Refused:
    """A dynamic secret of which no lease could be made, and why."""

    dynamic: DynamicSecret
    error: LeaseError


@dataclass(frozen=True, slots=True)
class Leased:
    """The leases that were made, by dynamic secret and with their credentials, and those that were not."""

    leases: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)

    def refusal(self) -> dict[str, Any]:
        """Return the body that lists the refusals; leases that were made stay behind, as on the server."""
        return {
            "error": "One or more dynamic secret leases could not be created",
            "failedLeases": [
                {"secretId": each.dynamic.id, "secretName": each.dynamic.name, "error": str(each.error)}
                for each in self.refused
            ],
            "successfulLeases": len(self.leases),
        }


def lease_all(
    call: Call, dynamics: Iterable[DynamicSecret], ttl: int | None, *, to_the_end: bool = True
) -> Steps[Leased]:
    """Lease every dynamic secret, or only up to the first that refuses; a ttl of 0 is no ttl."""
    if call.organisation.lease_permission and not call.may("DynamicSecretLeases:create"):
        raise ApiError(403, NO_PERMISSION)
    result = Leased()
    for dynamic in dynamics:
        try:
            lease, given = yield from call.leasing.make(dynamic, call.account.id, ttl or dynamic.default_ttl)
        except LeaseError as e:
            result.refused.append(Refused(dynamic, e))
            if not to_the_end:
                break
            continue
        credentials = [{"key": entry.key_name, "value": given.of(entry)} for entry in dynamic.key_map]
        result.leases[dynamic.id] = lease_json(lease, call.state, credentials)
    return result


def get_leases(call: Call) -> Response:
    """Answer the leases of one dynamic secret, newest first and without credentials; without the right only one's own.

    The leases of a deleted dynamic secret stay listed.
    """
    secret_id = call.query.get("secret_id")
    if not secret_id:
        raise ApiError(400, "secret_id is required")
    dynamic = call.state.dynamic_secrets.get(secret_id)
    if dynamic is None or dynamic.environment != call.environment.id:
        raise ApiError(404, "Secret not found")
    sees_all = call.may("DynamicSecretLeases:read")
    leases = [each for each in call.state.leases_of(dynamic.id) if sees_all or each.account == call.account.id]
    return json_response(compact([lease_json(lease, call.state, []) for lease in leases]), allow=call.allow)


def renew_lease(call: Call) -> Response:
    """Add the ttl to the lease's present expiry, up to the dynamic secret's maximum; its end does not move."""
    body = _body(call)
    lease = _lease(call, body.get("lease_id"), "update")
    try:
        renewed = call.leasing.renew(lease, _added(body.get("ttl", RENEWAL_TTL)))
    except LeaseError as e:
        raise (ApiError(500, NOT_RENEWED) if e.internal else ApiError(400, str(e))) from None
    message = f"Lease renewed successfully. Updated expiry: {renewed.expires_at}"
    return json_response(compact({"message": message}), allow=call.allow)


def revoke_lease(call: Call) -> Steps[Response]:
    """End a lease now; to end it twice is no error."""
    lease = _lease(call, _body(call).get("lease_id") or call.query.get("lease_id"), "delete")
    if lease.revoked_at is not None:
        return json_response(compact({"message": "Lease was already revoked"}), allow=call.allow)
    try:
        yield from call.leasing.end(lease, "revoked")
    except CloudError:
        raise ApiError(500, NOT_REVOKED) from None
    return json_response(compact({"message": "Lease revoked successfully"}), allow=call.allow)


def _body(call: Call) -> dict[str, Any]:
    return parse_object(call.body) if call.body else {}


def _added(ttl: object) -> float:
    """Return the seconds of a renewal: any number, a truth value too; the server fails on everything else."""
    if not isinstance(ttl, int | float):
        raise ApiError(500, NOT_RENEWED)
    return ttl


def _lease(call: Call, lease_id: object, action: str) -> Lease:
    if not lease_id:
        raise ApiError(400, "lease_id is required")
    lease = call.state.leases.get(str(lease_id))
    if lease is None or call.state.dynamic_secrets[lease.dynamic_secret].environment != call.environment.id:
        raise ApiError(404, "Lease not found")
    # A user is not known as the holder of an own lease: the server compares a user with a member.
    holds = lease.account == call.account.id and call.account.kind == "service"
    if not holds and not call.may(f"DynamicSecretLeases:{action}"):
        raise ApiError(403, f"You don't have permission to {action} leases for other accounts.")
    return lease
