"""Reads and writes of PhaseSecrets on the API server: statuses, finalizers, lists.

Rule: a write names the uid or the resource version that it is meant for, so it never changes another object with the
same name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.json_access import mapping, mappings, number, text
from phase_operator.core.outcome import Event, StatusDocument
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import JSON_PATCH, MANAGER, MERGE, METADATA, METADATA_LIST, KubeClient, metadata_of
from phase_operator.kube.errors import ApiError, translate
from phase_operator.kube.events import Recorder
from phase_operator.kube.listing import items, page
from phase_operator.kube.paths import OURS, KindPaths
from phase_operator.reconcile.attempts import attempts


class KubeResources:
    """Reads our resources, and writes their statuses, finalizers and Events."""

    def __init__(self, client: KubeClient, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._paths = KindPaths()

    async def write_status(self, key: ObjectKey, uid: str, status: StatusDocument) -> None:
        """Replace the status; it is no error if the resource is gone or was replaced by another one."""
        # A JSON patch, since the API server does not compare the uid in a server-side apply of a subresource.
        body: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        try:
            await self._client.request(
                "PATCH",
                self._paths.object_of(key, "status"),
                query=[MANAGER],
                body=body,
                content_type=JSON_PATCH,
                accept=METADATA,
            )
        except ApiError as error:
            # An invalid status is reported with its fields; a failed `test` is reported without any.
            is_another = error.invalid and not error.causes
            if not (error.not_found or is_another):
                raise translate(error) from error

    async def set_finalizer(self, key: ObjectKey, uid: str, *, wanted: bool) -> None:
        """Add or remove our finalizer; it is no error if the resource is gone or was replaced by another one."""
        try:
            done = await attempts(lambda _: self._set_finalizer(self._paths.object_of(key), uid, wanted=wanted))
        except ApiError as error:
            if error.not_found:
                return
            raise translate(error) from error
        if not done:
            message = "the PhaseSecret keeps changing while its finalizer is set"
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, message)

    async def _set_finalizer(self, path: str, uid: str, *, wanted: bool) -> bool | None:
        metadata = metadata_of(await self._client.request("GET", path, accept=METADATA))
        before = metadata.get("finalizers") or []
        # The API server accepts no new finalizer on an object in deletion.
        is_late = wanted and "deletionTimestamp" in metadata
        if metadata["uid"] != uid or (names.FINALIZER in before) is wanted or is_late:
            return True
        after = [*before, names.FINALIZER] if wanted else [each for each in before if each != names.FINALIZER]
        # A merge patch replaces the whole list; without the version another's finalizer could be lost.
        body = {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": after}}
        try:
            await self._client.request("PATCH", path, query=[MANAGER], body=body, content_type=MERGE, accept=METADATA)
        except ApiError as error:
            if not error.conflict:
                raise
            return None
        return True

    async def find_resource(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Return a resource as it is now; None if it does not exist or its kind is not one of ours."""
        if not self._paths.knows(key.kind):
            return None
        try:
            path = self._paths.object_of(key)
            return await self._client.request("GET", path)
        except ApiError as error:
            if error.not_found:
                return None
            raise translate(error) from error

    def record_event(self, key: ObjectKey, uid: str, notices: Sequence[Event]) -> None:
        """Queue Events about a resource; never waits."""
        self._recorder.post(key, uid, notices)

    async def is_served(self) -> bool:
        """Return whether the API server serves our kinds, judged by what kopf reads; raise ExpectedError."""
        try:
            groups = mappings((await self._client.request("GET", "/apis")).get("groups"))
            if not any(group.get("name") == names.GROUP for group in groups):
                return False
            kinds = mappings((await self._client.request("GET", OURS)).get("resources"))
        except ApiError as error:
            if error.not_found:
                return False
            raise translate(error) from error
        return {each.plural for each in DEFINITIONS} <= {text(kind.get("name")) for kind in kinds}

    async def count_resources(self, namespace: str | None) -> int:
        """Return how many PhaseSecrets exist in a namespace, or in all."""
        try:
            answer = await self._client.request(
                "GET", self._paths.collection_of("", namespace or ""), query=[("limit", "1")], accept=METADATA_LIST
            )
            seen = len(page(answer).items)
        except ApiError as error:
            raise translate(error) from error
        return seen + number(mapping(answer.get("metadata")).get("remainingItemCount"))

    async def list_resources(self, namespace: str | None) -> list[Mapping[str, Any]]:
        """Return the metadata of all PhaseSecrets of a namespace, or of all."""
        found = items(self._client, self._paths.collection_of("", namespace or ""), accept=METADATA_LIST)
        return [_of_interest(mapping(item.get("metadata"))) async for item in found]


def _of_interest(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    # Thousands are in memory at once, so managedFields, which nothing reads, is left out.
    return {key: value for key, value in metadata.items() if key != "managedFields"}
