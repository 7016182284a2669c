"""The seed: one YAML file that says what the installation holds when it starts.

Rule: a seed is checked as a whole before anything is taken in, and an error names the field in one sentence.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import AwareDatetime, Field

from phase_dev.server import model
from phase_dev.server.dynamic_seed import CloudSeed, DynamicSeed, check_all_dynamic, dynamic_records
from phase_dev.server.roles import DEFAULT_ROLES, role_records
from phase_dev.server.seed_parts import Part, SeedError, checked
from phase_dev.server.state import State


class SecretSeed(Part):
    """A secret; `keepCase` stores the key as written, as end-to-end encrypted clients do."""

    key: str = Field(min_length=1)
    value: str = ""
    path: str = "/"
    type: model.SecretType = "secret"
    lifecycle: Literal["static", "rotating"] = "static"
    tags: tuple[str, ...] = ()
    comment: str = ""
    id: str | None = None
    keep_case: bool = False


class EnvironmentSeed(Part):
    """An environment with what it holds."""

    name: str = Field(min_length=1)
    type: str | None = None
    id: str | None = None
    folders: tuple[str, ...] = ()
    secrets: tuple[SecretSeed, ...] = ()
    dynamic_secrets: tuple[DynamicSeed, ...] = ()


class AppSeed(Part):
    """An app with its environments, in their order; `sse: false` is another word for `encryption: E2E`."""

    name: str = Field(min_length=1)
    id: str | None = None
    description: str | None = None
    encryption: Literal["SSE", "E2E"] | None = None
    sse: bool | None = None
    organisation: str | None = None
    environments: tuple[EnvironmentSeed, ...] = ()

    @property
    def has_sse(self) -> bool:
        """Whether the app has server-side encryption, as it has if nothing is said."""
        return self.encryption != "E2E" and self.sse is not False


class TokenSeed(Part):
    """A token; without a value it gets one that follows from its names.

    The value is the third field of the full text. The fields with keys are made to fit: none can be chosen.
    """

    name: str = "token"
    value: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    expires_at: AwareDatetime | None = None


class AccountSeed(Part):
    """Who may call, with which role, from where, and which environments of which apps they have."""

    name: str = Field(min_length=1)
    id: str | None = None
    kind: model.AccountKind = "service"
    role: str | None = None
    organisation: str | None = None
    access: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    allowed_ips: tuple[str, ...] = ()
    tokens: tuple[TokenSeed, ...] = (TokenSeed(),)


class OrganisationSeed(Part):
    """An organisation; `quota` is requests per minute and account.

    With `lease_permission` leasing needs DynamicSecretLeases:create, which Phase v2.73.2 does not ask for.
    """

    name: str = "acme"
    plan: model.Plan = "enterprise"
    quota: int | None = Field(None, ge=0)
    cloud: CloudSeed = CloudSeed()
    lease_permission: bool = False


class Seed(Part):
    """All of it."""

    organisations: tuple[OrganisationSeed, ...] = (OrganisationSeed(),)
    roles: dict[str, dict[str, tuple[str, ...]]] = Field(default_factory=dict)
    apps: tuple[AppSeed, ...] = ()
    accounts: tuple[AccountSeed, ...] = ()


def parse_seed(content: object) -> Seed:
    """Return the checked seed, or name the first field that is wrong."""
    return checked(Seed, content if content is not None else {}, "seed")


def load_seed(path: Path | None) -> Seed:
    """Read a seed file; without a path, the small data set that comes with the package."""
    try:
        text = path.read_text("utf-8") if path else _default_text()
        return parse_seed(yaml.safe_load(text))
    except (OSError, UnicodeDecodeError) as e:
        raise SeedError(f"seed: cannot read {path}: {e}") from e
    except yaml.YAMLError as e:
        raise SeedError(f"seed: {path} is not YAML: {' '.join(str(e).split())}") from e


def apply_seed(seed: Seed, state: State, now: datetime) -> None:
    """Put everything the seed says into an empty state."""
    with state.transaction():
        for record in records_of(seed, now):
            state.put(record)


def records_of(seed: Seed, now: datetime) -> Iterator[model.Record]:
    """Return the records of a seed, owners before what they own."""
    organisations = {o.name: model.stable_id("organisation", o.name) for o in seed.organisations}
    first = seed.organisations[0].name if seed.organisations else ""
    for o in seed.organisations:
        yield model.Organisation(
            organisations[o.name], o.name, o.plan, o.quota, o.cloud.users, o.cloud.delay, o.lease_permission
        )
    roles: dict[str, Mapping[str, Iterable[str]]] = {**DEFAULT_ROLES, **seed.roles}
    yield from role_records(organisations.values(), roles)
    for position, app in enumerate(seed.apps):
        owner = _known(organisations, app.organisation or first, f"apps[{position}].organisation", "organisation")
        _check_encryption(app, f"apps[{position}]")
        for number, environment in enumerate(app.environments):
            taken = {(model.normalise_path(s.path), _stored_key(s)) for s in environment.secrets}
            check_all_dynamic(environment.dynamic_secrets, taken, f"seed: apps[{position}].environments[{number}]")
        # One microsecond apart, so that "newest first" has one meaning.
        yield from _app_records(app, owner, now + timedelta(microseconds=position))
    for position, account in enumerate(seed.accounts):
        where = f"accounts[{position}]"
        owner = _known(organisations, account.organisation or first, f"{where}.organisation", "organisation")
        role = account.role or ("Service" if account.kind == "service" else "Admin")
        _known(roles, role, f"{where}.role", "role")
        yield from _account_records(account, owner, role, _access(seed, account, where), now)


def _check_encryption(app: AppSeed, where: str) -> None:
    """Refuse what contradicts itself, and what an end-to-end encrypted app cannot have: the server has no key of it."""
    if app.encryption is not None and app.sse is not None and app.sse != (app.encryption == "SSE"):
        raise SeedError(f"seed: {where}.sse: it contradicts {where}.encryption; leave one of them out")
    if app.has_sse:
        return
    for position, environment in enumerate(app.environments):
        here = f"{where}.environments[{position}]"
        if environment.dynamic_secrets:
            raise SeedError(f"seed: {here}.dynamicSecrets: an end-to-end encrypted app cannot have any")
        for number, secret in enumerate(environment.secrets):
            if secret.lifecycle == "rotating":
                raise SeedError(
                    f"seed: {here}.secrets[{number}].lifecycle: an end-to-end encrypted app rotates no secrets"
                )


def token_value(*names: str) -> str:
    """Return the 64 hexadecimal digits that follow from these names."""
    return hashlib.sha256("\x1f".join(("phase-dev token", *names)).encode()).hexdigest()


def app_id(app: AppSeed) -> str:
    """Return the id an app has after seeding."""
    return app.id or model.stable_id("app", app.organisation or "", app.name)


def environment_id(app: AppSeed, environment: EnvironmentSeed) -> str:
    """Return the id an environment has after seeding."""
    return environment.id or model.stable_id("environment", app_id(app), environment.name)


def _app_records(app: AppSeed, organisation: str, now: datetime) -> Iterator[model.Record]:
    yield model.App(app_id(app), organisation, app.name, now, now, app.description, app.has_sse)
    for index, environment in enumerate(app.environments):
        here = environment_id(app, environment)
        yield model.Environment(
            here, app_id(app), environment.name, now, now, environment.type or _type_of(environment.name), index
        )
        for secret in environment.secrets:
            path = model.normalise_path(secret.path)
            key = _stored_key(secret)
            yield model.Secret(
                id=secret.id or model.stable_id("secret", here, path, key),
                environment=here,
                key=key,
                value=secret.value,
                created_at=now,
                updated_at=now,
                path=path,
                type=secret.type,
                lifecycle=secret.lifecycle,
                tags=secret.tags,
                comment=secret.comment,
            )
        yield from dynamic_records(environment.dynamic_secrets, here, now)


def _stored_key(secret: SecretSeed) -> str:
    return secret.key if secret.keep_case else secret.key.upper()


def _account_records(
    account: AccountSeed, organisation: str, role: str, environments: frozenset[str], now: datetime
) -> Iterator[model.Record]:
    here = account.id or model.stable_id("account", organisation, account.name)
    yield model.Account(
        id=here,
        organisation=organisation,
        name=account.name,
        role=model.stable_id("role", organisation, role),
        created_at=now,
        kind=account.kind,
        environments=environments,
        allowed_ips=account.allowed_ips,
    )
    for token in account.tokens:
        value = token.value or token_value(account.name, token.name)
        yield model.Token(model.stable_id("token", here, token.name), here, token.name, value, now, token.expires_at)


def _access(seed: Seed, account: AccountSeed, where: str) -> frozenset[str]:
    granted: set[str] = set()
    apps = {app.name: app for app in seed.apps}
    for app_name, names in account.access.items():
        app = apps.get(app_name)
        if app is None:
            raise SeedError(f'seed: {where}.access: there is no app "{app_name}"')
        by_name = {environment.name.casefold(): environment for environment in app.environments}
        for name in by_name if "*" in names else names:
            if name.casefold() not in by_name:
                raise SeedError(f'seed: {where}.access.{app_name}: there is no environment "{name}"')
            granted.add(environment_id(app, by_name[name.casefold()]))
    return frozenset(granted)


def _known(names: Mapping[str, Any], name: str, where: str, what: str) -> Any:
    if name not in names:
        raise SeedError(f'seed: {where}: there is no {what} "{name}"')
    return names[name]


def _type_of(name: str) -> str:
    known = {"development": "dev", "dev": "dev", "staging": "staging", "production": "prod", "prod": "prod"}
    return known.get(name.casefold(), "custom")


def _default_text() -> str:
    return resources.files("phase_dev.server").joinpath("default_seed.yaml").read_text("utf-8")
