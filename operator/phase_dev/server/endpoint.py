"""One route: runs the checks in the server's order and hands the request to the handler of its method.

Rule: whatever happens, the answer is counted, and every refusal is JSON, or the page that shows it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from starlette.responses import Response

from phase_dev.server.auth import NO_CONTEXT, Call, authenticate, check_ip, find_environment
from phase_dev.server.cloud import NeverAnswered
from phase_dev.server.negotiation import Shown, as_page, indented, shown_as
from phase_dev.server.quota import Quota
from phase_dev.server.responses import ApiError, error_response, killed_page
from phase_dev.server.steps import Steps

Handler = Callable[[Call], Response | Steps[Response]]
ACTIONS = {"GET": "read", "POST": "create", "PUT": "update", "DELETE": "delete"}
_NAMED_BY_PATH: dict[str, Literal["app", "environment"]] = {"app by id": "app", "environment by id": "environment"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route of the API and what it takes to pass."""

    route: str
    allow: str
    context: Literal["environment", "optional environment", "app", "app by id", "environment by id", "account"]
    handlers: Mapping[str, Handler]
    resource: str = "Secrets"
    permissions: Mapping[str, str] = field(default_factory=lambda: ACTIONS)
    # What every method asks for, unknown ones too; left out: each its own, and unknown ones are refused.
    one_permission: str | None = None
    refusal: str = "You don't have permission to {action} secrets in this environment."
    # Rows in plain text need server-side encryption; sealed ones do not.
    needs_sse: bool = True
    # Shows a browser a page.
    browsable: bool = False

    @property
    def path_names(self) -> Literal["app", "environment"] | None:
        """What the id in the path is an id of, if that names the app."""
        return _NAMED_BY_PATH.get(self.context)

    @property
    def is_metadata(self) -> bool:
        """Whether this route tells of apps, environments and accounts, and not of secrets."""
        return self.context not in ("environment", "optional environment")

    def answer(self, call: Call, quota: Quota, limit: int | None) -> Steps[Response]:
        """Return the answer to one request."""
        call.allow = self.allow
        accept = call.headers.get("accept")
        kind: Shown = "json"
        try:
            kind = shown_as(accept, call.query.get("format"), browsable=self.browsable)
            response = yield from self._checked(call, quota, limit)
        except ApiError as error:
            response = error_response(error, self.allow)
            if error.spaced and kind == "json":
                return response
        except NeverAnswered:
            return killed_page()
        return as_page(response) if kind == "api" else indented(response, accept)

    def _checked(self, call: Call, quota: Quota, limit: int | None) -> Steps[Response]:
        call.path_names = self.path_names
        call.maybe_account = authenticate(call.headers.get("authorization"), call.state, call.now)
        find_environment(call)
        check_ip(call)
        quota.take(call.account.id, limit if limit is not None else call.organisation.quota, call.now)
        if call.method not in ACTIONS and not self.one_permission:
            raise self._unknown_method(call.method)
        if self.context == "environment" and call.maybe_environment is None:
            raise ApiError(403, NO_CONTEXT)
        if self.context == "app" and call.maybe_app is None:
            raise ApiError(403, "Could not resolve app from request.")
        self._check_sse(call, metadata=True)
        action = self.one_permission or self.permissions.get(call.method, "read")
        # An old service token has no role.
        if call.account.kind != "legacy" and not call.may(f"{self.resource}:{action}"):
            raise ApiError(403, self.refusal.format(action=action))
        self._check_sse(call, metadata=False)
        handler = self.handlers.get(call.method)
        if handler is None:
            raise ApiError(405, f'Method "{call.method}" not allowed.')
        result = handler(call)
        return result if isinstance(result, Response) else (yield from result)

    def _unknown_method(self, method: str) -> ApiError:
        if self.is_metadata:
            return ApiError(405, f'Method "{method}" not allowed.')
        return ApiError(403, f"Unsupported HTTP method: {method}")

    def _check_sse(self, call: Call, *, metadata: bool) -> None:
        """Refuse an app without server-side encryption, on routes of metadata before the role is looked at."""
        if not self.needs_sse or call.maybe_app is None or call.maybe_app.sse:
            return
        has_app = self.context in ("app", "app by id", "environment by id")
        if has_app and metadata:
            raise ApiError(403, "SSE is not enabled for this App.")
        if not has_app and not metadata and self.context != "account":
            raise ApiError(400, "SSE is not enabled for this App")
