"""POST, PUT and DELETE of `/v1/secrets/`.

Rule: entries are written one after the other, and what was written before one that is refused stays. The environment's
`updated_at` moves if at least one was written whole.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from starlette.responses import Response

from phase_dev.server.auth import Call
from phase_dev.server.bodies import OverrideInput, SecretInput, parse_ids, parse_secrets
from phase_dev.server.database import asked, folder_fits
from phase_dev.server.model import Override, Secret, new_id
from phase_dev.server.responses import ApiError, compact, json_response, server_error
from phase_dev.server.secrets_views import shown

ROTATING = "Rotating secrets are managed by the Phase rotation engine and cannot be {} via this endpoint."
SEALED = "Sealed secrets cannot be unsealed. Delete and recreate the secret instead."
DUPLICATE = ApiError(409, "Duplicate secret found", spaced=True)


def create_secrets(call: Call) -> Response:
    """Create all secrets of the body; two equal keys in one body are both created, as on the server."""
    inputs = parse_secrets(call.body, creating=True)
    for item in inputs:
        # All of these are sealed before anything else is looked at.
        _ = item.key, item.value, item.comment, item.override
    for item in inputs:
        _refuse_taken(call, item)
    _refuse_leased(call, inputs, inputs)
    with _written(call) as created:
        for item in inputs:
            created.append(_create(call, item))
    return _echo(call, created)


def update_secrets(call: Call) -> Response:
    """Change the given fields of each secret; a sealed one keeps its value and its type."""
    inputs = parse_secrets(call.body, creating=False)
    keyed: list[SecretInput] = []
    for item in inputs:
        if item.key is not None:
            keyed.append(item)
            _refuse_taken(call, item, but=item.id)
            _refuse_leased(call, inputs, keyed)
        _ = item.override
    with _written(call) as updated:
        for item in inputs:
            updated.append(_update(call, item))
    return _echo(call, updated)


def delete_secrets(call: Call) -> Response:
    """Delete all secrets of the body, or none of them if one is unknown."""
    ids = parse_ids(call.body)
    found = {i: s for i in ids if (s := call.state.secrets.get(i)) and _listed_here(call, s)}
    if missing := [i for i in ids if i not in found]:
        raise ApiError(404, f"Secret(s) not found in this environment: {', '.join(missing)}", spaced=True)
    if any(secret.lifecycle == "rotating" for secret in found.values()):
        raise ApiError(400, ROTATING.format("deleted"), spaced=True)
    for secret in found.values():
        call.state.put(replace(secret, deleted_at=call.now, updated_at=call.now))
    call.state.touch(call.environment.id, call.now)
    message = f"Deleted {len(found)} secret{'' if len(found) == 1 else 's'}"
    return json_response(compact({"message": message}), allow=call.allow)


@contextmanager
def _written(call: Call) -> Iterator[list[Secret]]:
    """Collect the secrets that are written; `updated_at` moves for them even if a later one is refused."""
    secrets: list[Secret] = []
    try:
        yield secrets
    finally:
        if secrets:
            call.state.touch(call.environment.id, call.now)


def _create(call: Call, item: SecretInput) -> Secret:
    path = item.path or "/"
    if not folder_fits(path):
        raise server_error()
    secret = Secret(
        id=new_id(),
        environment=call.environment.id,
        key=item.key or "",
        value=item.value or "",
        created_at=call.now,
        updated_at=call.now,
        path=path,
        type=item.type or "secret",
        comment=item.comment or "",
    )
    call.state.put(secret)
    # Tags are refused only after the row was saved, so a bad tag leaves the secret behind.
    secret = replace(secret, tags=item.tags or ())
    # An override is made active, whatever was asked for.
    override = item.override and replace(item.override, is_active=True)
    secret = replace(secret, overrides=_overrides(call, secret, override))
    call.state.put(secret)
    return secret


def _update(call: Call, item: SecretInput) -> Secret:
    secret = _known(call, item)
    changed = replace(
        secret,
        key=secret.key if item.key is None else item.key,
        value=secret.value if item.value is None else item.value,
        comment=secret.comment if item.comment is None else item.comment,
        version=secret.version + 1,
        updated_at=call.now,
    )
    if secret.type == "sealed":
        if item.fields.get("type") not in (None, "sealed"):
            raise ApiError(400, SEALED, spaced=True)
        changed = replace(changed, value=secret.value)
    if item.path and folder_fits(item.path):
        changed = replace(changed, path=item.path)
    if (tags := item.tags) is not None:
        # Tags lie in a table of their own, which is written first: they are kept although the row is refused.
        call.state.put(replace(secret, tags=tags))
        changed = replace(changed, tags=tags)
    changed = replace(changed, type=item.type or secret.type)
    changed = replace(changed, overrides=_overrides(call, secret, item.override))
    call.state.put(changed)
    return changed


def _known(call: Call, item: SecretInput) -> Secret:
    # A deleted secret is found as well: on the server, too, a PUT of its id succeeds and it stays unlisted.
    secret = call.state.secrets.get(item.id)
    if secret is None or secret.environment != call.environment.id:
        raise ApiError(404, f"Secret not found: {item.id}", spaced=True)
    if secret.lifecycle == "rotating":
        raise ApiError(400, ROTATING.format("updated"), spaced=True)
    return secret


def _listed_here(call: Call, secret: Secret) -> bool:
    return secret.environment == call.environment.id and secret.deleted_at is None


def _overrides(call: Call, secret: Secret, sent: OverrideInput | None) -> tuple[Override, ...]:
    present = secret.overrides
    if sent is None or call.account.kind != "user":
        return present
    others = tuple(o for o in present if o.account != call.account.id)
    mine = next((o for o in present if o.account == call.account.id), None)
    override = Override(
        mine.id if mine else new_id(),
        call.account.id,
        sent.value,
        sent.is_active,
        mine.created_at if mine else call.now,
        call.now,
    )
    return (*others, override)


def _refuse_taken(call: Call, item: SecretInput, but: str | None = None) -> None:
    """Refuse a key that another secret has in the folder that the body names, or else in the root.

    Where the secret itself lies does not matter, so keys may be changed to twins.
    """
    path = asked(item.path or "/")
    if but is not None:
        asked(but)
    found = call.state.secrets_called(call.environment.id, item.key or "")
    if any(secret.path == path and secret.id != but for secret in found):
        raise DUPLICATE


def _refuse_leased(call: Call, inputs: Iterable[SecretInput], keyed: Iterable[SecretInput]) -> None:
    """Refuse a key that a dynamic secret gives in one of the folders that the body names."""
    paths = {asked(item.path or "/") for item in inputs}
    taken = {(item.path or "/", item.key) for item in keyed}
    dynamic = call.state.dynamic_of(call.environment.id)
    if any((each.path, entry.key_name) in taken for each in dynamic if each.path in paths for entry in each.key_map):
        raise DUPLICATE


def _echo(call: Call, secrets: list[Secret]) -> Response:
    """Answer what was written; of one that was written twice each time, with its last tags and override."""
    last = [call.state.secrets[secret.id] for secret in secrets]
    rows = [replace(secret, tags=now.tags, overrides=now.overrides) for secret, now in zip(secrets, last, strict=True)]
    return json_response(compact([shown(call, secret, checked=False) for secret in rows]), allow=call.allow)
