"""Dynamic secrets of a seed, and the cloud account in which their leases make users.

Rule: what the real server refuses when a dynamic secret is made is refused here, with its field.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import Field
from pydantic.alias_generators import to_camel

from phase_dev.server import model
from phase_dev.server.seed_parts import Part, SeedError, checked
from phase_dev.server.state import State

_USER_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_LONGEST_RANDOM = "x" * 18
_DEFAULT_KEYS: dict[model.CredentialId, str] = {
    "username": "AWS_IAM_USERNAME",
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
}


class CloudSeed(Part):
    """The cloud account of an organisation: how many users it may hold, and the seconds that each call takes."""

    users: int = Field(5000, ge=0)
    delay: float = Field(0.0, ge=0)


class DynamicSeed(Part):
    """A dynamic secret; durations are seconds, `keyMap` names the key of each credential.

    Each `{{ random }}` in `usernameTemplate` becomes 6 to 18 letters and digits.
    """

    name: str = Field(min_length=1)
    description: str = ""
    path: str = "/"
    default_ttl: int = Field(3600, ge=60)
    max_ttl: int = Field(86400, ge=60)
    id: str | None = None
    provider: str = Field("aws", min_length=1)
    key_map: dict[model.CredentialId, str] = Field(default_factory=dict)
    username_template: str = "phase-{{ random }}"
    policies: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def parse_dynamic(content: Mapping[str, object]) -> DynamicSeed:
    """Return one dynamic secret that a seed's words describe, checked as in a seed."""
    seed = checked(DynamicSeed, dict(content), "dynamic secret")
    check_dynamic(seed, set(), "dynamic secret: ")
    return seed


def changed_seed(old: model.DynamicSecret, settings: Mapping[str, object]) -> DynamicSeed:
    """Return a dynamic secret in the words of a seed, some of its settings changed."""
    now = {
        "name": old.name,
        "description": old.description,
        "path": old.path,
        "defaultTtl": old.default_ttl,
        "maxTtl": old.max_ttl,
        "provider": old.provider,
        "keyMap": {entry.id: entry.key_name for entry in old.key_map},
        "usernameTemplate": old.username_template,
        "policies": old.policies,
        "groups": old.groups,
    }
    return parse_dynamic({**now, **{to_camel(name): value for name, value in settings.items()}})


def check_place(seed: DynamicSeed, state: State, environment: str, *, but: str = "") -> None:
    """Refuse a dynamic secret whose name or keys its folder has already; `but` is the one it takes the place of."""
    others = [dynamic for dynamic in state.dynamic_of(environment) if dynamic.id != but]
    path = model.normalise_path(seed.path)
    if (seed.name, path) in {(dynamic.name, dynamic.path) for dynamic in others}:
        raise SeedError(f'dynamic secret: name: there is a "{seed.name}" in {path} already')
    taken = {(secret.path, secret.key) for secret in state.secrets_of(environment)}
    taken |= {(dynamic.path, entry.key_name) for dynamic in others for entry in dynamic.key_map}
    check_dynamic(seed, taken, "dynamic secret: ")


def check_all_dynamic(seeds: Sequence[DynamicSeed], taken: set[tuple[str, str]], where: str) -> None:
    """Refuse dynamic secrets of an environment that the real server would not take.

    `taken` are the folders and keys of other secrets.
    """
    names: set[tuple[str, str]] = set()
    for position, seed in enumerate(seeds):
        here, path = f"{where}.dynamicSecrets[{position}].", model.normalise_path(seed.path)
        if (path, seed.name) in names:
            raise SeedError(f'{here}name: "{seed.name}" is there twice in {path}; names are unique in a folder')
        names.add((path, seed.name))
        check_dynamic(seed, taken, here)


def check_dynamic(seed: DynamicSeed, taken: set[tuple[str, str]], here: str) -> None:
    """Refuse one dynamic secret whose settings cannot be, or whose keys are taken; its own are taken from now on."""
    if seed.default_ttl > seed.max_ttl:
        raise SeedError(f"{here}defaultTtl: {seed.default_ttl} is more than maxTtl, which is {seed.max_ttl}")
    if not _USER_NAME.fullmatch(_longest_name(seed.username_template)):
        raise SeedError(
            f"{here}usernameTemplate: a user name has 1 to 64 letters, digits and +=,.@_- once each "
            "{{ random }} is 18 characters"
        )
    path = model.normalise_path(seed.path)
    for entry in key_map(seed):
        if not entry.key_name.strip():
            raise SeedError(f"{here}keyMap.{entry.id}: the key is empty")
        if (path, entry.key_name) in taken:
            raise SeedError(f'{here}keyMap.{entry.id}: there is a key "{entry.key_name}" in {path} already')
        taken.add((path, entry.key_name))


def dynamic_records(seeds: Sequence[DynamicSeed], environment: str, now: datetime) -> Iterator[model.DynamicSecret]:
    """Return the records of an environment's dynamic secrets."""
    names: set[str] = set()
    for seed in seeds:
        path = model.normalise_path(seed.path)
        # A name that comes again, in another folder, needs the folder to have an id of its own.
        told = (seed.name, path) if seed.name in names else (seed.name,)
        names.add(seed.name)
        yield model.DynamicSecret(
            id=seed.id or model.stable_id("dynamic", environment, *told),
            environment=environment,
            name=seed.name,
            created_at=now,
            updated_at=now,
            description=seed.description,
            path=path,
            default_ttl=seed.default_ttl,
            max_ttl=seed.max_ttl,
            provider=seed.provider,
            key_map=tuple(key_map(seed)),
            username_template=seed.username_template,
            policies=seed.policies,
            groups=seed.groups,
        )


def key_map(seed: DynamicSeed) -> Iterator[model.KeyMapEntry]:
    """Return what a lease hands out, each credential under the key that the seed names or the usual one."""
    for credential, usual in _DEFAULT_KEYS.items():
        name = seed.key_map.get(credential, usual)
        yield model.KeyMapEntry(credential, name, masked=credential == "secret_access_key")


def _longest_name(template: str) -> str:
    return re.sub(r"\{\{\s*random\s*\}\}", _LONGEST_RANDOM, template)
