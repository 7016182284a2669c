"""The PhaseSecrets as the watch last showed them.

Rule: an object is kept as deflated JSON, because a tree of Python objects takes many times the memory, and parsed when
it runs. A large one is deflated less well, since the event loop waits for it. Each event is compared with the kept
object here, so that our own status writes start no run.
"""

import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pydantic_core import to_json

from phase_operator.api import names
from phase_operator.core.flow.namespace_bytes import NamespaceBytes
from phase_operator.core.json_access import bounded, loaded, mapping, mappings, number, strings, text, texts
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.source.query import source_name
from phase_operator.core.status.document import LONGEST_SYNC
from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey

# A change of any of these makes a run necessary: uid, generation, forced sync, life, finalizer for what is outside.
Version = tuple[str, int, str | None, "Lifecycle", bool]

# Raw deflate with a small window: an object is a few hundred bytes.
_WINDOW, _MEMORY = -12, 5
# The level, by the bytes of JSON at most, so that none takes 10 ms: a byte of the worst text takes 0.1 us at level 6,
# and 0.02 us at level 1. What is larger is copied.
_LEVELS = ((32 * 1024, 6), (400 * 1024, 1))
# Bytes that the PhaseSecrets of one namespace may take, as they are kept: about 30,000 usual ones.
_MOST = 16 * MIB
# A preset dictionary of common text for both directions: it reduces a kept status to a third.
_USUAL = json.dumps(
    [
        {
            "authentication": {"serviceToken": {"serviceTokenSecretReference": {"secretName": "phase-service-token"}}},
            "managedConfigMapReferences": [{"configMapName": ""}],
            "managedSecretReferences": [{"nameTransformer": "", "processors": {}, "secretType": "Opaque"}],
            "phaseApp": "",
            "phaseAppEnv": "production",
            "phaseAppEnvPath": "/",
            "phaseHost": "https://console.phase.dev",
            "pollingInterval": 60,
        },
        {"managedSecretReferences": [{"secretName": ""}]},
        {
            "observedGeneration": 1,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Synced",
                    "message": "1 target is in step",
                    "observedGeneration": 1,
                    "lastTransitionTime": "2026-",
                }
            ],
            "targets": [{"kind": "Secret", "namespace": "", "name": "", "ready": True, "reason": "Synced", "keys": 10}],
            "keys": 10,
            "source": {"appId": "", "environment": "production", "path": "/", "entries": 10},
            "lastSyncedTime": "2026-",
        },
    ],
    separators=(",", ":"),
).encode()


class Lifecycle(Enum):
    """Whether our finalizer keeps a PhaseSecret, and whether it is being deleted."""

    NO_FINALIZER = "free"
    # Our finalizer is on it.
    HAS_FINALIZER = "guarded"
    # It is being deleted, and waits until we remove our finalizer.
    DELETING = "ending"


@dataclass(frozen=True, slots=True)
class Resource:
    """One of our resources, parsed as far as every run needs."""

    key: ObjectKey
    uid: str
    generation: int
    sync: str | None
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    life: Lifecycle = Lifecycle.NO_FINALIZER
    # The finalizer for what is outside the cluster is on it.
    is_outside: bool = False
    # Its spec is not kept, since the PhaseSecrets of its namespace are too large together; `spec` is empty.
    is_left_out: bool = False
    # The start has shown it without a verdict, and none has been written since.
    is_of_start: bool = False

    @property
    def source(self) -> str:
        """App, environment and folder that it reads, for people; also for an invalid spec."""
        app = self.spec.get("phaseApp") or self.spec.get("phaseAppId") or "?"
        return source_name(app, self.spec.get("phaseAppEnv") or "production", self.spec.get("phaseAppEnvPath") or None)


@dataclass(frozen=True, slots=True)
class ReadySummary:
    """The Ready condition of the last status: True, False, or None while there is none."""

    ready: bool | None
    # Since when it has not been ready, in seconds since 1970; and whether it was ever ready.
    since: float | None = None
    was_ready: bool = False
    # There was no condition at the start, when everything was listed, and there is none now.
    is_of_start: bool = False


# Most are ready: one instance for all of them.
_UNJUDGED, _READY = ReadySummary(None), ReadySummary(True, was_ready=True)
_UNJUDGED_AT_START = ReadySummary(None, is_of_start=True)


@dataclass(frozen=True, slots=True)
class _Kept:
    # The one instance of the key, which all other structures share.
    key: ObjectKey
    uid: str
    generation: int
    sync: str | None
    spec: bytes
    status: bytes
    standing: ReadySummary
    life: Lifecycle
    is_outside: bool
    is_left_out: bool = False

    @property
    def size(self) -> int:
        """The bytes of its spec and status."""
        return len(self.spec) + len(self.status)


