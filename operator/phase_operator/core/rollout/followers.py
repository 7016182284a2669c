"""A target as its followers see it: which workloads follow it, and what it holds.

Rule: a target is judged by its metadata alone. An annotation, written together with the content, has the digests of
its keys; the values are never read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import Followers, TargetFields
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mapping, mappings, text, texts
from phase_operator.core.label_selector import Selector, parse_selector
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.targets.fingerprint import KeyDigests, merge_key_digests, read_key_digests
from phase_operator.core.targets.merge import read_mark
from phase_operator.core.targets.owned_fields import data_keys
from phase_operator.core.targets.policy import spec_targets


@dataclass(frozen=True, slots=True)
class Policy:
    """Which workloads follow a target: the target's own setting, its selector, and the PhaseSecret's selector."""

    followers: Followers = Followers.ANNOTATED
    selectors: tuple[Selector, ...] = ()

    def admits(self, workload: Workload) -> bool:
        """Return whether the workload is restarted for this target."""
        if workload.refuses or not self._asks_for(workload):
            return False
        return all(selector.matches(workload.labels) for selector in self.selectors)

    def _asks_for(self, workload: Workload) -> bool:
        return self.followers is Followers.ALL or (self.followers is Followers.ANNOTATED and workload.annotated)


class Gap(Enum):
    """Why the content of a target has no digests."""

    # The object does not exist.
    ABSENT = "absent"
    # The object exists, and its annotation is missing, was made with another key, or is not ours.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KnownContent:
    """The content of an object, and when we last wrote it, as RFC 3339; "" if that is not known."""

    content: KeyDigests | Gap
    written_at: str = ""


@dataclass(frozen=True, slots=True)
class FollowedTarget:
    """A target as its followers see it: who follows it, and what it holds in the cluster now."""

    # One policy for each PhaseSecret that writes the target. More than one PhaseSecret may merge into an object.
    policies: tuple[Policy, ...]
    content: KeyDigests | Gap
    # When we last wrote it, by the API server's clock, as RFC 3339; "" if that is not known. A write of metadata alone
    # counts, too. A time that is too late may cost one restart too many, and never one too few.
    written_at: str = ""

    def admits(self, workload: Workload) -> bool:
        """Return whether the workload is restarted for this target."""
        return any(policy.admits(workload) for policy in self.policies)


ABSENT = KnownContent(Gap.ABSENT)


def known_content(metadata: Mapping[str, Any] | None, digest_key: bytes) -> KnownContent:
    """Return what an object holds, by its metadata; None means that the object does not exist.

    The content is unknown if we did not write the object, or wrote it with another digest key.
    """
    if metadata is None:
        return ABSENT
    annotations, applies = texts(metadata.get("annotations")), list(_applies(metadata))
    whole = _whole(applies, annotations, digest_key)
    if whole is not None:
        # A PhaseSecret that takes a whole object back leaves the marks of others on it, but not their keys.
        applies = [each for each in applies if data_keys(mapping(each.get("fieldsV1")))]
    shares = _shares(applies, annotations, digest_key)
    if whole is None:
        return _together(shares) if shares else KnownContent(Gap.UNKNOWN)
    # One PhaseSecret gave the whole object up, and others have merged into it since.
    return _together([whole, *shares]) if shares and whole.content is not Gap.UNKNOWN else whole


def _applies(metadata: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the managedFields entries of server-side applies of the object itself."""
    for entry in mappings(metadata.get("managedFields")):
        if entry.get("operation") == "Apply" and not entry.get("subresource"):
            yield entry


def _whole(
    applies: Sequence[Mapping[str, Any]], annotations: Mapping[str, str], digest_key: bytes
) -> KnownContent | None:
    """Return the content of an object that one PhaseSecret has as a whole; None if none has it so."""
    written_at = [text(entry.get("time")) for entry in applies if text(entry.get("manager")) == names.FIELD_MANAGER]
    if not written_at or not annotations.get(names.ANNOTATION_OWNER):
        return None
    found = read_key_digests(annotations.get(names.ANNOTATION_KEYS, ""), digest_key)
    return KnownContent(found or Gap.UNKNOWN, written_at[-1])


def _share(entry: Mapping[str, Any], annotations: Mapping[str, str], digest_key: bytes) -> KnownContent | None:
    """Return the content of a merged share; None if the entry is of no share, or its digests cannot be read."""
    manager = text(entry.get("manager"))
    if not manager.startswith(names.MERGE_MANAGER_PREFIX):
        return None
    found = read_key_digests(text(read_mark(annotations, manager).get("content")), digest_key)
    return None if found is None else KnownContent(found, text(entry.get("time")))


def _shares(
    applies: Iterable[Mapping[str, Any]], annotations: Mapping[str, str], digest_key: bytes
) -> list[KnownContent]:
    """Return the contents of the merged shares that can be read."""
    found = (_share(each, annotations, digest_key) for each in applies)
    return [share for share in found if share is not None]


def _together(shares: Sequence[KnownContent]) -> KnownContent:
    contents = [each.content for each in shares if isinstance(each.content, KeyDigests)]
    return KnownContent(merge_key_digests(contents), max(each.written_at for each in shares))


def check_selectors(spec: PhaseSecretSpec) -> None:
    """Raise Invalid if a selector of workloads cannot be parsed."""
    _policies(spec)


def policies(spec: PhaseSecretSpec, namespace: str) -> dict[TargetRef, Policy]:
    """Return the policy of each target of a spec; raise Invalid if a selector cannot be parsed."""
    return {ref: policy for (ref, _), policy in zip(spec_targets(spec, namespace), _policies(spec), strict=True)}


def _policies(spec: PhaseSecretSpec) -> list[Policy]:
    """Return the policy of each target of a spec, in the order of the spec."""
    general = _selector(spec.redeploy_label_selector, "spec.redeployLabelSelector")
    return [_policy(target, general, field) for field, target in _fields(spec)]


def _fields(spec: PhaseSecretSpec) -> Iterator[tuple[str, TargetFields]]:
    """Yield the targets of a spec, each with its path in the spec, in the order of the spec."""
    for number, secret in enumerate(spec.managed_secret_references):
        yield f"spec.managedSecretReferences[{number}]", secret
    for number, config_map in enumerate(spec.managed_config_map_references):
        yield f"spec.managedConfigMapReferences[{number}]", config_map


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
