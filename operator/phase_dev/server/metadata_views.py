"""Apps and environments: names, ids and the `updatedAt` that tells whether anything changed.

Rule: an account sees an app only through an environment it has access to.
"""

from starlette.responses import Response

from phase_dev.server.auth import Call
from phase_dev.server.database import asked
from phase_dev.server.model import Account
from phase_dev.server.render import app_json, environment_json, moment
from phase_dev.server.responses import ApiError, compact, json_response


def get_apps(call: Call) -> Response:
    """Answer the apps of which the caller has an environment, newest first, those without SSE too."""
    readable = _readable(call.account)
    apps = [
        app
        for app in reversed(call.state.apps_of(call.account.organisation))
        if any(environment.id in readable for environment in call.state.environments_of(app.id))
    ]
    return json_response(compact({"data": [app_json(app) for app in apps]}), allow=call.allow)


def get_app(call: Call) -> Response:
    """Answer one app."""
    return json_response(compact(app_json(call.app)), allow=call.allow)


def get_environments(call: Call) -> Response:
    """Answer the environments of an app that the caller has access to."""
    found = [e for e in call.state.environments_of(call.app.id) if e.id in _readable(call.account)]
    return json_response(compact({"data": [environment_json(e) for e in found]}), allow=call.allow)


def get_environment(call: Call) -> Response:
    """Answer one environment, which the caller has access to, not only to its app."""
    environment = call.state.environments.get(asked(call.path["id"]))
    # The app may have been named elsewhere.
    if environment is None or environment.app != call.app.id:
        raise ApiError(404, "Environment not found")
    if call.account.kind != "legacy" and environment.id not in call.account.environments:
        subject = "You don't" if call.account.kind == "user" else "Service account doesn't"
        raise ApiError(403, f"{subject} have access to this environment.")
    return json_response(compact(environment_json(environment)), allow=call.allow)


def get_service_account(call: Call) -> Response:
    """Answer a service account with its tokens' names and the environments it has."""
    account = call.state.accounts.get(call.path["id"])
    if account is None or account.kind != "service" or account.organisation != call.account.organisation:
        raise ApiError(404, "Service account not found.")
    role = call.state.roles[account.role]
    content = {
        "id": account.id,
        "name": account.name,
        "role": {"id": role.id, "name": role.name},
        "createdAt": moment(account.created_at),
        "updatedAt": moment(account.created_at),
        "tokens": [
            {"id": t.id, "name": t.name, "createdAt": moment(t.created_at), "expiresAt": moment(t.expires_at)}
            for t in reversed(call.state.tokens_of(account.id))
        ],
        "apps": _apps_of(call, account),
    }
    return json_response(compact(content), allow=call.allow)


def _readable(account: Account) -> frozenset[str]:
    """Return the environments whose names Phase sends to an account; to an old service token it sends none."""
    return frozenset() if account.kind == "legacy" else account.environments


def _apps_of(call: Call, account: Account) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = []
    for app in reversed(call.state.apps_of(account.organisation)):
        environments = [
            {"id": e.id, "name": e.name, "envType": e.env_type}
            for e in call.state.environments_of(app.id)
            if e.id in account.environments
        ]
        if environments:
            shown.append({"id": app.id, "name": app.name, "environments": environments})
    return shown
