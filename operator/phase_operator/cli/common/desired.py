"""A PhaseSecret and an answer of Phase -> what judges and makes each of its targets.

Rule: the operator's own code decides and renders, so what is said of it is what it would do. What its settings allow is
not known here: what depends on them is told as a note.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.cli.common.resources import place_of
from phase_operator.core.access.default_host import host_of, with_host
from phase_operator.core.access.tenancy import check_targets, impersonates
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mapping, number, text
from phase_operator.core.pipeline import RenderedTarget, check, choose, note, render
from phase_operator.core.source.query import Ask, ask_of, source_query
from phase_operator.core.targets.policy import declared_targets
from phase_operator.core.values import Entry, ObjectKey, Snapshot
from phase_operator.reconcile.context import RunContext, parse_spec, task_of
from phase_operator.reconcile.run.loss_guard import LossGuard, ReceivedAnswer
from phase_operator.reconcile.store import Resource

_FIELD = re.compile(r"(spec|metadata)(?:[.\[][^\s:]*)?(?=:)")
_PART = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True, slots=True)
class Subject:
    """A PhaseSecret with a valid spec, of a file or of the cluster, and what it asks of Phase."""

    context: RunContext
    ask: Ask

    @property
    def key(self) -> ObjectKey:
        """Its namespace and name."""
        return self.context.key


@dataclass(frozen=True, slots=True)
class Made:
    """What becomes of an answer."""

    subject: Subject
    answer: Snapshot
    # What the PhaseSecret selects of it.
    entries: tuple[Entry, ...]
    # In the spec's order; each is made on first use.
    targets: tuple[RenderedTarget, ...]
    # Sentences on what is left out, and on what depends on the operator's settings.
    notes: tuple[str, ...] = ()

    def guards(self, *, twice: bool) -> Iterator[LossGuard]:
        """Yield what judges each target; `twice`: Phase has given the answer at least twice."""
        query = source_query(self.subject.ask, "")
        received = ReceivedAnswer(query, self.answer, None, twice, ())
        return (LossGuard(self.subject.context, received, each, self.entries) for each in self.targets)


def subject(
    body: Mapping[str, Any],
    namespace: str,
    existing: Mapping[str, Any] | None = None,
    *,
    default_host: str | None = None,
) -> Subject:
    """Return a PhaseSecret of this namespace as its body says it; raise Invalid with the path of a field.

    `existing` is the resource as the cluster has it, with its uid and status. `default_host` is the operator's setting;
    if it is not known, the status may say where a resource was asked that names no host.
    """
    name = place_of(body).name
    if not name:
        raise Invalid(Reason.INVALID_SPEC, "metadata.name: the resource has no name")
    raw, there = mapping(body.get("spec")), mapping(existing)
    spec = with_host(parse_spec(raw), default_host or host_of({"status": there.get("status")}))
    ask = ask_of(spec, namespace)
    policies = declared_targets(spec, namespace)
    check_targets(policies, ask.token_key)
    metadata = mapping(there.get("metadata"))
    generation = number(metadata.get("generation")) + (raw != there.get("spec"))
    status = mapping(there.get("status"))
    resource = Resource(ObjectKey(namespace, name), text(metadata.get("uid")), generation, None, raw, status)
    return Subject(task_of(resource, spec, policies), ask)


def made(of: Subject, answer: Snapshot, digest_key: bytes) -> Made:
    """Return the targets of a PhaseSecret for an answer; raise ExpectedError if no entry of it can be taken."""
    context, query = of.context, source_query(of.ask, "")
    spec = context.spec
    chosen = check(spec, choose(spec, query, answer, context.folders))
    if chosen.error is not None:
        raise chosen.error
    entries = tuple(chosen.entries)
    targets = render(spec, context.owner, entries, digest_key, dynamic=answer.dynamic, impersonation=True)
    said = (note(spec, chosen, answer), None if chosen.warning is None else chosen.warning.message)
    notes = [each for each in said if each is not None]
    return Made(of, answer, entries, tuple(targets), (*notes, *_by_settings(of)))


def field_of(message: str) -> tuple[str | int, ...]:
    """Return the path of the field that a message of an invalid spec begins with; () if it names none."""
    found = _FIELD.match(message)
    if found is None:
        return ()
    return tuple(int(part) if part.isdecimal() else part for part in _PART.findall(found.group()))


def _by_settings(of: Subject) -> Iterator[str]:
    """Yield notes on what the operator does only if its settings allow it."""
    elsewhere = sorted({ref.key.namespace for ref in of.context.target_policies} - {of.key.namespace})
    if of.ask.foreign:
        yield f"the token is in namespace {of.ask.token_key.namespace}: that takes a grant (--grant of the operator)"
    if elsewhere:
        yield f"targets in namespace {', '.join(elsewhere)} take a grant (--grant of the operator)"
    if impersonates(of.context.spec):
        yield "a secretType of its targets takes --allow-impersonation-types of the operator"
