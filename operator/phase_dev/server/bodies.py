"""Read what POST, PUT and DELETE of secrets bring, and refuse what the server refuses, in its words.

Rule: the form of all entries is checked before anything is written. What the server fails on only when it gets there, a
`SecretInput` fails on only when it is asked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_dev.server.database import sealable, storable
from phase_dev.server.model import SECRET_TYPES, SecretType, normalise_path
from phase_dev.server.responses import ApiError, server_error

MAX_BODY = 2_621_440
MAX_TAG = 64
_TYPE_BY_NAME: dict[str, SecretType] = {name: name for name in SECRET_TYPES}


@dataclass(frozen=True, slots=True)
class OverrideInput:
    """A personal value as it was sent."""

    value: str = field(repr=False)
    is_active: bool


@dataclass(frozen=True, slots=True)
class SecretInput:
    """One secret as it was sent; None means that a field was left out."""

    fields: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        """The id; one of another type than text is a text that names nothing."""
        return str(self.fields["id"])

    @property
    def key(self) -> str | None:
        """The key in upper case, as it is stored."""
        key = self._sealed("key")
        return None if key is None else key.upper()

    @property
    def value(self) -> str | None:
        """The value."""
        return self._sealed("value")

    @property
    def comment(self) -> str | None:
        """The comment."""
        return self._sealed("comment")

    @property
    def path(self) -> str | None:
        """The folder; what is no text counts as left out."""
        path = self.fields.get("path")
        return normalise_path(path) if isinstance(path, str) else None

    @property
    def type(self) -> SecretType | None:
        """The type; the database does not take the null that may be sent."""
        if "type" not in self.fields:
            return None
        if self.fields["type"] is None:
            raise server_error()
        return _TYPE_BY_NAME[self.fields["type"]]

    @property
    def tags(self) -> tuple[str, ...] | None:
        """The tags, stripped and without repetition; of a text each letter, and nothing of what is no text."""
        return _checked_tags(self.fields["tags"]) if "tags" in self.fields else None

    @property
    def override(self) -> OverrideInput | None:
        """The personal value."""
        if "override" not in self.fields:
            return None
        override = self.fields["override"]
        if not sealable(override["value"]):
            raise server_error()
        return OverrideInput(override["value"], override["isActive"])

    def _sealed(self, name: str) -> str | None:
        if name not in self.fields:
            return None
        if not sealable(text := self.fields[name]):
            raise server_error()
        return str(text)


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; too large a body is one of the server's 500s."""
    if len(body) > MAX_BODY:
        raise server_error()
    if not body:
        raise ApiError(400, "Request body is required.", spaced=True)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError(400, "Request body must be valid JSON.", spaced=True) from None
    if not isinstance(content, dict):
        raise ApiError(400, "Request body must be a JSON object.", spaced=True)
    return content


def parse_secrets(body: bytes, *, creating: bool) -> list[SecretInput]:
    """Return the secrets of a POST or PUT body, all of them well formed."""
    items = parse_object(body).get("secrets")
    if not isinstance(items, list) or not items:
        raise ApiError(400, "'secrets' must be a non-empty list.", spaced=True)
    return [_parse_secret(item, creating=creating) for item in items]


def parse_ids(body: bytes) -> list[str]:
    """Return the ids of a DELETE body; one that is no text, or none that the database takes, is a 500 of the server."""
    items = parse_object(body).get("secrets")
    if not isinstance(items, list) or not items:
        raise ApiError(400, "'secrets' must be a non-empty list of secret IDs.", spaced=True)
    if any(not isinstance(item, str) or not storable(item) for item in items):
        raise server_error()
    return items


def _parse_secret(item: object, *, creating: bool) -> SecretInput:
    if creating:
        checked = _check_new(item)
    elif isinstance(item, dict) and "id" in item:
        checked = item
    else:
        raise ApiError(400, "Secret ID not provided", spaced=True)
    _check_type(checked.get("type"))
    if "override" in checked:
        _check_override(checked["override"])
    return SecretInput(checked)


def _check_new(item: object) -> dict[str, Any]:
    """Refuse what is no object, or lacks what a new secret needs."""
    if not isinstance(item, dict):
        raise ApiError(400, "Each entry in 'secrets' must be an object.", spaced=True)
    key = item.get("key")
    if not isinstance(key, str) or not key.strip():
        raise ApiError(400, "Each secret requires a non-empty 'key'.", spaced=True)
    if not isinstance(item.get("value"), str):
        raise ApiError(400, "Each secret requires a 'value' string.", spaced=True)
    return item


def _check_type(type_: object) -> None:
    if isinstance(type_, list | dict):
        raise server_error()
    if type_ is not None and type_ not in _TYPE_BY_NAME:
        raise ApiError(400, f"Invalid 'type': {type_!r}. Must be one of {list(SECRET_TYPES)}.", spaced=True)


def _check_override(override: object) -> None:
    if not isinstance(override, dict):
        raise ApiError(400, "'override' must be a JSON object.", spaced=True)
    if not isinstance(override.get("value"), str):
        raise ApiError(400, "'override.value' must be a string.", spaced=True)
    if not isinstance(override.get("isActive"), bool):
        raise ApiError(400, "'override.isActive' must be a boolean.", spaced=True)


def _checked_tags(tags: object) -> tuple[str, ...]:
    # Nothing at all, a false and a zero are no tags; of an object the names are.
    if not tags:
        return ()
    if not isinstance(tags, list | dict | str):
        raise server_error()
    named: dict[str, None] = {}
    for name in (tag.strip() for tag in tags if isinstance(tag, str)):
        if len(name) > MAX_TAG:
            raise ApiError(400, f"Tag name exceeds {MAX_TAG} characters: {name[:32]!r}…", spaced=True)
        if not storable(name):
            raise server_error()
        if name:
            named[name] = None
    return tuple(named)
