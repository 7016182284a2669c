"""Dynamic secrets: list them, lease credentials, renew and revoke leases.

Rule: every lease is a new one, its credentials are shown once and never kept, and the clock alone ends it.
"""

import hashlib
import hmac
import string
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from phase_dev.server.auth import Call
from phase_dev.server.bodies import parse_object
from phase_dev.server.model import DynamicSecret, KeyMapEntry, Lease, new_id, normalise_path
from phase_dev.server.render import dynamic_json, lease_json
from phase_dev.server.responses import ApiError, compact, json_response, server_error

MIN_TTL = 60
TOO_SHORT = "The specified TTL must be at least 60 seconds."
TOO_LONG = "The specified TTL exceeds the maximum TTL for this dynamic secret."
WRONG_PLAN = "Dynamic secrets are only available on the Enterprise plan."


def get_dynamic(call: Call) -> Response:
    """Answer the dynamic secrets that match; unlike static ones, none at all is a 404."""
    if call.maybe_environment is None:
        raise server_error()
    query = call.query
    found = [dynamic for dynamic in call.state.dynamic_of(call.environment.id) if _matches(dynamic, query)]
    if not found:
        raise ApiError(404, "No dynamic secrets found")
    leases: dict[str, dict[str, Any]] = {}
    if "lease" in query and query["lease"].lower() != "false":
        leases, failed = lease_all(call, found, wanted_ttl(call, "ttl"))
        if failed:
            first = failed[0]["error"]
            if first == WRONG_PLAN:
                raise ApiError(500, "An internal error occurred while creating the lease")
            raise ApiError(400, first)
    return json_response(compact([dynamic_json(d, leases.get(d.id)) for d in found]), allow=call.allow)


def _matches(dynamic: DynamicSecret, query: Mapping[str, str]) -> bool:
    return (
        (not query.get("path") or dynamic.path == normalise_path(query["path"]))
        and query.get("id") in (None, dynamic.id)
        and query.get("name") in (None, dynamic.name)
    )


def dynamic_at(call: Call, path: str | None) -> list[DynamicSecret]:
    """Return the dynamic secrets of a folder, or without a path those of the environment."""
    found = call.state.dynamic_of(call.environment.id)
    return [dynamic for dynamic in found if not path or dynamic.path == normalise_path(path)]


def wanted_ttl(call: Call, parameter: str) -> int | None:
    """Return the whole seconds a caller asks for."""
    try:
        return int(call.query[parameter]) if parameter in call.query else None
    except ValueError:
        raise ApiError(400, f"{parameter} must be a valid integer (seconds)") from None


def lease_all(
    call: Call, dynamics: Iterable[DynamicSecret], ttl: int | None
) -> tuple[dict[str, dict[str, Any]], list[dict[str, str]]]:
    """Lease every dynamic secret; return what was leased by id, and what was refused and why."""
    leased: dict[str, dict[str, Any]] = {}
    failed: list[dict[str, str]] = []
    for dynamic in dynamics:
        seconds = dynamic.default_ttl if ttl is None else ttl
        if reason := _refusal(call, dynamic, seconds):
            failed.append({"secretId": dynamic.id, "secretName": dynamic.name, "error": reason})
            continue
        expires_at = call.now + timedelta(seconds=seconds)
        lease = Lease(new_id(), dynamic.id, call.account.id, seconds, call.now, expires_at)
        call.state.put(lease)
        credentials = [{"key": e.key_name, "value": _credential(lease, e)} for e in dynamic.key_map]
        leased[dynamic.id] = lease_json(lease, call.state, call.now, credentials)
    return leased, failed


def failed_leases(call: Call, leased: dict[str, dict[str, Any]], failed: list[dict[str, str]]) -> Response:
    """Answer the 400 that lists the refusals; leases that did succeed stay behind, as on the server."""
    content = {
        "error": "One or more dynamic secret leases could not be created",
        "failedLeases": failed,
        "successfulLeases": len(leased),
    }
    return json_response(compact(content), allow=call.allow, status=400)


