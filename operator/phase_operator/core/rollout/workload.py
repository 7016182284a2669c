"""A workload as restarts see it: its pod template, what the template reads, its baseline and its roll-out.

Rule: a workload is foreign JSON, so nothing here raises. A baseline counts only while we own its labels: a person who
copies a manifest, or applies an old one, copies our labels with it and owns the copies.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.core.json_access import at, canonical, mapping, mappings, text, texts, without
from phase_operator.core.rollout.baseline import from_labels
from phase_operator.core.rollout.pod_references import Reference, references
from phase_operator.core.rollout.progress import RolloutState, WorkloadKind, rollout_state
from phase_operator.core.targets.fingerprint import READ_SIZE
from phase_operator.core.values import ObjectKey

_TEMPLATE = ("spec", "template")


@dataclass(frozen=True, slots=True)
class Api:
    """Where the API server serves a kind, and where its pod template is."""

    version: str
    plural: str
    template: tuple[str, ...] = _TEMPLATE


APIS: dict[WorkloadKind, Api] = {
    WorkloadKind.DEPLOYMENT: Api("apps/v1", "deployments"),
    WorkloadKind.STATEFUL_SET: Api("apps/v1", "statefulsets"),
    WorkloadKind.DAEMON_SET: Api("apps/v1", "daemonsets"),
    WorkloadKind.CRON_JOB: Api("batch/v1", "cronjobs", ("spec", "jobTemplate", "spec", "template")),
    WorkloadKind.ROLLOUT: Api("argoproj.io/v1alpha1", "rollouts"),
}


@dataclass(frozen=True, slots=True, order=True)
class WorkloadRef:
    """Kind, namespace and name of a workload."""

    kind: WorkloadKind
    key: ObjectKey

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload, as it was read. It keeps its whole template in memory, so judge it and drop it."""

    ref: WorkloadRef
    uid: str
    resource_version: str
    labels: Mapping[str, str]
    # The official annotation has a value other than "false", or "false".
    annotated: bool
    refuses: bool
    references: tuple[Reference, ...]
    rollout_state: RolloutState
    # The text of its baseline; "" if there is none, or it is not ours.
    running: str
    # Our mark in the pod template; "" if there is none. It may be a copy of ours that others wrote.
    content: str
    content_is_ours: bool
    # When others last wrote the pod template, by the API server's clock, as RFC 3339; "" if they never did.
    edited_at: str
    template: Mapping[str, Any] = field(repr=False)
    # A cache of its digest: a template may be larger than a megabyte.
    _digests: list[bytes] = field(default_factory=list, repr=False, compare=False)

    def template_digest(self) -> bytes:
        """Return a digest of the pod template without our own mark."""
        if not self._digests:
            self._digests.append(self._template_digest())
        return self._digests[0]

    def _template_digest(self) -> bytes:
        metadata = mapping(self.template.get("metadata"))
        rest = without(mapping(metadata.get("annotations")), names.ANNOTATION_CONTENT)
        # A map with nothing but our mark is left out, too, so that the digest is the same before and after a restart.
        parts = [without(metadata, "annotations"), rest, without(self.template, "metadata")]
        try:
            written = canonical(parts)
        except RecursionError:
            # No pod can be made from a template this deep. Any form will do, as long as different ones differ.
            written = "\n".join(_flat(parts))
        return hashlib.blake2b(written.encode(), digest_size=READ_SIZE).digest()


def _flat(value: object) -> Iterator[str]:
    """Yield texts for JSON of any depth; different JSON yields different texts."""
    left: list[object] = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            yield f"{{{len(each)}"
            left.extend(part for name in sorted(each) for part in (each[name], str(name)))
        elif isinstance(each, list):
            yield f"[{len(each)}"
            left.extend(each)
        else:
            yield json.dumps(each)


def read_workload(kind: WorkloadKind, found: Mapping[str, Any]) -> Workload | None:
    """Return what a restart must know of a workload; None if there is nothing to restart.

    None for a workload without a pod template, such as a Rollout that uses a Deployment's, and for one that is being
    deleted.
    """
    metadata = mapping(found.get("metadata"))
    template = at(found, APIS[kind].template)
    if not template or metadata.get("deletionTimestamp"):
        return None
    annotations = mapping(metadata.get("annotations"))
    refuses = text(annotations.get(names.ANNOTATION_REDEPLOY)).strip().lower() == "false"
    labels = texts(metadata.get("labels"))
    ours = _fields_of(metadata, ours=True)
    template_fields = tuple(f"f:{part}" for part in APIS[kind].template)
    marks = mapping(mapping(template.get("metadata")).get("annotations"))
    return Workload(
        ref=WorkloadRef(kind, ObjectKey(text(metadata.get("namespace")), text(metadata.get("name")))),
        uid=text(metadata.get("uid")),
        resource_version=text(metadata.get("resourceVersion")),
        labels=labels,
        annotated=names.ANNOTATION_REDEPLOY in annotations and not refuses,
        refuses=refuses,
        references=references(template.get("spec")),
        rollout_state=rollout_state(kind, found),
        running=from_labels(labels, lambda name: _owns(ours, (), "f:labels", name)),
        content=text(marks.get(names.ANNOTATION_CONTENT)),
        content_is_ours=_owns(ours, template_fields, "f:annotations", names.ANNOTATION_CONTENT),
        edited_at=_edited_at(metadata, template_fields),
        template=template,
    )


def _edited_at(metadata: Mapping[str, Any], template_fields: tuple[str, ...]) -> str:
    """Return when others last wrote the pod template; "" if they never did."""
    times = (time for fields, time in _fields_of(metadata, ours=False) if at(fields, template_fields))
    return max(times, default="")


def _fields_of(metadata: Mapping[str, Any], *, ours: bool) -> list[tuple[Mapping[str, Any], str]]:
    """Return the fields that we applied, or those that others wrote, each set with its time."""
    return [
        (mapping(entry.get("fieldsV1")), text(entry.get("time")))
        for entry in mappings(metadata.get("managedFields"))
        if not entry.get("subresource") and ours is _is_our_apply(entry)
    ]


def _is_our_apply(entry: Mapping[str, Any]) -> bool:
    return (entry.get("manager"), entry.get("operation")) == (names.FIELD_MANAGER, "Apply")


def _owns(managed: list[tuple[Mapping[str, Any], str]], path: tuple[str, ...], part: str, name: str) -> bool:
    where = (*path, "f:metadata", part)
    return any(f"f:{name}" in at(fields, where) for fields, _ in managed)