class PhaseSecretStore:
    """The objects of one kind: watch events write them, runs read them; for `kind` see ObjectKey.

    `is_starting` says whether what is shown was there before the process began.
    """

    def __init__(self, kind: str = "", is_starting: Callable[[], bool] = lambda: False) -> None:
        self.kind = kind
        self._is_starting = is_starting
        self._unjudged_since_start = 0
        self._kept: dict[ObjectKey, _Kept] = {}
        # Of specs and statuses.
        self._bytes = NamespaceBytes(_MOST)
        # What was parsed last: a run asks for its object several times.
        self._parsed: tuple[_Kept, Resource] | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def key_of(self, metadata: Mapping[str, Any]) -> ObjectKey:
        """Return the key of an object; its name is empty if the metadata has no valid one."""
        return ObjectKey(text(metadata.get("namespace")), text(metadata.get("name")), self.kind)

    def needs_reconcile(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether this metadata makes a run necessary."""
        kept = self._kept.get(self.key_of(metadata))
        known = None if kept is None else (kept.uid, kept.generation, kept.sync, kept.life, kept.is_outside)
        return known != version_of(metadata)

    def upsert(self, body: Mapping[str, Any]) -> bool:
        """Keep the object that the watch shows; return True if it makes a run necessary."""
        metadata = mapping(body.get("metadata"))
        if not self.needs_reconcile(metadata):
            # The status that we wrote is newer: a late event must not restore the old one.
            return False
        # Thousands of objects share a namespace: one string serves all of them.
        key = ObjectKey(sys.intern(text(metadata.get("namespace"))), text(metadata.get("name")), self.kind)
        before = self._kept.get(key)
        uid, generation, sync, life, is_outside = version_of(metadata)
        shown = mapping(body.get("status"))
        if before is not None:
            key = before.key
        if before is not None and before.uid == uid and before.status:
            # Only we write the status, so what we wrote is at least as new: the event of an edit that arrives late must
            # not make us forget what we have written.
            status, standing = before.status, before.standing
        else:
            status, standing = _pack(shown), _standing(shown)
            if standing is _UNJUDGED and self._is_starting():
                standing = _UNJUDGED_AT_START
        spec, room = _pack(mapping(body.get("spec"))), self._room(key)
        is_left_out = len(spec) + len(status) > room
        if is_left_out:
            # What it wrote is known from its status, and without that from the marks on its targets.
            spec, status = b"", status if len(status) <= room else b""
        self._keep(_Kept(key, uid, generation, sync, spec, status, standing, life, is_outside, is_left_out))
        return True

    def _room(self, key: ObjectKey) -> int:
        """Return how many bytes an object may take."""
        return self._bytes.left(key.namespace) + self._size(key)

    def _keep(self, kept: _Kept) -> None:
        self._bytes.change(kept.key.namespace, self._size(kept.key), kept.size)
        self._unjudged_since_start += kept.standing.is_of_start - self._is_of_start(kept.key)
        self._kept[kept.key] = kept

    def _is_of_start(self, key: ObjectKey) -> bool:
        before = self._kept.get(key)
        return before is not None and before.standing.is_of_start

    def _size(self, key: ObjectKey) -> int:
        before = self._kept.get(key)
        return before.size if before is not None else 0

    def set_status(self, key: ObjectKey, uid: str, status: Mapping[str, Any]) -> None:
        """Keep the status that was just written, unless the object was recreated under its name meanwhile."""
        kept = self._kept.get(key)
        if kept is not None and kept.uid == uid:
            self._keep(replace(kept, status=_pack(status), standing=_standing(status)))

    def set_finalizer_kept(self, key: ObjectKey, uid: str, guarded: bool, finalizer: str = names.FINALIZER) -> None:
        """Record that a finalizer of ours was just added or removed; an object in deletion stays in that state."""
        kept = self._kept.get(key)
        if kept is None or kept.uid != uid:
            return
        if finalizer == names.FINALIZER_OUTSIDE:
            self._kept[kept.key] = replace(kept, is_outside=guarded)
        elif kept.life is not Lifecycle.DELETING:
            self._kept[kept.key] = replace(kept, life=Lifecycle.HAS_FINALIZER if guarded else Lifecycle.NO_FINALIZER)

    def remove(self, key: ObjectKey) -> bool:
        """Forget an object; return True if it was there."""
        self._bytes.change(key.namespace, self._size(key), 0)
        self._unjudged_since_start -= self._is_of_start(key)
        return self._kept.pop(key, None) is not None

    def get(self, key: ObjectKey) -> Resource | None:
        """Return an object, parsed, or None."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if self._parsed is None or self._parsed[0] is not kept:
            spec, status = _unpack(kept.spec), _unpack(kept.status)
            version = (kept.key, kept.uid, kept.generation, kept.sync)
            facts = (kept.life, kept.is_outside, kept.is_left_out, kept.standing.is_of_start)
            self._parsed = kept, Resource(*version, spec, status, *facts)
        return self._parsed[1]

    def is_new(self, key: ObjectKey) -> bool:
        """Return whether an object is there that was never in step, as far as its status tells."""
        kept = self._kept.get(key)
        return kept is not None and not kept.standing.was_ready

    def keys(self) -> Set[ObjectKey]:
        """Return a view of the keys of all objects; it changes with them."""
        return self._kept.keys()

    def ready_counts(self) -> tuple[int, int, int]:
        """Return how many objects are ready, not ready and without a verdict, by their last status."""
        judged = Counter(kept.standing.ready for kept in self._kept.values())
        return judged[True], judged[False], judged[None]

    def unjudged_since_start(self) -> int:
        """Return how many objects the start has shown without a verdict, and have none yet."""
        return self._unjudged_since_start

    def not_ready_for(self, now: str) -> float:
        """Return for how many seconds the longest-unready object has not been ready; 0 if all are ready."""
        moment = moment_of(now) or 0.0
        every = (kept.standing.since for kept in self._kept.values())
        return max((moment - since for since in every if since is not None and since < moment), default=0.0)

    def ready_summary(self, key: ObjectKey, uid: str) -> ReadySummary | None:
        """Return the Ready condition of the last status of an object; None if none with that uid is there."""
        kept = self._kept.get(key)
        return kept.standing if kept is not None and kept.uid == uid else None

    def ready_summaries(self) -> list[tuple[ObjectKey, ReadySummary]]:
        """Return all keys, each with the Ready condition of its last status."""
        return [(key, kept.standing) for key, kept in self._kept.items()]


def lifecycle_of(metadata: Mapping[str, Any]) -> Lifecycle | None:
    """Return the state of our finalizers; None if the object is being deleted and does not wait for us."""
    guarded = has_finalizer(metadata, names.FINALIZER)
    if "deletionTimestamp" in metadata:
        return Lifecycle.DELETING if guarded or has_finalizer(metadata, names.FINALIZER_OUTSIDE) else None
    return Lifecycle.HAS_FINALIZER if guarded else Lifecycle.NO_FINALIZER


def has_finalizer(metadata: Mapping[str, Any], finalizer: str) -> bool:
    """Return whether an object's metadata has a finalizer."""
    return finalizer in strings(metadata.get("finalizers"))


def version_of(metadata: Mapping[str, Any]) -> Version:
    """Return the values whose change makes a run necessary; see `Version`."""
    sync = texts(metadata.get("annotations")).get(names.ANNOTATION_SYNC)
    # The status repeats the value, and accepts no longer one.
    sync = None if sync is None else bounded(sync, LONGEST_SYNC)
    return (
        text(metadata.get("uid")),
        number(metadata.get("generation")),
        sync,
        lifecycle_of(metadata) or Lifecycle.NO_FINALIZER,
        has_finalizer(metadata, names.FINALIZER_OUTSIDE),
    )


def _standing(status: Mapping[str, Any]) -> ReadySummary:
    found = next((each for each in mappings(status.get("conditions")) if each.get("type") == "Ready"), None)
    if found is None:
        return _UNJUDGED
    if found.get("status") == "True":
        return _READY
    return ReadySummary(False, moment_of(found.get("lastTransitionTime")), bool(status.get("lastSyncedTime")))


def _pack(value: Mapping[str, Any]) -> bytes:
    if not value:
        return b""
    raw = _json(value)
    level = next((level for most, level in _LEVELS if len(raw) <= most), 0)
    deflate = zlib.compressobj(level, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=_USUAL)
    return deflate.compress(raw) + deflate.flush()


def _json(value: Mapping[str, Any]) -> bytes:
    """Return JSON as UTF-8, which is no longer than what the API server has taken."""
    try:
        # A quarter of the time that Python's own writer takes: a spec of 1.5 MB would keep the loop for 20 ms.
        return to_json(value)
    except ValueError:
        # Python's reader takes half of a surrogate pair, and any depth.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")


def _unpack(kept: bytes) -> dict[str, Any]:
    return dict(loaded(zlib.decompressobj(_WINDOW, zdict=_USUAL).decompress(kept))) if kept else {}
