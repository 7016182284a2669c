"""The nouns of a Phase installation, as the server keeps them.

Rule: every record is frozen and knows only its own id and those of its owners; the state holds the indexes. A field
that a record got later has a default, so that an older state file is still read.
"""

import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

SecretType = Literal["secret", "sealed", "config"]
SECRET_TYPES: tuple[SecretType, ...] = ("config", "sealed", "secret")
AccountKind = Literal["service", "user", "legacy"]
Plan = Literal["free", "pro", "enterprise"]

_NAMESPACE = uuid.UUID("8f1a7a5e-5f0c-4b0e-9a4e-6d2f3c1b0a99")


@dataclass(frozen=True, slots=True)
class Organisation:
    """The owner of apps and accounts; its plan decides about leases and IP policies."""

    id: str
    name: str
    plan: Plan = "enterprise"
    quota: int | None = None


@dataclass(frozen=True, slots=True)
class App:
    """A set of environments; without server-side encryption (SSE) only clients that decrypt can read it."""

    id: str
    organisation: str
    name: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    sse: bool = True


@dataclass(frozen=True, slots=True)
class Environment:
    """A set of secrets; `updated_at` moves with every write to any of them."""

    id: str
    app: str
    name: str
    created_at: datetime
    updated_at: datetime
    env_type: str = "dev"
    index: int = 0
    # What is wrong with its keys, by field.
    damage: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Override:
    """A user's personal value, shown to that user beside the value and never in its place."""

    id: str
    account: str
    value: str
    is_active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Secret:
    """One static or rotating key and its value in plain text, references unresolved.

    Clients that decrypt get the same row sealed; `damage` says what is wrong with it there, by field.
    """

    id: str
    environment: str
    key: str
    value: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    path: str = "/"
    type: SecretType = "secret"
    lifecycle: Literal["static", "rotating"] = "static"
    tags: tuple[str, ...] = ()
    comment: str = ""
    version: int = 1
    overrides: tuple[Override, ...] = ()
    deleted_at: datetime | None = None
    damage: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyMapEntry:
    """One credential that a lease of a dynamic secret hands out."""

    id: str
    key_name: str
    masked: bool = False


@dataclass(frozen=True, slots=True)
class DynamicSecret:
    """A source of short-lived credentials; durations are whole seconds."""

    id: str
    environment: str
    name: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    path: str = "/"
    default_ttl: int = 3600
    max_ttl: int = 86400
    provider: str = "aws"
    key_map: tuple[KeyMapEntry, ...] = (
        KeyMapEntry("username", "AWS_IAM_USERNAME"),
        KeyMapEntry("access_key_id", "AWS_ACCESS_KEY_ID"),
        KeyMapEntry("secret_access_key", "AWS_SECRET_ACCESS_KEY", masked=True),
    )


@dataclass(frozen=True, slots=True)
class Lease:
    """One set of credentials that was handed out; the credentials themselves are not kept."""

    id: str
    dynamic_secret: str
    account: str
    ttl: int
    created_at: datetime
    expires_at: datetime
    renewed_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """Permissions such as `Secrets:read`, by name."""

    id: str
    organisation: str
    name: str
    permissions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Account:
    """Who calls: a service account, a user, or a legacy token bound to environments."""

    id: str
    organisation: str
    name: str
    role: str
    created_at: datetime
    kind: AccountKind = "service"
    environments: frozenset[str] = frozenset()
    allowed_ips: tuple[str, ...] = ()
    # The environments that were withdrawn, and when: an old service token still lists them, without their keys.
    withdrawn: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token: 64 hexadecimal digits, the third field of its full text. The others follow from it."""

    id: str
    account: str
    name: str
    value: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None
    damage: dict[str, str] = field(default_factory=dict)


Record: TypeAlias = Organisation | App | Environment | Secret | DynamicSecret | Lease | Role | Account | Token


def stable_id(*names: str) -> str:
    """Return the same UUID for the same names, so that a seed without ids gives the same ids on every start."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(names)))


def new_id() -> str:
    """Return a fresh random UUID."""
    return str(uuid.uuid4())


def folder_id(environment: str, path: str) -> str | None:
    """Return the id of the folder at `path`; the root has none."""
    return None if path == "/" else stable_id("folder", environment, path)


def normalise_path(path: str | None) -> str:
    """Return `path` with one leading slash, no doubled and no trailing ones; `..` is a name like any other."""
    collapsed = re.sub(r"/+", "/", "/" + (path or ""))
    return collapsed.rstrip("/") or "/"
