"""The Cluster port on the real API server.

Rule: a target is read as metadata, and written by server-side apply or deleted under the version that was judged;
nothing else is ever done to it.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Invalid, Transient, Waiting
from phase_operator.core.foreign import mapping, mappings, number, text
from phase_operator.core.outcome import Notice, StatusDocument
from phase_operator.core.plan import Apply, intent
from phase_operator.core.podspec import mentioned
from phase_operator.core.removal import Delete, Removal, Withdraw
from phase_operator.core.replacement import copy_of_standing, original_of
from phase_operator.core.targets import Desired, Kind, Observed, TargetRef
from phase_operator.core.targets.base import observe, version_label
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.client import (
    APPLY,
    JSON_PATCH,
    MERGE,
    METADATA,
    METADATA_LIST,
    KubeClient,
    metadata_of,
    object_path,
    page,
)
from phase_operator.kube.errors import ApiError, translate
from phase_operator.kube.events import Recorder
from phase_operator.kube.targets import KnownTargets
from phase_operator.reconcile.ports import Token

log = logging.getLogger(__name__)

CORE = "/api/v1"
PHASE = f"/apis/{names.API_VERSION}"
COLLECTIONS = {Kind.SECRET: "secrets", Kind.CONFIG_MAP: "configmaps"}
# Where pod templates stand. Argo Rollouts where that kind exists; ReplicaSets are what a roll-back goes back to.
_POD_TEMPLATES = (
    *(("/apis/apps/v1", kind) for kind in ("deployments", "statefulsets", "daemonsets", "replicasets")),
    *(("/apis/batch/v1", kind) for kind in ("cronjobs", "jobs")),
    ("/apis/argoproj.io/v1alpha1", "rollouts"),
)
MANAGER = ("fieldManager", names.FIELD_MANAGER)
_CHUNK = 500
# Of whole objects. A workload is some kilobytes, or hundreds if somebody wants, and ten times as much as dicts: what
# these take, the next ones take again.
FEW = 10
# The revision of an empty etcd: the first object that is ever written has a greater one.
_NO_VERSION = "1"
_ATTEMPTS = 3
MIN_KEY, MAX_KEY = 16, 64


class KubeCluster:
    """Reads and writes for the loop."""

    def __init__(
        self, client: KubeClient, known: KnownTargets, recorder: Recorder, touched: Callable[[TargetRef], None]
    ) -> None:
        self._touched = touched
        self._reading = asyncio.Lock()
        self._client = client
        self._known = known
        self._recorder = recorder

    async def read_token(self, key: ObjectKey) -> Token:
        """Return the text under `token` of a Secret, and its annotation; raise Waiting(TOKEN_SECRET_NOT_FOUND)."""
        try:
            secret = await self._client.request("GET", object_path(CORE, "secrets", key.namespace, key.name))
        except ApiError as error:
            if error.not_found:
                raise Waiting(
                    Reason.TOKEN_SECRET_NOT_FOUND, f'Secret {key} does not exist; create it with the key "token"'
                ) from error
            raise translate(error) from error
        encoded = (secret.get("data") or {}).get(names.TOKEN_KEY)
        if encoded is None:
            raise Waiting(Reason.TOKEN_SECRET_NOT_FOUND, f'Secret {key} has no key "{names.TOKEN_KEY}"')
        try:
            text = SecretValue(base64.b64decode(encoded).decode())
        except (binascii.Error, UnicodeDecodeError):
            raise Waiting(Reason.TOKEN_INVALID, f'Secret {key} holds no text under "{names.TOKEN_KEY}"') from None
        return Token(text, (secret["metadata"].get("annotations") or {}).get(names.ANNOTATION_ALLOWED_HOSTS))

    async def observe(self, target: TargetRef, *, surely: bool) -> Observed | None:
        """Return what stands at the target's place, by metadata alone, or None if nothing does."""
        known = self._known.get(target)
        if known is not None or not surely:
            return known
        found = await target_metadata(self._client, target)
        return None if found is None else observe(found)

    async def carry_out(self, desired: Desired, action: Apply) -> bool:
        """Apply and prune; return False if the object is not the one that was judged."""
        observed: Observed | None = None
        self._known.begin_write(desired.ref)
        try:
            applied = await self._apply_named(desired, action)
            observed = await self._prune(desired.ref, applied, action.prune) if action.prune else applied
            for manager in action.release:
                observed = await self._release(desired, action, manager, observed)
        except ApiError as error:
            if (error.conflict and not error.held) or (error.not_found and action.resource_version is not None):
                return False
            raise translate(error) from error
        finally:
            if self._known.end_write(desired.ref, observed):
                self._touched(desired.ref)
        return True

    async def remove(self, target: TargetRef, action: Removal) -> bool:
        """Delete the object, or take our part out of it; return False if it is not the one that was judged."""
        observed: Observed | None = None
        self._known.begin_write(target)
        try:
            match action:
                case Delete():
                    await self._delete(target, action)
                    log.info("object deleted", extra={"object": str(target)})
                case Withdraw():
                    uid, version = action.uid, action.resource_version
                    give_up = partial(self._give_up, target, action.manager, uid, version)
                    left = await self._naming_type(target, action.type, give_up)
                    observed = left if left.parts else None
                    log.info("keys taken out", extra={"object": str(target)})
                case _:
                    assert_never(action)
        except ApiError as error:
            if error.not_found:
                return True
            if error.conflict:
                return False
            if error.invalid:
                # The object would be none of its type without what we put in: no other try ends better.
                raise Invalid(Reason.TARGET_REFUSED, translate(error).message) from error
            raise translate(error) from error
        finally:
            if self._known.end_write(target, observed):
                self._touched(target)
        return True

    async def take_out(self, target: TargetRef, observed: Observed, keys: Sequence[str]) -> bool:
        """Take data keys out of an object; return False if it is not the one that was judged."""
        left: Observed | None = None
        self._known.begin_write(target)
        try:
            left = await self._prune(target, observed, keys)
        except ApiError as error:
            if error.conflict or error.not_found:
                return False
            raise translate(error) from error
        finally:
            if self._known.end_write(target, left):
                self._touched(target)
        log.info("keys taken out", extra={"object": str(target)})
        return True

    async def prove(self, desired: Desired) -> None:
        """Have the API server judge an object that does not exist, without making it; raise what it objects to."""
        try:
            await self._apply(desired, Apply(None), dry_run=True)
        except ApiError as error:
            if not error.conflict:
                raise translate(error) from error

    async def keep(self, target: TargetRef, version: str, copy: Desired) -> bool:
        """Make a copy of a target as it stands; return False if it is not the one that was judged any more."""
        try:
            found = await self._client.request("GET", target_path(target))
            if found["metadata"]["resourceVersion"] != version:
                return False
            manifest = copy_of_standing(found, copy)
            manifest["metadata"]["resourceVersion"] = _NO_VERSION
            await self._send(copy.ref, names.FIELD_MANAGER, manifest)
        except ApiError as error:
            if error.conflict or (error.not_found and error.kind not in {"namespaces", "namespace"}):
                return False
            raise translate(error) from error
        return True

    async def restore(self, copy: TargetRef, target: TargetRef) -> bool:
        """Make a target from its copy; return False if something stands there or the copy is gone."""
        try:
            kept = await self._client.request("GET", target_path(copy))
            manifest = original_of(kept, target)
            manifest["metadata"]["resourceVersion"] = _NO_VERSION
            await self._send(target, names.FIELD_MANAGER, manifest)
        except ApiError as error:
            if error.conflict or (error.not_found and error.kind not in {"namespaces", "namespace"}):
                return False
            raise translate(error) from error
        return True

    async def _apply(self, desired: Desired, action: Apply, *, dry_run: bool = False) -> Observed:
        # An object that appeared meanwhile is a conflict, not prey: no object has the version that we ask for then.
        manifest = intent(desired, action, action.resource_version or _NO_VERSION)
        return await self._send(desired.ref, desired.manager, manifest, force=action.force, dry_run=dry_run)

    async def _apply_named(self, desired: Desired, action: Apply) -> Observed:
        async def send(kind: str) -> Observed:
            return await self._apply(desired, replace(action, type=kind))

        return await (self._naming_type(desired.ref, action.type, send) if desired.claim.merges else send(action.type))

    async def _naming_type(self, ref: TargetRef, kind: str, send: Callable[[str], Awaitable[Observed]]) -> Observed:
        """Send what names the type of an object that we merge into, or none; if it has another one, name that.

        Which type is ours to name is read from a mark, and anybody may edit marks.
        """
        try:
            return await send(kind)
        except ApiError as error:
            if translate(error).reason is not Reason.TYPE_IMMUTABLE:
                raise
        return await send(await self._type_of(ref))

    async def _type_of(self, ref: TargetRef) -> str:
        return str((await self._client.request("GET", target_path(ref)))["type"])

    async def _release(self, desired: Desired, action: Apply, manager: str, observed: Observed) -> Observed:
        """Own nothing under another field manager of ours any more; a type that only it names stays with the part."""
        try:
            return await self._give_up(desired.ref, manager, observed.uid, observed.resource_version)
        except ApiError as error:
            if not desired.claim.merges or translate(error).reason is not Reason.TYPE_IMMUTABLE:
                raise
        again = replace(action, resource_version=observed.resource_version, type=await self._type_of(desired.ref))
        kept = await self._apply(desired, again)
        return await self._give_up(desired.ref, manager, kept.uid, kept.resource_version)

    async def _give_up(self, ref: TargetRef, manager: str, uid: str, version: str, kept: str = "") -> Observed:
        """Own nothing of an object any more under this manager, but the type that is kept."""
        manifest: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": str(ref.kind),
            "metadata": {
                "namespace": ref.key.namespace,
                "name": ref.key.name,
                "uid": uid,
                "resourceVersion": version,
            },
        }
        return await self._send(ref, manager, manifest | ({"type": kept} if kept else {}))

    async def _send(
        self, ref: TargetRef, manager: str, manifest: Mapping[str, Any], *, force: bool = True, dry_run: bool = False
    ) -> Observed:
        query = [("fieldManager", manager), ("force", "true" if force else "false")]
        answer = await self._client.request(
            "PATCH",
            target_path(ref),
            query=query + [("dryRun", "All")] * dry_run,
            body=manifest,
            content_type=APPLY,
            accept=METADATA,
        )
        return observe(metadata_of(answer))

    async def _delete(self, ref: TargetRef, action: Delete) -> None:
        await self._client.request(
            "DELETE",
            target_path(ref),
            body={"preconditions": {"uid": action.uid, "resourceVersion": action.resource_version}},
        )

    async def _prune(self, ref: TargetRef, observed: Observed, keys: Sequence[str]) -> Observed:
        nothing = dict.fromkeys(keys)
        body: dict[str, Any] = {"metadata": {"resourceVersion": observed.resource_version}, "data": nothing}
        if ref.kind is Kind.CONFIG_MAP:
            body["binaryData"] = nothing
        answer = await self._client.request(
            "PATCH", target_path(ref), query=[MANAGER], body=body, content_type=MERGE, accept=METADATA
        )
        return observe(metadata_of(answer))

    async def versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return what carries the label of a target's versions."""
        path = object_path(CORE, COLLECTIONS[base.kind], base.key.namespace)
        selector = f"{names.LABEL_VERSION_OF}={version_label(base.key.name)}"
        listed = items(self._client, path, accept=METADATA_LIST, query=[("labelSelector", selector)])
        found = [mapping(item.get("metadata")) async for item in listed]
        return {
            TargetRef(base.kind, ObjectKey(base.key.namespace, text(metadata.get("name")))): observe(metadata)
            for metadata in found
        }

    def known_versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return what the watches have shown of a target's versions."""
        return self._known.versions(base)

    def marked(self, owner: ObjectKey) -> Mapping[TargetRef, Observed]:
        """Return what the watches have shown with a mark of this PhaseSecret."""
        return self._known.marked(owner)

    async def mentioned(self, namespace: str, wanted: Sequence[str]) -> frozenset[str]:
        """Return which of these names stand in a pod template of the namespace."""
        found: frozenset[str] = frozenset()
        # One namespace after another, and a few objects at a time: whole ones are large, and others say how large.
        async with self._reading:
            for prefix, collection in _POD_TEMPLATES:
                async for item in items(self._client, object_path(prefix, collection, namespace), chunk=FEW):
                    found |= mentioned(item, wanted)
        return found

    async def write_status(self, key: ObjectKey, uid: str, status: StatusDocument) -> None:
        """Replace the status; a resource that is gone, or another one by now, is no error."""
        # A server-side apply would do, but for its uid: the API server does not compare it on a subresource.
        body: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        try:
            await self._client.request(
                "PATCH",
                object_path(PHASE, names.PLURAL_PHASE_SECRETS, key.namespace, key.name, "status"),
                query=[MANAGER],
                body=body,
                content_type=JSON_PATCH,
                accept=METADATA,
            )
        except ApiError as error:
            # What is wrong with a status is told with its fields; a test that failed is told without.
            is_another = error.invalid and not error.causes
            if not (error.not_found or is_another):
                raise translate(error) from error

    async def set_finalizer(self, key: ObjectKey, uid: str, *, wanted: bool) -> None:
        """Put our finalizer on a PhaseSecret, or take it off; one that is gone, or another by now, is no error."""
        path = object_path(PHASE, names.PLURAL_PHASE_SECRETS, key.namespace, key.name)
        try:
            for _ in range(_ATTEMPTS):
                metadata = metadata_of(await self._client.request("GET", path, accept=METADATA))
                before = metadata.get("finalizers") or []
                # The API server takes no new finalizer for what is being deleted.
                is_late = wanted and "deletionTimestamp" in metadata
                if metadata["uid"] != uid or (names.FINALIZER in before) is wanted or is_late:
                    return
                after = [*before, names.FINALIZER] if wanted else [each for each in before if each != names.FINALIZER]
                # A list is replaced as a whole: under its version, or another's finalizer would be lost.
                body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": after}}
                try:
                    await self._client.request(
                        "PATCH", path, query=[MANAGER], body=body, content_type=MERGE, accept=METADATA
                    )
                except ApiError as error:
                    if not error.conflict:
                        raise
                    continue
                return
        except ApiError as error:
            if error.not_found:
                return
            raise translate(error) from error
        raise Transient(Reason.KUBERNETES_UNAVAILABLE, "the PhaseSecret keeps changing while its finalizer is set")

    async def find_resource(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Return a PhaseSecret as it stands, or None if there is none."""
        try:
            path = object_path(PHASE, names.PLURAL_PHASE_SECRETS, key.namespace, key.name)
            return await self._client.request("GET", path)
        except ApiError as error:
            if error.not_found:
                return None
            raise translate(error) from error

    def notify(self, key: ObjectKey, uid: str, notices: Sequence[Notice]) -> None:
        """Have Events posted in their own time."""
        self._recorder.post(key, uid, notices)

    async def is_served(self) -> bool:
        """Say whether the API server serves PhaseSecrets, by what the watch engine reads; raise ExpectedError."""
        try:
            groups = mappings((await self._client.request("GET", "/apis")).get("groups"))
            if not any(group.get("name") == names.GROUP for group in groups):
                return False
            kinds = mappings((await self._client.request("GET", PHASE)).get("resources"))
        except ApiError as error:
            if error.not_found:
                return False
            raise translate(error) from error
        return any(kind.get("name") == names.PLURAL_PHASE_SECRETS for kind in kinds)

    async def count_resources(self, namespace: str | None) -> int:
        """Return how many PhaseSecrets there are in a namespace, or in all."""
        try:
            answer = await self._client.request(
                "GET", _resources_path(namespace), query=[("limit", "1")], accept=METADATA_LIST
            )
            seen = len(page(answer).items)
        except ApiError as error:
            raise translate(error) from error
        return seen + number(mapping(answer.get("metadata")).get("remainingItemCount"))

    async def list_resources(self, namespace: str | None) -> list[Mapping[str, Any]]:
        """Return the metadata of all PhaseSecrets of a namespace, or of all."""
        found = items(self._client, _resources_path(namespace), accept=METADATA_LIST)
        return [_of_interest(mapping(item.get("metadata"))) async for item in found]


async def target_metadata(client: KubeClient, target: TargetRef) -> Mapping[str, Any] | None:
    """Return a target's metadata as it stands, or None if it is not there. Raises ExpectedError."""
    try:
        return metadata_of(await client.request("GET", target_path(target), accept=METADATA))
    except ApiError as error:
        if error.not_found:
            return None
        raise translate(error) from error


async def items(
    client: KubeClient,
    path: str,
    *,
    accept: str = "application/json",
    query: Sequence[tuple[str, str]] = (),
    chunk: int = _CHUNK,
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield what a collection holds, read in chunks; one that does not exist holds nothing. Raises ExpectedError."""
    token = ""
    while True:
        more = [("limit", str(chunk)), *query] + ([("continue", token)] if token else [])
        try:
            found = page(await client.request("GET", path, query=more, accept=accept))
        except ApiError as error:
            if error.not_found:
                return
            raise translate(error) from error
        for item in found.items:
            yield item
        token = found.token
        if not token:
            return


async def load_digest_key(client: KubeClient, namespace: str, make: Callable[[], bytes]) -> bytes:
    """Return the operator's key for digests, made once and kept in a Secret of its own; raise ExpectedError."""
    path = object_path(CORE, "secrets", namespace, names.DIGEST_KEY_SECRET)
    try:
        try:
            return key_of(await client.request("GET", path))
        except ApiError as error:
            if not error.not_found:
                raise
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": names.DIGEST_KEY_SECRET,
                "namespace": namespace,
                "labels": {names.LABEL_MANAGED_BY: names.OPERATOR_NAME},
            },
            "data": {"key": base64.b64encode(make()).decode()},
        }
        try:
            return key_of(
                await client.request("POST", object_path(CORE, "secrets", namespace), query=[MANAGER], body=body)
            )
        except ApiError as error:
            # Another replica was faster: its key is the key.
            if not error.conflict:
                raise
            return key_of(await client.request("GET", path))
    except ApiError as error:
        raise translate(error) from error


def key_of(secret: dict[str, Any]) -> bytes:
    """Return the key that a Secret holds; raise Waiting if that is none."""
    try:
        key = base64.b64decode(secret["data"]["key"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        key = b""
    # An empty key would make digests that anybody can compute; one over 64 bytes is none that blake2b takes.
    if not MIN_KEY <= len(key) <= MAX_KEY:
        raise Waiting(
            Reason.INTERNAL_ERROR,
            f'Secret {names.DIGEST_KEY_SECRET} has no usable "key" of {MIN_KEY} to {MAX_KEY} bytes; '
            "delete it to have it made anew",
        )
    return key


def _of_interest(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    # Thousands are kept for a moment, without what nobody looks at.
    return {key: value for key, value in metadata.items() if key != "managedFields"}


def _resources_path(namespace: str | None) -> str:
    if namespace is None:
        return f"{PHASE}/{names.PLURAL_PHASE_SECRETS}"
    return object_path(PHASE, names.PLURAL_PHASE_SECRETS, namespace)


def target_path(target: TargetRef) -> str:
    """Return where a target is served."""
    return object_path(CORE, COLLECTIONS[target.kind], target.key.namespace, target.key.name)
