"""Entries -> the data of a target: named, decoded, and written as keys, as one file or as texts.

Rule: what comes in is all that can come out. A template sees the values of its own target and nothing else, so that
a ConfigMap's, which is given `ConfigEntry` only, has no way to a secret value.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import (
    Format,
    Processor,
    ProcessorType,
    TargetFields,
    TemplateMerge,
    TemplateMetadata,
)
from phase_operator.core.content.formats import default_file_key, file_of
from phase_operator.core.content.keys import assign_keys, legal
from phase_operator.core.content.limits import check_size
from phase_operator.core.content.template import compile_template, render_text
from phase_operator.core.content.work_limit import Budget
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.text import listing
from phase_operator.core.values import ConfigEntry, Entry

# A label's value; Kubernetes checks its letters too, and says which one it does not take.
_LABEL_LENGTH = 63
# What a template has to be read for, and the work that a letter of it is.
_PLACEHOLDER = re.compile(r"\{[{%][^}]*+")
_READING = 100


def content(spec: TargetFields, entries: Iterable[Entry], budget: Budget) -> dict[str, bytes]:
    """Return the target's data; raise if a key, value, file or text stands in the way."""
    values = _values(spec, entries)
    texts = _texts(spec, values, budget)
    if texts and spec.template.merge_policy is not TemplateMerge.MERGE:
        return texts
    form = spec.format or Format.KEY_PER_ENTRY
    if form is Format.KEY_PER_ENTRY:
        return values | texts
    # No file is shorter than what it holds, and its writer may take many times the memory: refused before, not after.
    check_size(values)
    return {spec.file_key or default_file_key(form): file_of(form, values)} | texts


def metadata(spec: TargetFields, visible: Iterable[ConfigEntry], budget: Budget) -> TemplateMetadata:
    """Return the target's labels and annotations, with their placeholders filled in.

    More people read them than may read a Secret, so that they see entries of type config only.
    """
    wanted = spec.template.metadata
    if not any("{" in text for text in (*wanted.labels.values(), *wanted.annotations.values())):
        return wanted
    values = _values(spec, visible)
    labels = {
        key: render_text(text, values, f'template.metadata.labels["{key}"]', limit=_LABEL_LENGTH, budget=budget)
        for key, text in wanted.labels.items()
    }
    annotations = {
        key: render_text(text, values, f'template.metadata.annotations["{key}"]', budget=budget)
        for key, text in wanted.annotations.items()
    }
    # Not validated again: a rendered text is longer than the field's limit at worst, and the API server tells.
    return TemplateMetadata.model_construct(labels=labels, annotations=annotations)


def _texts(spec: TargetFields, values: Mapping[str, bytes], budget: Budget) -> dict[str, bytes]:
    texts = spec.template.data
    illegal = sorted(key for key in texts if not legal(key))
    if illegal:
        raise Invalid(Reason.INVALID_SPEC, f"template.data: no key of a Secret or ConfigMap: {listing(illegal)}")
    return {key: _text(text, f'template.data["{key}"]', values, budget) for key, text in texts.items()}


def _text(text: str, where: str, values: Mapping[str, bytes], budget: Budget) -> bytes:
    # Reading a placeholder takes a hundred times as long as writing it; whether it was read before does not count.
    budget.spend(_READING * sum(map(len, _PLACEHOLDER.findall(text))), where)
    return compile_template(text, where).render(values, budget=budget)


def _values(spec: TargetFields, entries: Iterable[Entry]) -> dict[str, bytes]:
    assigned = assign_keys(entries, spec.name_transformer, spec.processors, spec.prefix or "")
    return {key: decode(entry, spec.processors.get(entry.key)) for key, entry in assigned.items()}


def decode(entry: Entry, processor: Processor | None) -> bytes:
    """Return the bytes of an entry: its text in UTF-8, or what its base64 text stands for."""
    text = entry.value.reveal()
    if processor is None or processor.type is not ProcessorType.BASE64:
        return _encode(entry, text)
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        # Not `from` the cause: its message may quote the text.
        raise Waiting(Reason.VALUE_INVALID, f'the value of "{entry.source}" is not valid base64') from None


def _encode(entry: Entry, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Waiting(Reason.VALUE_INVALID, f'the value of "{entry.source}" is not valid Unicode text') from None
