"""Reads and writes of targets on the API server.

Rule: targets are observed as metadata. Every write names the resource version that was judged, or can only create; it
is an apply, a deletion, or a merge patch that removes keys. A whole object is read only to make or restore a copy, or
to learn its type.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, assert_never

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mapping, text
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.observed import Observed, is_vast, observe
from phase_operator.core.targets.plan import Apply, intent
from phase_operator.core.targets.removal import Delete, Removal, Withdraw
from phase_operator.core.targets.type_change import copy_of_existing, original_of
from phase_operator.core.targets.versions import version_label
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import APPLY, MANAGER, MERGE, METADATA, METADATA_LIST, KubeClient, metadata_of
from phase_operator.kube.errors import ApiError, changed_or_missing, ending_at, missing, translate, translated
from phase_operator.kube.listing import items
from phase_operator.kube.paths import COLLECTIONS, CORE, object_path, target_path
from phase_operator.kube.target_cache import TargetCache
from phase_operator.reconcile.background import BackgroundThread

log = logging.getLogger(__name__)

# The revision of an empty etcd. No object has it, so an apply under it can only create.
_NO_VERSION = "1"
# What it takes to observe a vast object, in microseconds.
_VAST = 100_000


@dataclass(slots=True)
class _Written:
    """What a write left; None: that is not known, or there is nothing."""

    observed: Observed | None = None


class KubeTargets:
    """Reads and writes targets."""

    def __init__(
        self,
        client: KubeClient,
        known: TargetCache,
        touched: Callable[[TargetRef], None],
        background: BackgroundThread | None = None,
    ) -> None:
        self._background = background or BackgroundThread()
        self._client = client
        self._known = known
        self._touched = touched

    async def observe(self, target: TargetRef, *, live: bool) -> Observed | None:
        """Return the target as its metadata shows it, or None if it does not exist.

        It comes from the cache if it is there. If not, it is read from the API server if `live`, else the answer is
        None.
        """
        known = self._known.get(target)
        if known is not None or not live:
            return known
        found = await target_metadata(self._client, target)
        return None if found is None else await self._observed(found, target.key.namespace)

    async def apply_target(self, desired: Desired, action: Apply) -> bool:
        """Apply, prune and release; return False if the object is not the one that was judged."""
        is_new = action.resource_version is None

        def is_another(error: ApiError) -> bool:
            return (error.conflict and not error.held) or (error.not_found and not is_new)

        with self._writing(desired.ref) as written, translated(unless=is_another):
            applied = await self._apply_named(desired, action)
            written.observed = await self._prune(desired.ref, applied, action.prune) if action.prune else applied
            for manager in action.release:
                written.observed = await self._release(desired, action, manager, written.observed)
            return True
        return False

    @contextmanager
    def _writing(self, target: TargetRef) -> Iterator[_Written]:
        """Hold events of a target back while it is written; report one that was not of this write."""
        written = _Written()
        self._known.begin_write(target)
        try:
            yield written
        finally:
            if self._known.end_write(target, written.observed):
                self._touched(target)

    async def remove(self, target: TargetRef, action: Removal) -> bool:
        """Delete the object, or withdraw our share of it; return False if it is not the one that was judged."""
        with self._writing(target) as written, translated(unless=lambda error: error.conflict):
            with ending_at(missing):
                written.observed = await self._removed(target, action)
            return True
        return False

    async def _removed(self, target: TargetRef, action: Removal) -> Observed | None:
        """Remove, and return the object if there are shares of others in it."""
        try:
            match action:
                case Delete():
                    await self._delete(target, action)
                    log.info("object deleted", extra={"object": str(target)})
                    return None
                case Withdraw():
                    give_up = partial(self._give_up, target, action.manager, action.uid, action.resource_version)
                    left = await self._naming_type(target, action.type, give_up)
                    log.info("keys taken out", extra={"object": str(target)})
                    return left if left.parts else None
                case _:
                    assert_never(action)
        except ApiError as error:
            if error.conflict or not error.invalid:
                raise
            # Without our keys the object would not be valid for its type, so a retry cannot succeed.
            raise Invalid(Reason.TARGET_REFUSED, translate(error).message) from error

    async def take_out(self, target: TargetRef, observed: Observed, keys: Sequence[str]) -> bool:
        """Remove data keys from an object; return False if it is not the one that was judged."""
        with self._writing(target) as written, translated(unless=changed_or_missing):
            written.observed = await self._prune(target, observed, keys)
            log.info("keys taken out", extra={"object": str(target)})
            return True
        return False

    async def prove(self, desired: Desired) -> None:
        """Have the API server validate a new object by a dry run; raise ExpectedError if it refuses the object."""
        with translated(unless=lambda error: error.conflict):
            await self._apply(desired, Apply(None), dry_run=True)

    async def keep(self, target: TargetRef, version: str, copy: Desired) -> bool:
        """Create a copy of a target as it is now; return False if the target is not the one that was judged."""
        with translated(unless=_is_not_there):
            found = await self._client.request("GET", target_path(target))
            if found["metadata"]["resourceVersion"] == version:
                await self._create(copy.ref, copy_of_existing(found, copy))
                return True
        return False

    async def restore(self, copy: TargetRef, target: TargetRef) -> bool:
        """Create a target from its copy; return False if the target exists or the copy is gone."""
        with translated(unless=_is_not_there):
            kept = await self._client.request("GET", target_path(copy))
            await self._create(target, original_of(kept, target))
            return True
        return False

    async def _create(self, target: TargetRef, manifest: dict[str, Any]) -> None:
        manifest["metadata"]["resourceVersion"] = _NO_VERSION
        await self._send(target, names.FIELD_MANAGER, manifest)

    async def _apply(self, desired: Desired, action: Apply, *, dry_run: bool = False) -> Observed:
        # If the object did not exist when it was judged, one that appeared since must be a conflict.
        manifest = intent(desired, action, action.resource_version or _NO_VERSION)
        return await self._send(desired.ref, desired.manager, manifest, force=action.force, dry_run=dry_run)

    async def _apply_named(self, desired: Desired, action: Apply) -> Observed:
        async def send(kind: str) -> Observed:
            return await self._apply(desired, replace(action, type=kind))

        if not desired.policy.merges:
            return await self._apply(desired, action)
        return await self._naming_type(desired.ref, action.type, send)

    async def _naming_type(self, ref: TargetRef, kind: str, send: Callable[[str], Awaitable[Observed]]) -> Observed:
        """Call `send` with the recorded type of a Secret that we merge into; if it differs, again with the real one.

        The type is recorded in a mark on the object, which anyone may edit, so it can be wrong.
        """
        with ending_at(_is_of_another_type):
            return await send(kind)
        return await send(await self._type_of(ref))

    async def _type_of(self, ref: TargetRef) -> str:
        return str((await self._client.request("GET", target_path(ref)))["type"])

    async def _release(self, desired: Desired, action: Apply, manager: str, observed: Observed) -> Observed:
        """Give up all fields under another field manager of ours; a type that only it owned stays with our share."""
        with ending_at(lambda error: desired.policy.merges and _is_of_another_type(error)):
            return await self._give_up(desired.ref, manager, observed.uid, observed.resource_version)
        again = replace(action, resource_version=observed.resource_version, type=await self._type_of(desired.ref))
        kept = await self._apply(desired, again)
        return await self._give_up(desired.ref, manager, kept.uid, kept.resource_version)

    async def _give_up(self, ref: TargetRef, manager: str, uid: str, version: str, kept: str = "") -> Observed:
        """Give up all fields of an object under this field manager, except the type if `kept` names one."""
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
        return await self._observed(metadata_of(answer), ref.key.namespace)

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
        return await self._observed(metadata_of(answer), ref.key.namespace)

    async def versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return the objects that carry the label of a target's versions, by a live read."""
        path = object_path(CORE, COLLECTIONS[base.kind], base.key.namespace)
        selector = f"{names.LABEL_VERSION_OF}={version_label(base.key.name)}"
        listed = items(self._client, path, accept=METADATA_LIST, query=[("labelSelector", selector)])
        found = [mapping(item.get("metadata")) async for item in listed]
        namespace = base.key.namespace
        return {
            TargetRef(base.kind, ObjectKey(namespace, text(each.get("name")))): await self._observed(each, namespace)
            for each in found
        }

    async def _observed(self, metadata: Mapping[str, Any], namespace: str) -> Observed:
        """Return what an object's metadata shows; anybody may have made it so vast that it takes long to see."""
        units = _VAST if is_vast(metadata) else 0
        return await self._background.run(partial(observe, metadata), units, namespace)

    def known_versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return the cached versions of a target."""
        return self._known.versions(base)

    def marked(self, owner: ObjectKey) -> Mapping[TargetRef, Observed]:
        """Return the cached objects with an owner mark of this PhaseSecret."""
        return self._known.marked(owner)


async def target_metadata(client: KubeClient, target: TargetRef) -> Mapping[str, Any] | None:
    """Return a target's metadata by a live read, or None if it does not exist. Raises ExpectedError."""
    with translated(unless=missing):
        return metadata_of(await client.request("GET", target_path(target), accept=METADATA))
    return None


def _is_not_there(error: ApiError) -> bool:
    """Return whether an object has changed or is gone; its namespace is there."""
    return error.conflict or (error.not_found and error.kind not in {"namespaces", "namespace"})


def _is_of_another_type(error: ApiError) -> bool:
    return translate(error).reason is Reason.TYPE_IMMUTABLE
