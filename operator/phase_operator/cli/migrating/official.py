"""The rules of Phase's official operator that differ from ours, as its documentation and docs/migration.md say."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference
from phase_operator.core.content.keys import target_key
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.folders import normal_path
from phase_operator.core.values import Entry

# The environment, if the resource names none.
ENVIRONMENT = "production"

# What the two versions document: of any other field, they know nothing.
SPEC_FIELDS = frozenset(
    {
        "phaseApp",
        "phaseAppId",
        "phaseAppEnv",
        "phaseAppEnvPath",
        "phaseAppEnvTag",
        "phaseHost",
        "pollingInterval",
        "authentication",
        "managedSecretReferences",
        "redeployLabelSelector",
        "onSecretReferenceError",
    }
)
TARGET_FIELDS = frozenset({"secretName", "secretNamespace", "secretType", "nameTransformer", "processors", "template"})
# Of these, the first version knows nothing.
SECOND_ALONE = frozenset({"redeployLabelSelector", "onSecretReferenceError", "template"})


class Version(StrEnum):
    """Which official operator the resources are from."""

    FIRST = "official-v1"
    SECOND = "official-v2"


def app_of(name: str, apps: Iterable[App]) -> App | None:
    """Return the app that it reads: of those whose name holds this one, in any case, the shortest."""
    wanted = name.casefold()
    return min((each for each in apps if wanted in each.name.casefold()), key=lambda each: len(each.name), default=None)


def environments_of(name: str, environments: Iterable[Environment]) -> list[Environment]:
    """Return the environments that it may read: those whose name holds this one; which of them is not defined."""
    wanted = name.casefold()
    return [each for each in environments if wanted in each.name.casefold()]


def has_tag(wanted: str, tags: Iterable[str]) -> bool:
    """Return whether one of an entry's tags is selected: it holds the one wanted, in any case, with `_` for a space."""
    return any(_spelt(wanted) in _spelt(each) for each in tags)


def keys_of(
    target: ManagedSecretReference, spec: PhaseSecretSpec, entries: Iterable[Entry], version: Version
) -> Mapping[str, Sequence[Entry]]:
    """Return the keys that it writes, each with its entries: of several, one wins, and nobody can tell which."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if takes(spec, entry, version):
            processor = target.processors.get(entry.key)
            found.setdefault(target_key(entry.key, target.name_transformer, processor), []).append(entry)
    return found


def takes(spec: PhaseSecretSpec, entry: Entry, version: Version) -> bool:
    """Return whether it writes an entry: of the folder, with the tag, and in the second version with a value."""
    if entry.path != normal_path(spec.phase_app_env_path):
        return False
    if spec.phase_app_env_tag is not None and not has_tag(spec.phase_app_env_tag, entry.tags):
        return False
    return bool(entry.value) or version is Version.FIRST


def _spelt(tag: str) -> str:
    return tag.casefold().replace("_", " ")
