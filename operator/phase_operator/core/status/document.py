"""Outcome -> the whole status document and the Events of a change; deterministic, and without values.

Rule: a status is written only when it says something new. `lastSyncedTime` changes with a target or the verdict, never
with the clock alone, so equal outcomes make equal documents. Another version or a person may have written the old
status: targets that are not understood are kept, and the new status fits the CRD whatever the old one was.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import CATALOGUE, ConditionType, Reason
from phase_operator.core.errors import shortened
from phase_operator.core.json_access import bounded, mapping, mappings, number, only, text, without
from phase_operator.core.outcome import (
    Event,
    Failed,
    LeftOut,
    Pushed,
    PushedSource,
    Reported,
    SourceFacts,
    StatusDocument,
    Suspended,
    Synced,
    TargetResult,
    Verdict,
    verdict,
)
from phase_operator.core.status.recorded import recorded_ref, recorded_targets
from phase_operator.core.status.restarts import without_restarts

# The most left-out keys that one status names: it has to fit into etcd whatever their number.
_NAMED = 500
# The longest text that the CRD accepts. Names in Phase, and annotations, may be longer.
_MOST_TARGETS = 256
_LONGEST_ID, _LONGEST_NAME, _LONGEST_PATH, _LONGEST_HOST = 64, 253, 1024, 2048
LONGEST_SYNC = 256
_NEWS = frozenset({"leftOut", "restarted", "notRestarted"})
# What has writes of its own.
_LEDGERS = tuple(chain.from_iterable(names.LEDGERS.values()))
# The most sources of a push that a status names.
_MOST_SOURCES = 100
# The fields on what a target was made of. A status of an older version lacks them; that alone is no change.
_MADE_OF = ("entries", "selection")


def status_document(
    outcome: Reported,
    previous: Mapping[str, Any],
    *,
    generation: int,
    forced: str | None,
    now: str,
) -> StatusDocument:
    """Return the status after a run; equal to `previous` if there is nothing new to say."""
    found = verdict(outcome)
    document: StatusDocument = {
        "observedGeneration": generation,
        "conditions": conditions(found, list(mappings(previous.get("conditions"))), generation, now),
    }
    if targets := _targets(outcome, previous)[:_MOST_TARGETS]:
        document |= {"targets": targets, "keys": sum(number(target.get("keys")) for target in targets)}
    document |= _unless_empty("source", _source(outcome, previous)) | _forced_sync(forced, previous)
    document |= only(previous, *_LEDGERS, "account") | _account(outcome)
    document |= _push(outcome, previous)
    since = text(previous.get("lastSyncedTime"))
    is_forced = forced not in (None, previous.get("lastForcedSync"))
    is_news = not since or is_forced or _has_changed(outcome, document, previous)
    return document | _unless_empty("lastSyncedTime", now if found.ready and is_news else since)


def _push(outcome: Reported, previous: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is in step of a push. After a failed run nobody knows how many entries are."""
    match outcome:
        case Pushed(sources=sources, in_step=in_step):
            return {"sources": [_pushed_source(each) for each in sources[:_MOST_SOURCES]], "entriesInStep": in_step}
        case Failed():
            return only(previous, "sources")
        case _:
            return only(previous, "sources", "entriesInStep")


def _pushed_source(source: PushedSource) -> dict[str, Any]:
    return {
        "kind": source.kind,
        "name": source.name,
        "resourceVersion": source.version,
        "entries": source.entries,
    }


def _account(outcome: Reported) -> dict[str, Any]:
    account = outcome.source.account if isinstance(outcome, Synced) else ""
    return _unless_empty("account", bounded(account, _LONGEST_NAME))


def _forced_sync(forced: str | None, previous: Mapping[str, Any]) -> dict[str, Any]:
    last = previous.get("lastForcedSync") if forced is None else forced
    return {"lastForcedSync": bounded(last, LONGEST_SYNC)} if isinstance(last, str) else {}


def _unless_empty(name: str, value: object) -> dict[str, Any]:
    return {name: value} if value else {}


def _has_changed(outcome: Reported, document: StatusDocument, previous: Mapping[str, Any]) -> bool:
    """Return whether the run wrote a target, or its status says something else than the one before."""
    has_written = any(target.written for target in outcome.targets) or (isinstance(outcome, Pushed) and outcome.is_news)
    return has_written or _essence(document) != _essence(previous)


def _targets(outcome: Reported, previous: Mapping[str, Any]) -> list[dict[str, Any]]:
    match outcome:
        case Synced(targets=targets):
            return _entries(targets, previous) + _not_known(previous)
        case Failed(targets=targets):
            # The targets are as they were; whether they match Phase is not known now.
            written: Sequence[Mapping[str, Any]] = _entries(targets, previous)
            known = written or [target for _, target in recorded_targets(previous)]
            return [_doubted(target, str(outcome.reason)) for target in known] + _not_known(previous)
        case Suspended() | Pushed():
            return list(map(dict, mappings(previous.get("targets"))))


