"""A resource with what it is made of and what is made of it: the nodes of `tree`.

Rule: what a target holds, and which restarts wait, is what the status says. Who reads a target is found by the same
functions with which the operator finds it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.standing import Standing, count, is_suspended, lease_end, place, standing
from phase_operator.cli.common.terminal import Tone, shown
from phase_operator.cli.tracing.drawing import Node
from phase_operator.cli.tracing.readers import Reader
from phase_operator.core.access.default_host import host_of
from phase_operator.core.json_access import at, mapping, mappings, number, strings, text
from phase_operator.core.refs import TargetRef
from phase_operator.core.status.recorded import newest_versions, recorded_ref, recorded_targets
from phase_operator.core.text import clean, counted

# Which workloads read a target; None: nobody has looked.
ReadersOf = Callable[[TargetRef], Sequence[Reader] | None]


def phase_node(resource: Mapping[str, Any], says: Sequence[str], children: Sequence[Node]) -> Node:
    """Return the node of a resource's place in Phase."""
    host = clean(host_of(resource))
    where = [f"at {host}"] if host != names.DEFAULT_HOST else []
    return Node("Phase", place(resource), [*where, *says], facts={"host": host}, children=children)


def family(resource: Mapping[str, Any], readers: ReadersOf, only: Callable[[TargetRef, str], bool]) -> Node:
    """Return the tree of a resource; `only` says of which targets, by their name and that of their newest version."""
    kind = resource.get("kind")
    if kind == names.KIND_PHASE_PUSH_SECRET:
        return _push(resource)
    leases = _leases(resource) if kind == names.KIND_PHASE_DYNAMIC_SECRET else []
    node = _resource(resource, [*leases, *_targets(resource, readers, only)])
    if kind == names.KIND_PHASE_DYNAMIC_SECRET:
        wanted = shown(mapping(resource.get("spec")).get("dynamicSecret"))
        return phase_node(resource, [f'dynamic secret "{wanted}"'], [node])
    entries = at(resource, ("status", "source")).get("entries")
    says = [counted(number(entries), "entry", "entries")] if isinstance(entries, int) else []
    return phase_node(resource, says, [node])


def _resource(resource: Mapping[str, Any], children: Sequence[Node], sources: Sequence[Node] = ()) -> Node:
    metadata, now = mapping(resource.get("metadata")), standing(resource)
    facts = {"ready": now.ready, "reason": now.reason, "message": now.message}
    name = f"{shown(metadata.get('namespace'))}/{shown(metadata.get('name'))}"
    says = [str(now), *([_suspension(metadata)] if is_suspended(resource) else [])]
    return Node(str(resource.get("kind")), name, says, _tone(now), facts, children, sources)


def _suspension(metadata: Mapping[str, Any]) -> str:
    because = clean(text(mapping(metadata.get("annotations")).get(names.ANNOTATION_SUSPENDED_BECAUSE)))
    return f"suspended because: {because}" if because else "suspended"


def _tone(now: Standing) -> Tone:
    if now.ready is None:
        return Tone.NOTE
    return Tone.GOOD if now.ready and now.is_current else Tone.BAD


def _targets(resource: Mapping[str, Any], readers: ReadersOf, only: Callable[[TargetRef, str], bool]) -> Iterator[Node]:
    """Yield the targets that the status names, each with who reads it."""
    status = mapping(resource.get("status"))
    versions = newest_versions(status)
    for ref, entry in recorded_targets(status):
        version = versions.get(ref, "")
        if only(ref, version):
            yield _target(resource, ref, entry, version, readers(ref))
    for entry in mappings(status.get("targets")):
        if recorded_ref(entry) is None:
            yield Node(shown(entry.get("kind")), shown(entry.get("name")), ["a newer operator wrote of it"], Tone.NOTE)


