"""What one PhaseSecret asks for: everything that a run derives from its spec and status, derived once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from pydantic import ValidationError

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.errors import Invalid
from phase_operator.core.flow.backoff import DEFAULT_INTERVAL
from phase_operator.core.flow.fair_queue import Urgency
from phase_operator.core.json_access import mappings
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import Policy
from phase_operator.core.rollout.followers import policies
from phase_operator.core.source.folders import Folders, folders
from phase_operator.core.source.query import SourceQuery
from phase_operator.core.source.selection import select, select_without_patterns
from phase_operator.core.source.shrink_guard import Guard
from phase_operator.core.status.recorded import standing_versions
from phase_operator.core.targets.policy import Claim, places, wanted
from phase_operator.core.values import Entry, ObjectKey, Snapshot
from phase_operator.reconcile.polling.calls import Subscription
from phase_operator.reconcile.store import Resource

# Thousands of resources say the same: one instance serves them all.
_guard = lru_cache(1024)(Guard)
_subscription = lru_cache(1024)(Subscription)


@dataclass(frozen=True)
class Task:
    """One PhaseSecret as one run sees it; anything here may raise Invalid."""

    resource: Resource

    @property
    def key(self) -> ObjectKey:
        """Its namespace and name."""
        return self.resource.key

    @cached_property
    def spec(self) -> PhaseSecretSpec:
        """The spec, parsed."""
        return parse_spec(self.resource.spec)

    @cached_property
    def claims(self) -> Mapping[TargetRef, Claim]:
        """The targets, in the spec's order, with what is claimed of each."""
        return wanted(self.spec, self.key.namespace)

    @cached_property
    def versions(self) -> Mapping[TargetRef, str]:
        """The name of the newest object of each versioned target."""
        return standing_versions(self.resource.status)

    @cached_property
    def versioned(self) -> frozenset[TargetRef]:
        """The targets that are versioned."""
        return frozenset(ref for ref, target in places(self.spec, self.key.namespace) if target.versioned)

    @cached_property
    def policies(self) -> Mapping[TargetRef, Policy]:
        """Who follows each target."""
        return policies(self.spec, self.key.namespace)

    @cached_property
    def folders(self) -> Folders:
        """The folders of Phase that it takes."""
        return folders(self.spec)

    def check(self) -> None:
        """Raise Invalid if something in the spec cannot be understood that no field's own rule finds."""
        _ = self.folders, self.policies

    def select(self, snapshot: Snapshot, query: SourceQuery) -> tuple[Entry, ...]:
        """Return the entries that it takes of an answer."""
        return select(snapshot.entries, query, self.spec.keys, self.folders)

    def select_without_patterns(self, snapshot: Snapshot, query: SourceQuery) -> tuple[tuple[Entry, ...], bool]:
        """Return what can be told of an answer that the patterns take too long for; see core/source/selection.py."""
        return select_without_patterns(snapshot.entries, query, self.spec.keys, self.folders)

    @cached_property
    def is_settled(self) -> bool:
        """Whether the status claims that all is in step, for the spec as it is now."""
        resource, status = self.resource, self.resource.status
        judged = mappings(status.get("conditions"))
        ready = any(each.get("type") == "Ready" and each.get("status") == "True" for each in judged)
        forced = resource.sync is not None and resource.sync != status.get("lastForcedSync")
        return ready and not forced and status.get("observedGeneration") == resource.generation

    @property
    def urgency(self) -> Urgency:
        """How urgent a first answer is."""
        return Urgency.EDITED if self.resource.status.get("lastSyncedTime") else Urgency.NEW

    def subscription(self) -> Subscription:
        """Say how it takes part in its question."""
        spec = self.spec
        guard = _guard(tuple(spec.keys.include), tuple(spec.keys.exclude), spec.shrink or 100, self.folders)
        interval = float(spec.polling_interval or DEFAULT_INTERVAL)
        return _subscription(interval, self.urgency, guard, self.is_settled)


def parse_spec(spec: Mapping[str, Any]) -> PhaseSecretSpec:
    """Read the spec; raise Invalid with the field's path. Input is not quoted: a value may have been pasted there."""
    try:
        return PhaseSecretSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["spec", *(str(part) for part in first["loc"])])
        raise Invalid(Reason.INVALID_SPEC, f"{where}: {first['msg']}") from None
