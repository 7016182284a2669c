"""What one PhaseSecret asks for: everything that a run derives from its spec and status, derived once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.errors import Invalid
from phase_operator.core.flow.backoff import DEFAULT_INTERVAL
from phase_operator.core.json_access import mappings
from phase_operator.core.leases.lowered import lowered
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.rollout.followers import check_selectors
from phase_operator.core.source.folders import Folders, folders
from phase_operator.core.source.shrink_guard import Guard
from phase_operator.core.status.recorded import newest_versions
from phase_operator.core.targets.policy import TargetPolicy, declared_targets
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.calls import Subscription
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.store import Resource

Spec = TypeVar("Spec", bound=BaseModel)
# The most processors of all targets in a field: more take tens of milliseconds to be parsed.
_MOST_PROCESSORS = 10_000
_LEFT_OUT = (
    "spec: with the others of its kind in its namespace it takes more memory than the operator gives to one namespace; "
    "make them smaller or fewer, and edit this one again"
)
# Thousands of resources say the same: one instance serves them all.
_guard = lru_cache(1024)(Guard)
_subscription = lru_cache(1024)(Subscription)


@dataclass(frozen=True, slots=True)
class Declared:
    """A PhaseSecret, the targets that its spec names, and the versions that its status records."""

    key: ObjectKey
    resource: Resource
    # In the spec's order, each with its target policy.
    target_policies: Mapping[TargetRef, TargetPolicy]
    # The name of the newest object of each versioned target.
    versions: Mapping[TargetRef, str]

    @property
    def owner(self) -> Owner:
        """The PhaseSecret, as its targets name it."""
        return Owner(self.key, self.resource.uid)


@dataclass(frozen=True, slots=True)
class RunContext(Declared):
    """One PhaseSecret with a valid spec, as one run sees it."""

    spec: PhaseSecretSpec
    # The folders of Phase that it takes.
    folders: Folders
    # The host that it is asked at, for the status; "" if the spec names it, or if it is Phase's cloud.
    assumed_host: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether the status claims that all is in step, for the spec as it is now."""
        resource, status = self.resource, self.resource.status
        forced = resource.sync is not None and resource.sync != status.get("lastForcedSync")
        return not forced and status.get("observedGeneration") == resource.generation and _says_ready(status)

    @property
    def urgency(self) -> PollPriority:
        """How urgent a first answer is."""
        return PollPriority.EDITED if self.resource.status.get("lastSyncedTime") else PollPriority.NEW

    def subscription(self) -> Subscription:
        """Return how the PhaseSecret takes part in its query."""
        spec = self.spec
        guard = _guard(tuple(spec.keys.include), tuple(spec.keys.exclude), spec.shrink or 100, self.folders)
        interval = float(spec.polling_interval or DEFAULT_INTERVAL)
        return _subscription(interval, self.urgency, guard, self.is_settled)


def _says_ready(status: Mapping[str, Any]) -> bool:
    judged = mappings(status.get("conditions"))
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in judged)


def task_of(
    resource: Resource,
    spec: PhaseSecretSpec,
    target_policies: Mapping[TargetRef, TargetPolicy],
    assumed_host: str = "",
) -> RunContext:
    """Return what a run works with; `target_policies` are the targets that `resource` was admitted to.

    Raises Invalid for errors that no single field's rule finds: a folder outside the PhaseSecret's own, or a selector
    of workloads that is not valid.
    """
    taken = folders(spec)
    # An invalid selector of workloads has to be reported before anything is written.
    check_selectors(spec)
    versions = newest_versions(resource.status)
    return RunContext(resource.key, resource, target_policies, versions, spec, taken, assumed_host)


def declared_by(resource: Resource) -> Declared:
    """Return what a PhaseSecret declares; no targets if its spec is not valid.

    The objects that it wrote are then known from its status and from the marks on them.
    """
    target_policies: Mapping[TargetRef, TargetPolicy]
    try:
        target_policies = declared_targets(parse_spec(resource.spec, resource.key.kind), resource.key.namespace)
    except Invalid:
        target_policies = {}
    return Declared(resource.key, resource, target_policies, newest_versions(resource.status))


def spec_of(resource: Resource) -> PhaseSecretSpec:
    """Return the part of a resource's spec that is about targets; raise Invalid with the field's path.

    The spec may not be kept either, since the resources of its namespace are too large together.
    """
    if resource.is_left_out:
        raise Invalid(Reason.INVALID_SPEC, _LEFT_OUT)
    return parse_spec(resource.spec, resource.key.kind)


def parse_spec(spec: Mapping[str, Any], kind: str = "") -> PhaseSecretSpec:
    """Parse the spec; of another kind than PhaseSecret, it is the part that is about targets. Raises Invalid."""
    return parsed(PhaseSecretSpec, spec if not kind else lowered(spec))


def parsed(model: type[Spec], spec: Mapping[str, Any]) -> Spec:
    """Parse the spec; raise Invalid with the field's path. Input is not quoted: it could be a pasted secret value."""
    for name in names.TARGET_FIELDS:
        if _processors(spec.get(name)) > _MOST_PROCESSORS:
            message = f"spec.{name}: its targets have more than {_MOST_PROCESSORS:,} processors together"
            raise Invalid(Reason.INVALID_SPEC, message)
    try:
        return model.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["spec", *(str(part) for part in first["loc"])])
        raise Invalid(Reason.INVALID_SPEC, f"{where}: {first['msg']}") from None


def _processors(targets: object) -> int:
    if not isinstance(targets, list):
        return 0
    found = (each.get("processors") for each in targets if isinstance(each, dict))
    return sum(len(each) for each in found if isinstance(each, dict))
