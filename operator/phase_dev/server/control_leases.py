"""The switches under `/_control/` for dynamic secrets, leases, the cloud account and the worker.

Rule: they tell what a caller of the API cannot see, and never a credential.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from phase_dev.server.cloud import CloudFault
from phase_dev.server.dynamic_seed import parse_dynamic
from phase_dev.server.installation import Phase
from phase_dev.server.model import CloudUser, Lease
from phase_dev.server.render import duration, moment
from phase_dev.server.unknown import Unknown


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LeaseOrder(_Order):
    """Revoke or renew a lease as in the Console, or take its next job out of the worker's schedule."""

    lease: str
    action: Literal["revoke", "renew", "unschedule"]
    ttl: float = 3600


class UserOrder(_Order):
    """Delete a user in the cloud account by hand."""

    user: str


class KeyOrder(_Order):
    """Try an access key."""

    access_key_id: str
    secret_access_key: str = Field(repr=False)


class WorkerOrder(_Order):
    """Stop the worker or start it again; let new jobs be scheduled, or refuse them."""

    runs: bool | None = None
    takes_jobs: bool | None = None


class _Place(_Order):
    app: str
    env: str


class NewDynamicOrder(_Place):
    """Create a dynamic secret; the settings are those of a seed."""

    settings: dict[str, Any]


class DynamicOrder(_Place):
    """Name a dynamic secret."""

    name: str
    path: str = "/"


class ChangeDynamicOrder(DynamicOrder):
    """Change settings of a dynamic secret, its name and its folder too."""

    settings: dict[str, Any]


def leases(phase: Phase, body: bytes) -> dict[str, Any]:
    """Return every lease, newest first, with when it ends by itself and whether its user is there."""
    found = phase.leases.all()[::-1]
    names = {user.name for user in phase.leases.users()}
    rows = [_lease_row(phase, lease, names) for lease in found]
    return {"leases": rows, "total": len(rows), "live": sum(row["user_exists"] for row in rows)}


def change_lease(phase: Phase, body: bytes) -> None:
    """Do to a lease what somebody does behind one's back."""
    order = LeaseOrder.model_validate_json(body)
    match order.action:
        case "revoke":
            phase.leases.revoke(order.lease)
        case "renew":
            phase.leases.renew(order.lease, order.ttl)
        case "unschedule":
            phase.leases.unschedule(order.lease)


def cloud(phase: Phase, body: bytes) -> dict[str, Any]:
    """Return the users of the cloud accounts, and which of them nothing will take away by itself."""
    leaked = {user.id for user in phase.leases.leaked()}
    holders = {lease.user: lease.id for lease in phase.leases.all()}
    rows = [_user_row(phase, user, holders.get(user.name), user.id in leaked) for user in phase.leases.users()]
    return {"users": rows, "total": len(rows), "leaked": len(leaked)}


def delete_user(phase: Phase, body: bytes) -> None:
    """Delete a user in the cloud account by hand."""
    phase.leases.remove_user(UserOrder.model_validate_json(body).user)


def check_key(phase: Phase, body: bytes) -> dict[str, str | None]:
    """Return the user whom an access key lets in now."""
    order = KeyOrder.model_validate_json(body)
    user = phase.leases.opens(order.access_key_id, order.secret_access_key)
    return {"user": user.name if user else None}


def cloud_faults(phase: Phase, body: bytes) -> dict[str, Any]:
    """Return the faults of the cloud account in force."""
    return {"faults": phase.leasing.cloud.faults.rows()}


def add_cloud_fault(phase: Phase, body: bytes) -> None:
    """Put a fault of the cloud account in force."""
    phase.leases.add_fault(CloudFault.model_validate_json(body))


def clear_cloud_faults(phase: Phase, body: bytes) -> None:
    """End all faults of the cloud account."""
    phase.leases.clear()


def worker(phase: Phase, body: bytes) -> None:
    """Stop the worker or start it again."""
    order = WorkerOrder.model_validate_json(body)
    if order.runs is None and order.takes_jobs is None:
        raise Unknown("say runs, takes_jobs or both")
    phase.leases.set_worker(runs=order.runs, takes_jobs=order.takes_jobs)


def add_dynamic(phase: Phase, body: bytes) -> dict[str, str]:
    """Create a dynamic secret."""
    order = NewDynamicOrder.model_validate_json(body)
    return {"id": phase.add_dynamic(order.app, order.env, parse_dynamic(order.settings)).id}


def change_dynamic(phase: Phase, body: bytes) -> None:
    """Change a dynamic secret."""
    order = ChangeDynamicOrder.model_validate_json(body)
    phase.change_dynamic(order.app, order.env, order.name, order.settings, path=order.path)


def delete_dynamic(phase: Phase, body: bytes) -> None:
    """Delete a dynamic secret as in the Console."""
    order = DynamicOrder.model_validate_json(body)
    phase.delete_dynamic(order.app, order.env, order.name, path=order.path)


def _lease_row(phase: Phase, lease: Lease, users: set[str]) -> dict[str, Any]:
    state = phase.state
    dynamic = state.dynamic_secrets[lease.dynamic_secret]
    environment = state.environments[dynamic.environment]
    return {
        "id": lease.id,
        "app": state.apps[environment.app].name,
        "env": environment.name,
        "path": dynamic.path,
        "dynamic_secret": dynamic.name,
        "account": state.accounts[lease.account].name,
        "status": lease.status,
        "ttl": duration(lease.ttl),
        "created_at": moment(lease.created_at),
        "expires_at": moment(lease.expires_at),
        "ends_at": moment(phase.leasing.ends_at(lease)),
        "revoked_at": moment(lease.revoked_at),
        "user": lease.user,
        "user_exists": lease.user in users,
    }


def _user_row(phase: Phase, user: CloudUser, lease: str | None, leaked: bool) -> dict[str, Any]:
    dynamic = phase.state.dynamic_secrets.get(user.dynamic_secret)
    return {
        "name": user.name,
        "organisation": phase.state.organisations[user.organisation].name,
        "dynamic_secret": dynamic.name if dynamic else None,
        "lease": lease,
        "leaked": leaked,
        "access_keys": list(user.keys),
        "tags": user.tags,
        "policies": list(user.policies),
        "groups": list(user.groups),
        "created_at": moment(user.created_at),
    }
