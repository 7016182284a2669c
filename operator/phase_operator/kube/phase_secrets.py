"""Reads and writes of our resources on the API server: statuses, ledgers, finalizers, lists.

Rule: a write names the uid or the resource version that it is meant for, so it never changes another object with the
same name.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from phase_operator.api import names
from phase_operator.api.crd import Definition
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.json_access import bounded, mapping, mappings, number, only, strings, text, texts
from phase_operator.core.outcome import Event, StatusDocument
from phase_operator.core.status.document import LONGEST_SYNC
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import JSON_PATCH, MANAGER, MERGE, METADATA, METADATA_LIST, KubeClient, metadata_of
from phase_operator.kube.errors import ApiError, ending_at, missing, translated
from phase_operator.kube.events import Recorder
from phase_operator.kube.listing import items, page
from phase_operator.kube.own_writes import OwnVersions
from phase_operator.kube.paths import OURS, KindPaths
from phase_operator.reconcile.attempts import attempts


class KubeResources:
    """Reads our resources, and writes their statuses, finalizers and Events."""

    def __init__(self, client: KubeClient, recorder: Recorder, paths: KindPaths | None = None) -> None:
        self._client = client
        self._recorder = recorder
        self._paths = paths or KindPaths()
        self.own_versions = OwnVersions()

    async def write_status(
        self, key: ObjectKey, uid: str, status: StatusDocument, *, before: Mapping[str, Any] | None = None
    ) -> bool:
        """Replace the status; return False if that was not done, because the resource is another one or gone by now.

        `before` is the status as it was read. With it, nothing is done if the ledger in it has changed since.
        """
        return await self._patch_status(
            key, uid, _unmoved(before, ledger_fields(key)), [{"op": "add", "path": "/status", "value": status}]
        )

    async def write_ledger(self, key: ObjectKey, uid: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Replace the ledger in a status, and return True; return False if it is not as in `before` any more."""
        fields = ledger_fields(key)
        return await self._patch_status(
            key, uid, _unmoved(before, fields), list(_ledger_written(before, after, fields))
        )

    async def _patch_status(
        self, key: ObjectKey, uid: str, tests: Sequence[dict[str, Any]], changes: Sequence[dict[str, Any]]
    ) -> bool:
        # A JSON patch, since the API server does not compare the uid in a server-side apply of a subresource.
        with translated(unless=_is_gone_or_another):
            answer = await self._client.request(
                "PATCH",
                self._paths.object_of(key, "status"),
                query=[MANAGER],
                body=[{"op": "test", "path": "/metadata/uid", "value": uid}, *tests, *changes],
                content_type=JSON_PATCH,
                accept=METADATA,
            )
            self.own_versions.add(answer)
            return True
        return False

    async def set_finalizer(self, key: ObjectKey, uid: str, *, wanted: bool, finalizer: str = names.FINALIZER) -> None:
        """Add or remove a finalizer of ours; it is no error if the resource is gone or was replaced by another one."""
        path = self._paths.object_of(key)
        with translated(unless=missing):
            if not await attempts(lambda _: self._set_finalizer(path, uid, finalizer, wanted=wanted)):
                message = "the resource keeps changing while its finalizer is set"
                raise Transient(Reason.KUBERNETES_UNAVAILABLE, message)

    async def _set_finalizer(self, path: str, uid: str, finalizer: str, *, wanted: bool) -> bool | None:
        """Return True if nothing is left to do, None if the object changed meanwhile."""
        metadata = metadata_of(await self._client.request("GET", path, accept=METADATA))
        if metadata["uid"] != uid:
            return True
        if wanted and finalizer == names.FINALIZER_OUTSIDE and _is_late(metadata, finalizer):
            # What it is to wait for must not be made.
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, "the resource is being deleted")
        after = _with_finalizer(metadata, finalizer) if wanted else _without_finalizer(metadata, finalizer)
        if after is None:
            return True
        # A merge patch replaces the whole list; without the version another's finalizer could be lost.
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": after}}
        with ending_at(lambda error: error.conflict):
            await self._client.request("PATCH", path, query=[MANAGER], body=body, content_type=MERGE, accept=METADATA)
            return True
        return None

    async def find_resource(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Return a resource as it is now; None if it does not exist or its kind is not one of ours."""
        if not self._paths.knows(key.kind):
            return None
        with translated(unless=missing):
            return await self._client.request("GET", self._paths.object_of(key))
        return None

    def record_event(self, key: ObjectKey, uid: str, events: Sequence[Event]) -> None:
        """Queue Events about a resource; never waits."""
        self._recorder.post(key, uid, events)

    async def served(self) -> set[str]:
        """Return the plurals of all kinds of our group that are served, as kopf sees them; raise ExpectedError."""
        with translated(unless=missing):
            groups = mappings((await self._client.request("GET", "/apis")).get("groups"))
            if names.GROUP in (group.get("name") for group in groups):
                kinds = mappings((await self._client.request("GET", OURS)).get("resources"))
                return {text(kind.get("name")) for kind in kinds}
        return set()

    async def why_unserved(self, definition: Definition, served: Set[str], *, is_everywhere: bool) -> str | None:
        """Return what keeps us from watching a kind, and what to do; None if nothing does. Raises ExpectedError.

        `served` is what `served` returned. Rights are looked at for the whole cluster only: a namespace that refuses us
        is a matter of its own.
        """
        if definition.plural not in served:
            return f"their CRD is not there; apply {definition.file} of this version"
        if not is_everywhere:
            return None
        try:
            await self.count_resources(None, definition.kind)
        except Waiting as error:
            return f"{error.message}; apply the RBAC of this version"
        return None

    async def count_resources(self, namespace: str | None, kind: str = "") -> int:
        """Return how many resources of a kind exist in a namespace, or in all."""
        path = self._paths.collection_of(kind, namespace or "")
        with translated():
            answer = await self._client.request("GET", path, query=[("limit", "1")], accept=METADATA_LIST)
            seen = len(page(answer).items)
        return seen + number(mapping(answer.get("metadata")).get("remainingItemCount"))

    async def list_resources(self, namespace: str | None, kind: str = "") -> list[Mapping[str, Any]]:
        """Return the metadata of all resources of a kind in a namespace, or in all."""
        found = items(self._client, self._paths.collection_of(kind, namespace or ""), accept=METADATA_LIST)
        return [_of_interest(mapping(item.get("metadata"))) async for item in found]


def _is_gone_or_another(error: ApiError) -> bool:
    """Return whether an object is gone, or another one has its name now: the `test` of its uid failed."""
    # An invalid status is reported with its fields; a failed `test` is reported without any.
    return error.not_found or (error.invalid and not error.causes)


def ledger_fields(key: ObjectKey) -> Sequence[str]:
    """Return the fields of a status that are the ledger of a resource of this kind."""
    return names.LEDGERS.get(key.kind, ())


def _unmoved(before: Mapping[str, Any] | None, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Return the tests that the ledger of a status is still as it was read."""
    if before is None:
        return []
    # A test for null holds where there is nothing, but not below what is not there.
    if not before:
        return [{"op": "test", "path": "/status", "value": None}]
    return [{"op": "test", "path": f"/status/{field}", "value": before.get(field)} for field in fields]


def _ledger_written(
    before: Mapping[str, Any], after: Mapping[str, Any], fields: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield the changes that put a ledger into a status."""
    if not before:
        yield {"op": "add", "path": "/status", "value": dict(after)}
        return
    for field in fields:
        if field in after:
            yield {"op": "add", "path": f"/status/{field}", "value": after[field]}
        elif field in before:
            yield {"op": "remove", "path": f"/status/{field}"}


def _with_finalizer(metadata: Mapping[str, Any], finalizer: str) -> list[str] | None:
    """Return the finalizers of an object with this one; None if nothing can or has to be changed."""
    before = strings(metadata.get("finalizers"))
    return None if _is_late(metadata, finalizer) or finalizer in before else [*before, finalizer]


def _is_late(metadata: Mapping[str, Any], finalizer: str) -> bool:
    """Return whether an object lacks a finalizer that it can get no more: it is being deleted."""
    return "deletionTimestamp" in metadata and finalizer not in strings(metadata.get("finalizers"))


def _without_finalizer(metadata: Mapping[str, Any], finalizer: str) -> list[str] | None:
    """Return the finalizers of an object without this one; None if it does not have it."""
    before = strings(metadata.get("finalizers"))
    return [each for each in before if each != finalizer] if finalizer in before else None


def _of_interest(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a list is compared by: thousands are in memory at once, and tenants decide how large the rest is."""
    found = only(metadata, "namespace", "name", "uid", "resourceVersion", "generation", "deletionTimestamp")
    sync = texts(metadata.get("annotations")).get(names.ANNOTATION_SYNC)
    if sync is not None:
        found["annotations"] = {names.ANNOTATION_SYNC: bounded(sync, LONGEST_SYNC)}
    finalizers = metadata.get("finalizers")
    if isinstance(finalizers, list):
        found["finalizers"] = [each for each in names.FINALIZERS if each in finalizers]
    return found
