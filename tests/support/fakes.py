"""Phase, Kubernetes and a counter as the loop sees them, in memory, and the loop put together with them.

Rule: a fake keeps the port's promises and no more; every await gives other tasks their turn, as a network would.
"""

import asyncio
import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.json_access import only, without
from phase_operator.core.leases.facts import Record
from phase_operator.core.leases.record import Credentials, KnownRecord, known_record, manifest, record_ref
from phase_operator.core.outcome import Event, Outcome, StatusDocument
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.keyring import Decrypted, KeyedApp, KeyedEnvironment, Keyring, Keys
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.plan import Apply, intent
from phase_operator.core.targets.removal import Delete, Removal, Withdraw
from phase_operator.core.targets.type_change import copy_of_existing, original_of
from phase_operator.core.targets.versions import version_label
from phase_operator.core.values import DynamicKey, Entry, ObjectKey, SecretValue
from phase_operator.reconcile.admissions import Admissions
from phase_operator.reconcile.background import BackgroundThread, Result
from phase_operator.reconcile.errands.errand import Errand
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.polling.calls import Policy
from phase_operator.reconcile.polling.poller import Poller
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Credential, ReadMeter, Token
from phase_operator.reconcile.queue.work_queue import WorkQueue
from phase_operator.reconcile.report import Events, Report
from phase_operator.reconcile.restarts.followed import FollowedTargets
from phase_operator.reconcile.restarts.report import RestartReporter
from phase_operator.reconcile.restarts.restarter import Limits, Restarter
from phase_operator.reconcile.retries import Retries
from phase_operator.reconcile.run.parts import Parts
from phase_operator.reconcile.run.reconciler import Reconciler
from phase_operator.reconcile.store import PhaseSecretStore, Stores
from phase_operator.reconcile.triggers import Triggers
from phase_operator.reconcile.workers import Runs, Workers
from phase_operator.reconcile.writers import Writers
from support.builders import DIGEST_KEY, KEY, TOKEN, UID
from support.clock import HandClock, in_threads, settle
from support.workloads import FakeWorkloads

NO_TOKEN = "not a token"
# A token that begins so has keys.
FULL_TOKEN = "pss_service:"
# They are the same until they are made anew.
_KEYS = Keys()
TYPE: "Path" = ("type",)

Path = tuple[str, ...]
_MAPS: tuple[Path, ...] = (("data",), ("binaryData",), ("metadata", "labels"), ("metadata", "annotations"))


