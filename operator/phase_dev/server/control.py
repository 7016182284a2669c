"""The switches under `/_control/`: counting, faults, access, tokens, records and the clock.

Rule: what is sent here is checked like a seed, and a mistake is a 422 with one sentence.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from phase_dev.server import control_leases
from phase_dev.server.cloud import CloudError, NeverAnswered
from phase_dev.server.damage import Damage, DamagedField
from phase_dev.server.faults import Fault
from phase_dev.server.installation import Phase
from phase_dev.server.keys import token_text
from phase_dev.server.leasing import LeaseError
from phase_dev.server.model import Plan, SecretType
from phase_dev.server.seed_parts import SeedError
from phase_dev.server.unknown import Unknown


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClockOrder(_Order):
    """Advance the server's clock."""

    advance: float = Field(ge=0)


class AccessOrder(_Order):
    """Grant an account environments of an app, or withdraw them."""

    account: str
    app: str
    envs: tuple[str, ...]
    action: Literal["grant", "withdraw"]


class TokenOrder(_Order):
    """Add, rotate or revoke tokens of an account."""

    account: str
    action: Literal["add", "rotate", "revoke"]
    name: str | None = None
    expires_at: AwareDatetime | None = None


class SecretOrder(_Order):
    """Write one secret without a token; a rotating one as well."""

    app: str
    env: str
    key: str = Field(min_length=1)
    value: str
    path: str = "/"
    type: SecretType | None = None
    tags: tuple[str, ...] | None = None
    comment: str | None = None
    lifecycle: Literal["static", "rotating"] | None = None
    keep_case: bool = False


class DeleteOrder(_Order):
    """Delete one secret."""

    app: str
    env: str
    key: str
    path: str = "/"


class DamageOrder(_Order):
    """Damage a secret (with `key`), the keys of an environment, or the share of an account; null makes it whole."""

    how: Damage | None
    field: DamagedField | None = None
    app: str | None = None
    env: str | None = None
    key: str | None = None
    path: str = "/"
    account: str | None = None


class AppOrder(_Order):
    """Rename an app, or turn server-side encryption on or off."""

    app: str
    name: str | None = None
    sse: bool | None = None


class EnvironmentOrder(_Order):
    """Rename an environment."""

    app: str
    env: str
    name: str


class PlanOrder(_Order):
    """Put the installation on a plan."""

    plan: Plan


class QuotaOrder(_Order):
    """Set requests per minute and account; null lifts the quota."""

    quota: int | None = Field(ge=0)


class _Action(Protocol):
    def __call__(self, phase: Phase, body: bytes) -> Any:
        """Carry out one order and return what to answer."""


def control_app(phase: Phase) -> Starlette:
    """Return the application of the switches."""
    actions: dict[tuple[str, str], _Action] = {
        ("GET", "/_control/calls"): lambda phase, body: {"calls": phase.counter.rows(), "total": phase.counter.count()},
        ("POST", "/_control/calls/reset"): lambda phase, body: phase.counter.reset(),
        ("GET", "/_control/faults"): lambda phase, body: {"faults": phase.faults.rows()},
        ("POST", "/_control/faults"): lambda phase, body: phase.faults.add(Fault.model_validate_json(body)),
        ("DELETE", "/_control/faults"): lambda phase, body: phase.faults.clear(),
        ("POST", "/_control/clock"): _clock,
        ("POST", "/_control/access"): _access,
        ("POST", "/_control/tokens"): _tokens,
        ("POST", "/_control/secret"): _secret,
        ("DELETE", "/_control/secret"): _delete,
        ("POST", "/_control/damage"): _damage,
        ("POST", "/_control/app"): _app,
        ("POST", "/_control/environment"): _environment,
        ("POST", "/_control/plan"): lambda phase, body: phase.set_plan(PlanOrder.model_validate_json(body).plan),
        ("POST", "/_control/quota"): _quota,
        ("GET", "/_control/leases"): control_leases.leases,
        ("POST", "/_control/leases"): control_leases.change_lease,
        ("GET", "/_control/cloud"): control_leases.cloud,
        ("DELETE", "/_control/cloud"): control_leases.delete_user,
        ("POST", "/_control/cloud/check"): control_leases.check_key,
        ("GET", "/_control/cloud/faults"): control_leases.cloud_faults,
        ("POST", "/_control/cloud/faults"): control_leases.add_cloud_fault,
        ("DELETE", "/_control/cloud/faults"): control_leases.clear_cloud_faults,
        ("POST", "/_control/worker"): control_leases.worker,
        ("POST", "/_control/dynamic"): control_leases.add_dynamic,
        ("PUT", "/_control/dynamic"): control_leases.change_dynamic,
        ("DELETE", "/_control/dynamic"): control_leases.delete_dynamic,
    }
    routes = [Route(path, _endpoint(phase, action), methods=[method]) for (method, path), action in actions.items()]
    return Starlette(routes=routes)


