"""What a target asks of Phase, by the spec: its app, the entries that it takes there, and how it names them.

Rule: each of the three is a short digest, so that a status can keep them. After an edit or a restart they show whether
the spec asks for other entries or Phase answers with other ones.
"""

import hashlib
from dataclasses import dataclass
from typing import Self

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import KeySelection, ManagedSecretReference, TargetFields
from phase_operator.core.json_access import canonical
from phase_operator.core.source.folders import target_folders
from phase_operator.core.source.query import asked_tags, asked_url

_DIGITS = 8


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What a target asks for, as three digests; equal values ask for the same."""

    # The app as the spec names it, by name or by id, and where.
    app: str
    # Environment, folders, tags, key patterns and types.
    take: str
    # How keys are renamed, and which file or texts are made from the entries.
    naming: str

    def __str__(self) -> str:
        """Return the text for the status."""
        return f"{self.app}.{self.take}.{self.naming}"

    @classmethod
    def read(cls, recorded: object) -> Self | None:
        """Parse the text from a status; None if it has another format."""
        parts = recorded.split(".") if isinstance(recorded, str) else []
        return cls(*parts) if len(parts) == 3 and all(len(part) == _DIGITS for part in parts) else None


def target_request(spec: PhaseSecretSpec, target: TargetFields) -> TargetRequest:
    """Return what a target asks for; raise Invalid if the spec names no host."""
    app = spec.phase_app_id if spec.phase_app_id is not None else [spec.phase_app]
    return TargetRequest(_digits([asked_url(spec), app]), _digits(_take(spec, target)), _digits(_naming(target)))


def _take(spec: PhaseSecretSpec, target: TargetFields) -> list[object]:
    """Return what the entries of a target are selected by."""
    folders = target_folders(target, spec)
    return [
        (spec.phase_app_env or "production").casefold(),
        [folders.roots, folders.recursive],
        asked_tags(spec),
        _patterns(spec.keys),
        _patterns(target.keys),
        _types(spec, target),
    ]


def _naming(target: TargetFields) -> list[object]:
    """Return what the keys of a target, or its file or texts, are made by."""
    spelled = {key: (each.as_name, each.name_transformer) for key, each in target.processors.items()}
    return [
        target.name_transformer,
        target.prefix or "",
        {key: each for key, each in spelled.items() if each != (None, None)},
        target.format,
        target.file_key,
        sorted(target.template.data),
        target.template.merge_policy,
    ]


def _patterns(keys: KeySelection) -> list[list[str]]:
    return [sorted(keys.include), sorted(keys.exclude)]


def _types(spec: PhaseSecretSpec, target: TargetFields) -> object:
    if not isinstance(target, ManagedSecretReference):
        return "config"
    return bool(spec.managed_config_map_references) if target.types is None else sorted(target.types)


def _digits(value: object) -> str:
    return hashlib.blake2b(canonical(value).encode(), digest_size=_DIGITS // 2).hexdigest()
