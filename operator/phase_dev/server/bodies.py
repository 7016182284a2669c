"""Read what POST, PUT and DELETE of secrets bring, and refuse what the server refuses, in its words.

Rule: everything is checked before anything is written, except what the server itself only finds while writing.
"""

import json
from dataclasses import dataclass
from typing import Any

from phase_dev.server.model import SECRET_TYPES, SecretType, normalise_path
from phase_dev.server.responses import ApiError, server_error

MAX_BODY = 2_621_440
MAX_TAG = 64
_TYPE_BY_NAME: dict[str, SecretType] = {name: name for name in SECRET_TYPES}


@dataclass(frozen=True, slots=True)
class OverrideInput:
    """A personal value as it was sent."""

    value: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class SecretInput:
    """One secret as it was sent; None means that the field was left out."""

    id: str | None
    key: str | None
    value: str | None
    type: SecretType | None
    path: str | None
    comment: str | None
    tags: tuple[str, ...] | None
    override: OverrideInput | None


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; too large a body is one of the server's 500s."""
    if len(body) > MAX_BODY:
        raise server_error()
    if not body:
        raise ApiError(400, "Request body is required.", spaced=True)
    try:
        content = json.loads(body)
    except ValueError:
        raise ApiError(400, "Request body must be valid JSON.", spaced=True) from None
    if not isinstance(content, dict):
        raise ApiError(400, "Request body must be a JSON object.", spaced=True)
    return content


def parse_secrets(body: bytes, *, creating: bool) -> list[SecretInput]:
    """Return the secrets of a POST or PUT body, all of them valid."""
    items = parse_object(body).get("secrets")
    if not isinstance(items, list) or not items:
        raise ApiError(400, "'secrets' must be a non-empty list.", spaced=True)
    return [_parse_secret(item, creating=creating) for item in items]


def parse_ids(body: bytes) -> list[str]:
    """Return the ids of a DELETE body; objects instead of ids are one of the server's 500s."""
    items = parse_object(body).get("secrets")
    if not isinstance(items, list) or not items:
        raise ApiError(400, "'secrets' must be a non-empty list of secret IDs.", spaced=True)
    if any(not isinstance(item, str) for item in items):
        raise server_error()
    return items


def checked_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tags stripped and without repetition; too long a name is refused only here, while writing."""
    for tag in tags:
        if len(tag.strip()) > MAX_TAG:
            raise ApiError(400, f"Tag name exceeds {MAX_TAG} characters: '{tag.strip()[:32]}'…", spaced=True)
    return tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))


def _parse_secret(item: object, *, creating: bool) -> SecretInput:
    if not isinstance(item, dict):
        raise server_error()
    _check_required(item, creating=creating)
    type_ = _parse_type(item)
    override = _parse_override(item.get("override"))
    _check_strings(item)
    key, value, path = item.get("key"), item.get("value"), item.get("path")
    return SecretInput(
        id=str(item["id"]) if "id" in item else None,
        key=key.upper() if isinstance(key, str) else None,
        value=value if isinstance(value, str) else None,
        type=type_,
        path=normalise_path(path) if creating or "path" in item else None,
        comment=item.get("comment"),
        tags=_parse_tags(item["tags"]) if "tags" in item else None,
        override=override,
    )


def _check_required(item: dict[str, Any], *, creating: bool) -> None:
    """Refuse what lacks a field that it needs: a new secret its key and value, a changed one its id."""
    if not creating and not item.get("id"):
        raise ApiError(400, "Secret ID not provided", spaced=True)
    key = item.get("key")
    if (creating or "key" in item) and not (isinstance(key, str) and key.strip()):
        raise ApiError(400, "Each secret requires a non-empty 'key'.", spaced=True)
    if creating and not isinstance(item.get("value"), str):
        raise ApiError(400, "Each secret requires a 'value' string.", spaced=True)


def _check_strings(item: dict[str, Any]) -> None:
    """Refuse fields of another type than text, which the server itself fails on."""
    if not isinstance(item.get("value", ""), str) or not isinstance(item.get("comment", ""), str):
        raise server_error()
    if not isinstance(item.get("path"), str | None):
        raise server_error()


def _parse_type(item: dict[str, Any]) -> SecretType | None:
    if "type" not in item:
        return None
    if isinstance(item["type"], str) and (known := _TYPE_BY_NAME.get(item["type"])):
        return known
    raise ApiError(400, f"Invalid 'type': {item['type']!r}. Must be one of {list(SECRET_TYPES)}.", spaced=True)


def _parse_tags(tags: object) -> tuple[str, ...]:
    # A string is taken letter by letter, as on the server.
    if not isinstance(tags, list | str | None) or any(not isinstance(tag, str) for tag in tags or ()):
        raise server_error()
    return tuple(tags or ())


def _parse_override(override: object) -> OverrideInput | None:
    if override is None:
        return None
    if not isinstance(override, dict) or not isinstance(override.get("value"), str):
        raise ApiError(400, "'override.value' must be a string.", spaced=True)
    if not isinstance(override.get("isActive"), bool):
        raise ApiError(400, "'override.isActive' must be a boolean.", spaced=True)
    return OverrideInput(override["value"], override["isActive"])
