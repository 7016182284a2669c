"""Entries -> the data of a target: named, decoded, and written as keys, as one file or as texts.

Rule: a target can contain only values that were passed in. A template sees the values of its own target and nothing
else. So a ConfigMap's template, which gets only `ConfigEntry`, cannot reach a secret value.
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
    TemplateMetadata,
)
from phase_operator.core.content.formats import default_file_key, file_of
from phase_operator.core.content.keys import assign_keys, legal
from phase_operator.core.content.limits import check_size
from phase_operator.core.content.template import MAX_METADATA_BYTES, compile_template, render_text
from phase_operator.core.content.work_limit import WorkLimit
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.text import listing
from phase_operator.core.values import ConfigEntry, Entry

# The longest value of a label. Kubernetes also checks its characters, and its message names the bad one.
_LABEL_LENGTH = 63
# A text with one of these has to be parsed as a template; and the work that a character of it costs.
_PLACEHOLDER = re.compile(r"\{[{%][^}]*+")
_READING = 100


def build_data(spec: TargetFields, entries: Iterable[Entry], work_limit: WorkLimit) -> dict[str, bytes]:
    """Return the target's data; raise if a key, value, file or text is not valid."""
    values = _values(spec, entries)
    texts = _texts(spec, values, work_limit)
    if spec.template.replaces_entries:
        return texts
    form = spec.format or Format.KEY_PER_ENTRY
    if form is Format.KEY_PER_ENTRY:
        return values | texts
    # A file is never shorter than its values, and writing it takes more memory, so the size is checked before.
    check_size(values)
    return {spec.file_key or default_file_key(form): file_of(form, values)} | texts


def metadata(spec: TargetFields, visible: Iterable[ConfigEntry], work_limit: WorkLimit) -> TemplateMetadata:
    """Return the target's labels and annotations, with their placeholders filled in.

    More people can read metadata than Secrets, so their templates see only entries of type config.
    """
    wanted = spec.template.metadata
    if not any("{" in text for text in (*wanted.labels.values(), *wanted.annotations.values())):
        return wanted
    values = _values(spec, visible)
    labels = _rendered("labels", wanted.labels, values, _LABEL_LENGTH, work_limit)
    annotations = _rendered("annotations", wanted.annotations, values, MAX_METADATA_BYTES, work_limit)
    # Not validated again: at worst a rendered text exceeds the field's limit, and the API server reports that.
    return TemplateMetadata.model_construct(labels=labels, annotations=annotations)


def _rendered(
    field: str, texts: Mapping[str, str], values: Mapping[str, bytes], limit: int, work_limit: WorkLimit
) -> dict[str, str]:
    """Return labels or annotations with their placeholders filled in; `limit` is bytes of each text."""
    return {
        key: render_text(text, values, f'template.metadata.{field}["{key}"]', limit=limit, work_limit=work_limit)
        for key, text in texts.items()
    }


def _texts(spec: TargetFields, values: Mapping[str, bytes], work_limit: WorkLimit) -> dict[str, bytes]:
    texts = spec.template.data
    illegal = sorted(key for key in texts if not legal(key))
    if illegal:
        raise Invalid(Reason.INVALID_SPEC, f"template.data: no key of a Secret or ConfigMap: {listing(illegal)}")
    return {key: _text(text, f'template.data["{key}"]', values, work_limit) for key, text in texts.items()}


def _text(text: str, where: str, values: Mapping[str, bytes], work_limit: WorkLimit) -> bytes:
    # Parsing a placeholder takes a hundred times as long as rendering it. The cost is charged even if it is cached.
    work_limit.spend(_READING * sum(map(len, _PLACEHOLDER.findall(text))), where)
    return compile_template(text, where).render(values, work_limit=work_limit)


def _values(spec: TargetFields, entries: Iterable[Entry]) -> dict[str, bytes]:
    assigned = assign_keys(entries, spec.name_transformer, spec.processors, spec.prefix or "")
    return {key: decode(entry, spec.processors.get(entry.key)) for key, entry in assigned.items()}


def decode(entry: Entry, processor: Processor | None) -> bytes:
    """Return the bytes of an entry: its text in UTF-8, or its base64 text decoded."""
    text = entry.value.reveal()
    if processor is None or processor.type is not ProcessorType.BASE64:
        return _encode(entry, text)
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        # Raised without its cause, whose message may quote the text.
        raise Waiting(Reason.VALUE_INVALID, f'the value of "{entry.source}" is not valid base64') from None


def _encode(entry: Entry, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Waiting(Reason.VALUE_INVALID, f'the value of "{entry.source}" is not valid Unicode text') from None
