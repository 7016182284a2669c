"""Render a ConfigMap.

Rule: the renderer accepts `ConfigEntry` and no other class, so a secret value cannot get into a ConfigMap. The check at
run time is for callers without a type checker.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from phase_operator.api.v1alpha1.phasesecret import ManagedConfigMapReference
from phase_operator.core.content.data import build_data, metadata
from phase_operator.core.content.template import MAX_WORK
from phase_operator.core.content.work_limit import WorkLimit
from phase_operator.core.refs import Owner, TargetRef
from phase_operator.core.targets.desired import Desired, desired
from phase_operator.core.targets.policy import policy
from phase_operator.core.values import ConfigEntry, Entry


def render_config_map(
    ref: TargetRef,
    owner: Owner,
    spec: ManagedConfigMapReference,
    entries: Iterable[ConfigEntry],
    digest_key: bytes,
    *,
    work_limit: WorkLimit | None = None,
) -> Desired:
    """Return the ConfigMap with these entries; raise ExpectedError if a key, value or size makes it impossible.

    The work of its templates counts for `work_limit`, or for a limit of its own.
    """
    work_limit = work_limit or WorkLimit(MAX_WORK)
    taken = _guarded(entries)
    data = build_data(spec, taken, work_limit)
    return desired(
        ref,
        owner,
        _body(data) | ({"immutable": True} if spec.immutable else {}),
        data,
        metadata(spec, taken, work_limit),
        policy(spec),
        digest_key,
        is_versioned=spec.versioned is not None,
    )


def _body(data: Mapping[str, bytes]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, value in sorted(data.items()):
        try:
            body.setdefault("data", {})[key] = value.decode()
        except UnicodeDecodeError:
            body.setdefault("binaryData", {})[key] = base64.b64encode(value).decode()
    return body


def _guarded(entries: Iterable[Entry]) -> list[ConfigEntry]:
    guarded: list[ConfigEntry] = []
    for entry in entries:
        if not isinstance(entry, ConfigEntry) or entry.type != "config":
            raise TypeError("a ConfigMap takes entries of type config only")
        guarded.append(entry)
    return guarded
