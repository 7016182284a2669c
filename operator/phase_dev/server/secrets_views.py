"""GET, POST, PUT and DELETE of `/v1/secrets/`.

Rule: reading resolves references as the caller may; the echo of a write resolves them without that check.
"""

from dataclasses import replace
from typing import Any

from starlette.responses import Response

from phase_dev.server.auth import Call
from phase_dev.server.bodies import SecretInput, checked_tags, parse_ids, parse_secrets
from phase_dev.server.database import asked
from phase_dev.server.leases import Leased, dynamic_at, lease_all, whole_seconds
from phase_dev.server.model import Override, Secret, new_id, normalise_path
from phase_dev.server.references import Place, resolve
from phase_dev.server.render import dynamic_json, secret_json
from phase_dev.server.responses import ApiError, compact, json_response
from phase_dev.server.scope import CallerLookup
from phase_dev.server.steps import Steps

ROTATING = "Rotating secrets are managed by the Phase rotation engine and cannot be {} via this endpoint."
DUPLICATE = ApiError(409, "Duplicate secret found", spaced=True)


def get_secrets(call: Call) -> Steps[Response]:
    """Answer all matching secrets in one array, dynamic ones after the static ones if they are asked for."""
    rows = [_shown(call, secret, checked=True) for secret in _matching(call)]
    if flag(call, "dynamic") or flag(call, "include_dynamic"):
        found = dynamic_at(call, call.query.get("path"))
        ttl = whole_seconds(call.query.get("lease_ttl"), "lease_ttl")
        made = (yield from lease_all(call, found, ttl)) if flag(call, "lease") else Leased()
        if made.refused:
            return json_response(compact(made.refusal()), allow=call.allow, status=400)
        rows += [dynamic_json(dynamic, made.leases.get(dynamic.id)) for dynamic in found]
    return json_response(compact(rows), allow=call.allow)


def create_secrets(call: Call) -> Response:
    """Create all secrets of the body; two equal keys in one body are both created, as on the server."""
    inputs = parse_secrets(call.body, creating=True)
    if any(_taken(call, item.path or "/", item.key or "") for item in inputs):
        raise DUPLICATE
    created: list[Secret] = []
    for item in inputs:
        secret = _new_secret(call, item)
        call.state.put(secret)
        # Tags are refused only after the row was saved, so a bad tag leaves the secret behind.
        secret = replace(secret, tags=checked_tags(item.tags or ()), overrides=_overrides(call, (), item))
        call.state.put(secret)
        created.append(secret)
    call.state.touch(call.environment.id, call.now)
    return _echo(call, created)


def _new_secret(call: Call, item: SecretInput) -> Secret:
    return Secret(
        id=new_id(),
        environment=call.environment.id,
        key=item.key or "",
        value=item.value or "",
        created_at=call.now,
        updated_at=call.now,
        path=item.path or "/",
        type=item.type or "secret",
        comment=item.comment or "",
    )


def update_secrets(call: Call) -> Response:
    """Change the given fields of each secret; a sealed one keeps its value and its type."""
    inputs = parse_secrets(call.body, creating=False)
    changes = [(_known(call, item), item) for item in inputs]
    for secret, item in changes:
        _check_update(call, secret, item)
    updated: list[Secret] = []
    for secret, item in changes:
        changed = _changed(call, secret, item)
        call.state.put(changed)
        updated.append(changed)
    call.state.touch(call.environment.id, call.now)
    return _echo(call, updated)


def _changed(call: Call, secret: Secret, item: SecretInput) -> Secret:
    key = secret.key if item.key is None else item.key
    keeps_value = item.value is None or secret.type == "sealed"
    return replace(
        secret,
        key=key,
        value=secret.value if keeps_value else item.value or "",
        type=item.type or secret.type,
        path=item.path or secret.path,
        comment=secret.comment if item.comment is None else item.comment,
        tags=secret.tags if item.tags is None else checked_tags(item.tags),
        overrides=_overrides(call, secret.overrides, item),
        version=secret.version + 1,
        updated_at=call.now,
    )


def delete_secrets(call: Call) -> Response:
    """Delete all secrets of the body, or none of them if one is unknown."""
    ids = parse_ids(call.body)
    found = {i: s for i in ids if (s := call.state.secrets.get(i)) and _listed_here(call, s)}
    if missing := [i for i in ids if i not in found]:
        raise ApiError(404, f"Secret(s) not found in this environment: {', '.join(missing)}", spaced=True)
    if any(secret.lifecycle == "rotating" for secret in found.values()):
        raise ApiError(400, ROTATING.format("deleted"), spaced=True)
    for secret in found.values():
        call.state.put(replace(secret, deleted_at=call.now))
    call.state.touch(call.environment.id, call.now)
    message = f"Deleted {len(found)} secret{'' if len(found) == 1 else 's'}"
    return json_response(compact({"message": message}), allow=call.allow)


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


def _shown(call: Call, secret: Secret, *, checked: bool) -> dict[str, Any]:
    place = Place(secret.environment, secret.path, secret.key)
    lookup = CallerLookup(call.state, call.account if checked else None)
    row = secret_json(secret, resolve(secret.value, place, lookup), call.account)
    if override := row["override"]:
        override["value"] = resolve(override["value"], place, lookup)
    return row


def _echo(call: Call, secrets: list[Secret]) -> Response:
    return json_response(compact([_shown(call, secret, checked=False) for secret in secrets]), allow=call.allow)


def _taken(call: Call, path: str, key: str, by_other_than: str = "") -> bool:
    environment = call.environment.id
    found = call.state.secrets_called(environment, key)
    return any(s.path == path and s.id != by_other_than for s in found) or any(
        dynamic.path == path and any(entry.key_name == key for entry in dynamic.key_map)
        for dynamic in call.state.dynamic_of(environment)
    )


def _known(call: Call, item: SecretInput) -> Secret:
    # A deleted secret is found as well: on the server, too, a PUT of its id succeeds and it stays unlisted.
    secret = call.state.secrets.get(item.id or "")
    if secret is None or secret.environment != call.environment.id:
        raise ApiError(404, f"Secret not found: {item.id}", spaced=True)
    return secret


def _check_update(call: Call, secret: Secret, item: SecretInput) -> None:
    if secret.lifecycle == "rotating":
        raise ApiError(400, ROTATING.format("updated"), spaced=True)
    if secret.type == "sealed" and item.type not in (None, "sealed"):
        raise ApiError(400, "Sealed secrets cannot be unsealed. Delete and recreate the secret instead.", spaced=True)
    key, path = item.key or secret.key, item.path or secret.path
    if (key, path) != (secret.key, secret.path) and _taken(call, path, key, by_other_than=secret.id):
        raise DUPLICATE


def _listed_here(call: Call, secret: Secret) -> bool:
    return secret.environment == call.environment.id and secret.deleted_at is None


def _overrides(call: Call, present: tuple[Override, ...], item: SecretInput) -> tuple[Override, ...]:
    if item.override is None or call.account.kind != "user":
        return present
    others = tuple(o for o in present if o.account != call.account.id)
    mine = next((o for o in present if o.account == call.account.id), None)
    override = Override(
        mine.id if mine else new_id(),
        call.account.id,
        item.override.value,
        item.override.is_active,
        mine.created_at if mine else call.now,
        call.now,
    )
    return (*others, override)