def _target(
    resource: Mapping[str, Any],
    ref: TargetRef,
    entry: Mapping[str, Any],
    version: str,
    readers: Sequence[Reader] | None,
) -> Node:
    is_ready = entry.get("ready") is True
    reason, message = clean(text(entry.get("reason"))), clean(text(entry.get("message")))
    state = "in step" if is_ready else f"not in step: {reason}" + (f": {message}" if message else "")
    says = [state, *([counted(number(entry["keys"]), "key")] if isinstance(entry.get("keys"), int) else [])]
    if version:
        says.append(f"newest version {clean(version)}")
    facts = {"namespace": ref.key.namespace, "ready": is_ready, "reason": reason, "message": message}
    facts |= {"keys": number(entry.get("keys")), "version": version}
    elsewhere = ref.key.namespace != mapping(resource.get("metadata")).get("namespace")
    name = clean(str(ref.key) if elsewhere else ref.key.name)
    workloads = list(_workloads(entry, readers))
    return Node(str(ref.kind), name, says, Tone.GOOD if is_ready else Tone.BAD, facts, workloads)


def _workloads(entry: Mapping[str, Any], readers: Sequence[Reader] | None) -> Iterator[Node]:
    """Yield the workloads that were restarted for a target, those that wait, and those that were found to read it."""
    restarted, waiting = strings(entry.get("restarted")), strings(entry.get("notRestarted"))
    waits = {name: why for name, _, why in (line.partition(": ") for line in waiting)}
    found = {each.name: each for each in readers or ()}
    for name in dict.fromkeys([*restarted, *waits]):
        why = waits.get(name)
        if why is None:
            yield _workload(name, ["restarted for it"], Tone.GOOD, found.pop(name, None))
        else:
            yield _workload(name, [f"not restarted: {why}"] if why else [], Tone.NOTE, found.pop(name, None))
    for each in found.values():
        yield _workload(each.name, [], None, each)


def _workload(name: str, states: Sequence[str], tone: Tone | None, found: Reader | None) -> Node:
    kind, _, own = name.partition(" ")
    says = [*states, *([] if found is None else [found.reads, found.follows])]
    facts: dict[str, Any] = {"restarts": list(states)}
    if found is not None:
        facts |= {"reads": found.reads, "follows": found.is_follower}
    return Node(clean(kind), clean(own), list(map(clean, says)), tone, facts)


def _leases(resource: Mapping[str, Any]) -> Iterator[Node]:
    """Yield the leases of the ledger, the newest first."""
    serving = lease_end(resource)
    for lease in mappings(mapping(resource.get("status")).get("leases")):
        end, state = shown(lease.get("endsAt")), shown(lease.get("state"))
        says = [f"{state.lower()}, ends at {end}" if end != "-" else state.lower()]
        tone = Tone.GOOD if serving and state == "Active" else Tone.NOTE
        yield Node("Lease", shown(lease.get("attempt")), says, tone, {"state": state, "endsAt": end})


def _push(resource: Mapping[str, Any]) -> Node:
    """Return the tree of a push, in its direction: sources, the resource, and its entries in Phase."""
    status = mapping(resource.get("status"))
    sources = [
        Node(
            shown(each.get("kind")),
            shown(each.get("name")),
            [counted(number(each.get("entries")), "entry", "entries")],
            facts={"entries": number(each.get("entries")), "resourceVersion": shown(each.get("resourceVersion"))},
        )
        for each in mappings(status.get("sources"))
    ]
    entries = [_entry(each) for each in mappings(status.get("entries"))]
    wanted = number(mapping(status.get("source")).get("entries"))
    in_step = f"{count(resource, 'entriesInStep')} of {wanted} in step" if "entriesInStep" in status else "not known"
    return _resource(resource, [phase_node(resource, [in_step], entries)], sources)


def _entry(row: Mapping[str, Any]) -> Node:
    path = clean(text(row.get("path"))).rstrip("/")
    state = clean(text(row.get("state")))
    source = clean(text(row.get("source")))
    says = [f"of {source}"] if source else []
    if isinstance(row.get("version"), int):
        says.append(f"version {row['version']}")
    says += [state.lower()] if state else []
    facts = {"source": source, "version": row.get("version"), "state": state or "InPhase"}
    return Node("", f"{path}/{shown(row.get('key'))}", says, Tone.NOTE if state else None, facts)
