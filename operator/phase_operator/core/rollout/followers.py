"""What workloads are told of a target: who follows it, by the spec; what it holds and since when, by its metadata.

Rule: a target is judged by its metadata alone, as everywhere; what it holds is told by the annotation that was written
with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import Followers, TargetFields
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mapping, mappings, text
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import Gap, Policy
from phase_operator.core.rollout.label_selector import Selector, parse_selector
from phase_operator.core.targets.fingerprint import Content, merged, read_content
from phase_operator.core.targets.merge import read_mark
from phase_operator.core.targets.owned_fields import data_keys
from phase_operator.core.targets.policy import config_map_ref, secret_ref


@dataclass(frozen=True, slots=True)
class Holding:
    """What an object holds, and when it was last written by us, as RFC 3339; "" if that is not known."""

    content: Content | Gap
    written_at: str = ""


ABSENT = Holding(Gap.ABSENT)


def holding(metadata: Mapping[str, Any] | None, digest_key: bytes) -> Holding:
    """Read an object's metadata, if there is one; what we did not write with this key is not known."""
    if metadata is None:
        return ABSENT
    annotations = {key: value for key, value in mapping(metadata.get("annotations")).items() if isinstance(value, str)}
    whole: Holding | None = None
    parts: list[Holding] = []
    # Those whose keys are theirs: who takes back a whole object leaves the marks of others behind.
    beside: list[Holding] = []
    for entry in mappings(metadata.get("managedFields")):
        manager, written_at = text(entry.get("manager")), text(entry.get("time"))
        if entry.get("operation") != "Apply" or entry.get("subresource"):
            continue
        if manager == names.FIELD_MANAGER and annotations.get(names.ANNOTATION_OWNER):
            found = read_content(annotations.get(names.ANNOTATION_KEYS, ""), digest_key)
            whole = Holding(found or Gap.UNKNOWN, written_at)
        elif manager.startswith(names.MERGE_MANAGER_PREFIX):
            part = read_content(text(read_mark(annotations, manager).get("content")), digest_key)
            if part is not None:
                parts.append(Holding(part, written_at))
                beside += parts[-1:] if data_keys(mapping(entry.get("fieldsV1"))) else []
    if whole is None:
        return _together(parts) if parts else Holding(Gap.UNKNOWN)
    # One PhaseSecret let go of it, and others merged into it since.
    return _together([whole, *beside]) if beside and whole.content is not Gap.UNKNOWN else whole


def _together(parts: Sequence[Holding]) -> Holding:
    contents = [each.content for each in parts if isinstance(each.content, Content)]
    return Holding(merged(contents), max(each.written_at for each in parts))


def policies(spec: PhaseSecretSpec, namespace: str) -> dict[TargetRef, Policy]:
    """Say for each target who follows it; raise Invalid if a selector cannot be read."""
    general = _selector(spec.redeploy_label_selector, "spec.redeployLabelSelector")
    found = {
        secret_ref(each, namespace): _policy(each, general, f"spec.managedSecretReferences[{number}]")
        for number, each in enumerate(spec.managed_secret_references)
    }
    return found | {
        config_map_ref(each, namespace): _policy(each, general, f"spec.managedConfigMapReferences[{number}]")
        for number, each in enumerate(spec.managed_config_map_references)
    }


def _policy(target: TargetFields, general: tuple[Selector, ...], field: str) -> Policy:
    own = _selector(target.restart.selector, f"{field}.restart.selector")
    return Policy(target.restart.workloads or Followers.ANNOTATED, (*general, *own))


def _selector(selector: str | None, field: str) -> tuple[Selector, ...]:
    if selector is None:
        return ()
    try:
        return (parse_selector(selector),)
    except Invalid as error:
        raise Invalid(Reason.INVALID_SPEC, f"{field}: {error.message}") from None
