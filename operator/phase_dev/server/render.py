"""Records as the API shows them, in camelCase and in the server's order of fields.

Rule: a record never shows more than the API does; who asks decides about overrides and references.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from phase_dev.server.keys import digest_of
from phase_dev.server.model import Account, App, DynamicSecret, Environment, Lease, Secret, folder_id
from phase_dev.server.state import State


def moment(at: datetime | None) -> str | None:
    """Return a moment as `2026-11-23T05:42:35.398100Z`."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def duration(seconds: float) -> str:
    """Return a duration as `[D ]HH:MM:SS[.ffffff]`; one below zero counts from whole days, `-1 23:59:00`."""
    span = timedelta(seconds=seconds)
    clock = f"{span.seconds // 3600:02}:{span.seconds % 3600 // 60:02}:{span.seconds % 60:02}"
    fraction = f".{span.microseconds:06}" if span.microseconds else ""
    return f"{span.days} {clock}{fraction}" if span.days else clock + fraction


def secret_json(secret: Secret, value: str, reader: Account) -> dict[str, Any]:
    """Return a secret with the value already resolved; an override is its owner's alone."""
    override = next((o for o in secret.overrides if o.account == reader.id), None) if secret.overrides else None
    return {
        "id": secret.id,
        "key": secret.key,
        "value": value,
        "comment": secret.comment,
        "tags": list(secret.tags),
        "override": override
        and {
            "id": override.id,
            "value": override.value,
            "isActive": override.is_active,
            "createdAt": moment(override.created_at),
            "updatedAt": moment(override.updated_at),
        },
        "type": secret.type,
        "lifecycle": secret.lifecycle,
        "path": secret.path,
        "keyDigest": digest_of(secret.environment, secret.key),
        "version": secret.version,
        "createdAt": moment(secret.created_at),
        "updatedAt": moment(secret.updated_at),
        "environment": secret.environment,
        "folder": folder_id(secret.environment, secret.path),
    }


def dynamic_json(dynamic: DynamicSecret, lease: dict[str, Any] | None) -> dict[str, Any]:
    """Return a dynamic secret, with the lease that was just made for it if there is one."""
    return {
        "id": dynamic.id,
        "name": dynamic.name,
        "type": "dynamic",
        "description": dynamic.description,
        "environment": dynamic.environment,
        "folder": folder_id(dynamic.environment, dynamic.path),
        "path": dynamic.path,
        "defaultTtl": duration(dynamic.default_ttl),
        "maxTtl": duration(dynamic.max_ttl),
        "provider": dynamic.provider,
        "keyMap": [
            {
                "id": entry.id,
                "masked": entry.masked,
                "keyName": entry.key_name,
                "keyDigest": digest_of(dynamic.environment, entry.key_name),
            }
            for entry in dynamic.key_map
        ],
        "createdAt": moment(dynamic.created_at),
        "updatedAt": moment(dynamic.updated_at),
        "deletedAt": None,
        "lease": lease,
    }


def lease_json(lease: Lease, state: State, credentials: list[dict[str, str]]) -> dict[str, Any]:
    """Return a lease; the credentials are there only in the answer that made it."""
    return {
        "id": lease.id,
        "name": state.dynamic_secrets[lease.dynamic_secret].name,
        "description": "",
        "secret": lease.dynamic_secret,
        "ttl": duration(lease.ttl),
        "status": lease.status,
        "owner": _owner_json(state.accounts[lease.account], state),
        "credentials": credentials,
        "createdAt": moment(lease.created_at),
        # Null even of a lease that was renewed.
        "renewedAt": None,
        "expiresAt": moment(lease.expires_at),
        "revokedAt": moment(lease.revoked_at),
        "deletedAt": None,
    }


def _owner_json(account: Account, state: State) -> dict[str, Any]:
    role = state.roles[account.role]
    role_data = {"id": role.id, "name": role.name}
    if account.kind == "service":
        return {"type": "service_account", "data": {"id": account.id, "name": account.name, "role": role_data}}
    data = {
        "id": account.id,
        "username": account.name,
        "fullName": None,
        "email": f"{account.name}@{state.organisations[account.organisation].name}.test",
        "role": role_data,
        "createdAt": moment(account.created_at),
        "updatedAt": moment(account.created_at),
    }
    return {"type": "organisation_member", "data": data}


def app_json(app: App) -> dict[str, Any]:
    """Return an app."""
    return {
        "id": app.id,
        "name": app.name,
        "description": app.description,
        "sseEnabled": app.sse,
        "createdAt": moment(app.created_at),
        "updatedAt": moment(app.updated_at),
    }


def environment_json(environment: Environment) -> dict[str, Any]:
    """Return an environment."""
    return {
        "id": environment.id,
        "name": environment.name,
        "envType": environment.env_type,
        "index": environment.index,
        "createdAt": moment(environment.created_at),
        "updatedAt": moment(environment.updated_at),
    }
