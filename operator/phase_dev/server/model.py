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
LeaseStatus = Literal["active", "revoked", "expired"]
CredentialId = Literal["username", "access_key_id", "secret_access_key"]

_NAMESPACE = uuid.UUID("8f1a7a5e-5f0c-4b0e-9a4e-6d2f3c1b0a99")


@dataclass(frozen=True, slots=True)
class Organisation:
    """The owner of apps and accounts, and of the cloud account in which its leases make users.

    Its plan decides about leases and IP policies.
    """

    id: str
    name: str
    plan: Plan = "enterprise"
    quota: int | None = None
    # The users that the cloud account may hold, and the seconds that each call to it takes.
    cloud_users: int = 5000
    cloud_delay: float = 0.0
    # Whether leasing asks for DynamicSecretLeases:create.
    lease_permission: bool = False


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

    id: CredentialId
    key_name: str
    masked: bool = False


@dataclass(frozen=True, slots=True)
class DynamicSecret:
    """A source of short-lived credentials; durations are whole seconds. A deleted one keeps its leases."""

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
    username_template: str = "phase-{{ random }}"
    policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """One set of credentials that was handed out; the credentials themselves are not kept.

    `jobs` are the moments at which the worker will take the cloud user away; None stands for the expiry alone.
    """

    id: str
    dynamic_secret: str
    account: str
    ttl: float
    created_at: datetime
    expires_at: datetime
    status: LeaseStatus = "active"
    revoked_at: datetime | None = None
    user: str = ""
    jobs: tuple[datetime, ...] | None = None

    @property
    def scheduled(self) -> tuple[datetime, ...]:
        """The moments at which the worker will end this lease; none once it has ended."""
        if self.revoked_at is not None:
            return ()
        return (self.expires_at,) if self.jobs is None else self.jobs


@dataclass(frozen=True, slots=True)
class CloudUser:
    """A user in the cloud account of an organisation; `keys` are its access keys with the SHA-256 of their secrets."""

    id: str
    organisation: str
    name: str
    dynamic_secret: str
    created_at: datetime
    tags: dict[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    keys: dict[str, str] = field(default_factory=dict)


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


Record: TypeAlias = (
    Organisation | App | Environment | Secret | DynamicSecret | Lease | CloudUser | Role | Account | Token
)


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
