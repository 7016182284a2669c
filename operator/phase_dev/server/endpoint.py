"""One route: runs the checks in the server's order and hands the request to the handler of its method.

Rule: whatever happens, the answer is counted, and every refusal is JSON.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.responses import Response

from phase_dev.server.auth import NO_CONTEXT, Call, authenticate, check_ip, enter_app, find_app, find_environment
from phase_dev.server.quota import Quota
from phase_dev.server.responses import ApiError, error_response, unauthenticated

Handler = Callable[[Call], Response]
ACTIONS = {"GET": "read", "POST": "create", "PUT": "update", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the API and what it takes to pass."""

    route: str
    allow: str
    context: Literal["environment", "optional environment", "app", "app by id", "environment by id", "account"]
    handlers: Mapping[str, Handler]
    resource: str = "Secrets"
    permissions: Mapping[str, str] = field(default_factory=lambda: ACTIONS)
    refusal: str = "You don't have permission to {action} secrets in this environment."

    def answer(self, call: Call, quota: Quota, limit: int | None) -> Response:
        """Return the answer to one request."""
        call.allow = self.allow
        try:
            return self._checked(call, quota, limit)
        except ApiError as error:
            return error_response(error, self.allow)

    def _checked(self, call: Call, quota: Quota, limit: int | None) -> Response:
        if not accepts_json(call.headers.get("accept")):
            raise ApiError(406, "Could not satisfy the request Accept header.")
        call.maybe_account = authenticate(call.headers.get("authorization"), call.state, call.now)
        self._find(call)
        check_ip(call)
        quota.take(call.account.id, limit if limit is not None else call.organisation.quota, call.now)
        if call.method not in ACTIONS:
            raise ApiError(403, f"Unsupported HTTP method: {call.method}")
        if self.context == "environment" and call.maybe_environment is None:
            raise ApiError(403, NO_CONTEXT)
        if self.context == "app" and call.maybe_app is None:
            raise ApiError(403, "Could not resolve app from request.")
        action = self.permissions.get(call.method, "read")
        if not call.may(f"{self.resource}:{action}"):
            raise ApiError(403, self.refusal.format(action=action))
        self._check_sse(call)
        handler = self.handlers.get(call.method)
        if handler is None:
            raise ApiError(405, f'Method "{call.method}" not allowed.')
        return handler(call)

    def _find(self, call: Call) -> None:
        match self.context:
            case "environment" | "optional environment":
                find_environment(call)
            case "app":
                if app_id := call.query.get("app_id"):
                    enter_app(call, find_app(call, app_id))
            case "app by id":
                enter_app(call, find_app(call, call.path["id"]))
            case "environment by id":
                _enter_environment(call, call.path["id"])
            case "account":
                pass

    def _check_sse(self, call: Call) -> None:
        if call.maybe_app is None or call.maybe_app.sse:
            return
        if self.context in ("app", "app by id", "environment by id"):
            raise ApiError(403, "SSE is not enabled for this App.")
        raise ApiError(400, "SSE is not enabled for this App")


def accepts_json(header: str | None) -> bool:
    """Return whether an Accept header leaves room for JSON."""
    if not header:
        return True
    kinds = {part.split(";")[0].strip().lower() for part in header.split(",")}
    return not kinds.isdisjoint({"*/*", "application/*", "application/json"})


def _enter_environment(call: Call, environment_id: str) -> None:
    environment = call.state.environments.get(environment_id)
    app = environment and call.state.apps[environment.app]
    if not environment or not app or app.organisation != call.account.organisation:
        raise ApiError(404, "Environment not found")
    call.maybe_app, call.maybe_environment = app, environment
    if environment.id not in call.account.environments:
        raise unauthenticated("Service account cannot access this environment")
