"""Records as the API shows them, in camelCase and in the server's order of fields.

Rule: a record never shows more than the API does; who asks decides about overrides and references.
"""

from datetime import UTC, datetime
from typing import Any

from phase_dev.server.keys import digest_of
from phase_dev.server.model import Account, App, DynamicSecret, Environment, Lease, Secret, folder_id
from phase_dev.server.state import State


def moment(at: datetime | None) -> str | None:
    """Return a moment as `2026-11-23T05:42:35.398100Z`."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def duration(seconds: int) -> str:
    """Return a duration as `[D ]HH:MM:SS`."""
    days, rest = divmod(seconds, 86400)
    clock = f"{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days} {clock}" if days else clock


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


def lease_status(lease: Lease, now: datetime) -> str:
    """Return where a lease stands at this moment."""
    if lease.revoked_at is not None:
        return "revoked"
    if lease.expires_at <= now:
        return "expired"
    return "renewed" if lease.renewed_at else "active"


def lease_json(lease: Lease, state: State, now: datetime, credentials: list[dict[str, str]]) -> dict[str, Any]:
    """Return a lease; the credentials are there only in the answer that made it."""
    account = state.accounts[lease.account]
    role = state.roles[account.role]
    owner = {"id": account.id, "name": account.name, "role": {"id": role.id, "name": role.name}}
    return {
        "id": lease.id,
        "name": state.dynamic_secrets[lease.dynamic_secret].name,
        "description": "",
        "secret": lease.dynamic_secret,
        "ttl": duration(lease.ttl),
        "status": lease_status(lease, now),
        "owner": {"type": "service_account" if account.kind == "service" else "member", "data": owner},
        "credentials": credentials,
        "createdAt": moment(lease.created_at),
        # The recorded server leaves this null even on a lease that was renewed.
        "renewedAt": None,
        "expiresAt": moment(lease.expires_at),
        "revokedAt": moment(lease.revoked_at),
        "deletedAt": None,
    }


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