class FakePhase:
    """An app `shop` with id app-1, whose environments hold what the test says, or a failure that the test sets."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, str | None, tuple[str, ...]]] = []
        self.probes = 0
        self.lists = 0
        self.keyrings = 0
        # The app is end-to-end encrypted.
        self.is_encrypted = False
        self.most_at_once = 0
        self._at_once = 0
        self._entries: dict[str, tuple[Entry | DynamicKey, ...]] = {"production": ()}
        self._revisions: Counter[str] = Counter({"production": 1})
        self._errors: dict[str, Exception] = {}
        self._broken: dict[str, Exception] = {}
        self.accounts: set[str] = set()
        self._open = asyncio.Event()
        self._open.set()

    def holds(self, *entries: Entry | DynamicKey, environment: str = "production") -> None:
        """Let these be the entries of an environment, whose revision moves, and let nothing fail."""
        self._entries[environment] = entries
        self._revisions[environment] += 1
        self._errors = {}

    def breaks(self, environment: str, error: Exception) -> None:
        """Let every read of an environment fail like this, whatever it holds."""
        self._entries[environment] = ()
        self._broken[environment] = error

    def fails(self, error: Exception, *calls: str) -> None:
        """Let every call fail like this, or those of a kind: apps, keyring, environments, entries."""
        for call in calls or ("apps", "keyring", "environments", "entries"):
            self._errors[call] = error

    def defer_event(self) -> None:
        """Let calls begin and not end, until `let_go`."""
        self._open.clear()

    def let_go(self) -> None:
        """Let calls end."""
        self._open.set()

    def credential(self, token: SecretValue) -> Credential:
        """Take any text for a token but one."""
        if token.reveal() == NO_TOKEN:
            raise Waiting(Reason.TOKEN_INVALID, "this is no Phase token")
        keys = Keys() if token.reveal().startswith(FULL_TOKEN) else None
        return Credential(hashlib.blake2b(token.reveal().encode(), digest_size=4).hexdigest(), token, keys)

    async def apps(self, base_url: str, credential: Credential, place: Reservation) -> list[App]:
        """List the app."""
        self.lists += 1
        await self._answer("apps")
        return [App("app-1", "shop", self.is_encrypted)]

    async def environments(
        self, base_url: str, credential: Credential, app_id: str, place: Reservation
    ) -> list[Environment]:
        """List the environments with their revisions."""
        self.probes += 1
        self.accounts.add(credential.account)
        seen = [Environment(name.title(), self._revision(name)) for name in self._entries]
        await self._answer("environments", is_public=True)
        return seen

    async def keyring(self, base_url: str, credential: Credential, place: Reservation) -> Keyring:
        """List the app with its environments, as the account's keyring."""
        assert credential.keys is not None
        self.keyrings += 1
        environments = [
            KeyedEnvironment(f"{name}-id", name.title(), self._revision(name), _KEYS) for name in self._entries
        ]
        await self._answer("keyring")
        place.resize(1000)
        return Keyring((KeyedApp("app-1", "shop", self.is_encrypted, tuple(environments)),), _KEYS, place)

    async def encrypted(
        self,
        base_url: str,
        credential: Credential,
        *,
        keyring: Keyring,
        app_id: str,
        environment: str,
        place: Reservation,
        meter: ReadMeter | None = None,
    ) -> Decrypted:
        """Answer everything that an environment holds."""
        assert credential.keys is not None
        found = {each.name.casefold() for app in keyring.apps if app.id == app_id for each in app.environments}
        environment = environment.casefold()
        if environment not in found:
            raise Waiting(Reason.ENVIRONMENT_NOT_FOUND, "the token has no keys of the environment")
        held = await self._held(environment, None, (), place)
        if meter is not None:
            meter.entries_came(len(held))
        return Decrypted([each for each in held if isinstance(each, Entry)])

    def _revision(self, environment: str) -> str:
        return f"2030-01-01T00:00:{self._revisions[environment]:02}Z"

    async def entries(
        self,
        base_url: str,
        credential: Credential,
        *,
        app_id: str,
        environment: str,
        path: str | None,
        tags: tuple[str, ...],
        place: Reservation,
    ) -> list[Entry | DynamicKey]:
        """Answer as the server selects."""
        return await self._held(environment, path, tags, place, is_public=True)

    async def _held(
        self,
        environment: str,
        path: str | None,
        tags: tuple[str, ...],
        place: Reservation,
        *,
        is_public: bool = False,
    ) -> list[Entry | DynamicKey]:
        self.reads.append((environment, path, tags))
        await self._answer("entries", is_public=is_public)
        if environment in self._broken:
            raise self._broken[environment]
        if environment not in self._entries:
            raise Waiting(Reason.ENVIRONMENT_NOT_FOUND, "Phase answers 404: Environment does not exist")
        place.resize(sum(each.weight for each in self._entries[environment]))
        held = self.says(self._entries[environment])
        return [
            each
            for each in held
            if path in (None, each.path) and (isinstance(each, DynamicKey) or not tags or set(tags) & each.tags)
        ]

    def says(self, held: tuple[Entry | DynamicKey, ...]) -> tuple[Entry | DynamicKey, ...]:
        """Return what a read finds where an environment holds this."""
        return held

    async def _answer(self, call: str, *, is_public: bool = False) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(0)
            await self._open.wait()
        finally:
            self._at_once -= 1
        if call in self._errors:
            raise self._errors[call]
        if is_public and self.is_encrypted:
            raise Waiting(Reason.APP_ENCRYPTED, "Phase answers 403: SSE is not enabled for this App.")


@dataclass
class StoredObject:
    """An object with the owners of its fields, as an API server keeps them."""

    uid: str
    version: int
    fields: dict[Path, str]
    # (manager, operation) -> the fields it owns.
    owners: dict[tuple[str, str], set[Path]] = field(default_factory=dict)
    created: str = ""

    def part(self, *prefix: str) -> dict[str, str]:
        """Return one map of the object: data, or metadata and labels."""
        return {path[-1]: value for path, value in self.fields.items() if path[:-1] == prefix}

    def metadata(self) -> dict[str, Any]:
        """Return the metadata as the API server shows it."""
        return {
            "uid": self.uid,
            "resourceVersion": str(self.version),
            "labels": self.part("metadata", "labels"),
            "annotations": self.part("metadata", "annotations"),
            "creationTimestamp": self.created,
            "ownerReferences": self.owner_references(),
            "managedFields": [
                {
                    "manager": manager,
                    "operation": operation,
                    "apiVersion": "v1",
                    "time": f"2030-01-01T00:00:00.{self.version:09}Z",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": fields_v1(paths),
                }
                for (manager, operation), paths in sorted(self.owners.items())
                if paths
            ],
        }

    def owner_references(self) -> list[dict[str, Any]]:
        """Return the ownerReferences."""
        return [json.loads(value) for path, value in self.fields.items() if path[:2] == ("metadata", "ownerReferences")]

    def owned_by(self, manager: str, operation: str) -> set[Path]:
        """Return the fields of a manager, to be changed."""
        return self.owners.setdefault((manager, operation), set())


