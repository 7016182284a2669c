"""Parts of a target that other operators name as this one does: its type, its templates, a key that is renamed."""

import re
from collections.abc import Callable
from typing import Any

from phase_operator.api.v1alpha1.phasesecret import SecretType
from phase_operator.cli.migrating.draft import Draft
from phase_operator.cli.migrating.foreign import Path
from phase_operator.cli.migrating.go_templates import Unsayable, converted
from phase_operator.core.content.keys import legal

# As the schema has it.
_MOST_TEXTS = 64
_PLAIN_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}", re.ASCII)


def secret_type(draft: Draft, path: Path) -> dict[str, Any]:
    """Return the field for a Secret's type; one that this operator does not write is an open question."""
    found = draft.one_of(path, list(SecretType), "secretType does not have this type")
    return {} if found in ("", SecretType.OPAQUE) else {"secretType": found}


def texts(draft: Draft, path: Path, key_of: Callable[[str], str], at: Path) -> dict[str, str]:
    """Return templates by key in our language; one that has no equal is left out, as an open question."""
    found: dict[str, str] = {}
    for key in draft.original.names(*path):
        text = draft.original.text(*path, key)
        if not text or not legal(key) or len(found) == _MOST_TEXTS:
            continue
        try:
            found[key] = converted(text, key_of)
        except Unsayable as error:
            draft.open((*path, key), f"write this template anew in the language of docs/templates.md: {error}", at)
    return found


def metadata_texts(draft: Draft, path: Path, at: Path) -> dict[str, str]:
    """Return labels or annotations of the original with their placeholders in our language."""
    found: dict[str, str] = {}
    for key in draft.original.names(*path):
        text = draft.original.text(*path, key)
        try:
            found[key] = converted(text)
        except Unsayable as error:
            draft.open((*path, key), f"write this template anew: {error}", at)
            continue
        if "{{" in found[key]:
            draft.say((*path, key), "placeholders in labels and annotations see entries of type config alone", at)
    return found


def is_plain(key: str) -> bool:
    """Return whether a key can stand in keys.include as it is: it has no sign of a pattern."""
    return _PLAIN_KEY.fullmatch(key) is not None


def upper_snake(name: str) -> str:
    """Return a name as Phase's keys are usually spelled."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_").upper() or "KEY"
