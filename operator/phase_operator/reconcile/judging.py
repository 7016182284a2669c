"""Judge one target: by what stands, by what an answer has for it, and by what the spec says of losses.

Rule: nothing is awaited or written here; `decide` of core/standing.py has the word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.folders import normal_path
from phase_operator.core.guard import Moved
from phase_operator.core.offers import departed, note, offer, terms
from phase_operator.core.outcome import SourceFacts, TargetResult
from phase_operator.core.query import Revision, SourceQuery
from phase_operator.core.rendering import Rendering
from phase_operator.core.standing import Decision, Hold, decide, stood
from phase_operator.core.targets import Desired, Observed, Owner
from phase_operator.core.values import Entry, Snapshot
from phase_operator.core.wanted import told_targets
from phase_operator.reconcile.task import Task


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer to a question, and how far it is to be believed."""

    query: SourceQuery
    answer: Snapshot
    # None: it is not known to be the newest.
    revision: Revision | None
    # Phase said so at least twice.
    twice: bool
    # What left on purpose.
    moved: tuple[Moved, ...]


class Judge:
    """Judges one target."""

    def __init__(self, task: Task, heard: Heard, rendering: Rendering, entries: Sequence[Entry]) -> None:
        self.task, self.rendering = task, rendering
        self._heard, self._entries = heard, entries
        status = task.resource.status
        self._before = next((told for ref, told in told_targets(status) if ref == rendering.ref), {})
        self._terms = terms(
            rendering,
            task.spec,
            task.claims[rendering.ref],
            self._before,
            selects=bool(entries),
            twice=heard.twice,
        )

    @cached_property
    def desired(self) -> Desired:
        """The target as it should be, if need be without any entry; raises what keeps it from being made."""
        return self.rendering.make(Owner(self.task.key, self.task.resource.uid))

    def decide(self, observed: Observed | None) -> Decision:
        """Say what is to be done, where this stands."""
        resource, heard = self.task.resource, self._heard
        stands = stood(observed, self.task.key, self._before, resource.status, resource.generation)
        names = self.desired.names if self.rendering.taken else frozenset()
        found = offer(
            self.rendering,
            self.task.spec,
            heard.query,
            heard.answer.app_id,
            self._entries,
            heard.moved,
            stands,
            names,
        )
        decision = decide(stands, found, self._terms)
        if isinstance(decision, Hold) and decision.error.reason is Reason.NO_ENTRIES:
            how = "it is empty" if stands is not None and not stands.entries else "it stays as it is"
            return Hold(Waiting(Reason.NO_ENTRIES, f"{self.rendering.nothing}; {how}"))
        return decision

    def doubt(self, observed: Observed | None) -> ExpectedError | None:
        """Say why what stands is to be left as it is, or None."""
        decision = self.decide(observed)
        return decision.error if isinstance(decision, Hold) else None

    def told(self, result: TargetResult) -> TargetResult:
        """Return how the target stands, with what there is to know of it."""
        rendering = self.rendering
        result = replace(result, ref=rendering.ref)
        if not result.ready:
            return result
        spec, heard, taken = self.task.spec, self._heard, len(rendering.taken)
        found = replace(
            result,
            message=note(rendering, departed(rendering, spec, heard.query, self._entries, heard.moved)),
            selection=str(rendering.asked),
            entries=taken if taken != result.keys else None,
        )
        is_lacking = self._terms.required and not self._terms.allow_empty and not taken
        return replace(found, ready=False, reason=Reason.NO_ENTRIES) if is_lacking else found


def source_facts(task: Task, heard: Heard, entries: Sequence[Entry]) -> SourceFacts:
    """Say what was read."""
    path = normal_path(task.spec.phase_app_env_path)
    return SourceFacts(heard.answer.app_id, heard.query.environment, path, len(entries))


def told_facts(status: Mapping[str, Any]) -> SourceFacts | None:
    """Return what a status says was read, if it says it in full."""
    source = status.get("source")
    match source:
        case {"appId": str(app_id), "environment": str(environment), "path": str(path), "entries": int(entries)}:
            return SourceFacts(app_id, environment, path, entries)
        case _:
            return None
