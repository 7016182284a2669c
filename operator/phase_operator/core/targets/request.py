"""What a target asks of Phase, by the spec: its app, the entries that it takes there, and how it names them.

Rule: a few digits stand for each of the three, so that a status can keep them: after an edit, or a restart, they tell
whether other entries were asked for or Phase answers something else.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Self

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import KeySelection, ManagedSecretReference, TargetFields
from phase_operator.core.source.folders import target_folders
from phase_operator.core.source.query import asked_url

_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """Equal ones ask the same."""

    # The app as the spec names it, by name or by id, and where.
    app: str
    # Environment, folders, tags, key patterns and types.
    take: str
    # Spelling of the keys, and the file or texts that are made of them.
    naming: str

    def __str__(self) -> str:
        """Return it as a status keeps it."""
        return f"{self.app}.{self.take}.{self.naming}"

    @classmethod
    def read(cls, told: object) -> Self | None:
        """Read what a status keeps; None if it is of another form."""
        parts = told.split(".") if isinstance(told, str) else []
        return cls(*parts) if len(parts) == 3 and all(len(part) == _DIGITS for part in parts) else None


def asked(spec: PhaseSecretSpec, target: TargetFields) -> Asked:
    """Say what a target asks; raise Invalid where the spec names no host."""
    tags = spec.phase_app_env_tags or ([spec.phase_app_env_tag] if spec.phase_app_env_tag is not None else [])
    folders = target_folders(target, spec)
    app = spec.phase_app_id if spec.phase_app_id is not None else [spec.phase_app]
    take = [
        (spec.phase_app_env or "production").casefold(),
        [folders.roots, folders.recursive],
        sorted(set(tags)),
        _patterns(spec.keys),
        _patterns(target.keys),
        _types(spec, target),
    ]
    spelled = {key: (each.as_name, each.name_transformer) for key, each in target.processors.items()}
    naming = [
        target.name_transformer,
        target.prefix or "",
        {key: each for key, each in spelled.items() if each != (None, None)},
        target.format,
        target.file_key,
        sorted(target.template.data),
        target.template.merge_policy,
    ]
    return Asked(_digits([asked_url(spec), app]), _digits(take), _digits(naming))


def _patterns(keys: KeySelection) -> list[list[str]]:
    return [sorted(keys.include), sorted(keys.exclude)]


def _types(spec: PhaseSecretSpec, target: TargetFields) -> object:
    if not isinstance(target, ManagedSecretReference):
        return "config"
    return bool(spec.managed_config_map_references) if target.types is None else sorted(target.types)


def _digits(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGITS // 2).hexdigest()
