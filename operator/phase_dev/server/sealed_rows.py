"""Records as clients that decrypt get them: what the server must not read is sealed to the environment's key.

Rule: the same record always gives the same texts, as rows in a database do; what is served is never opened here.
"""

import re
from datetime import datetime
from typing import Any

from phase_dev.server.ciphertexts import Ciphertexts
from phase_dev.server.damage import hex_field, sealed_field, wrapped_share
from phase_dev.server.keys import environment_keys, sealed, token_keys
from phase_dev.server.model import Account, App, Environment, Secret, Token, stable_id
from phase_dev.server.render import moment, secret_json


def sealed_secret_json(secret: Secret, texts: Ciphertexts, reader: Account) -> dict[str, Any]:
    """Return a secret as the encrypted route shows it, its names still in camelCase."""
    row = secret_json(secret, texts.value, reader)
    row |= {"key": texts.key, "comment": texts.comment, "keyDigest": texts.key_digest}
    if override := row["override"]:
        override["value"] = _sealed(secret.environment, override["value"], override["id"], override["updatedAt"])
    return row


def sealed_dynamic_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a dynamic secret, and its lease if there is one, with what a lease hands out sealed."""
    environment = row["environment"]
    names = {e["keyName"]: _sealed(environment, e["keyName"], row["id"], e["id"]) for e in row["keyMap"]}
    key_map = [{**entry, "keyName": names[entry["keyName"]]} for entry in row["keyMap"]]
    lease = row["lease"] and {
        **row["lease"],
        "credentials": [
            {"key": names[each["key"]], "value": _sealed(environment, each["value"], row["lease"]["id"], each["key"])}
            for each in row["lease"]["credentials"]
        ],
    }
    return {**row, "keyMap": key_map, "lease": lease}


def token_json(token: Token, account: Account, organisation: str, apps: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a token may open, with the server's share of the account's key; the kinds differ in their head."""
    keys = token_keys(token, account)
    head: dict[str, Any] = {"wrapped_key_share": wrapped_share(keys, token.damage.get("wrapped_key_share"))}
    if account.kind != "legacy":
        head["account_id" if account.kind == "service" else "user_id"] = account.id
        head["offline_enabled"] = False
    return {**head, "organisation": {"id": account.organisation, "name": organisation}, "apps": apps}


def keyed_app_json(app: App, keys: list[dict[str, Any]], reader: Account) -> dict[str, Any]:
    """Return an app with the keys of its environments; an old service token takes every app for an encrypted one."""
    encryption = "SSE" if app.sse and reader.kind != "legacy" else "E2E"
    return {"id": app.id, "name": app.name, "encryption": encryption, "environment_keys": keys}


def environment_key_json(
    environment: Environment, token: Token, account: Account, withdrawn: datetime | None
) -> dict[str, Any]:
    """Return an environment with its keys sealed to the token's public key; of a withdrawn one the keys are empty."""
    here = environment.id
    recipient = token_keys(token, account).pair.public
    owner = token.id if account.kind == "legacy" else account.id
    keys, damage = environment_keys(here), environment.damage

    def text(name: str, plain: str) -> str:
        return sealed_field(plain.encode(), recipient, (here, owner, name), damage.get(name)) if not withdrawn else ""

    return {
        "id": stable_id("environment key", here, owner),
        "environment": {
            "id": here,
            "name": environment.name,
            "env_type": environment.env_type,
            "index": environment.index,
            "created_at": moment(environment.created_at),
            "updated_at": moment(environment.updated_at),
        },
        "paths": None,
        "identity_key": "" if withdrawn else hex_field(keys.pair.public, damage.get("identity_key")),
        "wrapped_seed": text("wrapped_seed", keys.seed),
        "wrapped_salt": text("wrapped_salt", keys.salt),
        "created_at": moment(environment.created_at),
        "updated_at": moment(withdrawn or environment.created_at),
        "deleted_at": moment(withdrawn),
        "user": account.id if account.kind == "user" else None,
        "service_account": account.id if account.kind == "service" else None,
    }


def snake_names(content: Any) -> Any:
    """Return JSON with its names in snake_case, as this route writes them unless it is asked not to."""
    if isinstance(content, dict):
        return {re.sub(r"[A-Z]", lambda m: "_" + m[0].lower(), k): snake_names(v) for k, v in content.items()}
    return [snake_names(each) for each in content] if isinstance(content, list) else content


def _sealed(environment: str, plain: str, *names: str) -> str:
    recipient = environment_keys(environment).pair.public
    return sealed(plain.encode("utf-8", "surrogatepass"), recipient, *names)