def _endpoint(phase: Phase, action: _Action) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def endpoint(request: Request) -> JSONResponse:
        body = await request.body()
        try:
            with phase.state.lock:
                return JSONResponse(action(phase, body) or {})
        except ValidationError as e:
            first = e.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "body"
            return JSONResponse({"error": f"{where}: {first['msg']}"}, 422)
        except (Unknown, SeedError, LeaseError, CloudError, NeverAnswered) as e:
            return JSONResponse({"error": str(e)}, 422)

    return endpoint


def _clock(phase: Phase, body: bytes) -> dict[str, str]:
    phase.clock.advance(ClockOrder.model_validate_json(body).advance)
    return {"now": phase.clock().isoformat()}


def _access(phase: Phase, body: bytes) -> None:
    order = AccessOrder.model_validate_json(body)
    phase.change_access(order.account, order.app, order.envs, grant=order.action == "grant")


def _tokens(phase: Phase, body: bytes) -> dict[str, str]:
    order = TokenOrder.model_validate_json(body)
    match order.action:
        case "add":
            token = phase.add_token(order.account, order.name or "token", order.expires_at)
        case "rotate":
            token = phase.rotate_token(order.account)
        case "revoke":
            phase.revoke_tokens(order.account, order.name)
            return {}
    return {"token": token.value, "full": token_text(token, phase.account(order.account))}


def _secret(phase: Phase, body: bytes) -> dict[str, Any]:
    order = SecretOrder.model_validate_json(body)
    secret = phase.set_secret(
        order.app,
        order.env,
        order.key,
        order.value,
        path=order.path,
        type=order.type,
        tags=order.tags,
        comment=order.comment,
        lifecycle=order.lifecycle,
        keep_case=order.keep_case,
    )
    return {"id": secret.id, "version": secret.version}


def _delete(phase: Phase, body: bytes) -> None:
    order = DeleteOrder.model_validate_json(body)
    phase.delete_secret(order.app, order.env, order.key, path=order.path)


def _damage(phase: Phase, body: bytes) -> None:
    order = DamageOrder.model_validate_json(body)
    if order.account:
        phase.damage_token(order.account, order.how)
    elif not order.app or not order.env:
        raise Unknown("name an account, or an app and an env")
    elif order.key:
        field = order.field or "value"
        phase.damage_secret(order.app, order.env, order.key, field, order.how, path=order.path)
    else:
        phase.damage_environment(order.app, order.env, order.field or "wrapped_seed", order.how)


def _app(phase: Phase, body: bytes) -> None:
    order = AppOrder.model_validate_json(body)
    phase.change_app(order.app, name=order.name, sse=order.sse)


def _environment(phase: Phase, body: bytes) -> None:
    order = EnvironmentOrder.model_validate_json(body)
    phase.rename_environment(order.app, order.env, order.name)


def _quota(phase: Phase, body: bytes) -> None:
    phase.set_quota(QuotaOrder.model_validate_json(body).quota)
