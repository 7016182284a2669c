"""Who calls, what for, and whether they may: the checks in the order of the server.

Rule: token, then app and environment (404), access (401), IP policy (403), quota (429), role (403), SSE (400).
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from phase_dev.server.database import asked
from phase_dev.server.leasing import Leasing
from phase_dev.server.model import Account, AccountKind, App, Environment, Organisation, Token
from phase_dev.server.responses import ApiError, unauthenticated
from phase_dev.server.state import State

KIND_OF_TYPE: dict[str, AccountKind] = {"ServiceAccount": "service", "User": "user", "Service": "legacy"}
SUBJECT: dict[AccountKind, str] = {"service": "Service account", "user": "User", "legacy": "Service token"}
NO_CONTEXT = "Environment context required. Supply `app_id` and `env` as query parameters."
LEGACY_NEEDS_ENVIRONMENT = "Service tokens require an environment context"
IP_REFUSED = "Access denied: a network access policy restricts access from your IP address."


@dataclass(slots=True)
class Call:
    """One request on its way through the checks."""

    method: str
    state: State
    now: datetime
    query: Mapping[str, str]
    headers: Mapping[str, str]
    path: Mapping[str, str]
    body: bytes
    peer: str
    allow: str
    leasing: Leasing
    # What the id in the path is an id of, if that names the app.
    path_names: Literal["app", "environment"] | None = None
    maybe_account: Account | None = None
    maybe_app: App | None = None
    maybe_environment: Environment | None = None

    @property
    def account(self) -> Account:
        """The caller, once the token was checked."""
        assert self.maybe_account
        return self.maybe_account

    @property
    def app(self) -> App:
        """The app, once it was found."""
        assert self.maybe_app
        return self.maybe_app

    @property
    def environment(self) -> Environment:
        """The environment, once it was found."""
        assert self.maybe_environment
        return self.maybe_environment

    @property
    def organisation(self) -> Organisation:
        """The caller's organisation."""
        return self.state.organisations[self.account.organisation]

    def may(self, permission: str) -> bool:
        """Return whether the caller's role has this permission."""
        return permission in self.state.roles[self.account.role].permissions


def token_of(header: str | None, state: State) -> Token | None:
    """Return the token in a header if there is one, valid or not; for counting and for scoped faults."""
    words = (header or "").split(" ")
    return state.token_by_value(words[2]) if len(words) > 2 else None


def authenticate(header: str | None, state: State, now: datetime) -> Account:
    """Return the account of a header such as `Bearer ServiceAccount <64 hex>`; words after it do not matter."""
    if not header:
        raise unauthenticated("Authentication credentials were not provided.")
    words = header.split(" ")
    if len(words) < 3 or words[0].lower() != "bearer" or words[1] not in KIND_OF_TYPE or not words[2]:
        raise unauthenticated("Invalid token")
    token = state.token_by_value(words[2])
    if token is None or (token.expires_at is not None and token.expires_at <= now):
        raise unauthenticated("Token expired or deleted")
    account = state.accounts[token.account]
    if account.kind != KIND_OF_TYPE[words[1]]:
        raise unauthenticated("Token expired or deleted")
    return account


def find_environment(call: Call) -> None:
    """Set the environment or the app that the request names, if any, and refuse a caller without access to it.

    A `secret_id` wins over the header `Environment`, that over `app_id` and `env`, and these over what the path names.
    """
    environment = _named_environment(call)
    if environment is None:
        return
    call.maybe_app, call.maybe_environment = call.state.apps[environment.app], environment
    if environment.id not in call.account.environments:
        raise _no_access(call.account, "environment")


def _named_environment(call: Call) -> Environment | None:
    """Return the environment that a request names; of an app alone, the app is set."""
    state, query = call.state, call.query
    if secret_id := call.headers.get("secret-id") or query.get("secret_id"):
        return _environment_of_secret(call, secret_id)
    if header := call.headers.get("environment"):
        environment = state.environments.get(header)
        if environment is None or not _own(call, state.apps[environment.app]):
            raise unauthenticated("Environment not found")
        return environment
    if query.get("app_id"):
        app = find_app(call, query["app_id"])
        if not query.get("env"):
            enter_app(call, app)
            return None
        if (found := state.environment_named(app.id, asked(query["env"]))) is None:
            raise ApiError(404, f"Environment '{query['env']}' not found in App {app.id}")
        return found
    if call.path_names == "environment":
        enter_app(call, _app_of_environment(call, call.path["id"]))
    elif call.path_names == "app":
        enter_app(call, find_app(call, call.path["id"]))
    elif call.account.kind == "legacy":
        raise unauthenticated(LEGACY_NEEDS_ENVIRONMENT)
    return None


def _app_of_environment(call: Call, environment_id: str) -> App:
    environment = call.state.environments.get(asked(environment_id))
    if environment is None or not _own(call, app := call.state.apps[environment.app]):
        raise ApiError(404, "Environment not found")
    return app


def find_app(call: Call, app_id: str) -> App:
    """Return the app with exactly this id in the caller's organisation."""
    app = call.state.apps.get(asked(app_id))
    if app is None or not _own(call, app):
        raise ApiError(404, f"App with ID {app_id} not found")
    return app


def enter_app(call: Call, app: App) -> None:
    """Set the app, and refuse a caller without any of its environments."""
    if call.account.kind == "legacy":
        raise unauthenticated(LEGACY_NEEDS_ENVIRONMENT)
    call.maybe_app = app
    if not any(e.id in call.account.environments for e in call.state.environments_of(app.id)):
        raise _no_access(call.account, "app")


def check_ip(call: Call) -> None:
    """Refuse an address that the account's policies do not list; the free plan has none."""
    if not call.account.allowed_ips or call.organisation.plan == "free":
        return
    forwarded = call.headers.get("x-forwarded-for", "").split(",")[0].strip()
    address = call.headers.get("x-real-ip") or forwarded or call.peer
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        raise ApiError(403, IP_REFUSED) from None
    if not any(client in ipaddress.ip_network(allowed, strict=False) for allowed in call.account.allowed_ips):
        raise ApiError(403, IP_REFUSED)


def _own(call: Call, app: App) -> bool:
    return app.organisation == call.account.organisation


def _environment_of_secret(call: Call, secret_id: str) -> Environment:
    secret = call.state.secrets.get(asked(secret_id)) or call.state.dynamic_secrets.get(secret_id)
    if secret is None or not _own(call, call.state.apps[call.state.environments[secret.environment].app]):
        raise ApiError(404, "Secret not found")
    return call.state.environments[secret.environment]


def _no_access(account: Account, what: str) -> ApiError:
    text = f"{SUBJECT[account.kind]} cannot access this {what}"
    return ApiError(403, text) if account.kind == "user" else unauthenticated(text)