class FakeCluster:
    """Objects with server-side apply, Update, resource versions and field owners, as far as the loop can see."""

    def __init__(self) -> None:
        self.objects: dict[TargetRef, StoredObject] = {}
        self.tokens: dict[ObjectKey, str] = {TOKEN: "token-text"}
        # The annotation of token Secrets that have one.
        self.token_hosts: dict[ObjectKey, str] = {}
        self.token_reads: list[ObjectKey] = []
        self.statuses: dict[ObjectKey, StatusDocument] = {}
        self.status_writes: list[ObjectKey] = []
        self.notices: list[Event] = []
        self.applied: list[TargetRef] = []
        self.observed: list[TargetRef] = []
        # Every call of the port, in order.
        self.calls: list[str] = []
        self.conflicts = 0
        # What pod templates name.
        self.mentions: set[str] = set()
        # Where the test says so: the uid that a PhaseSecret of this name has, None if there is none.
        self.uids: dict[ObjectKey, str | None] = {}
        # Method name -> what it raises, until taken out; and how many turns of the loop it takes, if not one.
        self.errors: dict[str, Exception] = {}
        self.turns: dict[str, int] = {}
        # PhaseSecrets as the API server has them, and those with our finalizer.
        self.bodies: dict[ObjectKey, Mapping[str, Any]] = {}
        self.guarded: set[ObjectKey] = set()
        # Those with the finalizer for what is outside the cluster, and the records of leases by their uid.
        self.outside: set[ObjectKey] = set()
        self.kept: dict[str, dict[TargetRef, tuple[KnownRecord, Credentials]]] = {}
        # What was written and removed, in order; when the fuse is burnt down, the process dies instead of a write.
        self.writes: list[str] = []
        self.fuse: int | None = None
        # Places where an admission policy takes no new object of a type.
        self.refused: set[tuple[TargetRef, str]] = set()
        self._versions = 0

    # The port.

    async def read_token(self, key: ObjectKey) -> Token:
        """Return the text of a token Secret, and the hosts that it names."""
        self.token_reads.append(key)
        await self._answer("read_token")
        if key not in self.tokens:
            raise Waiting(Reason.TOKEN_SECRET_NOT_FOUND, f"Secret {key} does not exist")
        return Token(SecretValue(self.tokens[key]), self.token_hosts.get(key))

    async def observe(self, target: TargetRef, *, live: bool) -> Observed | None:
        """Return the object as it is; a foreign one only by a live read."""
        self.observed.append(target)
        await self._answer("observe")
        found = self.objects.get(target)
        if found is None or not (live or _is_known(found)):
            return None
        return observe(found.metadata())

    async def apply_target(self, desired: Desired, action: Apply) -> bool:
        """Apply, prune and release under the version that was judged."""
        await self._answer("carry_out")
        if self.conflicts:
            self.conflicts -= 1
            return False
        standing = self.objects.get(desired.ref)
        version = None if standing is None else str(standing.version)
        if version not in (None, action.resource_version):
            return False
        if desired.policy.merges and standing is not None:
            action = replace(action, type=_named(standing, desired.manager, action.type))
        manifest = intent(desired, action, action.resource_version or "1")
        self._check(desired.ref, desired.manager, manifest, force=action.force)
        if standing is None:
            self._refuse(desired.ref, manifest.get("type", "Opaque"))
        self._burn(f"apply {desired.ref}")
        self._apply(desired.ref, desired.manager, manifest)
        stored = self.objects[desired.ref]
        for key in action.prune:
            _remove(stored, [("data", key), ("binaryData", key)])
        for manager in action.release:
            if (
                desired.policy.merges
                and TYPE in stored.fields
                and TYPE not in _held_by_others(stored, (manager, "Apply"))
            ):
                # A type that nobody else names would have to go with its owner, and cannot.
                kept = replace(action, type=stored.fields[TYPE])
                self._apply(desired.ref, desired.manager, intent(desired, kept, "1"))
            self._apply(desired.ref, manager, {"metadata": {}})
        self._touch(stored)
        self.applied.append(desired.ref)
        return True

    async def versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return what has the label of a target's versions."""
        await self._answer("versions")
        return self._versions_of(base, known=False)

    def known_versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return those of them that the watches keep."""
        return self._versions_of(base, known=True)

    def _versions_of(self, base: TargetRef, *, known: bool) -> Mapping[TargetRef, Observed]:
        label = version_label(base.key.name)
        return {
            ref: observe(stored.metadata())
            for ref, stored in self.objects.items()
            if (ref.kind, ref.key.namespace) == (base.kind, base.key.namespace)
            and stored.part("metadata", "labels").get(names.LABEL_VERSION_OF) == label
            and (_is_known(stored) or not known)
        }

    def marked(self, owner: ObjectKey) -> Mapping[TargetRef, Observed]:
        """Return what the watches keep with a mark of this PhaseSecret."""
        seen = {ref: observe(stored.metadata()) for ref, stored in self.objects.items() if _is_known(stored)}
        return {
            ref: each for ref, each in seen.items() if str(owner) in (each.owner, *(part.of for part in each.parts))
        }

    async def mentioned(self, namespace: str, wanted: Sequence[str]) -> frozenset[str]:
        """Return which names stand in a pod template."""
        await self._answer("mentioned")
        return frozenset(wanted) & self.mentions

    async def remove(self, target: TargetRef, action: Removal) -> bool:
        """Delete or withdraw under the version that was judged."""
        await self._answer("remove")
        stored = self.objects.get(target)
        if stored is None:
            return True
        if (stored.uid, str(stored.version)) != (action.uid, action.resource_version):
            return False
        match action:
            case Delete():
                self._burn(f"delete {target}")
                del self.objects[target]
            case Withdraw(manager=manager):
                self._burn(f"withdraw {target}")
                left = stored.fields.get(TYPE) in (None, "Opaque") or stored.part("data").keys() - {
                    path[-1] for path in stored.owned_by(manager, "Apply") if path[0] == "data"
                }
                if not left:
                    raise Invalid(Reason.TARGET_REFUSED, "data[username] (FieldValueRequired)")
                kind = _named(stored, manager, action.type)
                self._apply(target, manager, {"metadata": {}} | ({"type": kind} if kind else {}))
                self._touch(stored)
        return True

    async def take_out(self, target: TargetRef, observed: Observed, keys: Sequence[str]) -> bool:
        """Take data keys out under the version that was judged."""
        await self._answer("take_out")
        stored = self.objects.get(target)
        if stored is None or str(stored.version) != observed.resource_version:
            return False
        self._burn(f"take out of {target}")
        for key in keys:
            _remove(stored, [("data", key), ("binaryData", key)])
        self._touch(stored)
        return True

    async def restore(self, copy: TargetRef, target: TargetRef) -> bool:
        """Make a target from its copy."""
        await self._answer("restore")
        kept = self.objects.get(copy)
        if kept is None or target in self.objects:
            return False
        self._burn(f"restore {target}")
        self._refuse(target, kept.fields[TYPE])
        self._apply(target, names.FIELD_MANAGER, original_of(_document(kept), target))
        return True

    async def prove(self, desired: Desired) -> None:
        """Judge an object as if it were made."""
        await self._answer("prove")
        self._refuse(desired.ref, desired.manifest.get("type", "Opaque"))

    async def keep(self, target: TargetRef, version: str, copy: Desired) -> bool:
        """Make a copy of a target as it stands."""
        await self._answer("keep")
        standing = self.objects.get(target)
        if standing is None or str(standing.version) != version or copy.ref in self.objects:
            return False
        self._burn(f"apply {copy.ref}")
        self._apply(copy.ref, names.FIELD_MANAGER, copy_of_existing(_document(standing), copy))
        return True

    def _refuse(self, ref: TargetRef, kind: str) -> None:
        """Raise what an admission policy has against a new object."""
        if (ref, kind) in self.refused:
            raise Waiting(Reason.TARGET_REFUSED, "a policy refuses it")

    async def set_finalizer(self, key: ObjectKey, uid: str, *, wanted: bool, finalizer: str = names.FINALIZER) -> None:
        """Put a finalizer of ours on, or take it off."""
        await self._answer("set_finalizer")
        if self.uids.get(key, uid) != uid:
            return
        if finalizer == names.FINALIZER_OUTSIDE:
            self.outside.add(key) if wanted else self.outside.discard(key)
            return
        self.writes.append(f"{'guard' if wanted else 'free'} {key}")
        self.guarded.add(key) if wanted else self.guarded.discard(key)

    async def find_resource(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Return a PhaseSecret as it was shown last, with the status that was written."""
        await self._answer("find_resource")
        found = self.bodies.get(key)
        return found if found is None or key not in self.statuses else {**found, "status": self.statuses[key]}

    async def write_status(
        self, key: ObjectKey, uid: str, status: StatusDocument, *, before: Mapping[str, Any] | None = None
    ) -> bool:
        """Replace the status, unless the ledger in it has moved."""
        await self._answer("write_status")
        if self.uids.get(key, uid) != uid or (before is not None and not self._is_unmoved(key, before)):
            return False
        self.status_writes.append(key)
        self.statuses[key] = json.loads(json.dumps(status))
        return True

    async def write_ledger(self, key: ObjectKey, uid: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Replace the ledger in the status, unless it has moved."""
        await self._answer("write_ledger")
        if self.uids.get(key, uid) != uid or not self._is_unmoved(key, before):
            return False
        self._burn(f"ledger {key}")
        status = without(self.statuses.get(key, {}), *names.LEDGERS[key.kind]) | dict(after)
        self.statuses[key] = json.loads(json.dumps(status))
        return True

    def _is_unmoved(self, key: ObjectKey, before: Mapping[str, Any]) -> bool:
        ledger = names.LEDGERS[key.kind]
        return only(self.statuses.get(key, {}), *ledger) == only(before, *ledger)

    def records(self, uid: str) -> Mapping[TargetRef, KnownRecord]:
        """Return the records of a resource."""
        return {ref: known for ref, (known, _) in self.kept.get(uid, {}).items()}

    async def make_record(self, owner: Owner, attempt: str, record: Record, credentials: Credentials) -> None:
        """Make a record."""
        await self._answer("make_record")
        self._burn(f"record {attempt}")
        self._versions += 1
        metadata = manifest(owner, attempt, record, credentials)["metadata"]
        managed = {"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:data": {".": {}}}}
        found = {
            **metadata,
            "uid": f"uid-{self._versions}",
            "resourceVersion": str(self._versions),
            "managedFields": [managed],
        }
        known = known_record(record_ref(owner.key, attempt), found)
        assert known is not None
        self.kept.setdefault(owner.uid, {})[known.ref] = (known, credentials)

    async def read_record(self, owner: Owner, attempt: str) -> Credentials | None:
        """Return the credentials of a record."""
        await self._answer("read_record")
        found = self.kept.get(owner.uid, {}).get(record_ref(owner.key, attempt))
        return found[1] if found is not None else None

    async def drop_record(self, ref: TargetRef, action: Delete) -> None:
        """Delete a record."""
        await self._answer("drop_record")
        self._burn(f"drop {ref}")
        self.forget_record(ref)

    def forget_record(self, ref: TargetRef) -> None:
        """Forget a record."""
        for records in self.kept.values():
            records.pop(ref, None)

    def record_event(self, key: ObjectKey, uid: str, notices: Sequence[Event]) -> None:
        """Keep the Events."""
        self.notices.extend(notices)

    # What others do to the objects.

    def edit(
        self,
        ref: TargetRef,
        data: Mapping[str, str | None] | None = None,
        *,
        labels: Mapping[str, str | None] | None = None,
        annotations: Mapping[str, str | None] | None = None,
        manager: str = "kubectl-edit",
    ) -> None:
        """Update an object as another manager, or make it; None takes a key out."""
        stored = self.objects.get(ref) or self._new(ref)
        parts: tuple[tuple[Path, Mapping[str, str | None]], ...] = (
            (("data",), data or {}),
            (("metadata", "labels"), labels or {}),
            (("metadata", "annotations"), annotations or {}),
        )
        for prefix, changes in parts:
            for name, value in changes.items():
                _update(stored, (*prefix, name), value, manager)
        if ref.kind is Kind.SECRET:
            stored.fields.setdefault(TYPE, "Opaque")
        self._touch(stored)

    def force(self, desired: Desired) -> None:
        """Apply a manifest, whatever stands there."""
        action = Apply(None, type=desired.create_type)
        self._apply(desired.ref, desired.manager, intent(desired, action, ""))

    def delete(self, ref: TargetRef) -> None:
        """Delete an object as another client."""
        del self.objects[ref]

    def secret(self, ref: TargetRef) -> dict[str, str]:
        """Return a Secret's data, decoded."""
        return {name: base64.b64decode(value).decode() for name, value in self.objects[ref].part("data").items()}

    async def _answer(self, method: str) -> None:
        self.calls.append(method)
        for _ in range(self.turns.get(method, 1)):
            await asyncio.sleep(0)
        if method in self.errors:
            raise self.errors[method]

    def _new(self, ref: TargetRef) -> StoredObject:
        self._versions += 1
        created = f"2030-01-01T{self._versions // 3600:02}:{self._versions // 60 % 60:02}:{self._versions % 60:02}Z"
        self.objects[ref] = StoredObject(f"uid-{self._versions}", self._versions, {}, created=created)
        return self.objects[ref]

    def _touch(self, stored: StoredObject) -> None:
        self._versions += 1
        stored.version = self._versions

    def _burn(self, write: str) -> None:
        if self.fuse is not None:
            if self.fuse == 0:
                raise RuntimeError("the process dies here")
            self.fuse -= 1
        self.writes.append(write)

    def _check(self, ref: TargetRef, manager: str, manifest: Mapping[str, Any], *, force: bool = True) -> None:
        """Raise what an apply would run into."""
        stored = self.objects.get(ref)
        if stored is None:
            return
        wanted = fields_of(manifest)
        others = _held_by_others(stored, (manager, "Apply"))
        held = [path for path, value in wanted.items() if path in others and stored.fields.get(path) != value]
        if held and not force:
            raise Waiting(Reason.TARGET_CONFLICT, f"another field manager holds {held}")
        given_up = TYPE in stored.owned_by(manager, "Apply") and TYPE not in others
        kind = wanted.get(TYPE, "Opaque" if given_up else stored.fields.get(TYPE))
        if stored.fields.get(TYPE) != kind:
            raise Waiting(Reason.TYPE_IMMUTABLE, "type: field is immutable")

    def _apply(self, ref: TargetRef, manager: str, manifest: Mapping[str, Any]) -> None:
        self._check(ref, manager, manifest)
        stored = self.objects.get(ref) or self._new(ref)
        ours = (manager, "Apply")
        wanted = fields_of(manifest)
        for path in stored.owned_by(*ours) - wanted.keys() - _held_by_others(stored, ours) - {TYPE}:
            del stored.fields[path]
        for path, value in wanted.items():
            if stored.fields.get(path, value) != value:
                _disown(stored, path)
            stored.fields[path] = value
        stored.owners[ours] = set(wanted)
        if ref.kind is Kind.SECRET:
            stored.fields.setdefault(TYPE, "Opaque")


def _document(stored: StoredObject) -> dict[str, Any]:
    return {"metadata": stored.metadata(), "type": stored.fields[TYPE], "data": stored.part("data")}


class FakeKnown:
    """What the watches have shown."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def get(self, ref: TargetRef) -> Observed | None:
        """Return an object of ours."""
        found = self._cluster.objects.get(ref)
        return observe(found.metadata()) if found is not None and _is_known(found) else None


def _named(stored: StoredObject, manager: str, kind: str) -> str:
    """Return the type that a manager has to name, whatever it takes for its own."""
    others = _held_by_others(stored, (manager, "Apply"))
    given_up = TYPE in stored.owned_by(manager, "Apply") and TYPE not in others
    stands = stored.fields.get(TYPE, "")
    return kind if stands == (kind or ("Opaque" if given_up else stands)) else stands


def _held_by_others(stored: StoredObject, ours: tuple[str, str]) -> set[Path]:
    return {path for owner, paths in stored.owners.items() if owner != ours for path in paths}


def _is_known(stored: StoredObject) -> bool:
    """Say whether the watches keep it."""
    label = stored.part("metadata", "labels").get(names.LABEL_TARGET)
    return label in {names.LABEL_TARGET_VALUE, names.LABEL_COPY_VALUE}


def fields_of(manifest: Mapping[str, Any]) -> dict[Path, str]:
    """Return the leaves that an apply of a Secret or ConfigMap owns."""
    found: dict[Path, str] = {}
    for prefix in _MAPS:
        part: Any = manifest
        for name in prefix:
            part = part.get(name) or {}
        found |= {(*prefix, name): value for name, value in part.items()}
    for reference in manifest["metadata"].get("ownerReferences") or []:
        item = "k:" + json.dumps({"uid": reference["uid"]}, separators=(",", ":"))
        found[("metadata", "ownerReferences", item)] = json.dumps(reference)
    if "type" in manifest:
        found[("type",)] = manifest["type"]
    return found


def fields_v1(paths: Iterable[Path]) -> dict[str, Any]:
    """Spell field paths as managedFields do."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        place = tree
        for depth, name in enumerate(path):
            step = name if name.startswith("k:") else f"f:{name}"
            place = place.setdefault(step, {})
            if depth < len(path) - 1 and path[depth + 1 :] and name in {"data", "labels", "annotations", "binaryData"}:
                place.setdefault(".", {})
    return tree


def _update(stored: StoredObject, path: Path, value: str | None, manager: str) -> None:
    if value is None:
        _remove(stored, [path])
        return
    if stored.fields.get(path) == value:
        return
    _disown(stored, path)
    stored.fields[path] = value
    stored.owned_by(manager, "Update").add(path)


def _remove(stored: StoredObject, paths: Iterable[Path]) -> None:
    for path in paths:
        stored.fields.pop(path, None)
        _disown(stored, path)


def _disown(stored: StoredObject, path: Path) -> None:
    for paths in stored.owners.values():
        paths.discard(path)


class FakeObserver:
    """Counts what is reported to it."""

    def __init__(self) -> None:
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.entries = 0
        self.refused: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.statuses = 0
        self.restarts: Counter[str] = Counter()
        self.restart_failures = 0

    def reconciled(self, outcome: str, reason: str, seconds: float) -> None:
        """Count a run."""
        self.outcomes[outcome, reason] += 1

    def answer_refused(self, limit: str) -> None:
        """Count an answer that is too large."""
        self.refused[limit] += 1

    def asked(self, kind: str, result: str) -> None:
        """Count a call to Phase."""
        self.calls[kind, result] += 1

    def entries_read(self, number: int) -> None:
        """Count entries."""
        self.entries += number

    def target_written(self, kind: str) -> None:
        """Count an object."""
        self.written[kind] += 1

    def status_written(self) -> None:
        """Count a status."""
        self.statuses += 1

    def restarted(self, kind: str) -> None:
        """Count a workload."""
        self.restarts[kind] += 1

    def restart_failed(self) -> None:
        """Count a failure."""
        self.restart_failures += 1


# Restarts wait for so much quiet, and so many roll-outs go on at once.
WINDOW, AT_ONCE = 10.0, 5
ERRAND_WORKERS = 12


class AwaitedThread(BackgroundThread):
    """A thread for large computations, whose pieces `settle` waits for."""

    async def run(self, work: Callable[[], Result], units: int, namespace: str) -> Result:
        """Do work, and count it as under way until then."""
        piece = object()
        in_threads.add(piece)
        try:
            return await super().run(work, units, namespace)
        finally:
            in_threads.discard(piece)


class Loop:
    """The whole loop on fakes. `async with` starts its workers; `settle` lets them finish what is due."""

    def __init__(
        self,
        make_phase: Callable[[], FakePhase] = FakePhase,
        policy: Policy | None = None,
        tenancy: Tenancy | None = None,
        cluster: FakeCluster | None = None,
        workloads: FakeWorkloads | None = None,
        clock: HandClock | None = None,
        digest_key: bytes = DIGEST_KEY,
    ) -> None:
        # Namespace -> its labels.
        self.labels: dict[str, dict[str, str]] = {}
        self.clock = clock or HandClock()
        self.phase = make_phase()
        self.cluster = cluster or FakeCluster()
        self.observer = FakeObserver()
        self.admissions = Admissions()
        # The tasks that met what nobody expected, one for each time.
        self.faulty: list[str] = []
        self.internal_errors = InternalErrors(self.faulty.append)
        self.queue: WorkQueue[ObjectKey] = WorkQueue(self.clock)
        # Whether what is shown was there before the process began.
        self.is_starting = False
        self.resources = PhaseSecretStore(is_starting=lambda: self.is_starting)
        self.dynamic = PhaseSecretStore(names.KIND_PHASE_DYNAMIC_SECRET)
        self.stores = Stores(self.resources, self.dynamic)
        self.retries = Retries(self.queue, self.clock)
        self.triggers = Triggers(self.queue, self.stores, self.admissions, self.retries, self.clock)
        self.tokens = Tokens(self.cluster, self.admissions.tokens, self.triggers.token_changed)
        self.events = Events(self.cluster, self.stores)
        self.background = AwaitedThread()
        self.poller = Poller(
            self.phase,
            self.clock,
            self.triggers.answered,
            self.observer,
            self.events.post,
            policy or Policy(),
            background=self.background,
        )
        self.workloads = workloads or FakeWorkloads(self.cluster.objects)
        writers = Writers(self.admissions.targets, FakeKnown(self.cluster))
        self.restarts = Restarter(
            workloads=self.workloads,
            followed_targets=FollowedTargets(
                self.workloads, self.stores, self.admissions.targets, writers, lambda: digest_key
            ),
            report=RestartReporter(self.workloads, writers, wake=self.triggers.restarts_changed, post=self.events.post),
            clock=self.clock,
            observer=self.observer,
            all_known=lambda: True,
            limits=Limits(WINDOW, AT_ONCE),
        )
        self.parts = Parts.build(
            cluster=self.cluster,
            resources=self.stores,
            admissions=self.admissions,
            tokens=self.tokens,
            tenancy=tenancy or Tenancy(),
            labels_of=lambda namespace: self.labels.get(namespace, {}),
            restarts=self.restarts,
            background=self.background,
            digest_key=lambda: digest_key,
            uses_token=self.poller.has_query,
        )
        self.reconciler = Reconciler(
            poller=self.poller,
            tokens=self.tokens,
            phase=self.phase,
            tenancy=tenancy or Tenancy(),
            labels_of=lambda namespace: self.labels.get(namespace, {}),
            parts=self.parts,
            background=self.background,
        )
        # What was counted of errands: kind and result.
        self.errands_made: Counter[tuple[str, str]] = Counter()
        self.errands = Errands(self.poller, self.clock, self.triggers.answered, self._made, ERRAND_WORKERS)
        # By kind; a test may add one.
        self.runs: dict[str, Runs] = {"": self.reconciler}
        self.workers = Workers(
            queue=self.queue,
            resources=self.stores,
            targets=self.admissions.targets,
            runs=self.runs,
            poller=self.poller,
            errands=self.errands,
            restarts=self.restarts,
            triggers=self.triggers,
            retries=self.retries,
            report=Report(
                cluster=self.cluster,
                resources=self.stores,
                retries=self.retries,
                restarts=self.restarts,
                clock=self.clock,
                observer=self.observer,
                internal_errors=self.internal_errors,
            ),
            events=self.events,
            clock=self.clock,
            internal_errors=self.internal_errors,
        )

    def _made(self, errand: Errand, result: str) -> None:
        self.errands_made[errand.kind, result] += 1

    async def __aenter__(self) -> Self:
        self._driving = self.clock.driving()
        self._driving.__enter__()
        self._work = asyncio.create_task(self.workers.run(workers=4, phase_workers=16))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.phase.let_go()
            self.workers.stop()
            await self._work
        finally:
            self._driving.__exit__(None, None, None)

    async def show(self, body: Mapping[str, Any]) -> None:
        """Let the watch show a PhaseSecret, and let the loop come to rest."""
        key = ObjectKey(body["metadata"]["namespace"], body["metadata"]["name"])
        self.cluster.bodies[key] = body
        is_known = key in self.resources
        if self.resources.upsert(body):
            self.triggers.resource_changed(key, is_first=not is_known)
        await settle()

    async def run_once(self, key: ObjectKey = KEY) -> Outcome:
        """Do one run, and nothing that follows from its outcome."""
        return await self.reconciler.reconcile(key, self.resources.get(key))

    async def bury(self, key: ObjectKey = KEY) -> None:
        """Let the watch show that a PhaseSecret is gone, and let the loop come to rest."""
        self.cluster.bodies.pop(key, None)
        self.triggers.resource_gone(key)
        await settle()

    async def turn(self, seconds: float) -> None:
        """Let time pass, and let the loop come to rest."""
        self.clock.turn(seconds)
        await settle()

    async def refresh(self) -> None:
        """Let as much time pass as brings the next regular look at Phase, and a second one if the first fails."""
        for _ in range(15):
            await self.turn(5)

    async def touched(self, ref: TargetRef) -> None:
        """Let the watch show that a target changed, and let the loop come to rest."""
        self.triggers.target_changed(ref)
        await settle()

    def condition(self, kind: str = "Ready", key: ObjectKey = KEY) -> dict[str, Any]:
        """Return a condition of the status last written, or {}."""
        conditions = self.cluster.statuses.get(key, {}).get("conditions", [])
        return next((dict(each) for each in conditions if each["type"] == kind), {})

    @property
    def reason(self) -> str:
        """The reason of the Ready condition."""
        return str(self.condition().get("reason", ""))


__all__ = ["NO_TOKEN", "UID", "FakeCluster", "FakeObserver", "FakePhase", "Loop", "fields_of", "fields_v1"]
