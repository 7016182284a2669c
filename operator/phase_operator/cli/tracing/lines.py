"""The lines of `trace`: an object or one of its keys, back to its entry in Phase and to who applied the resource."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.appliers import applier, writers
from phase_operator.cli.common.standing import place, standing
from phase_operator.cli.tracing.origin import Origin, Writer, entry_of, field_managers, has_key, names_it, writer_of
from phase_operator.core.access.default_host import host_of
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mapping, text
from phase_operator.core.refs import TargetRef
from phase_operator.core.text import clean, clean_listing
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.context import parse_spec

Lines = list[tuple[str, str]]
Written = Sequence[tuple[ObjectKey, Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of an object or of one of its keys: a name and a text for each line."""

    lines: Lines = field(default_factory=list)
    # A resource that exists and names the object writes it.
    is_managed: bool = False


def trace(target: TargetRef, key: str, metadata: Mapping[str, Any], found: Origin, resources: Written) -> Trace:
    """Return where an object, or with `key` one of its keys, comes from."""
    held = [("held by", "; ".join(field_managers(metadata, key)) or "-")]
    if key and not has_key(metadata, key):
        return Trace([("key", f"{target} has no key {clean(key)}")])
    if not found.writers:
        return Trace([("written by", f"nobody of ours: {found.why_none}"), *held])
    chosen = [writer_of(found.writers, key, metadata)] if key else list(found.writers)
    if chosen == [None]:
        return Trace([("written by", "nobody of ours: others put this key into the object"), *held])
    lines: Lines = []
    managed = False
    read = dict(resources)
    for writer in filter(None, chosen):
        own, is_own = _of_writer(target, key, writer, read.get(writer.key))
        lines += own
        managed = managed or is_own
    return Trace([*lines, *held], managed)


def _of_writer(target: TargetRef, key: str, writer: Writer, resource: Mapping[str, Any] | None) -> tuple[Lines, bool]:
    """Return the lines about a resource that writes an object, and whether it still does."""
    share = "" if writer.keys is None else f", which merges {clean_listing(writer.keys)} into it"
    name = f"{clean(writer.key.kind) or names.KIND_PHASE_SECRET} {clean(writer.key.namespace)}/{clean(writer.key.name)}"
    if resource is None:
        return [("written by", f"{name}{share}: it is gone, and left the object")], False
    try:
        spec = parse_spec(mapping(resource.get("spec")), writer.key.kind)
    except Invalid as error:
        return [("written by", f"{name}{share}: {error.reason}: {clean(error.message)}")], True
    fields = names_it(target, spec, writer.key.namespace)
    if fields is None:
        return [("written by", f"{name}{share}: its spec does not name the object any more")], False
    lines = [("written by", f"{name}{share}: {standing(resource)}"), ("from", _source(resource))]
    if key:
        lines.append(("entry", entry_of(key, fields, spec)))
    lines.append(("last change", clean(text(mapping(resource.get("status")).get("lastSyncedTime"))) or "-"))
    return [*lines, *_applied(resource)], True


def _source(resource: Mapping[str, Any]) -> str:
    spec = mapping(resource.get("spec"))
    host = clean(host_of(resource))
    lease = f', dynamic secret "{clean(text(spec.get("dynamicSecret")))}"' if "dynamicSecret" in spec else ""
    return f"Phase {place(resource)} at {host}{lease}"


def _applied(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    tool = applier(resource)
    if tool is not None:
        yield "applied by", str(tool)
    yield "spec written by", "; ".join(writers(resource)) or "-"
