"""GET of `/v1/secrets/`, and how a secret is shown.

Rule: reading resolves references as the caller may; the echo of a write resolves them without that check.
"""

from typing import Any

from starlette.responses import Response

from phase_dev.server.auth import Call
from phase_dev.server.database import asked
from phase_dev.server.leases import Leased, dynamic_at, lease_all, whole_seconds
from phase_dev.server.model import Secret, normalise_path
from phase_dev.server.references import Place, resolve
from phase_dev.server.render import dynamic_json, secret_json
from phase_dev.server.responses import compact, json_response
from phase_dev.server.scope import CallerLookup
from phase_dev.server.steps import Steps


def get_secrets(call: Call) -> Steps[Response]:
    """Answer all matching secrets in one array, dynamic ones after the static ones if they are asked for."""
    rows = [shown(call, secret, checked=True) for secret in _matching(call)]
    if flag(call, "dynamic") or flag(call, "include_dynamic"):
        found = dynamic_at(call, call.query.get("path"))
        ttl = whole_seconds(call.query.get("lease_ttl"), "lease_ttl")
        made = (yield from lease_all(call, found, ttl)) if flag(call, "lease") else Leased()
        if made.refused:
            return json_response(compact(made.refusal()), allow=call.allow, status=400)
        rows += [dynamic_json(dynamic, made.leases.get(dynamic.id)) for dynamic in found]
    return json_response(compact(rows), allow=call.allow)


def flag(call: Call, name: str) -> bool:
    """Return whether a flag is set: anything but `false` sets it, an empty value too."""
    return name in call.query and call.query[name].lower() != "false"


def _matching(call: Call) -> list[Secret]:
    environment, path = call.environment.id, call.query.get("path")
    folder = normalise_path(asked(path)) if path else None
    if key := call.query.get("key"):
        found = [s for s in call.state.secrets_called(environment, key.upper()) if folder in (None, s.path)]
    elif folder:
        found = list(call.state.secrets_at(environment, folder))
    else:
        found = list(call.state.secrets_of(environment))
    if tags := asked(call.query.get("tags", "")):
        # One row per matching tag: the server joins without DISTINCT.
        found = [secret for secret in found for tag in set(tags.split(",")) if tag in secret.tags]
    return found


def shown(call: Call, secret: Secret, *, checked: bool) -> dict[str, Any]:
    """Return a secret as the caller sees it; the references of an echo are resolved without looking at access."""
    place = Place(secret.environment, secret.path, secret.key)
    lookup = CallerLookup(call.state, call.account if checked else None)
    row = secret_json(secret, resolve(secret.value, place, lookup), call.account)
    if override := row["override"]:
        override["value"] = resolve(override["value"], place, lookup)
    return row