def _not_known(previous: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of targets that this version does not understand, as a later one wrote them."""
    return [dict(target) for target in mappings(previous.get("targets")) if recorded_ref(target) is None]


def _entries(targets: Sequence[TargetResult], previous: Mapping[str, Any]) -> list[dict[str, Any]]:
    before = dict(recorded_targets(previous))
    named = 0
    entries = []
    for target in targets:
        named += sum(len(each.keys) for each in target.left_out)
        entries.append(_made_of(_target(target, named=named <= _NAMED), target, before.get(target.ref, {})))
    return entries


def _made_of(found: dict[str, Any], result: TargetResult, before: Mapping[str, Any]) -> dict[str, Any]:
    """Add what a target was made of: the old values if it was not written, nothing if only that would be new."""
    if not result.ready or result.selection is None:
        return found | only(before, *_MADE_OF)
    if found == without_restarts(before):
        return found
    made = found | {"selection": result.selection}
    return made if result.entries is None else made | {"entries": result.entries}


def _target(result: TargetResult, *, named: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": str(result.ref.kind),
        "namespace": result.ref.key.namespace,
        "name": result.ref.key.name,
        "ready": result.ready,
        "reason": str(result.reason),
    }
    fields = {
        "keys": result.keys,
        "message": None if result.message is None else shortened(result.message),
        "version": result.version,
        "leftOut": [_left_out(each, named=named) for each in result.left_out] or None,
    }
    return found | {name: value for name, value in fields.items() if value is not None}


def _left_out(left_out: LeftOut, *, named: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"why": str(left_out.why), "count": left_out.count}
    return found | {"keys": list(left_out.keys)} if named and left_out.keys else found


def _doubted(target: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return without(target, "message") | {"ready": False, "reason": reason}


def _source(outcome: Reported, previous: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match outcome:
        case Synced(source=source) | Pushed(to=SourceFacts() as source):
            more = _unless_empty("dynamicSecretId", bounded(source.dynamic_secret, _LONGEST_NAME))
            return {
                "appId": bounded(source.app_id, _LONGEST_ID),
                "environment": bounded(source.environment, _LONGEST_NAME),
                "path": bounded(source.path, _LONGEST_PATH),
                "entries": source.entries,
                **_unless_empty("host", bounded(source.host, _LONGEST_HOST)),
                **more,
            }
        case _:
            return mapping(previous.get("source"))


def _essence(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the content of a status without its times."""
    judged = [
        (condition.get("type"), condition.get("status"), condition.get("reason"))
        for condition in mappings(document.get("conditions"))
    ]
    # Left-out keys and restarts of a target are news, but the target itself has not changed.
    targets = [without(target, *_hints(target)) for target in mappings(document.get("targets"))]
    return (judged, targets)


def _hints(target: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not describe a target's state; the message of a target in step is only a hint."""
    return _NEWS.union(_MADE_OF, {"message"} if target.get("ready") is True else ())


def change_warnings(outcome: Reported, previous: Mapping[str, Any]) -> tuple[Event, ...]:
    """Return those Events of a change that are Warnings."""
    return tuple(event for event in _changed_verdict(outcome, previous) if event.type == "Warning")


def change_events(outcome: Reported, previous: Mapping[str, Any]) -> tuple[Event, ...]:
    """Return the Events of a change: a target was written, or the verdict changed. Without a change, none."""
    found = [_written_event(target) for target in outcome.targets if target.written]
    return (*found, *_changed_verdict(outcome, previous))


def _changed_verdict(outcome: Reported, previous: Mapping[str, Any]) -> list[Event]:
    now = verdict(outcome)
    before = _ready(previous)
    if before == (now.ready, str(now.reason), now.message):
        return []
    return _verdict_events(outcome, now, was_ready=before is not None and before[0])


def _written_event(target: TargetResult) -> Event:
    keys = "1 key" if target.keys == 1 else f"{target.keys} keys"
    return Event("Normal", "TargetWritten", f"{target.ref}: {keys}")


def _verdict_events(outcome: Reported, now: Verdict, *, was_ready: bool) -> list[Event]:
    """Return the Event of a verdict that has changed; none if the PhaseSecret was ready and still is."""
    if not now.ready:
        return [Event("Warning", str(now.reason), now.message)]
    if isinstance(outcome, Synced) and outcome.warning is not None:
        return [Event("Warning", str(outcome.warning.reason), outcome.warning.message)]
    if now.reason is Reason.SUSPENDED or not was_ready:
        return [Event("Normal", str(now.reason), now.message)]
    return []


def _ready(status: Mapping[str, Any]) -> tuple[bool, str, str] | None:
    for condition in mappings(status.get("conditions")):
        if condition.get("type") == "Ready":
            return (condition.get("status") == "True", str(condition.get("reason")), str(condition.get("message")))
    return None


def conditions(
    verdict: Verdict, previous: Sequence[Mapping[str, Any]], generation: int, now: str
) -> list[dict[str, Any]]:
    """Return the conditions for a verdict, sorted by type."""
    wanted = (
        [(ConditionType.READY, "True")]
        if verdict.ready
        else [(ConditionType.READY, "False"), (_cause(verdict), "True")]
    )
    before = {str(condition.get("type")): condition for condition in previous}
    return [
        {
            "type": str(kind),
            "status": status,
            "observedGeneration": generation,
            "lastTransitionTime": _since(before.get(str(kind)), status, now),
            "reason": str(verdict.reason),
            "message": verdict.message,
        }
        for kind, status in sorted(wanted)
    ]


def _cause(verdict: Verdict) -> ConditionType:
    return ConditionType.STALLED if CATALOGUE[verdict.reason].stalled else ConditionType.RECONCILING


def _since(before: Mapping[str, Any] | None, status: str, now: str) -> str:
    if before is not None and before.get("status") == status and before.get("lastTransitionTime"):
        return str(before["lastTransitionTime"])
    return now
