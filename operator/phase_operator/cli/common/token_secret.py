"""The Secret that holds a token of Phase: what is in it, and how it is made.

Rule: a Secret that holds anything else is not written over unless the person says so; a target never is.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.failures import Failure
from phase_operator.cli.common.resources import is_marked
from phase_operator.core.json_access import at, mapping, text, texts
from phase_operator.core.source.query import Ask
from phase_operator.core.text import clean_listing
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_resources import SECRETS
from phase_operator.reconcile.ports import Token

# Nothing that is a token is longer.
_LONGEST = 8192


async def read_token(cluster: UserCluster, key: ObjectKey) -> Token:
    """Return the token of a Secret; raise UserError, or Failure if it holds none."""
    return token_in(await cluster.get(SECRETS, key.namespace, key.name), key)


async def token_for(cluster: UserCluster, ask: Ask, given: SecretValue | None) -> tuple[Token, ObjectKey | None]:
    """Return the token to read with, and the Secret that it comes from: what is given, else what the resource names."""
    if given is not None:
        return Token(given), None
    return await read_token(cluster, ask.token_key), ask.token_key


def token_in(secret: Mapping[str, Any], key: ObjectKey) -> Token:
    """Return the token that a Secret holds; raise Failure if it holds none."""
    encoded = text(mapping(secret.get("data")).get(names.TOKEN_KEY))
    if not encoded:
        raise Failure(
            f'Secret {key} has no key "{names.TOKEN_KEY}": make it with `kubectl phase auth create {key.name}`'
        )
    token = (decoded(encoded) or "").strip() if len(encoded) <= _LONGEST else ""
    if not token:
        raise Failure(f'Secret {key} holds no token under "{names.TOKEN_KEY}"')
    hosts = texts(mapping(secret.get("metadata")).get("annotations")).get(names.ANNOTATION_ALLOWED_HOSTS)
    return Token(SecretValue(token), hosts)


def decoded(encoded: str) -> str | None:
    """Return the text that a Secret holds under a key; None if it is no text."""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def token_secret(key: ObjectKey, token: Token) -> dict[str, Any]:
    """Return the manifest of a token's Secret."""
    metadata: dict[str, Any] = {"name": key.name, "namespace": key.namespace}
    if token.hosts is not None:
        metadata["annotations"] = {names.ANNOTATION_ALLOWED_HOSTS: token.hosts}
    data = {names.TOKEN_KEY: base64.b64encode(token.text.reveal().encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}


def change_of(secret: Mapping[str, Any], token: Token) -> dict[str, Any]:
    """Return the patch that gives a Secret another token, if it is still as it was read; its other keys stay."""
    metadata = mapping(secret.get("metadata"))
    wanted = token_secret(ObjectKey("", text(metadata.get("name"))), token)
    patch: dict[str, Any] = {"resourceVersion": metadata.get("resourceVersion")}
    if token.hosts is not None:
        patch["annotations"] = wanted["metadata"]["annotations"]
    return {"metadata": patch, "data": wanted["data"]}


class Place(Enum):
    """What stands where a token's Secret is to be."""

    FREE = auto()
    # The very token, with the same hosts.
    SAME = auto()
    # A token may be put there only if the person says so, or never.
    TAKEN = auto()
    BARRED = auto()


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the place, and why nothing may be written there; "" if it may."""

    place: Place
    why: str = ""


def standing(secret: Mapping[str, Any] | None, token: Token) -> Standing:
    """Return what stands where a token's Secret is to be."""
    if secret is None:
        return Standing(Place.FREE)
    if is_marked(secret):
        return Standing(Place.BARRED, "the operator writes it for a resource, and would write over the token")
    held = mapping(secret.get("data"))
    if others := held.keys() - {names.TOKEN_KEY}:
        return Standing(Place.TAKEN, f"it holds other keys: {clean_listing(others)}")
    hosts = texts(at(secret, ("metadata", "annotations"))).get(names.ANNOTATION_ALLOWED_HOSTS)
    is_same = _same_token(text(held.get(names.TOKEN_KEY)), token) and token.hosts in (None, hosts)
    if is_same:
        return Standing(Place.SAME)
    return Standing(Place.TAKEN, "it holds another token, or allows other hosts" if held else "it is there, and empty")


def _same_token(encoded: str, token: Token) -> bool:
    held = decoded(encoded)
    return held is not None and SecretValue(held.strip()) == token.text
