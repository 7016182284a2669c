"""Where a Secret or ConfigMap comes from: which resources write it, and of which entries of Phase its keys are made.

Rule: an object is judged by its metadata, as the operator does it (core/targets/observed.py): a mark counts only beside
an apply of ours, since a copy of an object has the same marks. No value is read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import Format, NameTransformer, TargetFields
from phase_operator.cli.common.appliers import managed
from phase_operator.core.content.formats import default_file_key
from phase_operator.core.content.keys import target_key
from phase_operator.core.json_access import mapping, mappings, text, texts
from phase_operator.core.refs import TargetRef
from phase_operator.core.source.folders import normal_path
from phase_operator.core.targets.fingerprint import name_digest, split_digests
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.owned_fields import data_keys
from phase_operator.core.targets.policy import spec_targets
from phase_operator.core.targets.versions import is_version
from phase_operator.core.text import clean
from phase_operator.core.values import ObjectKey

# The most field managers that are shown.
_MOST = 20


@dataclass(frozen=True, slots=True)
class Writer:
    """A resource that writes an object, and what it writes there: all of it, or some keys."""

    key: ObjectKey
    # None: the whole object.
    keys: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who writes an object, or why nobody of ours does."""

    writers: tuple[Writer, ...]
    # "" if there are writers.
    why_none: str = ""


def origin(metadata: Mapping[str, Any]) -> Origin:
    """Return which resources write an object, by its metadata."""
    observed = observe(metadata)
    found: list[Writer] = []
    if observed.owner and observed.is_applied:
        found.append(Writer(ObjectKey.read(observed.owner), None))
    found += [Writer(ObjectKey.read(part.of), part.claimed) for part in observed.parts if part.claimed]
    return Origin(tuple(found), "" if found else _why_none(observed, metadata))


def _why_none(observed: Observed, metadata: Mapping[str, Any]) -> str:
    annotations, label = texts(metadata.get("annotations")), texts(metadata.get("labels")).get(names.LABEL_TARGET)
    if label == names.LABEL_LEASE_VALUE:
        return "it keeps the credentials of a lease for the operator"
    if label == names.LABEL_COPY_VALUE:
        return "it is a copy that is kept while a Secret is made anew with another type"
    if label == names.LABEL_GENERATED_VALUE:
        made_for = clean(annotations.get(names.ANNOTATION_GENERATED_FOR, ""))
        return f"it keeps values that were made for PhasePushSecret {made_for}, and nothing of Phase is written to it"
    if observed.owner:
        return f"it has the mark of {clean(observed.owner)}, which did not write it: it is a copy"
    return "no resource of this operator writes it"


def names_it(ref: TargetRef, spec: PhaseSecretSpec, namespace: str) -> TargetFields | None:
    """Return the target of a spec that an object is of, or a version of; None if the spec does not name it."""
    for target, fields in spec_targets(spec, namespace):
        same_place = (target.kind, target.key.namespace) == (ref.kind, ref.key.namespace)
        name = target.key.name
        is_it = ref.key.name == name or (fields.versioned is not None and is_version(ref.key.name, name))
        if same_place and is_it:
            return fields
    return None


def has_key(metadata: Mapping[str, Any], key: str) -> bool:
    """Return whether an object has this key, by its field managers and the operator's record."""
    entries = mappings(metadata.get("managedFields"))
    if any(key in data_keys(mapping(each.get("fieldsV1"))) for each in entries):
        return True
    return name_digest(key) in split_digests(observe(metadata).names)


def writer_of(found: Sequence[Writer], key: str, metadata: Mapping[str, Any]) -> Writer | None:
    """Return who of these writes one key; None: others have it."""
    for each in found:
        if each.keys is not None and key in each.keys:
            return each
    ours = name_digest(key) in split_digests(observe(metadata).names)
    return next((each for each in found if each.keys is None and ours), None)


def field_managers(metadata: Mapping[str, Any], key: str = "") -> list[str]:
    """Return who holds fields of an object, or one key of it: name, operation and time, the last first."""
    found = []
    for entry in managed(metadata):
        if key and key not in data_keys(mapping(entry.get("fieldsV1"))):
            continue
        found.append((text(entry.get("time")), text(entry.get("manager")), text(entry.get("operation"))))
    listed = [f"{clean(name)} ({clean(how)}, {clean(time)})" for time, name, how in sorted(found, reverse=True)]
    return listed if len(listed) <= _MOST else [*listed[:_MOST], f"and {len(listed) - _MOST} more"]


def entry_of(key: str, target: TargetFields, spec: PhaseSecretSpec) -> str:
    """Return of which entry of Phase a key of a target is made, by the rules of the spec."""
    if key in target.template.data:
        return "made by template.data of the target"
    form = target.format or Format.KEY_PER_ENTRY
    if form is not Format.KEY_PER_ENTRY:
        if key == (target.file_key or default_file_key(form)):
            return f"the file of format {form}, with all entries of the target"
        return "none that the spec tells of"
    folder = _folder(target, spec)
    named = next(_named(key, target), None)
    if named is not None:
        return f"{clean(named)} in {folder}" + ("" if named == key else ", renamed by processors")
    return f"{_spelt(key, target)} in {folder}"


def _folder(target: TargetFields, spec: PhaseSecretSpec) -> str:
    if target.path is not None:
        return clean(normal_path(target.path))
    below = " or a folder below it" if spec.recursive else ""
    return clean(normal_path(spec.phase_app_env_path)) + below


def _named(key: str, target: TargetFields) -> Iterator[str]:
    """Yield the entries that have a processor and become the key."""
    for entry, processor in target.processors.items():
        if target_key(entry, target.name_transformer, processor, target.prefix or "") == key:
            yield entry


def _spelt(key: str, target: TargetFields) -> str:
    """Return an entry without a processor that becomes the key, in words."""
    prefix, style = target.prefix or "", target.name_transformer or NameTransformer.UPPER_SNAKE
    if not key.startswith(prefix):
        return "none that the spec tells of"
    guess = _UPPER_SNAKE[style](key.removeprefix(prefix))
    how = [f'with prefix "{prefix}"'] if prefix else []
    how += [f"spelt {style}"] if style is not NameTransformer.UPPER_SNAKE else []
    if target_key(guess, style, None, prefix) != key:
        return f"an entry that is {' and '.join(how)} {clean(key)}" if how else clean(guess)
    return ", ".join([clean(guess), *how])


def _of_camel(key: str) -> str:
    return "".join(f"_{each}" if each.isupper() and at else each for at, each in enumerate(key)).upper()


# The usual key of an entry, from how a style spells it.
_UPPER_SNAKE: Mapping[NameTransformer, Callable[[str], str]] = {
    NameTransformer.UPPER_SNAKE: str,
    NameTransformer.LOWER_SNAKE: str.upper,
    NameTransformer.LOWER_KEBAB: lambda key: key.replace("-", "_").upper(),
    NameTransformer.TF_VAR: lambda key: key.removeprefix("TF_VAR_").upper(),
    NameTransformer.CAMEL: _of_camel,
    NameTransformer.UPPER_CAMEL: _of_camel,
}
