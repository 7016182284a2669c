"""Which workloads read a target, which keys of it, and whether they are restarted for it.

Rule: found by the operator's own functions. What a person's view cannot know, such as grants, is not judged here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import Followers
from phase_operator.core.errors import Invalid
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.followers import Policy, policies
from phase_operator.core.rollout.pod_references import Reference
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.text import clean_listing
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.context import parse_spec


@dataclass(frozen=True, slots=True)
class Reader:
    """A workload that reads a target."""

    # Kind and name, as a status has them.
    name: str
    # Which keys, in words.
    reads: str
    is_follower: bool
    # Whether it is restarted for the target, and if not, why.
    follows: str


def policies_of(resource: Mapping[str, Any], key: ObjectKey) -> Mapping[TargetRef, Policy]:
    """Return which workloads follow each target of a resource; none if its spec is not valid."""
    try:
        return policies(parse_spec(resource.get("spec") or {}, key.kind), key.namespace)
    except Invalid:
        return {}


def reader(workload: Workload, target: TargetRef, policy: Policy | None) -> Reader | None:
    """Return how a workload reads a target; None if it does not, as one of another namespace."""
    if workload.ref.key.namespace != target.key.namespace:
        return None
    found = next((each for each in workload.references if _is_of(each, target)), None)
    if found is None:
        return None
    name = f"{workload.ref.kind} {workload.ref.key.name}"
    reads = "reads all keys" if found.keys is None else f"reads {clean_listing(found.keys)}"
    is_follower = policy is not None and policy.admits(workload)
    return Reader(name, reads, is_follower, _follows(workload, policy, is_follower=is_follower))


def _is_of(reference: Reference, target: TargetRef) -> bool:
    return (reference.kind, reference.name) == (target.kind, target.key.name)


def _follows(workload: Workload, policy: Policy | None, *, is_follower: bool) -> str:
    if is_follower:
        return "follows it"
    if policy is None:
        return "does not follow it: the spec does not name the target, or is not valid"
    if workload.refuses:
        return f"does not follow it: its annotation {names.ANNOTATION_REDEPLOY} is false"
    if policy.followers is Followers.NONE:
        return "does not follow it: the target's restart.workloads is None"
    if not Policy(policy.followers).admits(workload):
        return f"does not follow it: it lacks the annotation {names.ANNOTATION_REDEPLOY}"
    return "does not follow it: a selector does not match its labels"
