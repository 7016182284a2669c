"""The end-to-end encrypted API: what a token opens, and the sealed rows of an environment.

Rule: rows are the same for every app, with server-side encryption or without; references stay as they are written.
"""

from typing import Any

from starlette.responses import Response

from phase_dev.server.auth import Call
from phase_dev.server.keys import derived, digest_of
from phase_dev.server.leases import Leased, dynamic_at, lease_all, whole_seconds
from phase_dev.server.model import Environment, Secret, Token, normalise_path
from phase_dev.server.render import dynamic_json
from phase_dev.server.responses import compact, json_response
from phase_dev.server.sealed_rows import (
    environment_key_json,
    keyed_app_json,
    sealed_dynamic_json,
    sealed_secret_json,
    snake_names,
    token_json,
)
from phase_dev.server.steps import Steps


def get_token(call: Call, token: Token) -> dict[str, Any]:
    """Return the share, apps, environments and keys of a token, whatever its role and its address may read."""
    account, state = call.account, call.state
    apps = []
    for app in _in_no_order(state.apps_of(account.organisation)):
        keys = [
            environment_key_json(environment, token, account, _withdrawn(call, environment))
            for environment in _in_no_order(state.environments_of(app.id))
            if environment.id in account.environments or _withdrawn(call, environment)
        ]
        if keys:
            apps.append(keyed_app_json(app, keys, account))
    return token_json(token, account, call.organisation.name, apps)


def get_sealed_secrets(call: Call) -> Steps[Response]:
    """Answer the sealed rows of an environment that fit the headers."""
    rows = [sealed_secret_json(secret, call.state.ciphertexts(secret), call.account) for secret in _matching(call)]
    if _flag(call, "dynamic"):
        found = dynamic_at(call, call.headers.get("path"))
        ttl = whole_seconds(call.headers.get("lease-ttl"), "lease_ttl")
        made = (yield from lease_all(call, found, ttl)) if _flag(call, "lease") else Leased()
        if made.refused:
            return json_response(compact(snake_names(made.refusal())), allow=call.allow, status=400)
        rows += [sealed_dynamic_json(dynamic_json(dynamic, made.leases.get(dynamic.id))) for dynamic in found]
    named = rows if call.headers.get("x-use-camel-case") == "true" else snake_names(rows)
    return json_response(compact(named), allow=call.allow)


def _matching(call: Call) -> list[Secret]:
    """Return the secrets that fit Path, KeyDigest and Tags; one that has several of the tags comes several times."""
    environment, headers = call.environment.id, call.headers
    # A header's bytes are read as Latin-1, so a folder of another script cannot be asked for.
    found = list(
        call.state.secrets_at(environment, normalise_path(headers["path"]))
        if headers.get("path")
        else call.state.secrets_of(environment)
    )
    if digest := headers.get("keydigest"):
        found = [secret for secret in found if digest_of(environment, secret.key) == digest]
    if tags := headers.get("tags"):
        found = [secret for secret in found for tag in set(tags.split(",")) if tag in secret.tags]
    return found


def _withdrawn(call: Call, environment: Environment) -> Any:
    """Return when an old service token lost an environment; other tokens no longer list it at all."""
    return call.account.withdrawn.get(environment.id) if call.account.kind == "legacy" else None


def _in_no_order(records: list[Any]) -> list[Any]:
    """Return records in an order that means nothing, since the real server promises none."""
    return sorted(records, key=lambda record: derived("order", record.id))


def _flag(call: Call, name: str) -> bool:
    return call.headers.get(name, "false").lower() != "false"