def get_leases(call: Call) -> Response:
    """Answer the leases of one dynamic secret, newest first and without credentials."""
    secret_id = call.query.get("secret_id")
    if not secret_id:
        raise ApiError(400, "secret_id is required")
    dynamic = call.state.dynamic_secrets.get(secret_id)
    if dynamic is None or dynamic.environment != call.environment.id:
        raise ApiError(404, "Secret not found")
    rows = [lease_json(lease, call.state, call.now, []) for lease in call.state.leases_of(dynamic.id)]
    return json_response(compact(rows), allow=call.allow)


def renew_lease(call: Call) -> Response:
    """Add the ttl to the lease's present expiry, up to the dynamic secret's maximum."""
    body = parse_object(call.body)
    lease = _lease(call, body.get("lease_id"), "update")
    dynamic = call.state.dynamic_secrets[lease.dynamic_secret]
    ttl = body.get("ttl", dynamic.default_ttl)
    if not isinstance(ttl, int):
        raise ApiError(400, "ttl must be a valid integer (seconds)")
    if lease.revoked_at is None and lease.expires_at <= call.now:
        raise ApiError(400, "Lease has expired and cannot be renewed")
    if lease.ttl + ttl > dynamic.max_ttl:
        raise ApiError(
            400,
            "The renewal TTL would exceed the maximum TTL for this dynamic secret. "
            f"Maximum remaining renewal time: {dynamic.max_ttl - lease.ttl} seconds",
        )
    renewed = replace(
        lease,
        ttl=lease.ttl + ttl,
        expires_at=lease.expires_at + timedelta(seconds=ttl),
        renewed_at=call.now if lease.revoked_at is None else lease.renewed_at,
    )
    call.state.put(renewed)
    if lease.revoked_at is not None:
        # The recording shows a longer ttl on a lease whose renewal was refused, so the server, too, writes first.
        raise ApiError(400, f"Lease has already been revoked at {lease.revoked_at}")
    message = f"Lease renewed successfully. Updated expiry: {renewed.expires_at}"
    return json_response(compact({"message": message}), allow=call.allow)


def revoke_lease(call: Call) -> Response:
    """End a lease now; to end it twice is no error."""
    lease_id = call.query.get("lease_id") or (parse_object(call.body).get("lease_id") if call.body else None)
    lease = _lease(call, lease_id, "delete")
    if lease.revoked_at is not None:
        return json_response(compact({"message": "Lease was already revoked"}), allow=call.allow)
    call.state.put(replace(lease, revoked_at=call.now))
    return json_response(compact({"message": "Lease revoked successfully"}), allow=call.allow)


def _lease(call: Call, lease_id: object, action: str) -> Lease:
    if not lease_id:
        raise ApiError(400, "lease_id is required")
    lease = call.state.leases.get(str(lease_id))
    if lease is None or call.state.dynamic_secrets[lease.dynamic_secret].environment != call.environment.id:
        raise ApiError(404, "Lease not found")
    if lease.account != call.account.id and not call.may(f"DynamicSecretLeases:{action}"):
        raise ApiError(403, f"You don't have permission to {action} leases for other accounts.")
    return lease


def _refusal(call: Call, dynamic: DynamicSecret, seconds: int) -> str | None:
    if call.organisation.plan != "enterprise":
        return WRONG_PLAN
    if seconds > dynamic.max_ttl:
        return TOO_LONG
    return TOO_SHORT if seconds < MIN_TTL else None


def _credential(lease: Lease, entry: KeyMapEntry) -> str:
    """Return a believable credential; it follows from the ids, so it need not be kept to be told apart."""
    digest = hmac.digest(lease.id.encode(), entry.id.encode(), hashlib.sha256)
    letters = "".join((string.ascii_uppercase + "234567")[byte % 32] for byte in digest)
    match entry.id:
        case "username":
            return f"phase-{letters[:13].lower()}"
        case "access_key_id":
            return f"AKIA{letters[:16]}"
        case _:
            return digest.hex()[:40]
