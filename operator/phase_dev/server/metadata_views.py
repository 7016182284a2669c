"""Apps and environments: names, ids and the `updatedAt` that tells whether anything changed.

Rule: an account sees an app only through an environment it has access to.
"""

from starlette.responses import Response

from phase_dev.server.auth import Call
from phase_dev.server.render import app_json, environment_json
from phase_dev.server.responses import compact, json_response


def get_apps(call: Call) -> Response:
    """Answer the apps of which the caller has an environment, newest first, those without SSE too."""
    readable = call.account.environments
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
    found = [e for e in call.state.environments_of(call.app.id) if e.id in call.account.environments]
    return json_response(compact({"data": [environment_json(e) for e in found]}), allow=call.allow)


def get_environment(call: Call) -> Response:
    """Answer one environment."""
    return json_response(compact(environment_json(call.environment)), allow=call.allow)
