"""The smallest valid thing of each kind; a test names only what matters to it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import LeftOutWhy, ManagedConfigMapReference, ManagedSecretReference
from phase_operator.core.outcome import Failed, LeftOut, SourceFacts, StatusDocument, Synced, TargetResult, Warned
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.source.query import Account, AppRef, SourceQuery
from phase_operator.core.status.document import status_document
from phase_operator.core.targets.configmap import render_config_map
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import CoManagers, FieldManager
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.secret import render_secret
from phase_operator.core.values import ConfigEntry, Entry, ObjectKey, SecretValue, Snapshot

KEY = ObjectKey("team", "shop")
TOKEN = ObjectKey("team", names.DEFAULT_TOKEN_SECRET)
UID = "0a-uid"
DIGEST_KEY = b"k" * 32


def entry(
    key: str, value: str = "text", *, path: str = "/", tags: Iterable[str] = (), ident: str = "", kind: str = "secret"
) -> Entry:
    """Make one entry of type secret; its id follows from where it lies."""
    return Entry(ident or f"{path}|{key}", key, SecretValue(value), path, frozenset(tags), kind)


def config_entry(
    key: str, value: str = "text", *, path: str = "/", tags: Iterable[str] = (), ident: str = ""
) -> ConfigEntry:
    """Make one entry of type config."""
    return ConfigEntry(ident or f"{path}|{key}", key, SecretValue(value), path, frozenset(tags))


def snapshot(*entries: Entry, app_id: str = "app-1") -> Snapshot:
    """Make Phase's answer."""
    return Snapshot.of(app_id, entries)


def query(
    *,
    base_url: str = "https://phase.example/service/public",
    account: str = "account",
    app: str = "shop",
    environment: str = "production",
    path: str | None = "/",
    tags: tuple[str, ...] = (),
    spelled: str = "",
) -> SourceQuery:
    """Make a question for the production environment's root folder."""
    return SourceQuery(Account(base_url, account), AppRef(name=app), environment, path, tags, spelled)


def spec(**fields: Any) -> dict[str, Any]:
    """Make a spec as a user writes it: app shop to the Secret `shop`; `None` takes a field out."""
    document: dict[str, Any] = {
        "phaseHost": "https://phase.example",
        "phaseApp": "shop",
        "managedSecretReferences": [{"secretName": "shop"}],
        **fields,
    }
    return {name: value for name, value in document.items() if value is not None}


def parsed(**fields: Any) -> PhaseSecretSpec:
    """Make the same spec, parsed."""
    return PhaseSecretSpec.model_validate(spec(**fields))


def phase_secret(
    key: ObjectKey = KEY,
    *,
    generation: int = 1,
    sync: str | None = None,
    uid: str = UID,
    status: Mapping[str, Any] | None = None,
    finalizers: Iterable[str] = (),
    deleting: bool = False,
    **fields: Any,
) -> dict[str, Any]:
    """Make a PhaseSecret as the watch shows it."""
    metadata: dict[str, Any] = {
        "namespace": key.namespace,
        "name": key.name,
        "uid": uid,
        "generation": generation,
    }
    if sync is not None:
        metadata["annotations"] = {names.ANNOTATION_SYNC: sync}
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    if deleting:
        metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    body: dict[str, Any] = {"metadata": metadata, "spec": spec(**fields)}
    if status is not None:
        body["status"] = status
    return body


def owner(key: ObjectKey = KEY, uid: str = UID) -> Owner:
    """Make the PhaseSecret that a target belongs to."""
    return Owner(key, uid)


def secret_ref(name: str = "shop", namespace: str = "team") -> TargetRef:
    """Make a Secret's place."""
    return TargetRef(Kind.SECRET, ObjectKey(namespace, name))


def config_map_ref(name: str = "shop", namespace: str = "team") -> TargetRef:
    """Make a ConfigMap's place."""
    return TargetRef(Kind.CONFIG_MAP, ObjectKey(namespace, name))


def desired_secret(
    *entries: Entry,
    digest_key: bytes = DIGEST_KEY,
    of: ObjectKey = KEY,
    ref: TargetRef | None = None,
    **fields: Any,
) -> Desired:
    """Make the Secret `shop` that holds these entries."""
    reference = ManagedSecretReference.model_validate({"secretName": "shop", **fields})
    return render_secret(ref or secret_ref(), owner(of), reference, entries or [entry("A")], digest_key)


def desired_config_map(*entries: ConfigEntry, **fields: Any) -> Desired:
    """Make the ConfigMap `shop` that holds these entries."""
    reference = ManagedConfigMapReference.model_validate({"configMapName": "shop", **fields})
    return render_config_map(config_map_ref(), owner(), reference, entries or [config_entry("A")], DIGEST_KEY)


def in_step(name: str = "shop", *, keys: int = 1, written: bool = False) -> TargetResult:
    """Make a target that stands as it should."""
    return TargetResult(secret_ref(name), True, Reason.SYNCED, keys, written=written)


def out_of_step(
    name: str = "shop",
    *,
    reason: Reason = Reason.TARGET_CONFLICT,
    message: str = "it is not ours",
    transient: bool = False,
) -> TargetResult:
    """Make a target that does not stand as it should."""
    return TargetResult(secret_ref(name), False, reason, message=message, transient=transient)


def synced(*targets: TargetResult, warning: Warned | None = None, entries: int = 1) -> Synced:
    """Make a run that read its source."""
    return Synced(SourceFacts("app-1", "production", "/", entries), targets or (in_step(),), warning)


def observed(desired: Desired, **changes: Any) -> Observed:
    """Make what stands there after `desired` was applied; `changes` are what happened to it since.

    `managers` have data keys in it that the test does not care about.
    """
    managers = changes.pop("managers", ())
    if managers:
        keys = frozenset(changes.get("foreign_keys", ())) or frozenset({"OTHER"})
        changes["others"] = CoManagers(tuple(FieldManager(manager, "Update", keys) for manager in managers))
    key = str(desired.owner.key)
    found = Observed("uid", "7", key, desired.digest, desired.owned_fields, (), deletes=desired.policy.deletes)
    return replace(found, **changes)


def fullest_status(letter: str = "x", *, fail: bool = False) -> StatusDocument:
    """Make the status of a PhaseSecret with as many targets as may be, each of which reports as much as it can."""
    names_ = [f"{number:03}" + "n" * 250 for number in range(64)]
    lost = tuple(LeftOut(why, 10**6, tuple(f"{n}{letter * 252}" for n in range(10))) for why in LeftOutWhy)
    told = letter * 100_000
    targets = tuple(
        TargetResult(ref, False, Reason.TARGET_CONFLICT, message=told, left_out=lost)
        for ref in [*map(secret_ref, names_), *map(config_map_ref, names_)]
    )
    outcome = Failed(Reason.ACCESS_DENIED, told, targets=targets) if fail else synced(*targets)
    return status_document(outcome, {}, generation=1, forced="f" * 256, now="2030-01-01T00:00:00Z")
