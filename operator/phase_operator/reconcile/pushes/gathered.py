"""The sources of a resource: found by their metadata, and read only where a value is needed.

Rule: what may not be pushed is judged before its values are asked for. Values are kept while a push goes on, in the
share of memory that the namespace has, and let go when it rests.
"""

from dataclasses import dataclass, field

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.limits import MOST_ENTRIES
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.readers import ANY_VERSION, version_digest
from phase_operator.core.push.sources import Rule, Source, SourceState, source_problem
from phase_operator.core.push.spec import PushSpec
from phase_operator.core.refs import Kind
from phase_operator.core.source.answer_memory import AnswerMemory
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.pushes.ports import PushSources, SourceObject
from phase_operator.reconcile.pushes.subject import PushSubject, ReadSource, SettledSource

# More would have more than an entry each; a Secret that gives none is named by nobody.
MOST_SOURCES = MOST_ENTRIES


@dataclass(frozen=True, slots=True)
class FoundSource:
    """A source by its metadata, and what the spec makes of it."""

    object: SourceObject
    rule: Rule

    @property
    def name(self) -> str:
        """Its name among all sources, as rows of ledgers have it."""
        return f"{self.object.kind}/{self.object.name}"


@dataclass(frozen=True, slots=True)
class Found:
    """All sources of a resource as they are now."""

    sources: tuple[FoundSource, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    # Sources that the spec names and that are not there: who makes a Secret anew deletes it for a moment.
    missing: frozenset[str] = frozenset()

    @property
    def versions(self) -> dict[tuple[Kind, str], int]:
        """Digests of versions of all that the spec takes, also of what is refused, of which no version is known."""
        refused = (each.partition("/") for each in self.refused)
        found = {(each.object.kind, each.object.name): each.object for each in self.sources}
        return {(Kind(kind), name): ANY_VERSION for kind, _, name in refused} | {
            name: version_digest(each.uid, each.version) for name, each in found.items()
        }

    @property
    def states(self) -> tuple[SourceState, ...]:
        """Names and versions."""
        return tuple(SourceState(each.name, each.object.version) for each in self.sources)


class SourceGatherer:
    """Finds and reads the sources of resources."""

    def __init__(self, sources: PushSources, memory: AnswerMemory) -> None:
        self._sources = sources
        self._memory = memory

    async def find(self, push: PushSpec, namespace: str) -> Found:
        """Return the sources by their metadata; raise ExpectedError."""
        missing: list[str] = []
        objects: dict[tuple[Kind, str], SourceObject] = {}
        for kind, name in push.named:
            each = await self._sources.look(kind, ObjectKey(namespace, name), push.selectors)
            if each is None:
                missing.append(f"{kind}/{name}")
            else:
                objects[kind, name] = each
        if push.selectors:
            selected = await self._sources.select(namespace, push.selectors, MOST_SOURCES)
            objects |= {(each.kind, each.name): each for each in selected}
        _check_number(len(objects))
        found: list[FoundSource] = []
        refused: dict[str, str] = {}
        for each in objects.values():
            rule = push.rule_of(each.kind, each.name, each.labels)
            if rule is None or (each.kind, each.name) == (Kind.SECRET, push.generate_into):
                continue
            source = FoundSource(each, rule)
            if why := _why_refused(each, source):
                refused[source.name] = why
            else:
                found.append(source)
        words = "is not there: what was pushed of it stays in Phase"
        problems = tuple(Problem(Reason.SOURCE_NOT_FOUND, f"{each} {words}") for each in missing)
        return Found(tuple(found), refused, problems, frozenset(missing))

    async def read(self, subject: PushSubject, found: Found, needed: frozenset[str], ledger: Ledger) -> list[Source]:
        """Return the sources, with the values of those that moved or that are `needed`; raise ExpectedError.

        A source is read, too, if the ledger lost one of its rows, since nothing else tells what it wants there.
        """
        sources = []
        rows = ledger.places_by_source() if subject.settled else {}
        for each in found.sources:
            settled = SettledSource(each.object.version, rows.get(each.name, frozenset()))
            if subject.settled.get(each.name) == settled and each.name not in needed:
                sources.append(_source(each, each.object.version, None))
                continue
            values = await self._values(subject, each)
            sources.append(_source(each, values.version, values))
        return sources

    async def _values(self, subject: PushSubject, found: FoundSource) -> ReadSource:
        """Return the values of a source; raise ExpectedError, also if it is not any more what was found."""
        known = subject.read.get(found.name)
        if known is not None and known.version == found.object.version:
            return known
        subject.read.pop(found.name, None)
        memory = self._memory.open(subject.key.namespace)
        each = found.object
        read = await self._sources.read(each.kind, ObjectKey(subject.key.namespace, each.name), memory)
        if read is None or read.data is None or read.uid != each.uid or _why_refused(read, found):
            # The next run finds it as it is; what is not there by now is not taken for something unwanted.
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, f"{found.name} changed while it was read")
        subject.read[found.name] = values = ReadSource(read.version, read.data, memory)
        return values


def _why_refused(each: SourceObject, found: FoundSource) -> str:
    return source_problem(
        each.kind, found.rule.type, secret_type=each.type, is_token=each.is_token, is_ours=each.is_ours
    )


def _source(found: FoundSource, version: str, values: ReadSource | None) -> Source:
    data = values.data if values is not None else None
    return Source(found.object.kind, found.object.name, version, found.rule, data)


def _check_number(number: int) -> None:
    if number > MOST_SOURCES:
        most = f"the spec selects more than the {MOST_SOURCES:,} sources that one resource pushes"
        raise Waiting(Reason.TOO_LARGE, f"{most}; narrow secretSelector, or make another resource")
